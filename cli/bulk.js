'use strict'

// `bulk`: a file of requests, what becomes of each, and a file of those that failed.

const { failure } = require('../lib/link-error.js')
const { INCOMPLETE, INTERRUPTED } = require('./exit-codes.js')
const { openList } = require('./lists.js')
const { palette, print, progressLine, table } = require('./terminal.js')

// Of the errors of one code, this many are shown.
const SHOWN = 3

async function bulk({ client, values, callOptions, signal }, [path]) {
  const list = openList(path)
  const bar = progressLine()
  const onProgress = ({ done, failed }) => bar.show(list.share(), `${done} done${failed > 0 ? `, ${failed} failed` : ''}`)
  const method = values.unlink ? 'unlinkMany' : 'linkMany'
  const tally = new Map()
  let line = 0
  // Ctrl-C ends the list, and what is under way comes to its end: so everything is accounted for.
  const stop = () => {
    bar.clear()
    process.stderr.write('Stopping: what is under way comes to its end. Ctrl-C again ends at once.\n')
  }
  signal.addEventListener('abort', stop)
  try {
    for await (const { request, outcome, error } of client[method](until(signal, list.requests()), { ...callOptions, onProgress })) {
      if (line === 0) list.failed.begin()
      line = request.line
      const failed = request.broken === undefined ? error : failure('INVALID_ARGUMENT', `Line ${line}: ${request.broken}.`)
      const entry = tally.get(failed?.code ?? outcome.status) ?? { count: 0, errors: [] }
      tally.set(failed?.code ?? outcome.status, entry)
      entry.count++
      if (failed) list.failed.add(request.source, failed)
      if (failed && entry.errors.length < SHOWN) entry.errors.push(`line ${line}: ${failed.message}`)
      if (values.json) await print(JSON.stringify(result(request, outcome, failed)))
    }
  } finally {
    signal.removeEventListener('abort', stop)
    list.failed.end()
    bar.clear()
    // Also if the file could not be read to its end.
    if (line > 0) await summarise(tally, list.failed.path, values)
  }
  if (line === 0) await print('The list is empty.', process.stderr)
  if (signal.aborted) {
    await print(`Interrupted: nothing behind line ${line} was begun. The same command again does the rest; what stands is left alone.`, process.stderr)
    return INTERRUPTED
  }
  return [...tally.values()].some(({ errors }) => errors.length > 0) ? INCOMPLETE : 0
}

async function* until(signal, requests) {
  for await (const request of requests) {
    if (signal.aborted) return
    yield request
  }
}

function result({ entityLogicalName, recordId, conversationId, line }, outcome, error) {
  return { line, request: { entityLogicalName, recordId, conversationId }, ...(error ? { error: error.toJSON() } : { outcome }) }
}

/** On stderr, if stdout is for programs. */
async function summarise(tally, failedPath, { json, 'dry-run': isDry }) {
  const stream = json ? process.stderr : process.stdout
  const { bold, dim, green, red } = palette(stream)
  const rows = [...tally].map(([name, { count, errors }]) => [String(count), errors.length > 0 ? red(name) : green(name), dim(errors[0] ?? '')])
  await print(table([[bold('items'), bold('outcome'), ''], ...rows]), stream)
  const failed = [...tally.values()].filter(({ errors }) => errors.length > 0)
  for (const { errors } of failed) for (const error of errors.slice(1)) await print(dim(`  ${error}`), stream)
  if (failed.length > 0) await print(`What failed is in ${failedPath}, to be given to bulk again.`, stream)
  if (isDry) await print('Nothing was written: --dry-run.', stream)
}

module.exports = { bulk }
