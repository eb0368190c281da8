// The console of the emulator. It asks for the state, and asks again, with the number of that state, for the next one: the response comes
// when something changed.

const KEY = 'omnichannel-emulator-credential'
const SHOWN = 200

const element = id => document.getElementById(id)
let state
/** Ends the pending request for the next state, after a change of the credential. */
let connection
/** The conversation for which the dialog shows records, and their tables. */
let choice

const FAULTS = [
  ['429', { fault: { kind: 'throttle', limit: 'requests', retryAfterInSeconds: 1 } }],
  ['503', { fault: { kind: 'status', status: 503, message: 'Service unavailable' } }],
  ['401', { fault: { kind: 'unauthorized' } }],
  ['Lose the connection', { fault: { kind: 'drop' } }],
  ['Lose the response of a write', { on: { method: 'PATCH' }, fault: { kind: 'drop', commit: true } }],
  ['Another writer before a write (412)', { on: { method: 'PATCH' }, fault: { kind: 'writer', when: 'before' } }],
  ['Hang', { fault: { kind: 'hang' } }]
]

async function call(path, options) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(KEY)}` }
  const response = await fetch(`/_emulator/${path}`, { headers, ...options })
  if (response.status === 401) throw Object.assign(new Error('The emulator does not accept this credential.'), { isCredential: true })
  const body = await response.json()
  if (!response.ok) throw new Error(body.error ?? `Status ${response.status}`)
  return body
}

/** Calls a method, and shows its error if it fails. */
async function act(method, argument = null) {
  element('problem').textContent = ''
  try {
    await call(method, { method: 'POST', body: JSON.stringify(argument) })
  } catch (error) {
    element('problem').textContent = error.message
  }
}

/** An element with properties and children. Text is never read as HTML. */
function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

async function connect() {
  connection?.abort()
  const own = (connection = new AbortController())
  let after = 0
  while (!own.signal.aborted) {
    try {
      state = await call(`console/state?after=${after}`, { signal: own.signal })
      after = state.revision
      element('sign-in').hidden = true
      for (const id of ['content', 'forget']) element(id).hidden = false
      element('connection').textContent = `connected to ${location.origin}`
      render()
    } catch (error) {
      if (own.signal.aborted) return
      if (error.isCredential) return signOut(error.message)
      element('connection').textContent = 'the emulator does not respond; reload to try again'
      return
    }
  }
}

function signOut(problem = '') {
  connection?.abort()
  sessionStorage.removeItem(KEY)
  for (const id of ['content', 'forget']) element(id).hidden = true
  element('sign-in').hidden = false
  element('sign-in-problem').textContent = problem
  element('connection').textContent = 'not connected'
  element('credential').focus()
}

const nameOf = record => record.name || record.id

function render() {
  const focused = document.activeElement?.dataset?.key
  renderConversations()
  renderRequests()
  element('fault-count').textContent = `${state.faults} waiting`
  // Replacing the rows must not lose the keyboard's place.
  if (focused) document.querySelector(`[data-key="${focused}"]`)?.focus()
}

function renderConversations() {
  const wanted = element('search').value.toLowerCase()
  const fits = ({ id, subject, customer, case: incident }) =>
    [id, subject, customer?.name, incident?.name].some(text => text?.toLowerCase().includes(wanted))
  const rows = state.conversations.filter(row => !wanted || fits(row))
  element('conversation-count').textContent = `${rows.length} of ${state.total}`
  element('conversations').replaceChildren(...rows.map(conversation))
}

function conversation(row) {
  const status = make('select', { ariaLabel: `Status of ${row.subject ?? row.id}` })
  for (const { code, label } of state.statuses) status.append(new Option(label, code, false, code === row.status))
  status.dataset.key = `${row.id} status`
  status.addEventListener('change', () => act('console.write', { conversation: row.id, status: Number(status.value) }))
  return make(
    'tr',
    {},
    make('td', {}, row.subject ?? '', make('small', {}, row.id)),
    make('td', {}, status),
    make('td', {}, ...slot(row, 'customer', row.customer)),
    make('td', {}, ...slot(row, 'case', row.case))
  )
}

/** The linked record with its buttons. */
function slot(row, name, record) {
  const of = `${name} of ${row.subject ?? row.id}`
  const link = make('button', { type: 'button', className: 'quiet', ariaLabel: `Link ${of}` }, record ? 'Change' : 'Link')
  link.dataset.key = `${row.id} ${name}`
  link.addEventListener('click', () => chooseRecord(row, name))
  if (!record) return [link]
  const unlink = make('button', { type: 'button', className: 'quiet', ariaLabel: `Unlink ${of}` }, 'Unlink')
  unlink.dataset.key = `${row.id} ${name} unlink`
  unlink.addEventListener('click', () => act('console.write', { conversation: row.id, unlink: name }))
  return [nameOf(record), ' ', link, unlink, make('small', {}, `${record.table} ${record.id}`)]
}

function chooseRecord(row, name) {
  choice = { row, tables: name === 'case' ? ['incident'] : ['account', 'contact'] }
  element('link-title').textContent = `Link ${name} of ${row.subject ?? row.id}`
  element('link-search').value = ''
  renderRecords()
  element('link').showModal()
}

function renderRecords() {
  const wanted = element('link-search').value.toLowerCase()
  const isWanted = text => text?.toLowerCase().includes(wanted)
  const found = state.records.filter(({ table, id, name }) => choice.tables.includes(table) && (isWanted(id) || isWanted(name)))
  const item = ({ table, id, name }) => {
    const button = make('button', { type: 'button' }, name || id, ' ', make('small', {}, table))
    button.addEventListener('click', () => {
      element('link').close()
      act('console.write', { conversation: choice.row.id, link: { table, id } })
    })
    return make('li', {}, button)
  }
  const items = found.slice(0, SHOWN).map(item)
  element('link-results').replaceChildren(...(items.length > 0 ? items : [make('li', {}, 'no such record')]))
}

function renderRequests() {
  const opened = new Set([...document.querySelectorAll('#requests details[open]')].map(({ dataset }) => dataset.key))
  element('request-count').textContent = `${state.requests.length} newest`
  element('requests').replaceChildren(...state.requests.map(request => requestRow(request, opened)))
}

function requestRow({ number, method, path, status, body, fault, warnings }, opened) {
  const line = make('code', {}, `${method} ${path}`)
  const key = `request ${number}`
  let cell = line
  if (body) {
    const summary = make('summary', {}, line)
    summary.dataset.key = `${key} summary`
    cell = make('details', { open: opened.has(key) }, summary, make('pre', {}, pretty(body)))
    cell.dataset.key = key
  }
  const remarks = [fault, ...warnings].filter(Boolean).join('; ')
  const kind = status >= 400 || status === 0 ? 'status-bad' : 'status-good'
  return make(
    'tr',
    {},
    make('td', {}, String(number)),
    make('td', { className: kind }, status === 0 ? 'none' : String(status)),
    make('td', {}, cell, ...(remarks ? [make('small', {}, remarks)] : []))
  )
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    return text
  }
}

for (const [label, rule] of FAULTS) {
  const button = make('button', { type: 'button' }, label)
  button.addEventListener('click', () => act('faults.add', rule))
  element('faults').append(button)
}
element('sign-in').addEventListener('submit', event => {
  event.preventDefault()
  sessionStorage.setItem(KEY, element('credential').value.trim())
  element('credential').value = ''
  element('sign-in-problem').textContent = ''
  connect()
})
element('link-search').addEventListener('input', renderRecords)
// Enter takes the first one, instead of closing the dialog.
element('link-search').addEventListener('keydown', event => {
  if (event.key !== 'Enter') return
  event.preventDefault()
  element('link-results').querySelector('button')?.click()
})
element('rule').addEventListener('submit', event => {
  event.preventDefault()
  try {
    act('faults.add', JSON.parse(element('rule-text').value))
  } catch (error) {
    element('problem').textContent = `The rule is not JSON: ${error.message}`
  }
})
element('forget').addEventListener('click', () => signOut())
element('search').addEventListener('input', () => renderConversations())
element('release').addEventListener('click', () => act('faults.release'))
element('clear').addEventListener('click', () => act('faults.clear'))
element('reset').addEventListener('click', () => act('reset'))
if (sessionStorage.getItem(KEY)) connect()
else element('credential').focus()
