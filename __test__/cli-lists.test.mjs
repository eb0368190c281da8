// Lists as spreadsheets and other programs write them, and files of failed items that a spreadsheet can open.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from '../cli/csv.js'
import { List } from '../cli/lists.js'
import { folder } from './support/afterwards.mjs'
import { cli, startCli } from './support/cli.mjs'
import { account, contact, conversation } from './support/sample.mjs'
import { rejects } from './support/expect.mjs'
import { emulator, readServer } from './support/stores.mjs'

/** The items of a list, as arrays of its cells, and the list. */
async function read(t, name, content) {
  const path = join(folder(t), name)
  writeFileSync(path, content)
  const list = new List(path)
  const items = []
  for await (const item of list.requests()) items.push(item)
  return { list, items, rows: items.map(({ line, broken, recordId }) => [line, broken ?? recordId]) }
}

/** The file of failed items if every item of a list fails. */
const failed = ({ list, items }) => list.head + items.map(({ source }) => source('WHY')).join('')

const HEADER = 'entityLogicalName,recordId,conversationId,note'

const emptyRows = {
  commas: `${HEADER}\ncontact,1,x,\n,,,\ncontact,2,x,\n,,,\n`,
  'more or fewer commas than the header': `${HEADER}\ncontact,1,x,\n,\n,,,,,,,,\ncontact,2,x,\n,,`,
  'white space': `${HEADER}\ncontact,1,x,\n , ,\t,\u00a0\n   \ncontact,2,x,\n\t\n`,
  'quoted nothing': `${HEADER}\ncontact,1,x,\n"","","",""\n" "\ncontact,2,x,\n"\n\n",,,\n`,
  semicolons: `${HEADER.replaceAll(',', ';')}\r\ncontact;1;x;\r\n;;;\r\ncontact;2;x;\r\n;;;\r\n`,
  tabs: `${HEADER.replaceAll(',', '\t')}\ncontact\t1\tx\t\n\t\t\t\ncontact\t2\tx\t\n`,
  'before the header, too': `,,,\n;;\n"",\n${HEADER.replaceAll(',', ';')}\ncontact;1;x;\n;;;\ncontact;2;x;`,
  'of an earlier bulk': `bulkError,${HEADER}\n,contact,1,x,\nINVALID_ARGUMENT: empty,,,,\n,contact,2,x,\n,,,,\n`
}

for (const [what, content] of Object.entries(emptyRows)) {
  test(`rows without content are skipped: ${what}`, async t => {
    assert.deepEqual(
      (await read(t, 'list.csv', content)).rows.map(([, found]) => found),
      ['1', '2']
    )
  })
}

test('a row with content anywhere is an item', async t => {
  const { rows } = await read(t, 'list.csv', `${HEADER}\n,,,note\n,,.,\n`)
  assert.deepEqual(rows, [
    [2, ''],
    [3, '']
  ])
})

for (const separator of [';', ',', '\t', '|', '^', ']', '\\', '-']) {
  for (const line of [`sep=${separator}`, `SEP=${separator}`, `"sep=${separator}"`, `"sep=${separator}"${separator.repeat(3)}`]) {
    test(`the first line ${JSON.stringify(line)} sets the separator, also of the file of failed items`, async t => {
      const content = `\ufeff${line}\r\n${HEADER.replaceAll(',', separator)}\r\n${['contact', '1', 'x', '"a,b;c"'].join(separator)}\r\n${separator.repeat(3)}\r\n`
      const found = await read(t, 'list.csv', content)
      assert.deepEqual(found.rows, [[3, '1']])
      const back = failed(found)
      assert.ok(back.startsWith(`\ufeff${line}\r\nbulkError${separator}`), back)
      const again = await read(t, 'list.failed.csv', back)
      assert.deepEqual(again.rows, [[3, '1']])
      assert.equal(failed(again), back)
    })
  }
}

test('sep= without a separator, or elsewhere, is an ordinary row', async t => {
  for (const content of [`sep=\n${HEADER}\n`, `sep=ab\n${HEADER}\n`])
    await rejects(read(t, 'list.csv', content), 'INVALID_ARGUMENT', /header lacks/)
  assert.deepEqual((await read(t, 'list.csv', `${HEADER}\nsep=;\n`)).rows, [[2, 'The row has 1 fields, but the header has 4.']])
})

const item = (recordId, more) => JSON.stringify({ entityLogicalName: 'contact', recordId, conversationId: 'x', ...more })

const documents = {
  'an array': JSON.stringify([JSON.parse(item('1')), JSON.parse(item('2'))]),
  'an array with an object on each line': `[\n${item('1')},\n${item('2')}\n]\n`,
  'an array that begins with its first object': `[${item('1')},\n${item('2')}]\n`,
  'an array, pretty-printed': JSON.stringify([JSON.parse(item('1'))], null, 2),
  'an array that is cut off': `[\n${item('1')},\n${item('2')},\n`,
  'an array of mixed things': `[null, ${item('1')}]\n${item('2')}\n`,
  'an empty array': '[]',
  'an array longer than any row': `[${`${item('1')},`.repeat(20_000)}${item('1')}]`,
  'a pretty-printed object': JSON.stringify(JSON.parse(item('1')), null, 2),
  'pretty-printed objects': [item('1'), item('2')].map(text => JSON.stringify(JSON.parse(text), null, 4)).join('\n'),
  'pretty-printed objects with record separators': [item('1'), item('2')]
    .map(text => `\x1e${JSON.stringify(JSON.parse(text), null, 1)}\n`)
    .join(''),
  'an object that has them in it': `{"value": [\n${item('1')},\n${item('2')}\n]}\n`,
  'an object that has them in it, and is cut off': `{\n"value": [\n${item('1')},\n${item('2')},\n`,
  'an object longer than any row': `{\n"value": [\n${`${item('1')},\n`.repeat(20_000)}${item('1')}\n]}\n`,
  'braces on lines of their own': `\n\n{\n${item('1').slice(1, -1)}\n}\n`
}

for (const [what, content] of Object.entries(documents)) {
  test(`a document is rejected as a whole: ${what}`, async t => {
    for (const [name, text] of [
      ['list.json', content],
      ['list.jsonl', content],
      ['list', `\ufeff  \r\n${content.replaceAll('\n', '\r\n')}`]
    ]) {
      await rejects(
        read(t, name, text),
        'INVALID_ARGUMENT',
        /'.*list(\.jsonl?)?' is a JSON (array|object over several lines), not JSON Lines: no item was started\./
      )
    }
  })
}

const lines = {
  'with commas behind them': `${item('1')},\r\n${item('2')} , \r\n${item('3')}\r\n`,
  'with commas before them': `${item('1')}\n,${item('2')}\n,${item('3')}`,
  'with record separators': [1, 2, 3].map(id => `\x1e${item(`${id}`)}\n`).join(''),
  'with record separators alone': [1, 2, 3].map(id => `\x1e${item(`${id}`)}`).join(''),
  'with record separators, of which some follow each other': `\n\x1e\x1e${item('1')}\n\x1e\n\x1e${item('2')}\n\x1e${item('3')}\x1e`
}

for (const [what, content] of Object.entries(lines)) {
  test(`JSON Lines ${what}, and the file of failed items`, async t => {
    for (const name of ['list.jsonl', 'list']) {
      const found = await read(t, name, content)
      assert.deepEqual(
        found.rows.map(([, recordId]) => recordId),
        ['1', '2', '3']
      )
      const back = failed(found)
      assert.deepEqual(
        back
          .trim()
          .split(/\r?\n/)
          .map(line => JSON.parse(line).bulkError),
        ['WHY', 'WHY', 'WHY']
      )
      assert.equal(failed(await read(t, 'list.failed.jsonl', back)), back)
    }
  })
}

test('only line breaks count as lines', async t => {
  const { rows } = await read(t, 'list.jsonl', `\n\x1e${item('1')}\x1e${item('2')}\n\n\x1e${item('3')},\n`)
  assert.deepEqual(rows, [
    [2, '1'],
    [2, '2'],
    [4, '3']
  ])
})

test('a line may contain any white space and commas', { timeout: 60_000 }, async t => {
  const run = ' ,'.repeat(400_000)
  const { rows } = await read(t, 'list.jsonl', `${item('1', { note: run })},\n${run}\n{${run}\n${item('2')}\n`)
  assert.deepEqual(rows, [
    [1, '1'],
    [3, 'The line is not JSON.'],
    [4, '2']
  ])
  for (const text of [`sep=${' '.repeat(800_000)}x\n${HEADER}\n`, `sep=,${','.repeat(800_000)}x\n${HEADER}\n`])
    await rejects(read(t, 'list.csv', text), 'INVALID_ARGUMENT', /header lacks/)
})

test('a row that is too long is not a document if items come before it', async t => {
  await rejects(
    read(t, 'list.jsonl', `${item('1')}\n[${' '.repeat(1 << 21)}]\n`),
    'INVALID_ARGUMENT',
    /line 2: the row is longer than 1048576 characters/
  )
})

test('a truncated line is one item, also the first line', async t => {
  for (const torn of ['{ "torn": ', '{"torn": [', '{"torn', '{ "torn": "a string', '[1]', '{', '{"a":1},{"a":2}', '{"a" "b"}', 'torn']) {
    for (const rest of [[], [item('1')], [item('1'), item('2')], [torn, item('1'), item('2')], ['[1]', item('1'), torn]]) {
      const content = [torn, ...rest].join('\n')
      const { items, rows } = await read(t, 'list.jsonl', content)
      assert.equal(items.length, rest.length + 1, content)
      assert.deepEqual(
        rows.filter(([, found]) => /^\d$/.test(found)).length,
        rest.filter(text => text.includes('recordId')).length,
        content
      )
      assert.equal(items[0].source('WHY'), `${torn.trim()}\n`)
    }
  }
})

const quoted = text => `"${text.replaceAll('"', '""')}"`
const cells = [
  '=1+1',
  '+49 89 123',
  '-5',
  '@SUM(A1)',
  '\t=1',
  '\r=1',
  '\n=1',
  ' =1',
  "'=1",
  "''=1",
  "'",
  "'plain",
  '=',
  '"=1"',
  '=a,"b"',
  '-',
  '＝1',
  '\u00a0+1',
  "' =1",
  '==',
  '\t',
  "'\t",
  'a=1',
  ''
]

test('a cell that a spreadsheet would execute is escaped and read back unchanged', async t => {
  for (const separator of [',', ';', '\t']) {
    const header = ['=x()', ...HEADER.split(',')].map(quoted).join(separator)
    const content = `${header}\n${cells.map(cell => [cell, '@lead', '+1', '-2', cell].map(quoted).join(separator)).join('\n')}\n`
    const first = await read(t, 'list.csv', content)
    const back = failed(first)
    for await (const { fields } of parse([back], 'what is written'))
      assert.deepEqual(
        fields.filter(field => /^[\t\r\n]|^\s*[=+\-@＝]/.test(field)),
        []
      )
    const again = await read(t, 'list.failed.csv', back)
    assert.deepEqual(
      again.items.map(({ entityLogicalName, recordId, conversationId }) => [entityLogicalName, recordId, conversationId]),
      cells.map(() => ['@lead', '+1', '-2'])
    )
    assert.equal(failed(again), back)
    // Without the error column it equals the list.
    assert.deepEqual(
      again.items.map(({ source }) => source('').length),
      first.items.map(({ source }) => source('').length)
    )
  }
})

test('an apostrophe in any other list is kept', async t => {
  const { items } = await read(t, 'list.csv', `${HEADER}\n'=contact,'-1,'+x,'@\n`)
  assert.deepEqual([items[0].entityLogicalName, items[0].recordId, items[0].conversationId], ["'=contact", "'-1", "'+x"])
})

test('bulk reads its own file of failed items as the original items, also after a spreadsheet', { timeout: 120_000 }, async t => {
  const server = await emulator(t)
  const cwd = folder(t)
  const env = { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential }
  const bulk = (...args) => cli(t, ['bulk', ...args], { cwd, env })
  writeFileSync(
    join(cwd, 'list.csv'),
    `sep=;\n"=note";${HEADER.replaceAll(',', ';')}\n;;;;\n"=HYPERLINK(""http://x"")";contact;${contact.recordId};-1;+49\n;;;;\n`
  )
  assert.equal((await bulk('list.csv')).code, 7)
  const text = readFileSync(join(cwd, 'list.failed.csv'), 'utf8')
  assert.match(
    text,
    /^sep=;\nbulkError;'=note;entityLogicalName;recordId;conversationId;note\nINVALID_ARGUMENT: [^\n]*;"'=HYPERLINK\(""http:\/\/x""\)";contact;[^\n]*;'-1;'\+49\n$/
  )
  writeFileSync(join(cwd, 'list.failed.csv'), text.replace(";'-1;", `;${conversation};`))
  assert.match((await bulk('list.failed.csv')).stdout, /^ +items +outcome\n +1 +replaced\n$/)
  assert.deepEqual(await readServer(server, conversation), { customer: contact, case: null })
})

test('a document is rejected before any item is linked, from a file and from stdin', { timeout: 120_000 }, async t => {
  const server = await emulator(t)
  const cwd = folder(t)
  const env = { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential }
  writeFileSync(join(cwd, 'list.jsonl'), `[\n${JSON.stringify({ ...contact, conversationId: conversation })},\n{}\n]\n`)
  writeFileSync(join(cwd, 'list.failed.jsonl'), 'of an earlier run')
  const piped = startCli(t, ['bulk', '-', '--failed', 'list.failed.jsonl'], { cwd, env })
  piped.child.stdin.end(readFileSync(join(cwd, 'list.jsonl')))
  for (const [name, ended] of [
    ["'list\\.jsonl'", cli(t, ['bulk', 'list.jsonl'], { cwd, env })],
    ['stdin', piped.ended]
  ]) {
    const { code, stdout, stderr } = await ended
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(
      stderr,
      new RegExp(
        `^INVALID_ARGUMENT ${name} is a JSON array, not JSON Lines: no item was started\\.\n {2}bulk expects one object per line: \`jq -c "\\.\\[\\]"\` converts`
      )
    )
  }
  assert.deepEqual(await readServer(server, conversation), { customer: account, case: null })
  assert.equal(readFileSync(join(cwd, 'list.failed.jsonl'), 'utf8'), 'of an earlier run')
})
