// docs/platforms.md and the README state what is in scripts/runs.json, and never more.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { documentOf, isCurrent, readRuns, summaryOf } from '../scripts/runs.mjs'

const read = path => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

test('the documents are those of the runs', () => {
  const runs = readRuns()
  assert.equal(read('docs/platforms.md'), documentOf(runs))
  assert.ok(isCurrent(read('README.md'), runs))
})

test('a run that failed, or did not happen, is not shown as passed', () => {
  const run = { target: 'linux-x64-gnu', what: 'suite', passed: 5, skipped: 1 }
  const runs = [
    { ...run, runtime: 'Node 20', version: '20.1.2', failed: 0 },
    { ...run, runtime: 'Node 22', version: '22.1.2', failed: 2 },
    { ...run, runtime: 'Node 24', version: '24.1.2', failed: null },
    { target: 'linux-x64-gnu', runtime: 'Deno', what: 'smoke', reason: 'it could not be fetched' }
  ]
  assert.match(
    documentOf(runs),
    /\| linux-x64-gnu \| 20\.1\.2<br>suite: 5 passed, 1 skipped \| 22\.1\.2<br>suite: 5 passed, \*\*2 failed\*\*, 1 skipped \| 24\.1\.2<br>[^|]*\*\*null failed\*\*[^|]*\| not run \| not run \| not run \| not run \|/
  )
  assert.match(documentOf(runs), /linux-x64-gnu, Deno, smoke: not run, because it could not be fetched/)
  assert.match(summaryOf(runs), /^It was run on linux-x64-gnu with Node 20\.1\.2\. Not run: darwin-arm64, /)
  assert.doesNotMatch(summaryOf(runs), /22\.1\.2|24\.1\.2|Deno/)
})
