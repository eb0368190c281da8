// The CSV reader of the command line: RFC 4180 and Excel, in pieces of any size.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { format, parse } from '../cli/csv.js'
import { rejects } from './support/expect.mjs'

async function taken(chunks) {
  const found = []
  for await (const row of parse(chunks, 'the list')) found.push(row)
  return found
}

async function rows(...chunks) {
  const found = []
  for (const { line, fields } of await taken(chunks)) found.push([line, ...fields])
  return found
}

const cases = {
  'commas and lines': [
    'a,b\nc,d\n',
    [
      [1, 'a', 'b'],
      [2, 'c', 'd']
    ]
  ],
  'CRLF, and no line break at the end': [
    'a,b\r\nc,d',
    [
      [1, 'a', 'b'],
      [2, 'c', 'd']
    ]
  ],
  'CR, as old spreadsheets have it': [
    'a,b\r"c\rd",e\rf,g',
    [
      [1, 'a', 'b'],
      [2, 'c\rd', 'e'],
      [4, 'f', 'g']
    ]
  ],
  'semicolons, detected in the first row': [
    '\na;b,c;d\n1,5;2;3\n',
    [
      [2, 'a', 'b,c', 'd'],
      [3, '1,5', '2', '3']
    ]
  ],
  tabs: [
    'a\tb\n"1\t2"\t3\n',
    [
      [1, 'a', 'b'],
      [2, '1\t2', '3']
    ]
  ],
  'quotes around commas, quotes and line breaks': [
    '"a,1","say ""hi""","two\r\nlines"\nx,y,z\n',
    [
      [1, 'a,1', 'say "hi"', 'two\r\nlines'],
      [3, 'x', 'y', 'z']
    ]
  ],
  'empty fields and empty lines': [
    ',\n\n\r\n"",\n""\nx',
    [
      [1, '', ''],
      [4, '', ''],
      [5, ''],
      [6, 'x']
    ]
  ],
  'a quote inside an unquoted field': ['a"b,c\n', [[1, 'a"b', 'c']]],
  'a quoted field at the end of the input': ['a,"b"', [[1, 'a', 'b']]],
  'characters after a closing quote': ['"a"b,"c" \n', [[1, 'ab', 'c ']]],
  nothing: ['', []]
}

for (const [what, [text, expected]] of Object.entries(cases)) {
  test(what, async () => {
    assert.deepEqual(await rows(text), expected)
    assert.deepEqual(await rows(...text), expected, 'one character at a time')
  })
}

test('an unclosed quote is reported with its line', async () => {
  await rejects(rows('a,b\nc,"d\ne\n'), 'INVALID_ARGUMENT', /^the list, line 2: a quote is never closed/)
})

test('a row has a maximum length, so a stray quote does not swallow the rest of the file', async () => {
  let read = 0
  const chunks = function* () {
    yield 'a,b\nc,"d\n'
    for (;;) yield 'e,f\n'.repeat(1024) + (read++, '')
  }
  await rejects(taken(chunks()), 'INVALID_ARGUMENT', /^the list, line 2: the row is longer than 1048576 characters\.$/)
  assert.equal(read, 256)
})

test('each row has its end position', async () => {
  const found = await taken(['a,b\r\n', '\n"c\n', '",d\ne'])
  assert.deepEqual(
    found.map(({ end }) => end),
    [5, 13, 14]
  )
})

test('written rows can be read again', async () => {
  const form = { separator: ',', eol: '\r\n' }
  const fields = ['plain', 'a,b', 'say "hi"', 'two\r\nlines', ' space ', '', 'ü😀']
  assert.equal(format(['a', 'b,c'], form), 'a,"b,c"\r\n')
  assert.equal(format(['a;b', 'b,c'], { separator: ';', eol: '\n' }), '"a;b";b,c\n')
  for (const separator of [',', ';', '\t']) {
    for (const eol of ['\r\n', '\n', '\r']) {
      const row = format(fields, { separator, eol })
      assert.deepEqual(await rows(row, row), [
        [1, ...fields],
        [3, ...fields]
      ])
    }
  }
})
