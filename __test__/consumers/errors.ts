// A switch over every code: a missing or additional code does not compile.
import { LinkError } from 'omnichannel-link'
import type { LinkErrorCode } from 'omnichannel-link'

export function whatToDo(code: LinkErrorCode): 'mend' | 'tell' | 'wait' {
  switch (code) {
    case 'AUTHENTICATION_FAILED':
    case 'CLOSED':
    case 'FORBIDDEN':
    case 'INTERNAL':
    case 'INVALID_ARGUMENT':
    case 'INVALID_CONFIGURATION':
    case 'PROTOCOL':
    case 'STORE':
      return 'mend'
    case 'AMBIGUOUS':
    case 'CONVERSATION_NOT_ACTIVE':
    case 'CONVERSATION_NOT_FOUND':
    case 'NO_FOCUSED_CONVERSATION':
    case 'NOT_LINKED':
    case 'OCCUPIED':
    case 'RECORD_NOT_FOUND':
    case 'REJECTED':
    case 'VERIFICATION_FAILED':
      return 'tell'
    case 'CONFLICT':
    case 'THROTTLED':
    case 'TIMEOUT':
    case 'UNAVAILABLE':
      return 'wait'
    default:
      code satisfies never
      throw new Error(`a code of a later version: ${String(code)}`)
  }
}

export const advice = (error: unknown) => (error instanceof LinkError ? `${whatToDo(error.code)}: ${error.hint ?? error.message}` : undefined)
