'use strict'

// The file of failed items, in the form of the list, so that it can be given to bulk again.

const { closeSync, fstatSync, ftruncateSync, openSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { failure } = require('../lib/link-error.js')

class FailedItems {
  /** How many it holds. */
  count = 0
  #path
  #file
  #isRegular
  #isFull = false
  /** Bytes of whole items. */
  #size = 0

  /** Without a path it is nowhere. */
  constructor(path, listPath) {
    this.#path = path
    if (path !== undefined && isSame(path, listPath)) throw failure('INVALID_ARGUMENT', `'${path}' is the list itself: failed items need a file of their own.`)
  }

  /** Makes the file, and ends what an earlier run has left in it. */
  open(head) {
    if (this.#path === undefined || this.#file !== undefined) return
    this.#try(() => {
      this.#file = openSync(this.#path, 'w')
      this.#isRegular = fstatSync(this.#file).isFile()
    })
    this.#write(head)
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
    } catch ({ code, message }) {
      throw failure('INVALID_ARGUMENT', `'${this.#path}', for the items that fail, cannot be written: ${code ?? message}.`)
    }
  }
}

function isSame(path, other) {
  const [one, two] = [path, other].map(path => statSync(path, { throwIfNoEntry: false }))
  return one !== undefined && two !== undefined && one.ino === two.ino && one.dev === two.dev
}

module.exports = { FailedItems }
