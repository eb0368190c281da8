// Errors in the words of an agent, by the code of a `LinkError`.
const LATER = 'The server did not answer in time. Try again in a moment.'
const CHANGED = 'The link had been changed already. Here is what is linked now.'
const STATUSES = { open: 'not accepted yet', waiting: 'waiting', wrapUp: 'in wrap-up', scheduled: 'scheduled' }

const WORDS = {
  AUTHENTICATION_FAILED: () => 'Please sign in again.',
  CONFLICT: () => 'Another user changed this conversation at the same moment. Try again.',
  CONVERSATION_NOT_ACTIVE: ({ conversationStatus }) =>
    `This conversation is ${STATUSES[conversationStatus] ?? 'over'}. Only active ones can be linked.`,
  CONVERSATION_NOT_FOUND: () => 'This conversation no longer exists.',
  FORBIDDEN: () => 'You may not do this. Ask your administrator for the privilege.',
  NOT_LINKED: () => CHANGED,
  NO_FOCUSED_CONVERSATION: () => 'Choose a conversation first.',
  OCCUPIED: () => CHANGED,
  RECORD_NOT_FOUND: () => 'This record no longer exists.',
  THROTTLED: () => 'The server is busy. Try again in a moment.',
  TIMEOUT: () => LATER,
  UNAVAILABLE: () => LATER
}

/** A sentence for the agent. Other errors are for support, who need the message and the id of the request. */
export function inWords(error) {
  const { code, message, hint, requestId, maybeApplied } = error
  const words = WORDS[code]?.(error) ?? [message, hint, requestId && `(Request ${requestId})`].filter(Boolean).join(' ')
  return maybeApplied ? `${words} The change may have been made: look at what is linked now.` : words
}
