// All options of calls and of clients, for tests of how options are read.
import { SHAPES } from '../../lib/options.js'
import { contact, conversation, emptyConversation, page } from './sample.mjs'

const { entityLogicalName, recordId } = contact
export const request = { ...contact, conversationId: emptyConversation }
export const outcome = { status: 'linked', conversationId: emptyConversation, record: contact, store: 'embedded' }

/** Every method with options, as a function of the options, and the shape of its options. */
export const calls = {
  linkToConversation: [
    (client, options) => client.linkToConversation(entityLogicalName, recordId, emptyConversation, options),
    SHAPES.link
  ],
  unlinkFromConversation: [
    (client, options) => client.unlinkFromConversation(entityLogicalName, recordId, emptyConversation, options),
    SHAPES.unlink
  ],
  linkMany: [(client, options) => client.linkMany([request], options).next(), SHAPES.linkMany],
  unlinkMany: [(client, options) => client.unlinkMany([request], options).next(), SHAPES.unlinkMany],
  getConversation: [(client, options) => client.getConversation(conversation, options), SHAPES.read],
  getConversations: [(client, options) => client.getConversations(options).next(), SHAPES.query],
  findRecord: [(client, options) => client.findRecord('account', { name: 'x' }, options), SHAPES.read],
  waitForConversation: [(client, options) => client.waitForConversation(options), SHAPES.wait],
  verify: [(client, options) => client.verify(outcome, options), SHAPES.read],
  importRecords: [(client, options) => client.importRecords(page('accounts'), options), SHAPES.import],
  diagnose: [(client, options) => client.diagnose(options), SHAPES.diagnose]
}

/** Every option of a client: its path, options with this value at it, and its name. */
export const settings = [
  ['options.timeoutInMs', value => value, 'timeoutInMs'],
  ['options.embedded', value => value, 'embedded'],
  ['options.dataverse', value => value, 'dataverse'],
  ['options.embedded.path', value => ({ embedded: value }), 'path'],
  ...Object.keys(SHAPES.client.dataverse).map(name => [`options.dataverse.${name}`, value => ({ dataverse: value }), name]),
  ...Object.keys(SHAPES.credential).map(name => [
    `options.dataverse.credential.${name}`,
    credential => ({ dataverse: { url: 'https://contoso.crm4.dynamics.com', credential } }),
    name
  ])
]
