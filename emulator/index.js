#!/usr/bin/env node
'use strict'

// Starts the emulator's binary as a child process; see its `--help` for the protocol. The child reads seed pages from stdin, prints one
// line with the URL and the credential, and exits when stdin is closed.

const { spawn } = require('node:child_process')
const http = require('node:http')
const https = require('node:https')
const os = require('node:os')
const { findBinary } = require('./binary.js')

const OPTIONS = ['port', 'seed', 'state', 'tls']
const STDERR_KEPT = 4096
// Signals that are passed on to the child. SIGBREAK exists only on Windows.
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']

async function startEmulator(options = {}) {
  const { port, paths, pages, flags } = readOptions(options)
  const firstLine = `${JSON.stringify(pages)}\n`
  const child = spawnBinary(['--stdin-seed', '--port', String(port), ...paths.flatMap(p => ['--seed', p]), ...flags], 'pipe')
  const ended = new Promise(resolve => {
    child.once('exit', (code, signal) => resolve(signal ?? `status ${code}`))
    // Emitted instead of 'exit' if the child could not be started.
    child.once('error', error => resolve(error.message))
  })
  // A child that exits at once closes this pipe. Its message on stderr is reported instead.
  child.stdin.on('error', () => {})
  let started
  try {
    child.stdin.write(firstLine)
    started = JSON.parse(await listening(child, ended))
    // The child and its pipes must not keep this process alive. When this process ends in any way, stdin is closed. Bun's pipes have no
    // `unref`.
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
      // With a state, it ends by itself once that is written. Windows has no signal that would wait for it.
      if (flags.includes('--state')) child.stdin.end()
      else child.kill()
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
      random: plan => call('faults.random', plan),
      conditions: conditions => call('faults.conditions', conditions),
      clear: () => call('faults.clear'),
      waiting: () => call('faults.waiting'),
      hanging: (count = 1) => call('faults.hanging', { count }),
      release: () => call('faults.release'),
      revokeTokens: () => call('faults.revokeTokens')
    },
    webhooks: {
      set: webhooks => call('webhooks.set', webhooks),
      deliveries: () => call('webhooks.deliveries')
    },
    clock: {
      now: () => call('clock.now'),
      advance: byInMs => call('clock.advance', { byInMs })
    },
    reset: () => call('reset'),
    close
  }
  if (Symbol.asyncDispose) emulator[Symbol.asyncDispose] = close
  return emulator
}

// Copies the own properties of a plain object, so that nothing of a polluted `Object.prototype` is read as an option. Undefined for any
// other value, because its options may be inherited. An object of another realm, as Jest creates them, counts as plain.
function ownProperties(value) {
  if (value === null || typeof value !== 'object') return undefined
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return undefined
  return { __proto__: null, ...value }
}

function readOptions(given) {
  const options = ownProperties(given)
  if (options === undefined) throw new TypeError('startEmulator: options: expected a plain object')
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new TypeError(`startEmulator: unknown option '${name}'; expected ${OPTIONS.join(', ')}`)
    }
  }
  const { port = 0, seed = [] } = options
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new TypeError('startEmulator: options.port: expected an integer from 0 to 65535')
  }
  const { state } = options
  if (state !== undefined && (typeof state !== 'string' || state === '')) {
    throw new TypeError('startEmulator: options.state: expected a path')
  }
  const flags = [...readTls(options.tls), ...(state === undefined ? [] : ['--state', state])]
  if (typeof seed === 'string') {
    if (seed === '') throw new TypeError('startEmulator: options.seed: expected a path, not an empty string')
    return { port, paths: [seed], pages: [], flags }
  }
  const pages = Array.isArray(seed) ? seed : [seed]
  if (!pages.every(page => page !== null && typeof page === 'object')) {
    throw new TypeError('startEmulator: options.seed: expected a page, an array of pages, or a path')
  }
  return { port, paths: [], pages, flags }
}

// The command-line flags for the option `tls`.
function readTls(given = false) {
  if (typeof given === 'boolean') return given ? ['--tls'] : []
  const tls = ownProperties(given)
  if (tls === undefined) throw new TypeError('startEmulator: options.tls: expected a boolean or a plain object')
  const unknown = Object.keys(tls).find(name => name !== 'hosts')
  if (unknown !== undefined) throw new TypeError(`startEmulator: options.tls: unknown option '${unknown}'; expected hosts`)
  const { hosts = [] } = tls
  if (!Array.isArray(hosts) || !hosts.every(host => typeof host === 'string' && host !== '')) {
    throw new TypeError('startEmulator: options.tls.hosts: expected an array of host names')
  }
  return ['--tls', ...hosts.flatMap(host => ['--tls-host', host])]
}

function spawnBinary(args, stdio) {
  const binary = findBinary()
  try {
    return spawn(binary, args, { __proto__: null, stdio, windowsHide: true })
  } catch (cause) {
    throw new Error(`The emulator's binary cannot be started: ${binary}: ${cause.message}. It must be a file outside of any archive.`, {
      cause
    })
  }
}

// Resolves with the line that the child prints when it listens. Rejects with the child's own message if it exits instead.
function listening(child, ended) {
  return new Promise((resolve, reject) => {
    let line = ''
    let message = ''
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', text => {
      message = (message + text).slice(-STDERR_KEPT)
    })
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', text => {
      line += text
      if (line.includes('\n')) resolve(line)
    })
    // Unlike 'exit', 'close' is emitted after all of stderr, and also if the child could not be started.
    child.once('close', async () => {
      reject(new Error(message.trim() || `The emulator ended before it listened: ${await ended}`))
    })
  })
}

// Calls a method of the test API, see `src/test_api/http.rs`. An invalid argument becomes a TypeError with the emulator's message.
async function callMethod(server, method, argument = null) {
  const result = await fetchJson(server, 'POST', method, JSON.stringify(argument))
  if (Object.hasOwn(Object(result), 'error')) throw new TypeError(`${method}: ${result.error}`)
  return result ?? undefined
}

// One connection per call, because an idle connection could keep the process alive.
function fetchJson({ url, credential, caCertificate }, method, name, body) {
  return new Promise((resolve, reject) => {
    const fail = error => reject(new Error(`The emulator at ${url} does not respond`, { cause: error }))
    const headers = { authorization: `Bearer ${credential}` }
    const options = { __proto__: null, agent: false, method, headers, ...(caCertificate && { ca: caCertificate }) }
    const request = (caCertificate ? https : http).request(`${url}/_emulator/${name}`, options, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', chunk => {
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

// Runs `npx omnichannel-link-emulator`: passes arguments and signals on. The child reads this stdin only for a seed, but always has a
// pipe for stdin, so that it exits when this process is killed.
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
    // Ends in the same way as the child. The first process of a container survives its own signals, hence the exit.
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
