'use strict'

// Counts the items of `bulk` by outcome.

const { palette, print, table } = require('./terminal.js')
const { printable } = require('./printable.js')

// Errors printed per code.
const MAX_SHOWN = 3

class Summary {
  items = 0
  failed = 0
  /** Failed items that may have been applied. */
  uncertain = 0
  #outcomes = new Map()

  add(line, outcome, error) {
    const name = error ? (error.code ?? 'cancelled') : outcome.status
    const entry = this.#outcomes.get(name) ?? { count: 0, isFailure: error !== undefined, errors: [], hint: undefined }
    this.#outcomes.set(name, entry)
    this.items++
    entry.count++
    if (!error) return
    this.failed++
    if (error.maybeApplied) this.uncertain++
    entry.hint ??= error.hint
    if (entry.errors.length < MAX_SHOWN) entry.errors.push(`line ${line}: ${error.message}`)
  }

  toJSON() {
    const { items, failed, uncertain } = this
    return { items, failed, uncertain, outcomes: Object.fromEntries([...this.#outcomes].map(([name, { count }]) => [name, count])) }
  }

  async print(stream) {
    const { bold, dim, green, red } = palette(stream)
    const entries = [...this.#outcomes]
    const rowOf = ([name, { count, isFailure, errors }]) => {
      const colour = isFailure ? red : green
      return [String(count), colour(name), dim(printable(errors[0] ?? ''))]
    }
    await print(table([[bold('items'), bold('outcome'), ''], ...entries.map(rowOf)]), stream)
    for (const [, { errors }] of entries) for (const error of errors.slice(1)) await print(dim(`  ${printable(error)}`), stream)
    for (const [name, { hint }] of entries) if (hint) await print(`${name}: ${printable(hint)}`, stream)
    if (this.uncertain > 0) await print(`Failed items that may have been applied: ${this.uncertain}.`, stream)
  }
}

module.exports = { Summary }
