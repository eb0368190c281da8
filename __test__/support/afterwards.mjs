// Cleaning up behind a test: what was made last goes first, so that a client is closed before its folder is removed.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const duties = new WeakMap()

/** Runs `duty` when the test has ended, however it ended. */
export function afterwards(t, duty) {
  if (!duties.has(t)) {
    duties.set(t, [])
    t.after(async () => {
      for (const duty of duties.get(t).toReversed()) await duty()
    })
  }
  duties.get(t).push(duty)
}

/** A fresh folder, removed with all that is in it. Without symbolic links, as a child process sees its working directory. */
export function folder(t) {
  const created = realpathSync(mkdtempSync(join(tmpdir(), 'omnichannel-link-')))
  afterwards(t, () => rmSync(created, { recursive: true, force: true, maxRetries: 10 }))
  return created
}
