#!/usr/bin/env node
'use strict'

// `npx omnichannel-link`: reads the command line, runs a command, and ends with the exit code of what came of it.

const { closeSync } = require('node:fs')
const { setImmediate: turn } = require('node:timers/promises')
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

/** What asks for an end: Ctrl-C, a service manager, a terminal that is closed, and Ctrl-Break, which only Windows has. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']

const wrong = (message, hint = 'See `omnichannel-link help`.') => failure('INVALID_ARGUMENT', message, { hint })

/** The command, its arguments and options, and whether help is wanted instead. */
function read(args) {
  const every = Object.assign({}, GLOBAL_OPTIONS, ...Object.values(COMMANDS).map(({ options }) => options))
  const [name, topic] = parseArgs({ args, options: every, strict: false, allowPositionals: true }).positionals
  if (name === 'help') return own({ help: topic === 'help' ? '' : (topic ?? '') })
  const command = find(name)
  try {
    const { values, positionals } = parseArgs({ args, options: { ...GLOBAL_OPTIONS, ...command?.options }, allowPositionals: true })
    if (values.help) return own({ help: name ?? '' })
    if (values.version) return own({ isVersion: true })
    if (!command) throw wrong('A command is missing.')
    const given = positionals.slice(1)
    const [least, most] = command.takes
    if (given.length < least || given.length > most) throw wrong(`Usage: omnichannel-link ${name} ${command.usage}`, `See \`omnichannel-link help ${name}\`.`)
    return own({ command, given, values })
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error
    throw wrong(error.message, `See \`omnichannel-link help${name ? ` ${name}` : ''}\`.`)
  }
}

function find(name) {
  if (name === undefined) return undefined
  if (!Object.hasOwn(COMMANDS, name)) throw wrong(`There is no command '${name}'.`)
  return COMMANDS[name]
}

/** What the options and the environment say of the store. A token is no option: others could see it in the list of processes. */
function clientOptions({ url, db, timeout }, { DATAVERSE_URL, DATAVERSE_TOKEN }) {
  if (url !== undefined && db !== undefined) throw wrong('--url and --db are two stores: give one of them.')
  const common = own(timeout === undefined ? {} : { timeoutInMs: wholeNumber('--timeout', timeout) })
  if (db !== undefined) return own({ ...common, embedded: own({ path: db }) })
  if (url === undefined && !DATAVERSE_URL) return common
  const credential = DATAVERSE_TOKEN ? { credential: DATAVERSE_TOKEN } : {}
  return own({ ...common, dataverse: own({ ...(url === undefined ? {} : { url }), ...credential, application: `omnichannel-link-cli/${version}` }) })
}

async function run(args, interruption) {
  const { help, isVersion, command, given, values } = read(args)
  onClosedStdout(interruption, command)
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

/** `| head` has read enough, which ends what only reads. What goes on writing is stopped, and so is all whose results get lost. */
function onClosedStdout(interruption, command) {
  process.stdout.on('error', ({ code }) => {
    const isHangup = code === 'EIO' && process.stdout.isTTY
    if (isHangup) leaveTerminal()
    const isGone = isHangup || code === 'EPIPE'
    if (isGone && !command?.outlivesReader) process.exit()
    const lost = failure('INVALID_ARGUMENT', `stdout cannot be written: ${code}.`)
    interruption.stop(isGone ? new Interrupted('Nobody reads the results any more.') : lost)
  })
  process.stderr.on('error', () => {})
}

/** Asked now: of a terminal that is gone it cannot be told any more. */
const terminals = [0, 1, 2].filter(isatty)

/** Before it ends, Node sets the terminal as it was, and aborts if that is gone. What is closed it leaves alone. */
function leaveTerminal() {
  process.once('exit', () => {
    for (const fd of terminals) {
      try {
        closeSync(fd)
      } catch {
        // It was closed before.
      }
    }
  })
}

async function main(args) {
  const interruption = new Interruption()
  process.once('SIGHUP', leaveTerminal)
  for (const name of SIGNALS) process.on(name, () => interruption.request(new Interrupted('Interrupted.')))
  try {
    process.exitCode = (await run(args, interruption)) ?? 0
    // What came of the last line that was written is known now.
    await turn()
    if (process.exitCode === 0 && interruption.signal.reason instanceof LinkError) throw interruption.signal.reason
  } catch (error) {
    await print(describe(error, args.includes('--json')), process.stderr)
    process.exitCode = exitCode(error)
  }
}

main(process.argv.slice(2))
