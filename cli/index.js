#!/usr/bin/env node
'use strict'

// `npx omnichannel-link`: parses the command line, runs a command, and sets the exit code.

const { closeSync } = require('node:fs')
const { setImmediate: nextTurn } = require('node:timers/promises')
const { isatty } = require('node:tty')
const { parseArgs } = require('node:util')
const { version } = require('../package.json')
const { LinkError, OmnichannelClient } = require('../index.js')
const { failure, own } = require('../lib/link-error.js')
const { COMMANDS, wholeNumber } = require('./commands.js')
const { Interrupted, exitCode } = require('./exit-codes.js')
const { GLOBAL_OPTIONS, general, ofCommand } = require('./help.js')
const { Interruption } = require('./interruption.js')
const { DrainClient } = require('./drain-client.js')
const { describe, print } = require('./terminal.js')

/** Signals that stop a command: Ctrl-C, a service manager, a closed terminal, and Ctrl-Break on Windows. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']

const usageError = (message, hint = 'See `omnichannel-link help`.') => failure('INVALID_ARGUMENT', message, { hint })

/** Parses the command, its arguments and its options; or a request for help or the version. */
function parse(args) {
  const allOptions = Object.assign({}, GLOBAL_OPTIONS, ...Object.values(COMMANDS).map(({ options }) => options))
  const [name, topic] = parseArgs({ args, options: allOptions, strict: false, allowPositionals: true }).positionals
  if (name === 'help') return own({ help: topic === 'help' ? '' : (topic ?? '') })
  const command = find(name)
  try {
    /** @type {import('node:util').ParseArgsConfig} */
    const config = { args, options: { ...GLOBAL_OPTIONS, ...command?.options }, allowPositionals: true }
    const { values, positionals } = parseArgs(config)
    if (values.help) return own({ help: name ?? '' })
    if (values.version) return own({ isVersion: true })
    if (!command) throw usageError('No command given.')
    const given = positionals.slice(1)
    const [min, max] = command.takes
    if (given.length < min || given.length > max)
      throw usageError(`Usage: omnichannel-link ${name} ${command.usage}`, `See \`omnichannel-link help ${name}\`.`)
    return own({ command, given, values })
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error
    throw usageError(error.message, `See \`omnichannel-link help${name ? ` ${name}` : ''}\`.`)
  }
}

function find(name) {
  if (name === undefined) return undefined
  if (!Object.hasOwn(COMMANDS, name)) throw usageError(`Unknown command '${name}'.`)
  return COMMANDS[name]
}

/** Client options from the command line and the environment. There is no option for a token: other users could see it in the process list. */
function clientOptions({ url, db, timeout }, { DATAVERSE_URL, DATAVERSE_TOKEN }) {
  if (url !== undefined && db !== undefined) throw usageError('--url and --db select different stores: use only one of them.')
  const common = own(timeout === undefined ? {} : { timeoutInMs: wholeNumber('--timeout', timeout) })
  if (db !== undefined) return own({ ...common, embedded: own({ path: db }) })
  if (url === undefined && !DATAVERSE_URL) return common
  const credential = DATAVERSE_TOKEN ? { credential: DATAVERSE_TOKEN } : {}
  const environment = url === undefined ? {} : { url }
  return own({ ...common, dataverse: own({ ...environment, ...credential, application: `omnichannel-link-cli/${version}` }) })
}

async function run(args, interruption) {
  const { help, isVersion, command, given, values } = parse(args)
  onStdoutError(interruption, command)
  if (help !== undefined) return await print(help === '' ? general(COMMANDS) : ofCommand(help, find(help)))
  if (isVersion) return await print(version)
  const options = clientOptions(values, own(process.env))
  const client = command.drains ? new DrainClient(options, interruption.cancelSignal) : new OmnichannelClient(options)
  try {
    return await command.run({ client, values, interruption, signal: interruption.signal, timeoutInMs: options.timeoutInMs }, given)
  } finally {
    await client.close()
  }
}

/** Handles errors of stdout. If it was closed, as by `| head`, a command that only reads exits. Any other command stops, to lose no results. */
function onStdoutError(interruption, command) {
  process.stdout.on('error', ({ code }) => {
    const isHangup = code === 'EIO' && process.stdout.isTTY
    if (isHangup) leaveTerminal()
    const isGone = isHangup || code === 'EPIPE'
    if (isGone && !command?.outlivesReader) process.exit()
    const lost = failure('INVALID_ARGUMENT', `stdout cannot be written: ${code}.`)
    interruption.stop(isGone ? new Interrupted('stdout was closed.') : lost)
  })
  process.stderr.on('error', () => {})
}

/** Descriptors of terminals. Determined at the start, because a terminal that is gone is no longer recognised. */
const terminals = [0, 1, 2].filter(isatty)

/** Closes the terminal's descriptors on exit. Node would restore the terminal's settings and abort because it is gone; it skips closed ones. */
function leaveTerminal() {
  process.once('exit', () => {
    for (const fd of terminals) {
      try {
        closeSync(fd)
      } catch {
        // Already closed.
      }
    }
  })
}

async function main(args) {
  const interruption = new Interruption()
  process.once('SIGHUP', leaveTerminal)
  for (const name of SIGNALS) process.on(name, () => interruption.escalate(new Interrupted('Interrupted.')))
  try {
    process.exitCode = (await run(args, interruption)) ?? 0
    // Lets an error of the last write to stdout arrive.
    await nextTurn()
    if (process.exitCode === 0 && interruption.signal.reason instanceof LinkError) throw interruption.signal.reason
  } catch (error) {
    await print(describe(error, args.includes('--json')), process.stderr)
    process.exitCode = exitCode(error)
  }
}

main(process.argv.slice(2))
