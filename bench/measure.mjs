// Times and counts of one run inside a client's process; `bench/src/measure.rs` is the same in Rust.
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** Processor time of the main thread in microseconds. On Linux only, otherwise null. */
export function mainThreadTime() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1000
  } catch {
    return null
  }
}

const sample = () => {
  const { user, system } = process.cpuUsage()
  return { time: performance.now(), process: user + system, main: mainThreadTime() }
}

/** Links that are measured at least, however long one takes. */
const LEAST = 3

const after = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Microseconds below which a part of the latencies lies, or null if they are unknown. */
function quantile(sorted, part) {
  const latency = sorted[Math.floor(sorted.length * part)]
  return latency > 0 ? latency * 1000 : null
}

/** Records links in three phases: warm-up, measured time, and, if asked for, a time in which only the event loop's delay is measured. */
export class Meter {
  #links = 0
  #phase = 'warm-up'
  #latencies = []
  #start
  #end
  #delay = null
  #least
  done

  constructor({ warmUpInMs, measuredInMs, delayInMs = 0, client }) {
    this.#least = client === 'idle' ? 0 : LEAST
    this.done = this.#run(warmUpInMs, measuredInMs, delayInMs)
  }

  async #run(warmUpInMs, measuredInMs, delayInMs) {
    await after(warmUpInMs)
    this.#start = sample()
    this.#phase = 'measured'
    await after(measuredInMs)
    while (this.#latencies.length < this.#least) await after(1)
    this.#end = sample()
    this.#phase = 'delay'
    if (delayInMs > 0) {
      const histogram = monitorEventLoopDelay({ resolution: 1 })
      histogram.enable()
      await after(delayInMs)
      histogram.disable()
      this.#delay = histogram.percentile(99) / 1e6
    }
    this.#phase = 'over'
  }

  /** Records links that began at the same time, null if unknown, and have just ended. False if the run is over. */
  record(began, links = 1) {
    this.#links += links
    if (this.#phase === 'measured') {
      const latency = began === null ? NaN : performance.now() - began
      for (let at = 0; at < links; at++) this.#latencies.push(latency)
    }
    return this.#phase !== 'over'
  }

  report() {
    const measured = this.#latencies.length
    const latencies = Float64Array.from(this.#latencies).sort()
    const perLink = (from, to) => (from === null || measured === 0 ? null : (to - from) / measured)
    return {
      links: this.#links,
      measured,
      seconds: (this.#end.time - this.#start.time) / 1000,
      p50InUs: quantile(latencies, 0.5),
      p99InUs: quantile(latencies, 0.99),
      cpuInUs: perLink(this.#start.process, this.#end.process),
      mainCpuInUs: perLink(this.#start.main, this.#end.main),
      delayP99InMs: this.#delay,
      rssInMb: process.resourceUsage().maxRSS / 1024
    }
  }
}
