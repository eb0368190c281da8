// One test for each operation of a client. What the emulator answers with 501 is skipped and counted; everything else must pass.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startEmulator } from 'omnichannel-link-emulator'
import { seed } from './organisation.mjs'

const timeout = 60_000

/** The request that the emulator refused as not emulated since its log was empty, if there is one. */
export async function notEmulated(emulator) {
  const refused = (await emulator.requests()).find(({ status }) => status === 501)
  return refused && `not emulated: ${refused.method} ${refused.path.slice(0, 100)}`
}

/** The counts of one client. `report` is its last test. */
export class Counts {
  passed = 0
  notEmulated = 0
  wrong = 0

  constructor(client) {
    this.client = client
  }

  /** Prints the counts, and fails if anything is wrong or less than `atLeast` operations passed. */
  check(t, atLeast) {
    const { client, passed, notEmulated, wrong } = this
    const cells = [client.padEnd(42), ...[passed, notEmulated, wrong].map(number => String(number).padStart(12))]
    t.diagnostic(`${'client'.padEnd(42)} |       passed | not emulated |        wrong`)
    t.diagnostic(cells.join(' | '))
    assert.equal(wrong, 0, `${wrong} operations of ${client} are wrong`)
    assert.ok(passed >= atLeast, `${passed} operations of ${client} passed, not ${atLeast}`)
  }
}

/**
 * Starts an emulator for the suite. `operation(title, run)` is a test with the rows as at the start; `run` gets what `connect` returns for
 * the emulator, and the emulator. `report(atLeast)` is the last test of the suite.
 */
export async function operations(client, connect, options) {
  const counts = new Counts(client)
  const emulator = await startEmulator({ seed, ...options })
  after(() => emulator.close())

  const operation = (title, run) =>
    test(title, { timeout }, async t => {
      await emulator.reset()
      try {
        await run(await connect(emulator), emulator)
        counts.passed++
      } catch (error) {
        const refusal = await notEmulated(emulator)
        counts[refusal ? 'notEmulated' : 'wrong']++
        if (!refusal) throw error
        t.skip(refusal)
      }
    })
  return { emulator, operation, report: atLeast => test(`${client}: the counts`, t => counts.check(t, atLeast)) }
}
