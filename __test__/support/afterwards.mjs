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

/** A new folder, removed at the end. Its path has no symbolic links, like the working directory of a child process. */
export function folder(t) {
  const created = realpathSync(mkdtempSync(join(tmpdir(), 'omnichannel-link-')))
  afterwards(t, () => rmSync(created, { recursive: true, force: true, maxRetries: 10 }))
  return created
}
