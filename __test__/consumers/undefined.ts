// Options from variables: with `exactOptionalPropertyTypes`, optional options must also accept undefined.
import { OmnichannelClient } from 'omnichannel-link'
import type {
  BulkLinkOptions, BulkUnlinkOptions, ClientSecretCredential, CommonOptions, ConversationQuery, Credential, DataverseOptions, DiagnoseOptions,
  ImportOptions, LinkOptions, OmnichannelQuery, ReadOptions, UnlinkOptions, WaitOptions
} from 'omnichannel-link'
import type { EntityPage } from 'omnichannel-link'
import type { ServeOptions } from 'omnichannel-link/electron'
import { startEmulator, type Conditions, type EmulatorOptions, type Fault, type FaultRule, type FaultTarget, type RandomFaults } from 'omnichannel-link-emulator'

/** All optional options, each undefined. */
type Nothing<Options> = Record<{ [Name in keyof Options]-?: {} extends Pick<Options, Name> ? Name : never }[keyof Options], undefined>
type Needed<Options> = Omit<Options, keyof Nothing<Options>>
declare function accepts<Options>(nothing: Needed<Options> & Nothing<Options> extends Options ? true : false): void

accepts<BulkLinkOptions>(true)
accepts<BulkUnlinkOptions>(true)
accepts<ClientSecretCredential>(true)
accepts<CommonOptions>(true)
accepts<ConversationQuery>(true)
accepts<DataverseOptions>(true)
accepts<DiagnoseOptions>(true)
accepts<ImportOptions>(true)
accepts<LinkOptions>(true)
accepts<OmnichannelQuery>(true)
accepts<ReadOptions>(true)
accepts<ServeOptions>(true)
accepts<UnlinkOptions>(true)
accepts<WaitOptions>(true)
accepts<Conditions>(true)
accepts<NonNullable<Conditions['alternateKeys']>>(true)
accepts<NonNullable<Conditions['limits']>>(true)
accepts<EmulatorOptions>(true)
accepts<Exclude<EmulatorOptions['tls'], boolean | undefined>>(true)
accepts<FaultRule>(true)
accepts<FaultTarget>(true)
accepts<RandomFaults>(true)
/** Each kind of fault by itself. */
type Faults<Kind extends Fault['kind']> = Kind extends Fault['kind'] ? Nothing<Extract<Fault, { kind: Kind }>> & Needed<Extract<Fault, { kind: Kind }>> : never
declare const faults: Faults<Fault['kind']>
export const rule: FaultRule = { fault: faults }
export const last: EntityPage = { '@odata.context': '$metadata#accounts', value: [], '@odata.nextLink': undefined }

export const emulator = ({ port, seed, hosts }: { port?: number; seed?: string; hosts?: string[] }) => startEmulator({ port, seed, tls: { hosts } })

export const link = (client: OmnichannelClient, { signal }: { signal?: AbortSignal }) =>
  client.linkToConversation('contact', '2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10', null, { signal: signal ?? undefined })

const { DATAVERSE_URL: url, DATAVERSE_TOKEN: token } = process.env
export const credential: Credential = async () => token
export const clients = () => [new OmnichannelClient({ dataverse: { url, credential: token } }), new OmnichannelClient({ dataverse: { url, credential } })]
