'use strict'

/** What an object says itself. Nothing that stands on a polluted `Object.prototype` is taken for a setting. */
const own = object => ({ __proto__: null, ...object })

module.exports = { own }
