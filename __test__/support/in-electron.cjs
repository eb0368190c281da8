// Runs in Electron's main process: starts the program in DRIVEN, and evaluates the functions that the test sends.
const { app, ...electron } = require('electron')
const process = require('node:process')
const { join } = require('node:path')

// Resolve like the driven program, which may be in an archive.
const driven = process.env.DRIVEN.startsWith('.') ? join(__dirname, process.env.DRIVEN) : process.env.DRIVEN
app.setPath('userData', process.env.DRIVEN_DATA)
// A test that was killed leaves no Electron behind.
process.once('disconnect', () => app.exit())
// Electron would show a dialog and wait.
process.once('uncaughtException', error => {
  console.error(error)
  app.exit(1)
})

const program = require(driven)
const context = { ...electron, app, program, require }
process.on('message', async ({ number, code, values }) => {
  try {
    // oxlint-disable-next-line no-eval -- a function of the test
    process.send({ number, value: await (0, eval)(`(${code})`)(context, ...values) })
  } catch (thrown) {
    process.send({ number, error: thrown?.stack ?? JSON.stringify(thrown) })
  }
})
process.send({ ready: true })
