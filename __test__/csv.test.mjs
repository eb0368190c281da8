// The command line's lists: CSV as RFC 4180 has it, in pieces of any size.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { format, parse } from '../cli/csv.js'
import { rejects } from './support/expect.mjs'

async function rows(...pieces) {
  const found = []
  for await (const { line, fields } of parse(pieces)) found.push([line, ...fields])
  return found
}

const cases = {
  'commas and lines': ['a,b\nc,d\n', [[1, 'a', 'b'], [2, 'c', 'd']]],
  'CRLF, and no line break at the end': ['a,b\r\nc,d', [[1, 'a', 'b'], [2, 'c', 'd']]],
  'a byte order mark': ['\ufeffa,b\n', [[1, 'a', 'b']]],
  'a byte order mark before a quote': ['\ufeff"a",b\n', [[1, 'a', 'b']]],
  'quotes around commas, quotes and line breaks': ['"a,1","say ""hi""","two\r\nlines"\nx,y,z\n', [[1, 'a,1', 'say "hi"', 'two\r\nlines'], [3, 'x', 'y', 'z']]],
  'empty fields and empty lines': [',\n\n\r\n"",\n""\nx', [[1, '', ''], [4, '', ''], [5, ''], [6, 'x']]],
  'a quote inside a field that has none around it': ['a"b,c\n', [[1, 'a"b', 'c']]],
  'a quoted field at the end of the text': ['a,"b"', [[1, 'a', 'b']]],
  'nothing': ['', []],
  'a mark alone': ['\ufeff', []]
}

for (const [what, [text, expected]] of Object.entries(cases)) {
  test(what, async () => {
    assert.deepEqual(await rows(text), expected)
    assert.deepEqual(await rows(...text), expected, 'one character at a time')
  })
}

test('a quote that is never closed is refused with its line', async () => {
  await rejects(rows('a,b\nc,"d\ne\n'), 'INVALID_ARGUMENT', /row of line 2 has a quote that is never closed/)
})

test('what is written is read again', async () => {
  const fields = ['plain', 'a,b', 'say "hi"', 'two\r\nlines', ' space ', '', 'ü😀']
  assert.equal(format(['a', 'b,c']), 'a,"b,c"\r\n')
  assert.deepEqual(await rows(format(fields), format(fields)), [[1, ...fields], [3, ...fields]])
})
