'use strict'

// The progress of `bulk`, shown on a terminal.

const { subscribe, unsubscribe } = require('node:diagnostics_channel')
const { progressLine } = require('./terminal.js')

const THROTTLE = 'omnichannel-link:throttle'

class Progress {
  #bar = progressLine()
  #list
  #characters = 0
  #counts = '0 done'
  #throttled = (/** @type {any} */ { delayInMs }) =>
    this.#show(`${this.#counts}; throttled by the server, waiting ${Math.ceil(delayInMs / 1000)} s`)

  constructor(list) {
    this.#list = list
    // These events have a cost, so subscribe only if the progress is visible.
    if (this.#bar.isVisible) subscribe(THROTTLE, this.#throttled)
    this.#show(this.#counts)
  }

  /** Marks every item up to this one as done. */
  reach({ end }) {
    this.#characters = end
  }

  update({ done, failed }) {
    this.#counts = `${done} done${failed > 0 ? `, ${failed} failed` : ''}`
    this.#show(this.#counts)
  }

  clear() {
    this.#bar.clear()
  }

  end() {
    unsubscribe(THROTTLE, this.#throttled)
    this.clear()
  }

  #show(text) {
    this.#bar.show(this.#list.share(this.#characters), text)
  }
}

module.exports = { Progress }
