// Copies a target from artifacts/ to where a checkout has its addon and its emulator: `node scripts/use-build.mjs linux-x64-musl`.
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addonOf, emulatorOf } from './targets.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = process.argv[2]
const emulator = join(root, 'emulator', 'bin', emulatorOf(target))
mkdirSync(join(root, 'emulator', 'bin'), { recursive: true })
copyFileSync(join(root, 'artifacts', addonOf(target)), join(root, addonOf(target)))
copyFileSync(join(root, 'artifacts', emulatorOf(target, true)), emulator)
// An archive of artifacts keeps no permissions.
chmodSync(emulator, 0o755)
