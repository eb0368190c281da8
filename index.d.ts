/**
 * Links accounts, contacts and cases to Dynamics 365 Omnichannel conversations, from any Node program: `require('omnichannel-link')`.
 *
 * @module omnichannel-link
 */

export type * from './types/bulk'
export type * from './types/calls'
export * from './types/client'
export type * from './types/conversations'
export type * from './types/dataverse'
export type * from './types/diagnose'
export type * from './types/embedded'
export * from './types/errors'
export type * from './types/events'
export * from './types/omnichannel'
export type * from './types/outcomes'
