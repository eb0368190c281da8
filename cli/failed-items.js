'use strict'

// The file of failed items. It has the format of the list, so that it can be passed to `bulk` again.

const { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { failure } = require('../lib/link-error.js')

class FailedItems {
  /** Items written so far. */
  count = 0
  #path
  #isNamed
  #file
  #isRegular
  #isFull = false
  /** Bytes written, complete items only. */
  #size = 0

  /** Without a path nothing is written. A path named on the command line (`isNamed`) may be a pipe or a device. */
  constructor(path, listPath, isNamed) {
    this.#path = path
    this.#isNamed = isNamed
    if (path !== undefined && isSame(path, listPath))
      throw failure('INVALID_ARGUMENT', `'${path}' is the list itself: choose another file for the failed items.`)
  }

  /** Creates the file, replacing that of an earlier run. */
  open(head) {
    if (this.#path === undefined || this.#file !== undefined) return
    this.#try(() => {
      const status = lstatSync(this.#path, { throwIfNoEntry: false })
      if (status?.isDirectory()) throw new Error('EISDIR')
      this.#isRegular = status === undefined || status.isFile()
      this.#file = this.#isRegular ? this.#create(status !== undefined) : this.#openSpecial()
    })
    this.#write(head)
  }

  /**
   * Always creates a new file, readable by its owner only: the copy of the list must not have more readers than the list, and must not be
   * written through a link that another user has planted.
   */
  #create(exists) {
    if (exists) rmSync(this.#path)
    return openSync(this.#path, 'wx', 0o600)
  }

  /** Opens an existing pipe or device, also through a link such as `/dev/stdout`. */
  #openSpecial() {
    const file = this.#isNamed ? openForWriting(this.#path) : undefined
    if (file !== undefined && !fstatSync(file).isFile()) return file
    if (file !== undefined) closeSync(file)
    throw Object.assign(new Error('it is a link or not a regular file'), { hint: 'Remove it, or choose another file with --failed.' })
  }

  /** Writes an item immediately, so that it is not lost however the program ends. */
  add(item) {
    if (this.#file === undefined || this.#isFull) return
    this.#write(item)
    this.count++
  }

  /** Closes the file, and removes it if it has no items. */
  close() {
    if (this.#file === undefined) return
    closeSync(this.#file)
    if (this.count === 0 && this.#isRegular) rmSync(this.#path, { force: true })
  }

  #write(string) {
    this.#try(() => {
      try {
        writeFileSync(this.#file, string)
      } catch (error) {
        this.#isFull = true
        // Remove a partial item, which `bulk` could not read.
        if (this.#isRegular) ftruncateSync(this.#file, this.#size)
        throw error
      }
    })
    this.#size += Buffer.byteLength(string)
  }

  #try(action) {
    try {
      action()
    } catch ({ code, message, hint }) {
      throw failure('INVALID_ARGUMENT', `Failed items cannot be written to '${this.#path}': ${code ?? message}.`, { hint })
    }
  }
}

/** Opens a path that may be a pipe. Waiting for its reader would block the only thread, and with it the handling of signals. */
function openForWriting(path) {
  let probe
  try {
    probe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (error.code !== 'ENXIO' || !statSync(path).isFIFO()) throw error
    const hint = 'Start its reader first, or choose another file with --failed.'
    throw Object.assign(new Error('it is a pipe without a reader'), { hint })
  }
  try {
    // The pipe has a reader. Opened again for blocking writes: non-blocking ones would fail when the pipe is full.
    return openSync(path, constants.O_WRONLY)
  } finally {
    closeSync(probe)
  }
}

function isSame(path, other) {
  const [one, two] = [path, other].map(identity)
  return one !== undefined && one === two
}

/** Device and inode; undefined if the path cannot be read, which writing to it will report. */
function identity(path) {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}

module.exports = { FailedItems }
