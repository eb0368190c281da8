// The machine, the versions and the commit that a run measured.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { isPinned, root } from './processes.mjs'

const output = (command, ...args) => spawnSync(command, args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
const peer = name => JSON.parse(readFileSync(join(root, 'bench', 'node_modules', name, 'package.json'), 'utf8')).version
const PEERS = ['undici', 'axios', 'dynamics-web-api', 'better-sqlite3']
const CRATES = ['hyper', 'napi', 'reqwest', 'rusqlite', 'tokio']

/** Pairs of a name and a text. */
export function describeRun() {
  const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8')
  const crate = name => lock.match(new RegExp(`name = "${name}"\\nversion = "(.+)"`))?.[1]
  const processors = cpus()
  const isChanged = output('git', 'status', '--porcelain', '--untracked-files=no') !== ''
  return [
    ['date', new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC'],
    ['commit', output('git', 'rev-parse', '--short', 'HEAD') + (isChanged ? ', with changes' : '')],
    ['processor', `${processors.length} × ${processors[0]?.model.trim() || arch()}`],
    ['memory', `${Math.round(totalmem() / 2 ** 30)} GB`],
    ['system', `${type()} ${release()} ${arch()}`],
    ['pinned', isPinned ? 'the server to one processor, its clients to another; embedded clients to none' : 'no'],
    ['Node', `${process.versions.node}, its undici ${process.versions.undici ?? 'unknown'}`],
    ['rustc', output('rustc', '--version').split(' ')[1] ?? 'unknown'],
    ['crates', CRATES.map(name => `${name} ${crate(name)}`).join(', ')],
    ['packages', PEERS.map(name => `${name} ${peer(name)}`).join(', ')]
  ]
}
