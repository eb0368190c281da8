'use strict'

// Makes strings from other programs safe to print on a terminal.

// C0 and C1 control characters, which can move the cursor, rename the window or break the line, and controls of the writing direction.
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g

/** Replaces control characters. */
const printable = string => string.replace(CONTROLS, found => (/^\s+$/.test(found) ? ' ' : '\ufffd'))

/** Copies a value, with `change` applied to every string in it. */
function eachString(value, change) {
  if (typeof value === 'string') return change(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(item => eachString(item, change))
  return Object.fromEntries(Object.entries(value).map(([name, value]) => [name, eachString(value, change)]))
}

module.exports = { eachString, printable }
