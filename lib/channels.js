'use strict'

// The diagnostics channels of the traffic.

const { channel } = require('node:diagnostics_channel')

const CHANNELS = {
  request: channel('omnichannel-link:request'),
  retry: channel('omnichannel-link:retry'),
  throttle: channel('omnichannel-link:throttle')
}

const hasSubscribers = () => CHANNELS.request.hasSubscribers || CHANNELS.retry.hasSubscribers || CHANNELS.throttle.hasSubscribers

/** Publishes an event of the addon on the channel of its kind. */
function publish({ kind, timeInMs, status, error, serviceRequestId, ...subject }) {
  const messages = {
    request: () => ({ ...subject, status, error, serviceRequestId, durationInMs: timeInMs }),
    retry: () => ({ ...subject, status, error, delayInMs: timeInMs }),
    throttle: () => ({ ...subject, delayInMs: timeInMs })
  }
  CHANNELS[kind].publish(messages[kind]())
}

module.exports = { hasSubscribers, publish }
