// The line on a terminal's stderr that tells what is running and how long it still takes.

/** Counts steps, each of which takes about the same time. */
export class Progress {
  #steps
  #done = 0
  #started = performance.now()

  constructor(steps) {
    this.#steps = steps
  }

  show(text) {
    if (!process.stderr.isTTY) return
    const seconds = (performance.now() - this.#started) / 1000
    const left = this.#done > 0 ? `, about ${Math.ceil((seconds / this.#done) * (this.#steps - this.#done))} s left` : ''
    process.stderr.write(`\r\u001B[K${++this.#done}/${this.#steps} ${text}${left}`)
  }

  end() {
    if (process.stderr.isTTY) process.stderr.write('\r\u001B[K')
  }
}
