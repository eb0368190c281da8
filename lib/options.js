'use strict'

// Options of every function, read once, by one rule.
//
// The properties of an object count, whether they are its own or its class's, a value or a getter. Those of `Object.prototype` never
// count: everything in the program may have changed it. The copy that is made has no prototype, so nothing is read from there later.
// An enumerable property or a getter that is not an option stays in the copy, for the addon to refuse by name; a method of the class that
// is not an option is ignored.

const { isProxy } = require('node:util/types')
const { own, shown } = require('./link-error.js')

/** Kinds of options: a value that is not an object, one that may be a function or is a string, and an object of another kind, which is taken as it is. Anything else is a shape. */
const VALUE = Symbol('value')
const CALLABLE = Symbol('value or function')
const STRING = Symbol('string')
const KEPT = Symbol('kept')

const values = (...names) => Object.fromEntries(names.map(name => [name, VALUE]))
const shape = options => ({ __proto__: null, ...options })

/** Any names, such as those of columns. */
const ANY = shape()
const RECORD = shape(values('entityLogicalName', 'recordId', 'name'))
const CALL = { signal: KEPT, ...values('timeoutInMs') }
const ON_BEHALF = { ...CALL, ...values('callerObjectId', 'traceparent') }
const LINK = { ...ON_BEHALF, linkableStatuses: [VALUE], expected: RECORD, ifLinked: STRING, ...values('dryRun') }
const UNLINK = { ...ON_BEHALF, ...values('dryRun') }
const SEARCH = { ...ON_BEHALF, ...values('agentId'), statuses: [VALUE] }
const PROGRESS = { onProgress: CALLABLE }

const SHAPES = shape({
  link: shape(LINK),
  linkMany: shape({ ...LINK, ...PROGRESS }),
  unlink: shape(UNLINK),
  unlinkMany: shape({ ...UNLINK, ...PROGRESS }),
  read: shape(ON_BEHALF),
  query: shape({ ...SEARCH, ...values('createdBeforeDays', 'top'), orderBy: [shape({ property: STRING, ...values('descending') })] }),
  wait: shape({ ...SEARCH, record: KEPT, createdAfter: KEPT }),
  import: shape({ ...CALL, ...PROGRESS }),
  doctor: shape(CALL),
  client: shape({
    ...values('timeoutInMs'),
    embedded: shape(values('path')),
    dataverse: shape({
      ...values('url', 'callerObjectId', 'maxRetries', 'retryDelayInMs', 'maxRetryDelayInMs', 'maxConcurrency', 'application'),
      concurrency: STRING,
      proxy: CALLABLE,
      credential: KEPT,
      caCertificates: [VALUE]
    })
  }),
  credential: shape(values('tenantId', 'clientId', 'clientSecret', 'authorityHost')),
  serve: shape({ ipcMain: KEPT, client: KEPT, allow: [CALLABLE], ...values('forwardEvents'), onRefreshTab: CALLABLE, onOpenConversation: CALLABLE }),
  record: RECORD,
  key: ANY
})

const MOST_ENTRIES = 10_000
/** More than any class has ancestors. */
const MOST_PROTOTYPES = 100

/**
 * A copy of options without a prototype. Any other value, and an object in the place of a value, is for the addon to refuse, which gets no
 * object of the caller's. `fail(message, details)` makes the error for a property that cannot be read.
 */
function read(argument, value, shape, fail) {
  if (typeof value !== 'object' || value === null || shape === KEPT) return value
  if (attempt(argument, () => Array.isArray(value), fail)) return Array.isArray(shape) ? entries(argument, value, shape[0], fail) : []
  if (typeof shape === 'symbol' || Array.isArray(shape)) return Object.create(null)
  const kind = attempt(argument, () => Object.prototype.toString.call(value).slice('[object '.length, -1), fail)
  if (kind !== 'Object' && kind !== 'Module') throw fail(`\`${argument}\`: expected an object with options, got a ${kind}.`)
  const { names, methods, unnamed } = attempt(argument, () => survey(value, shape), fail)
  const copy = Object.create(null)
  const take = (name, isNamed) => {
    const path = `${argument}.${name}`
    const given = attempt(path, () => value[name], fail)
    if (!isNamed && given === undefined) return
    if (given === null && refusesNull(shape, name)) throw fail(`\`${path}\`: expected a value, or nothing at all, got null.`)
    // `serve` has rules of its own, and an unknown name is for the addon to refuse.
    if (shape !== SHAPES.serve && (name in shape || shape === ANY)) demandKind(path, given, shape[name] ?? VALUE, fail)
    copy[name] = read(path, given, shape[name] ?? VALUE, fail)
  }
  for (const name of names) take(name, true)
  for (const name of unnamed) take(name, false)
  if (methods.length > 0 && Object.keys(copy).length === 0) {
    throw fail(`\`${argument}\`: expected an object with options, got one that has nothing but methods, such as ${methods[0]}().`)
  }
  return copy
}

const EXPECTED = { __proto__: null, [VALUE]: ['a string, a number or a boolean', ['string', 'number', 'boolean']], [STRING]: ['a string', ['string']] }

/** Refuses what is of another kind, before the addon does in the words of Rust. */
function demandKind(path, value, kind, fail) {
  if (value == null || kind === KEPT || kind === CALLABLE) return
  const type = attempt(path, () => Array.isArray(value), fail) ? 'array' : typeof value
  // One certificate may be a string; other strings are for the addon to refuse.
  const [expected, types] = Array.isArray(kind) ? ['an array', ['array', 'string', 'number', 'boolean']] : ((typeof kind === 'symbol' && EXPECTED[kind]) || ['an object', ['object']])
  if (!types.includes(type)) throw fail(`\`${path}\`: expected ${expected}, got ${/^[ao]/.test(type) ? 'an' : 'a'} ${type}.`)
}

/** An option whose value went missing must not become its default. `expected: null` is an empty slot, and a record's name may be unknown. */
const refusesNull = (shape, name) => name in shape && shape !== RECORD && name !== 'expected'

/** The names that count, the methods that do not, and the names that a proxy does not list but may return a value for. */
function survey(value, shape) {
  const names = new Set()
  const methods = []
  const { holders, root } = ancestry(value)
  for (const holder of holders) {
    for (const name of Object.getOwnPropertyNames(holder)) {
      if (name in shape) names.add(name)
      else if (holder === value) {
        if (shape === ANY || Object.prototype.propertyIsEnumerable.call(holder, name)) names.add(name)
      } else {
        const { enumerable, get, value: held } = own(Object.getOwnPropertyDescriptor(holder, name))
        if (typeof held === 'function') methods.push(name)
        else if (shape === ANY || enumerable || get !== undefined) names.add(name)
      }
    }
  }
  const unnamed = holders.some(isProxy) ? Object.keys(shape).filter(name => !names.has(name) && !(name in root)) : []
  return { names, methods: methods.filter(name => !(name in root)), unnamed }
}

/** An object and its prototypes, without the `Object.prototype` of its realm. */
function ancestry(object) {
  const holders = []
  let holder = object
  while (holder === object || (holder !== null && !isRoot(holder))) {
    if (holders.push(holder) > MOST_PROTOTYPES) throw new Error('its prototypes have no end')
    holder = Object.getPrototypeOf(holder)
  }
  return { holders, root: holder ?? Object.prototype }
}

const isRoot = object => Object.getPrototypeOf(object) === null && Object.hasOwn(object, 'isPrototypeOf')

/** A property by the same rule. */
function property(object, name) {
  const { holders, root } = ancestry(object)
  return !(name in root) || holders.some(holder => Object.hasOwn(holder, name)) ? object[name] : undefined
}

/** The entries of an array, without those that only a prototype has. */
function entries(argument, array, shape, fail) {
  const length = attempt(argument, () => array.length, fail)
  if (length > MOST_ENTRIES) throw fail(`\`${argument}\`: expected at most ${MOST_ENTRIES} entries, got ${length}.`)
  return Array.from({ length }, (_, index) => {
    const path = `${argument}[${index}]`
    const entry = attempt(path, () => (Object.hasOwn(array, index) ? array[index] : undefined), fail)
    demandKind(path, entry, shape, fail)
    return read(path, entry, shape, fail)
  })
}

/** Reads from an object that may have getters or be a proxy. */
function attempt(argument, reading, fail) {
  try {
    return reading()
  } catch (cause) {
    throw fail(`\`${argument}\` cannot be read: ${shown(cause)}`, { cause })
  }
}

/** The properties of these names that are given, whatever else the object has. */
function properties(object, names) {
  const given = Object.create(null)
  for (const name of names) {
    const value = object == null ? undefined : property(Object(object), name)
    if (value !== undefined) given[name] = value
  }
  return given
}

/** Takes an option out of a copy that `read` made. */
function take(copy, name) {
  if (typeof copy !== 'object' || copy === null || !Object.hasOwn(copy, name)) return undefined
  const value = copy[name]
  delete copy[name]
  return value
}

module.exports = { SHAPES, attempt, properties, property, read, take }
