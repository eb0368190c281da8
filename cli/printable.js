'use strict'

// Strings of other programs, made safe for a terminal.

// C0 and C1 controls, of which some move the cursor, rename the window or break the line; and controls of the writing direction.
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g

/** A string without control characters. */
const printable = text => text.replace(CONTROLS, found => (/^\s+$/.test(found) ? ' ' : '\ufffd'))

/** A copy of a value with all of its strings changed. */
function eachString(value, change) {
  if (typeof value === 'string') return change(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(item => eachString(item, change))
  return Object.fromEntries(Object.entries(value).map(([name, value]) => [name, eachString(value, change)]))
}

module.exports = { eachString, printable }
