'use strict'

// The command `bulk`: runs a list of requests, reports the outcomes, and writes the failed items to a file.

const { failure, own } = require('../lib/link-error.js')
const { detailsOf } = require('./errors.js')
const { INCOMPLETE, Interrupted, exitCode } = require('./exit-codes.js')
const { FailedItems } = require('./failed-items.js')
const { GRACE_IN_MS } = require('./interruption.js')
const { List } = require('./lists.js')
const { Progress } = require('./progress.js')
const { Summary } = require('./summary.js')
const { describe, print } = require('./terminal.js')
const { printable } = require('./printable.js')

// A fatal error would affect every item and stops the run at once. Transient errors stop it after this many consecutive items.
const FATAL = new Set(['AUTHENTICATION_FAILED', 'CLOSED', 'INVALID_CONFIGURATION'])
const TRANSIENT = new Set(['STORE', 'THROTTLED', 'TIMEOUT', 'UNAVAILABLE'])
const MAX_CONSECUTIVE = 20

class Bulk {
  #context
  #isDry
  #list
  #failedPath
  #failed
  #progress
  #summary = new Summary()
  /** Line numbers of the last item that was started, and of the first one that was not, if known. */
  #lastStarted = 0
  #firstNotStarted
  #consecutive = 0
  /** Whether the whole list was read. */
  #isRead = false
  /** Why the run stopped, if the error alone does not explain it. */
  #stopMessage

  constructor(context, path) {
    const { unlink, failed, 'dry-run': isDry = false } = context.values
    for (const option of ['if-linked', 'status']) {
      if (unlink && context.values[option] !== undefined) throw failure('INVALID_ARGUMENT', `--${option} cannot be combined with --unlink.`)
    }
    this.#context = context
    this.#isDry = isDry
    this.#list = new List(path)
    this.#failedPath = isDry ? undefined : (failed ?? this.#list.failedPath)
    if (!isDry && this.#failedPath === undefined) {
      throw failure('INVALID_ARGUMENT', `Reading from ${this.#list.name} requires --failed <file>, the file for the failed items.`)
    }
    this.#failed = new FailedItems(this.#failedPath, path, failed !== undefined)
    this.#progress = new Progress(this.#list)
  }

  async run() {
    const { callOptions, client, signal, values } = this.#context
    const options = { __proto__: null, ...callOptions, onProgress: counts => this.#progress.update(counts) }
    const stopping = () => this.#stopping()
    signal.addEventListener('abort', stopping)
    try {
      for await (const result of client[values.unlink ? 'unlinkMany' : 'linkMany'](this.#requests(), options)) {
        const record = this.#record(result)
        if (!values.json) continue
        if (process.stdout.isTTY) this.#progress.clear()
        await print(JSON.stringify(record))
      }
    } finally {
      signal.removeEventListener('abort', stopping)
      this.#progress.end()
      this.#failed.close()
      // Also when reading the list failed.
      if (this.#summary.items > 0 || (values.json && this.#isRead)) await this.#printSummary()
    }
    return await this.#end()
  }

  /** The requests, until the run is stopped. The file of failed items is created before the first one starts. */
  async *#requests() {
    const { signal } = this.#context
    try {
      for await (const request of this.#list.requests()) {
        if (signal.aborted) {
          this.#firstNotStarted = request.line
          return
        }
        this.#failed.open(this.#list.head)
        this.#lastStarted = request.line
        yield request
      }
    } catch (error) {
      // After a stop stdin was closed, and may end in the middle of an item.
      if (!signal.aborted) throw error
    }
    this.#isRead = !signal.aborted
    if (this.#isRead) this.#failed.open(this.#list.head)
    else if (!this.#list.isFile) this.#firstNotStarted = this.#lastStarted + 1
  }

  /** Counts a result, and returns what --json prints for it. */
  #record(result) {
    const { request, outcome, error: raw } = own(result)
    const error = raw && this.#errorOf(request, raw)
    this.#summary.add(request.line, outcome, error)
    this.#progress.reach(request)
    if (error) this.#write(request, error)
    this.#consecutive = TRANSIENT.has(error?.code) ? this.#consecutive + 1 : 0
    if (FATAL.has(error?.code)) this.#stop(raw, `Stopped at line ${request.line}: every item would fail with ${error.code}.`)
    if (this.#consecutive === MAX_CONSECUTIVE)
      this.#stop(raw, `Stopped at line ${request.line}: ${MAX_CONSECUTIVE} consecutive items failed, the last with ${error.code}.`)
    const { entityLogicalName, recordId, conversationId, line } = own(request)
    return { line, request: { entityLogicalName, recordId, conversationId }, ...(error ? { error } : { outcome }) }
  }

  #errorOf(request, raw) {
    const { broken } = own(request)
    if (broken !== undefined) return detailsOf(failure('INVALID_ARGUMENT', broken))
    if (!(raw instanceof Interrupted)) return detailsOf(raw)
    return { __proto__: null, name: raw.name, message: 'Cancelled while in progress.', maybeApplied: !this.#isDry }
  }

  #write(request, { code = 'CANCELLED', message }) {
    try {
      this.#failed.add(request.source(printable(`${code}: ${message}`)))
    } catch (error) {
      this.#stop(error)
    }
  }

  #stop(reason, message) {
    const { interruption } = this.#context
    if (!interruption.signal.aborted) this.#stopMessage = message
    interruption.stop(reason)
  }

  #stopping() {
    this.#list.close()
    this.#progress.clear()
    void this.#notify(`Stopping: waiting up to ${GRACE_IN_MS / 1000} s for calls in progress. Press Ctrl-C again to cancel them.`)
  }

  #notify(message) {
    return print(this.#context.values.json ? JSON.stringify({ notice: message }) : message, process.stderr)
  }

  /** On stderr with --json, which reserves stdout for results. */
  async #printSummary() {
    const [{ count }, { failed }] = [this.#failed, this.#summary]
    const failedFile = count > 0 ? this.#failedPath : null
    if (this.#context.values.json) {
      const summary = { ...this.#summary.toJSON(), notBegunFromLine: this.#firstNotStarted ?? null, failedFile, dryRun: this.#isDry }
      await print(JSON.stringify({ summary }), process.stderr)
      return
    }
    await this.#summary.print(process.stdout)
    const [what, them] = failed === 1 ? ['1 item', 'it'] : [`${failed} items`, 'them']
    const first = count < failed ? ` for the first ${count}` : ''
    if (failedFile) await print(`${what} failed; see ${printable(failedFile)}${first}. Run \`bulk\` on that file to retry ${them}.`)
    if (this.#isDry) await print('Nothing was written (--dry-run).')
  }

  /** Reports how the run ended, and returns the exit code. */
  async #end() {
    const { signal, values } = this.#context
    const { aborted, reason } = signal
    if (this.#summary.items === 0 && !aborted) await this.#notify('The list is empty.')
    if (!aborted) return this.#summary.failed > 0 ? INCOMPLETE : 0
    if (values.json) await print(describe(reason, true), process.stderr)
    else {
      const repeated = values.unlink ? 'Items already unlinked are reported as NOT_LINKED' : 'Existing links are reported as alreadyLinked'
      await print(this.#stopMessage ?? (reason instanceof Interrupted ? reason.summary : describe(reason)), process.stderr)
      const line = this.#firstNotStarted
      const message = `No item from line ${line} on was started. Run the same command again to process the whole list. ${repeated}.`
      if (line !== undefined) await print(message, process.stderr)
    }
    return exitCode(reason)
  }
}

const bulk = (context, [path]) => new Bulk(context, path).run()

module.exports = { bulk }
