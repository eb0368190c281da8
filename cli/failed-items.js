'use strict'

// The file of failed items, in the form of the list, so that it can be given to bulk again.

const { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { failure } = require('../lib/link-error.js')

class FailedItems {
  /** How many it holds. */
  count = 0
  #path
  #isNamed
  #file
  #isRegular
  #isFull = false
  /** Bytes of whole items. */
  #size = 0

  /** Without a path it is nowhere. One that is named on the command line may be a pipe or a device. */
  constructor(path, listPath, isNamed) {
    this.#path = path
    this.#isNamed = isNamed
    if (path !== undefined && isSame(path, listPath)) throw failure('INVALID_ARGUMENT', `'${path}' is the list itself: failed items need a file of their own.`)
  }

  /** Makes the file, and ends what an earlier run has left in it. */
  open(head) {
    if (this.#path === undefined || this.#file !== undefined) return
    this.#try(() => {
      const status = lstatSync(this.#path, { throwIfNoEntry: false })
      if (status?.isDirectory()) throw new Error('EISDIR')
      this.#isRegular = status === undefined || status.isFile()
      this.#file = this.#isRegular ? this.#made(status !== undefined) : this.#opened()
    })
    this.#write(head)
  }

  /**
   * Always a new file, for its owner alone: a copy of the list must not be read by more than the list, nor written to where a link leads
   * that somebody else has put there.
   */
  #made(isThere) {
    if (isThere) rmSync(this.#path)
    return openSync(this.#path, 'wx', 0o600)
  }

  /** What is there already and is no file. A link may lead to such a thing too: `/dev/stdout`. */
  #opened() {
    const file = this.#isNamed ? opened(this.#path) : undefined
    if (file !== undefined && !fstatSync(file).isFile()) return file
    if (file !== undefined) closeSync(file)
    throw Object.assign(new Error('it is a link, or no regular file'), { hint: 'Remove it, or name another file with --failed.' })
  }

  /** Writes an item at once, so that it is there however the program ends. */
  add(text) {
    if (this.#file === undefined || this.#isFull) return
    this.#write(text)
    this.count++
  }

  /** A file without items is not left behind. */
  close() {
    if (this.#file === undefined) return
    closeSync(this.#file)
    if (this.count === 0 && this.#isRegular) rmSync(this.#path, { force: true })
  }

  #write(text) {
    this.#try(() => {
      try {
        writeFileSync(this.#file, text)
      } catch (error) {
        this.#isFull = true
        // Half an item cannot be given to bulk again.
        if (this.#isRegular) ftruncateSync(this.#file, this.#size)
        throw error
      }
    })
    this.#size += Buffer.byteLength(text)
  }

  #try(action) {
    try {
      action()
    } catch ({ code, message, hint }) {
      throw failure('INVALID_ARGUMENT', `'${this.#path}', for the items that fail, cannot be written: ${code ?? message}.`, { hint })
    }
  }
}

/** Opens what may be a pipe. Waiting for a reader would block the only thread, so that no signal is handled either. */
function opened(path) {
  let probe
  try {
    probe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (error.code !== 'ENXIO' || !statSync(path).isFIFO()) throw error
    throw Object.assign(new Error('it is a pipe that nothing reads'), { hint: 'Start its reader first, or name another file with --failed.' })
  }
  try {
    // The pipe has a reader. Writes wait for it: without that, a full pipe would fail them.
    return openSync(path, constants.O_WRONLY)
  } finally {
    closeSync(probe)
  }
}

function isSame(path, other) {
  const [one, two] = [path, other].map(identity)
  return one !== undefined && one === two
}

/** Nothing of what cannot be looked at: that is told when it cannot be written. */
function identity(path) {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}

module.exports = { FailedItems }
