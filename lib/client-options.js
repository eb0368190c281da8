'use strict'

// Options of a client. The functions among them are passed to the addon apart from the others.

const { failure, own } = require('./link-error.js')
const { SHAPES, attempt, property, read } = require('./options.js')
const { named } = require('./validate.js')

const fail = (argument, why, details) => failure('INVALID_CONFIGURATION', ...named(argument, why, details))

/** Returns the options of a client as plain data, then its credential function and its proxy function, if there are any. */
function clientOptions(options) {
  const given = read('options', options, SHAPES.client, fail)
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return [given]
  // A missing value must not turn a Dataverse client into an embedded one, or choose another file.
  for (const store of ['dataverse', 'embedded']) {
    if (store in given && given[store] == null)
      throw fail(`options.${store}`, `expected a value, got ${given[store]}; leave the option out for its default`)
  }
  const { dataverse } = given
  const place = 'options.dataverse.credential'
  const { credential, proxy } = own(dataverse)
  const isObject = typeof credential === 'object' && credential !== null
  const isProvider = attempt(place, () => typeof (isObject ? property(credential, 'getToken') : credential) === 'function', fail)
  if (isProvider) delete dataverse.credential
  else if (isObject) dataverse.credential = read(place, credential, SHAPES.credential, fail)
  const isResolver = typeof proxy === 'function'
  if (isResolver) delete dataverse.proxy
  return [given, isProvider ? credential : undefined, isResolver ? proxy : undefined]
}

module.exports = { clientOptions }
