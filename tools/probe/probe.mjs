#!/usr/bin/env node
// Asks a live environment what Microsoft's documentation leaves open, and records every request and response. README.md explains it.
import { parseArgs } from 'node:util'
import { Conversation, shown } from './conversation.mjs'
import { READING } from './reading.mjs'
import { Recording } from './recording.mjs'
import { originOf, ProbeError, tokenFor, WebApi } from './web-api.mjs'
import { WRITING } from './writing.mjs'

const USAGE = 'Usage: node tools/probe/probe.mjs [--conversation <id> [--yes]] [--out <file>]'
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const say = text => console.log(text)

function parsed(args) {
  let values
  try {
    ;({ values } = parseArgs({ args, options: { conversation: { type: 'string' }, yes: { type: 'boolean' }, out: { type: 'string' } } }))
  } catch (error) {
    throw new ProbeError(`${error.message}\n${USAGE}`)
  }
  if (values.conversation !== undefined && !GUID.test(values.conversation)) throw new ProbeError(`--conversation is not a GUID.\n${USAGE}`)
  if (values.yes && values.conversation === undefined) throw new ProbeError(`--yes needs --conversation.\n${USAGE}`)
  return values
}

/** Asks one question. A failure is the answer, unless it ends the experiments. */
async function ask(api, recording, { name, text, ask }, subject) {
  api.question = name
  let answer
  try {
    answer = await ask(subject)
    return true
  } catch (error) {
    answer = `Not answered. ${error.message}`
    return false
  } finally {
    recording.answer(name, text, answer)
    say(recording.redact(`${name.padEnd(24)} ${text}\n${''.padEnd(24)} ${answer}`))
  }
}

/** Runs the experiments on one conversation and puts its customer back, however they end. Returns whether it is restored. */
async function experiment(api, recording, conversation, interruption) {
  try {
    for (const question of WRITING) {
      if (interruption.aborted || !(await ask(api, recording, question, conversation))) break
    }
  } finally {
    // Restoring must not be cancelled by the signal that ended the experiments.
    api.interruption = undefined
    api.question = 'restore'
    const { restored, text } = await conversation.restore()
    recording.answer('restore', 'Is the conversation as it was before?', text)
    say(recording.redact(text))
    if (!restored) process.exitCode = 1
  }
}

async function main() {
  const { conversation: id, yes, out } = parsed(process.argv.slice(2))
  const origin = originOf(process.env.DATAVERSE_URL)
  const recording = new Recording(out ?? `probe-${new Date().toISOString().replaceAll(':', '')}.jsonl`)
  try {
    const interruption = new AbortController()
    const api = new WebApi(origin, await tokenFor(origin, process.env, recording), recording, interruption.signal)
    // Further signals are ignored on purpose: until the customer is back, ending would leave the row changed.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        if (interruption.signal.aborted) return
        say('Interrupted. What was changed is being put back; please wait.')
        process.exitCode = 130
        interruption.abort(new ProbeError('Interrupted.'))
      })
    }
    for (const question of READING) {
      if (interruption.signal.aborted) return
      await ask(api, recording, question, api)
    }
    if (id === undefined) return say('No conversation was named, so nothing was written.')
    const conversation = new Conversation(api, id.toLowerCase())
    api.question = 'prepare'
    await conversation.prepare()
    say(`\nThe next questions change one row: ${conversation.path} of ${origin}, statuscode ${conversation.original.statuscode}.`)
    say(
      `Its customer, ${shown(conversation.original.customer)}, is replaced several times by ${shown(conversation.account)} and ${shown(conversation.contact)},`
    )
    say('removed, and put back at the end. Plug-ins and flows run as with any change. Its case is not touched.\n')
    if (!yes) {
      process.exitCode = 2
      return say('Nothing was written. Add --yes to go on.')
    }
    await experiment(api, recording, conversation, interruption.signal)
  } catch (error) {
    throw new ProbeError(recording.redact(error.message), { cause: error })
  } finally {
    say(`Recorded in ${recording.path}.`)
  }
}

main().catch(error => {
  console.error(error instanceof ProbeError ? error.message : error)
  process.exitCode ||= 1
})
