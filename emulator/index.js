#!/usr/bin/env node
'use strict'

// Starts the emulator as a child process and knows nothing of the Web API. How the two talk is said by `--help` of the binary:
// seed pages go in over stdin, one line with the URL and the credential comes out, and the end of stdin ends the child.

const { spawn } = require('node:child_process')
const { existsSync } = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const os = require('node:os')
const path = require('node:path')

const BINARY = path.join(__dirname, 'bin', `omnichannel-link-emulator${process.platform === 'win32' ? '.exe' : ''}`)
const OPTIONS = ['port', 'seed', 'tls']
const STDERR_KEPT = 4096
// What asks the command for an end. SIGBREAK is Windows' alone.
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']

async function startEmulator(options = {}) {
  const { port, paths, pages, tls } = readOptions(options)
  const firstLine = `${JSON.stringify(pages)}\n`
  const child = spawnBinary(['--stdin-seed', '--port', String(port), ...paths.flatMap((p) => ['--seed', p]), ...tls], 'pipe')
  const ended = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `status ${code}`))
    // Emitted instead when the child never ran.
    child.once('error', (error) => resolve(error.message))
  })
  // A child that ends at once closes this pipe under our hands; its message on stderr is what is reported.
  child.stdin.on('error', () => {})
  let started
  try {
    child.stdin.write(firstLine)
    started = JSON.parse(await listening(child, ended))
    // From here on neither the child nor its pipes keep this process alive. When it ends, however it ends, stdin ends with it. Bun's
    // pipes have no `unref`.
    for (const handle of [child, child.stdin, child.stdout, child.stderr]) handle.unref?.()
  } catch (error) {
    child.kill()
    throw error
  }
  const { url, credential, application, caCertificate } = started
  const server = { url, credential, caCertificate }

  let closing
  const close = () => {
    closing ??= (async () => {
      child.ref?.()
      child.kill()
      await ended
    })()
    return closing
  }
  const call = (method, argument) => callMethod(server, method, argument)
  const emulator = {
    url,
    credential,
    application,
    caCertificate,
    requests: () => fetchJson(server, 'GET', 'requests'),
    faults: {
      add: (...rules) => call('faults.add', rules.flat()),
      random: (plan) => call('faults.random', plan),
      conditions: (conditions) => call('faults.conditions', conditions),
      clear: () => call('faults.clear'),
      waiting: () => call('faults.waiting'),
      hanging: (count = 1) => call('faults.hanging', { count }),
      release: () => call('faults.release'),
      revokeTokens: () => call('faults.revokeTokens'),
    },
    clock: {
      now: () => call('clock.now'),
      advance: (byInMs) => call('clock.advance', { byInMs }),
    },
    reset: () => call('reset'),
    close,
  }
  if (Symbol.asyncDispose) emulator[Symbol.asyncDispose] = close
  return emulator
}

// The properties of an object that are its own, so that nothing of a polluted `Object.prototype` is taken for an option; undefined for
// what is no plain object, whose options might be no properties of its own. An object of another realm, as Jest makes them, is plain.
function ownProperties(value) {
  if (value === null || typeof value !== 'object') return undefined
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return undefined
  return { __proto__: null, ...value }
}

function readOptions(given) {
  const options = ownProperties(given)
  if (options === undefined) throw new TypeError('startEmulator: options: expected an object, and a plain one')
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new TypeError(`startEmulator: unknown option '${name}'; known are ${OPTIONS.join(', ')}`)
    }
  }
  const { port = 0, seed = [] } = options
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new TypeError('startEmulator: options.port: expected an integer from 0 to 65535')
  }
  const tls = readTls(options.tls)
  if (typeof seed === 'string') {
    if (seed === '') throw new TypeError('startEmulator: options.seed: expected a path, not an empty string')
    return { port, paths: [seed], pages: [], tls }
  }
  const pages = Array.isArray(seed) ? seed : [seed]
  if (!pages.every((page) => page !== null && typeof page === 'object')) {
    throw new TypeError('startEmulator: options.seed: expected a page, an array of pages, or a path')
  }
  return { port, paths: [], pages, tls }
}

// The flags for the option `tls`.
function readTls(given = false) {
  if (typeof given === 'boolean') return given ? ['--tls'] : []
  const tls = ownProperties(given)
  if (tls === undefined) throw new TypeError('startEmulator: options.tls: expected a boolean or an object, and a plain one')
  const unknown = Object.keys(tls).find((name) => name !== 'hosts')
  if (unknown !== undefined) throw new TypeError(`startEmulator: options.tls: unknown option '${unknown}'; known is hosts`)
  const { hosts = [] } = tls
  if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === 'string' && host !== '')) {
    throw new TypeError('startEmulator: options.tls.hosts: expected an array of host names')
  }
  return ['--tls', ...hosts.flatMap((host) => ['--tls-host', host])]
}

function spawnBinary(args, stdio) {
  if (!existsSync(BINARY)) {
    throw new Error(`The emulator's binary is missing: ${BINARY}. In a checkout, \`npm run build\` builds it and puts it there. A program that is bundled finds it if omnichannel-link-emulator stays outside of the bundle.`)
  }
  try {
    return spawn(BINARY, args, { __proto__: null, stdio, windowsHide: true })
  } catch (cause) {
    throw new Error(`The emulator's binary cannot be started: ${BINARY}: ${cause.message}. It has to be a file outside of any archive.`, { cause })
  }
}

// Resolves with the one line the child prints when it listens; rejects with the child's own message when it ends instead.
function listening(child, ended) {
  return new Promise((resolve, reject) => {
    let line = ''
    let message = ''
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text) => {
      message = (message + text).slice(-STDERR_KEPT)
    })
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text) => {
      line += text
      if (line.includes('\n')) resolve(line)
    })
    // 'close' comes after the last of stderr, unlike 'exit', and also when the child could not be spawned.
    child.once('close', async () => {
      reject(new Error(message.trim() || `The emulator ended before it listened: ${await ended}`))
    })
  })
}

// The emulator's own methods, which `control.rs` lists. A wrong argument is the caller's mistake: a TypeError with the emulator's
// words.
async function callMethod(server, method, argument = null) {
  const answer = await fetchJson(server, 'POST', method, JSON.stringify(argument))
  if (Object.hasOwn(Object(answer), 'error')) throw new TypeError(`${method}: ${answer.error}`)
  return answer ?? undefined
}

// One connection per call: a kept one would have to be looked after, so that it keeps no process alive.
function fetchJson({ url, credential, caCertificate }, method, name, body) {
  return new Promise((resolve, reject) => {
    const fail = (error) => reject(new Error(`The emulator at ${url} does not answer`, { cause: error }))
    const headers = { authorization: `Bearer ${credential}` }
    const options = { __proto__: null, agent: false, method, headers, ...(caCertificate && { ca: caCertificate }) }
    const request = (caCertificate ? https : http).request(`${url}/_emulator/${name}`, options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('error', fail)
      response.on('end', () => {
        if (response.statusCode === 200 || response.statusCode === 400) resolve(JSON.parse(text))
        else fail(new Error(`status ${response.statusCode}`))
      })
    })
    request.on('error', fail)
    request.end(body)
  })
}

module.exports = { startEmulator }

// `npx omnichannel-link-emulator` passes its arguments and signals on. Its stdin is the child's only if that reads the seed from it; the
// pipe is there in any case, because the child ends with it when this process is killed.
function runCommand(args) {
  const readsSeed = args.includes('--stdin-seed')
  const child = spawnBinary(readsSeed ? args : ['--stdin-seed', ...args], ['pipe', 'inherit', 'inherit'])
  child.stdin.on('error', () => {})
  if (readsSeed) process.stdin.pipe(child.stdin)
  else child.stdin.write('[]\n')
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.on('error', fail)
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    // The same end as the child's. The first process of a container outlives its own signals.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
    process.exit(128 + os.constants.signals[signal])
  })
}

function fail(error) {
  console.error(error.message)
  process.exit(1)
}

if (require.main === module) {
  try {
    runCommand(process.argv.slice(2))
  } catch (error) {
    fail(error)
  }
}
