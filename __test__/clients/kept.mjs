// Folders below target/ that are made once: the packages of clients that this repository does not depend on.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const place = fileURLToPath(new URL('../../target/clients/', import.meta.url))

/** Runs a program to its end. `failed` says why it failed. */
export function run(program, args, options) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options })
  if (status === 0) return { stdout }
  const lines = stderr.split('\n').filter(line => /error/i.test(line))
  return { failed: error?.message ?? lines.slice(0, 3).join(' ') }
}

/**
 * The folder of that name for these inputs. If there is none, `make` fills it, and returns why it cannot. Another run may make the same one
 * meanwhile: each makes its own, and the first that is complete is kept.
 */
export function kept(name, inputs, make) {
  const hash = createHash('sha256')
  for (const input of inputs) hash.update(input)
  const folder = join(place, `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return { folder }
  mkdirSync(place, { recursive: true })
  const made = mkdtempSync(join(place, 'new-'))
  const failed = make(made)
  try {
    if (failed === undefined) renameSync(made, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
  return failed === undefined ? { folder } : { skip: `the packages of ${name} cannot be installed: ${failed}` }
}
