'use strict'

// `bulk`: a list of requests, what becomes of each, and a file of those that failed.

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

// What would meet every item stops the bulk at once; what may pass, when so many items in a row have met it.
const FATAL = new Set(['AUTHENTICATION_FAILED', 'CLOSED', 'INVALID_CONFIGURATION'])
const PASSING = new Set(['STORE', 'THROTTLED', 'TIMEOUT', 'UNAVAILABLE'])
const IN_A_ROW = 20

class Bulk {
  #context
  #isDry
  #list
  #failedPath
  #failed
  #progress
  #summary = new Summary()
  /** Lines: the last that was begun, and the first that was not, if that is known. */
  #begun = 0
  #notBegun
  #inARow = 0
  /** To its end. */
  #isRead = false
  /** Why it stopped, if its failure does not say so itself. */
  #why

  constructor(context, path) {
    const { unlink, failed, 'dry-run': isDry = false } = context.values
    for (const option of ['if-linked', 'status']) {
      if (unlink && context.values[option] !== undefined) throw failure('INVALID_ARGUMENT', `--${option} is for links: it cannot go with --unlink.`)
    }
    this.#context = context
    this.#isDry = isDry
    this.#list = new List(path)
    this.#failedPath = isDry ? undefined : (failed ?? this.#list.failedPath)
    if (!isDry && this.#failedPath === undefined) {
      throw failure('INVALID_ARGUMENT', `${this.#list.name} is no file: --failed <file> is needed, for the items that fail.`)
    }
    this.#failed = new FailedItems(this.#failedPath, path, failed !== undefined)
    this.#progress = new Progress(this.#list)
  }

  async run() {
    const { callOptions, client, interruption: { signal }, values } = this.#context
    const options = { __proto__: null, ...callOptions, onProgress: counts => this.#progress.update(counts) }
    const stopping = () => this.#stopping()
    signal.addEventListener('abort', stopping)
    try {
      for await (const result of client[values.unlink ? 'unlinkMany' : 'linkMany'](this.#requests(), options)) {
        const told = this.#account(result)
        if (!values.json) continue
        if (process.stdout.isTTY) this.#progress.clear()
        await print(JSON.stringify(told))
      }
    } finally {
      signal.removeEventListener('abort', stopping)
      this.#progress.end()
      this.#failed.close()
      // Also if the list could not be read to its end.
      if (this.#summary.items > 0 || (values.json && this.#isRead)) await this.#summarise()
    }
    return await this.#end()
  }

  /** The requests, until something stops it. Nothing is begun before the file of failed items is there. */
  async *#requests() {
    const { signal } = this.#context.interruption
    try {
      for await (const request of this.#list.requests()) {
        if (signal.aborted) {
          this.#notBegun = request.line
          return
        }
        this.#failed.open(this.#list.head)
        this.#begun = request.line
        yield request
      }
    } catch (error) {
      // stdin that was closed because all is to end may be torn anywhere.
      if (!signal.aborted) throw error
    }
    this.#isRead = !signal.aborted
    if (this.#isRead) this.#failed.open(this.#list.head)
    else if (!this.#list.isFile) this.#notBegun = this.#begun + 1
  }

  /** Takes a result into the books, and makes of it what programs are told. */
  #account(result) {
    const { request, outcome, error: raw } = own(result)
    const error = raw && this.#errorOf(request, raw)
    this.#summary.add(request.line, outcome, error)
    this.#progress.reach(request)
    if (error) this.#write(request, error)
    this.#inARow = PASSING.has(error?.code) ? this.#inARow + 1 : 0
    if (FATAL.has(error?.code)) this.#stop(raw, `Stopped at line ${request.line}: every item would meet ${error.code}.`)
    if (this.#inARow === IN_A_ROW) this.#stop(raw, `Stopped at line ${request.line}: ${IN_A_ROW} items in a row have met ${error.code}.`)
    const { entityLogicalName, recordId, conversationId, line } = own(request)
    return { line, request: { entityLogicalName, recordId, conversationId }, ...(error ? { error } : { outcome }) }
  }

  #errorOf(request, raw) {
    const { broken } = own(request)
    if (broken !== undefined) return detailsOf(failure('INVALID_ARGUMENT', broken))
    if (!(raw instanceof Interrupted)) return detailsOf(raw)
    return { __proto__: null, name: raw.name, message: 'It was given up while it was under way.', maybeApplied: !this.#isDry }
  }

  #write(request, { code = 'GIVEN_UP', message }) {
    try {
      this.#failed.add(request.source(printable(`${code}: ${message}`)))
    } catch (full) {
      this.#stop(full)
    }
  }

  #stop(reason, why) {
    const { interruption } = this.#context
    if (!interruption.signal.aborted) this.#why = why
    interruption.stop(reason)
  }

  #stopping() {
    this.#list.close()
    this.#progress.clear()
    void this.#say(`Stopping: what is under way comes to its end, within ${GRACE_IN_MS / 1000} seconds. Ctrl-C gives it up at once.`)
  }

  #say(text) {
    return print(this.#context.values.json ? JSON.stringify({ notice: text }) : text, process.stderr)
  }

  /** On stderr, if stdout is for programs. */
  async #summarise() {
    const [{ count }, { failed }] = [this.#failed, this.#summary]
    const failedFile = count > 0 ? this.#failedPath : null
    if (this.#context.values.json) {
      const summary = { ...this.#summary.toJSON(), notBegunFromLine: this.#notBegun ?? null, failedFile, dryRun: this.#isDry }
      await print(JSON.stringify({ summary }), process.stderr)
      return
    }
    await this.#summary.print(process.stdout)
    const what = count === failed ? 'What failed is' : `Of what failed, the first ${count} are`
    if (failedFile) await print(`${what} in ${printable(failedFile)}, to be given to bulk again.`)
    if (this.#isDry) await print('Nothing was written: --dry-run.')
  }

  /** Says how it ended, and returns the exit code. */
  async #end() {
    const { interruption: { signal: { aborted, reason } }, values } = this.#context
    if (this.#summary.items === 0 && !aborted) await this.#say('The list is empty.')
    if (!aborted) return this.#summary.failed > 0 ? INCOMPLETE : 0
    if (values.json) await print(describe(reason, true), process.stderr)
    else {
      const again = values.unlink ? 'what is unlinked is NOT_LINKED then' : 'a link that stands is alreadyLinked then'
      await print(this.#why ?? (reason instanceof Interrupted ? reason.what : describe(reason)), process.stderr)
      if (this.#notBegun !== undefined) await print(`Nothing from line ${this.#notBegun} on was begun. The same command again does it, and all before it once more: ${again}.`, process.stderr)
    }
    return exitCode(reason)
  }
}

const bulk = (context, [path]) => new Bulk(context, path).run()

module.exports = { bulk }
