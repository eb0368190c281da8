'use strict'

// Options of all functions. They are read once, into a copy without a prototype.
//
// Own and inherited properties count, values and getters alike. Properties of `Object.prototype` never count, because any code in the program
// may have changed it. An unknown property is copied if it is enumerable or a getter, and then rejected by name. Unknown methods are ignored.

const { isProxy } = require('node:util/types')
const { kindOf, own, shown } = require('./link-error.js')

/** Kinds of options: a primitive value, a primitive or function, a string, and an object that is passed on as it is. Every other kind is a shape. */
const VALUE = Symbol('value')
const CALLABLE = Symbol('value or function')
const STRING = Symbol('string')
const KEPT = Symbol('kept')

const values = (...names) => Object.fromEntries(names.map(name => [name, VALUE]))
const shape = options => ({ __proto__: null, ...options })

/** An object with any names, such as those of columns. */
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
  query: shape({
    ...SEARCH,
    record: RECORD,
    ...values('createdBeforeDays', 'top'),
    orderBy: [shape({ property: STRING, ...values('descending') })]
  }),
  wait: shape({ ...SEARCH, record: RECORD, createdAfter: KEPT }),
  import: shape({ ...CALL, ...PROGRESS }),
  diagnose: shape(CALL),
  client: shape({
    ...values('timeoutInMs'),
    embedded: shape(values('path')),
    dataverse: shape({
      ...values('url', 'callerObjectId', 'maxConcurrency', 'optimisticConcurrency', 'application'),
      retryOptions: shape(values('maxRetries', 'retryDelayInMs', 'maxRetryDelayInMs')),
      proxy: CALLABLE,
      credential: KEPT,
      caCertificates: [VALUE]
    })
  }),
  credential: shape(values('tenantId', 'clientId', 'clientSecret', 'authorityHost')),
  serve: shape({
    ipcMain: KEPT,
    client: KEPT,
    allow: [CALLABLE],
    ...values('forwardEvents'),
    onRefreshTab: CALLABLE,
    onOpenConversation: CALLABLE
  }),
  record: RECORD,
  key: ANY
})

const MOST_ENTRIES = 10_000
/** A limit that no class reaches. */
const MOST_PROTOTYPES = 100

/**
 * Copies options, without a prototype. Other values are returned for the addon to reject; it never gets an object of the caller.
 * `fail(argument, why, details)` creates an error.
 */
function read(argument, value, shape, fail) {
  if (typeof value !== 'object' || value === null || shape === KEPT) return value
  if (attempt(argument, () => Array.isArray(value), fail)) return Array.isArray(shape) ? entries(argument, value, shape[0], fail) : []
  if (typeof shape === 'symbol' || Array.isArray(shape)) return Object.create(null)
  const kind = attempt(argument, () => Object.prototype.toString.call(value).slice('[object '.length, -1), fail)
  if (kind !== 'Object' && kind !== 'Module') throw fail(argument, `expected an object with options, got a ${kind}`)
  const { names, methods, unnamed } = attempt(argument, () => survey(value, shape), fail)
  const copy = Object.create(null)
  const take = (name, isNamed) => {
    const path = `${argument}.${name}`
    const given = attempt(path, () => value[name], fail)
    if (!isNamed && given === undefined) return
    if (given === null && rejectsNull(shape, name)) throw fail(path, 'expected a value, got null; leave the option out for its default')
    // `serve` is checked by its caller, and unknown names by the addon.
    if (shape !== SHAPES.serve && (name in shape || shape === ANY)) expectKind(path, given, shape[name] ?? VALUE, fail)
    copy[name] = read(path, given, shape[name] ?? VALUE, fail)
  }
  for (const name of names) take(name, true)
  for (const name of unnamed) take(name, false)
  if (methods.length > 0 && Object.keys(copy).length === 0) {
    throw fail(argument, `expected an object with options, got one that has only methods, such as ${methods[0]}()`)
  }
  return copy
}

const EXPECTED = {
  __proto__: null,
  [VALUE]: ['a string, a number or a boolean', ['string', 'number', 'boolean']],
  [STRING]: ['a string', ['string']]
}

/** Throws if a value is of another kind, in the words of JavaScript rather than Rust. */
function expectKind(path, value, kind, fail) {
  if (value == null || kind === KEPT || kind === CALLABLE) return
  const type = attempt(path, () => Array.isArray(value), fail) ? 'array' : typeof value
  // A single certificate may be a string. The addon rejects other strings.
  const [expected, types] = Array.isArray(kind)
    ? ['an array', ['array', 'string', 'number', 'boolean']]
    : (typeof kind === 'symbol' && EXPECTED[kind]) || ['an object', ['object']]
  if (!types.includes(type)) throw fail(path, `expected ${expected}, got ${kindOf(value)}`)
}

/** Whether null is an error: a missing value must not become the default. `expected: null` is an empty slot, and a record's name may be null. */
const rejectsNull = (shape, name) => name in shape && shape !== RECORD && name !== 'expected'

/** The names of options, the unknown methods, and the names that a proxy does not list but may have a value for. */
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

/** An object and its prototypes, without `Object.prototype`, which is of the object's realm. */
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

/** Reads one property by the same rule. */
function property(object, name) {
  // Most objects are plain.
  if (Object.getPrototypeOf(object) === Object.prototype && !(name in Object.prototype)) return object[name]
  const { holders, root } = ancestry(object)
  return !(name in root) || holders.some(holder => Object.hasOwn(holder, name)) ? object[name] : undefined
}

/** Copies the entries of an array. Inherited ones do not count. */
function entries(argument, array, shape, fail) {
  const length = attempt(argument, () => array.length, fail)
  if (length > MOST_ENTRIES) throw fail(argument, `expected at most ${MOST_ENTRIES} entries, got ${length}`)
  return Array.from({ length }, (_, index) => {
    const path = `${argument}[${index}]`
    const entry = attempt(path, () => (Object.hasOwn(array, index) ? array[index] : undefined), fail)
    expectKind(path, entry, shape, fail)
    return read(path, entry, shape, fail)
  })
}

/** Reads from an object that may be a proxy or have getters. */
function attempt(argument, reading, fail) {
  try {
    return reading()
  } catch (cause) {
    throw fail(argument, `cannot be read: ${shown(cause)}`, { cause })
  }
}

/** Copies the properties with these names, and no others. */
function properties(object, names) {
  const given = Object.create(null)
  for (const name of names) {
    const value = object == null ? undefined : property(Object(object), name)
    if (value !== undefined) given[name] = value
  }
  return given
}

/** Removes an option from a copy that `read` made, and returns it. */
function take(copy, name) {
  if (typeof copy !== 'object' || copy === null || !Object.hasOwn(copy, name)) return undefined
  const value = copy[name]
  delete copy[name]
  return value
}

module.exports = { SHAPES, attempt, properties, property, read, take }
