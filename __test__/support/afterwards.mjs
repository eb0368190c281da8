// Cleanup after a test, in reverse order, so that a client is closed before its folder is removed.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const duties = new WeakMap()

/** Runs `duty` at the end of the test, also after a failure. */
export function afterwards(t, duty) {
  if (!duties.has(t)) {
    duties.set(t, [])
    t.after(async () => {
      for (const duty of duties.get(t).toReversed()) await duty()
    })
  }
  duties.get(t).push(duty)
}

/** Changes the working directory until the end of the test: no system must remove it, and Windows does not. */
export function workIn(t, place) {
  const before = process.cwd()
  afterwards(t, () => process.chdir(before))
  process.chdir(place)
}

/** A new folder, removed at the end. Its path has no symbolic links, like the working directory of a child process. */
export function folder(t) {
  const created = realpathSync(mkdtempSync(join(tmpdir(), 'omnichannel-link-')))
  afterwards(t, () => rmSync(created, { recursive: true, force: true, maxRetries: 10 }))
  return created
}
