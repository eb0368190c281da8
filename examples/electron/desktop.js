// The page: the agent's conversations, and what is linked to the one that is open. It uses `Microsoft.Omnichannel`, and `/find/…` of main.js.
import { inWords } from './errors.js'

const { getConversations, linkToConversation, openConversation, unlinkFromConversation } = Microsoft.Omnichannel
const agentId = new URLSearchParams(location.search).get('agent')
const LABEL = '@OData.Community.Display.V1.FormattedValue'
const TABLE = '@Microsoft.Dynamics.CRM.lookuplogicalname'

const byId = id => document.getElementById(id)
const copyOf = template => byId(template).content.firstElementChild.cloneNode(true)

/** The id of the conversation that is shown, and its row. */
let opened
let conversation
/** The last reading of the list. The response to an earlier one may arrive later, and is not shown. */
let reading
/** Number of actions in progress. */
let running = 0

function say(notice, failure = '') {
  byId('notice').textContent = notice
  byId('failure').textContent = failure
}

/** Does what the agent asked for. After a failure the page says why, and shows what is linked now. */
async function attempt(action) {
  say('')
  running += 1
  document.body.ariaBusy = 'true'
  try {
    await action()
  } catch (failure) {
    say('', inWords(failure.error ?? failure))
    await refresh().catch(() => {})
  } finally {
    running -= 1
    document.body.ariaBusy = String(running > 0)
  }
}

/** Reads the agent's conversations that have not ended: active, waiting and in wrap-up. */
function refresh() {
  const query = { agentId, attributes: ['subject', 'msdyn_customer', 'msdyn_issueid'], status: [2, 3, 5] }
  const mine = getConversations(query).then(({ result }) => (mine === reading ? list(result.value) : reading))
  reading = mine
  return mine
}

function list(rows) {
  const form = byId('conversations')
  const hadFocus = form.contains(document.activeElement)
  form.replaceChildren(...rows.map(entry))
  if (hadFocus) (form.querySelector(':checked') ?? form.querySelector('input'))?.focus()
  show(rows.find(({ activityid }) => activityid === opened))
}

/** An entry of the list. */
function entry(row) {
  const label = copyOf('conversation')
  const [radio, subject, status, names] = label.children
  radio.checked = row.activityid === opened
  radio.addEventListener('change', () => attempt(() => open(row)))
  subject.textContent = row.subject ?? 'No subject'
  status.textContent = row[`statuscode${LABEL}`]
  status.className = `badge status-${row.statuscode}`
  const linked = slots.flatMap(({ linkedIn }) => linkedIn(row)?.name ?? [])
  names.textContent = linked.join(' · ') || 'Nothing linked'
  return label
}

async function open(row) {
  opened = row.activityid
  for (const slot of slots) slot.clear()
  show(row)
  // The focus of the window: it gets the events of this conversation.
  await openConversation(opened)
}

function show(row) {
  conversation = row
  byId('slots').hidden = !row
  byId('subject').textContent = row ? (row.subject ?? 'No subject') : 'Choose a conversation'
  const since = row?.createdon && new Date(row.createdon).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })
  byId('state').textContent = row
    ? [row[`statuscode${LABEL}`], since && `since ${since}`].filter(Boolean).join(', ')
    : 'The list has those that have not ended, the newest first.'
  if (row) for (const slot of slots) slot.show(slot.linkedIn(row))
}

/** A slot of the conversation: the record in it, and a search for another one by its number. */
function makeSlot({ title, column, table, number, none }) {
  const section = copyOf('slot')
  const [heading, line, form, found] = section.children
  const [name, unlink] = line.children
  const input = form.querySelector('input')
  heading.textContent = title
  form.querySelector('span').textContent = number
  let linked = null

  /** The record in this slot of a conversation. A deleted record has no name. */
  const linkedIn = row => {
    const recordId = row[column]
    return recordId ? { table: row[column + TABLE], recordId, name: row[column + LABEL] ?? `Deleted record ${recordId}` } : null
  }

  const clear = () => {
    input.value = ''
    found.replaceChildren()
  }

  const showLinked = record => {
    const focused = document.activeElement
    const hadFocus = section.contains(focused)
    if (record?.recordId !== linked?.recordId) clear()
    linked = record
    name.textContent = record?.name ?? 'Nothing linked'
    name.classList.toggle('empty', !record)
    unlink.hidden = !record
    unlink.ariaLabel = `Unlink ${record?.name}`
    // The button that was pressed may be gone.
    if (hadFocus && (focused.hidden || !focused.isConnected)) input.focus()
  }

  /** Finds all records with this number: people share phones. */
  const find = async () => {
    const response = await fetch(`/find/${table}?${new URLSearchParams({ number: input.value.trim() })}`)
    const body = await response.json()
    if (!response.ok && body.code !== 'RECORD_NOT_FOUND') throw body
    const records = response.ok ? body : []
    found.replaceChildren(...records.map(result))
    if (records.length === 0) say('', none)
    else say(records.length === 1 ? `Found ${records[0].name}.` : `Found ${records.length}. Choose one.`)
  }

  /** A record that was found, with a button that links it. */
  const result = record => {
    const item = document.createElement('li')
    const button = document.createElement('button')
    button.textContent = linked ? 'Replace' : 'Link'
    button.ariaLabel = linked ? `Replace ${linked.name} with ${record.name}` : `Link ${record.name}`
    button.disabled = linked?.recordId === record.recordId
    button.addEventListener('click', () => attempt(() => linkToConversation(record.entityLogicalName, record.recordId, opened)))
    item.append(record.name ?? record.recordId, button)
    return item
  }

  unlink.addEventListener('click', () => attempt(() => unlinkFromConversation(linked.table, linked.recordId, opened)))
  form.addEventListener('submit', event => {
    event.preventDefault()
    void attempt(find)
  })
  byId('slots').append(section)
  return { title, linkedIn, clear, show: showLinked, holds: record => (record.entityLogicalName === 'incident') === (table === 'incident') }
}

const slots = [
  {
    title: 'Customer',
    column: '_msdyn_customer_value',
    table: 'contact',
    number: 'Phone number',
    none: 'No contact has this phone number.'
  },
  { title: 'Case', column: '_msdyn_issueid_value', table: 'incident', number: 'Case number', none: 'No case has this number.' }
].map(makeSlot)

// A link of this conversation has changed: here, or elsewhere in the program, such as in its telephony.
addEventListener('omnichannel-link', ({ detail }) => {
  if (detail.type === 'failed' || detail.conversationId !== opened || !conversation) return
  const slot = slots.find(({ holds }) => holds(detail.before ?? detail.after))
  const shown = slot.linkedIn(conversation)
  const before = shown?.recordId === detail.before?.recordId ? shown?.name : 'the former one'
  void attempt(async () => {
    await refresh()
    const after = conversation && slot.linkedIn(conversation)?.name
    if (!after) say(`${slot.title}: ${before} is no longer linked.`)
    else say(detail.type === 'replaced' ? `${slot.title}: ${after} replaces ${before}.` : `${slot.title}: ${after} is linked.`)
  })
})

// Other programs change links, too, and give the agent new conversations.
addEventListener('focus', () => refresh().catch(() => {}))
void attempt(refresh)
