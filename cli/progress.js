'use strict'

// How far a bulk is, for whoever sits at a terminal.

const { subscribe, unsubscribe } = require('node:diagnostics_channel')
const { progressLine } = require('./terminal.js')

const THROTTLE = 'omnichannel-link:throttle'

class Progress {
  #bar = progressLine()
  #list
  #characters = 0
  #counts = '0 done'
  #throttled = ({ delayInMs }) => this.#show(`${this.#counts}; the server asks to wait ${Math.ceil(delayInMs / 1000)} s`)

  constructor(list) {
    this.#list = list
    // Events of the traffic cost something, so they are asked for only if somebody sees them.
    if (this.#bar.isSeen) subscribe(THROTTLE, this.#throttled)
    this.#show(this.#counts)
  }

  /** Everything up to here is done. */
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
