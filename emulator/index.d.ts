/// <reference lib="esnext.disposable" />

/**
 * An emulator of the Dataverse Web API around conversations, for tests: `require('omnichannel-link-emulator')`.
 *
 * @module omnichannel-link-emulator
 */

/**
 * A page of rows, as a Web API `GET` of an entity set returns it, or definitions, as a `GET` of `EntityDefinitions` returns them.
 *
 * The set is taken from `@odata.context`, which must hold `$metadata#<set>`. A lookup is its `_<column>_value` with the annotation
 * `_<column>_value@Microsoft.Dynamics.CRM.lookuplogicalname`; it may point to a row that is loaded later, or never: then its formatted
 * value stays its name. `@odata.etag` is ignored. A page declares the tables, columns and choices in it that are not built in, with
 * types that it does not know; `EntityDefinitions` declare them with their types, keys and relationships.
 */
export interface SeedPage {
  /** Context URL, for example `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#accounts(name)`. Only the set matters. */
  '@odata.context': string
  /** The rows, each with the key of its table, or the definitions. A single definition is a page without it. */
  value?: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** Other members of such a response, for example `@odata.nextLink`, are ignored. */
  readonly [name: string]: unknown
}

/** Options of {@link startEmulator}. */
export interface EmulatorOptions {
  /**
   * Port on 127.0.0.1. The start rejects if it is in use.
   *
   * @default 0, which selects a free port
   */
  port?: number | undefined
  /**
   * The initial rows: a page, an array of pages, or the path of a file with one page or of a folder of such `*.json` files
   * (relative to the working directory). The order of pages does not matter; loading a row twice is an error.
   *
   * @default no rows
   */
  seed?: SeedPage | readonly SeedPage[] | string | undefined
  /**
   * The path of a file that keeps the rows between runs: read at the start, if it exists, and written within a second after a change, and
   * at the end. Its rows replace those of `seed`, which then only declares tables. Only one emulator at a time can use it.
   *
   * @default rows are kept in memory only
   */
  state?: string | undefined
  /**
   * Serves only https, over HTTP/1.1, under a certificate authority that is created at every start: clients have to trust
   * {@link Emulator.caCertificate}. The certificate is valid for `localhost`, `127.0.0.1`, `::1` and `hosts`, and the token endpoint issues
   * tokens for all of them. With a proxy that maps `contoso.crm4.dynamics.com:443` and `login.microsoftonline.com:443` to the emulator's
   * port, clients can use the URLs of production.
   *
   * The start rejects with an `Error` for an invalid host name.
   *
   * @default false
   */
  tls?: boolean | { hosts?: readonly string[] | undefined } | undefined
}

/** One request that the emulator received. */
export interface LoggedRequest {
  /** 1 for the first request since the start or the last reset. Counting continues when older entries are dropped. */
  number: number
  /** As sent, for example `PATCH`. */
  method: string
  /** Path and query as sent. */
  path: string
  /** Names in lower case; repeated headers are joined with `, `. Never includes `authorization`. */
  headers: Record<string, string>
  /**
   * The first 64 KiB of the body as a string. Empty if there was none or if it exceeded the limit of 1 MiB. Secrets of a token request are
   * replaced by `***`.
   */
  body: string
  /** Status of the response; 0 if there was none, or none yet. */
  status: number
  /** The injected fault of this request, or null. */
  fault: Fault['kind'] | null
  /** Warnings about behaviour that is rarely intended, for example a `PATCH` without `If-Match` that created a row. */
  warnings: string[]
}

/**
 * A fault to inject into one request. A `status`, `drop` or `hang` happens before the request is executed, or with `commit: true` after
 * it, in which case the client does not learn of the effect. The other kinds describe their effect themselves.
 */
export type Fault =
  /** Responds with this status without executing the request, unless `commit`. */
  | {
      kind: 'status'
      /** 200 to 599. */
      status: number
      /** `code` of the error body. @default '' */
      code?: string | undefined
      /** `message` of the error body, or the paragraph of the HTML page. @default '' */
      message?: string | undefined
      /** An OData error; a gateway's HTML page; no body. The last two have no headers of Dataverse. @default 'json' */
      body?: 'json' | 'html' | 'empty' | undefined
      /** Headers that are added or replaced, for example `retry-after` in seconds or as a date, or `x-ms-retry-after-ms`. */
      headers?: Record<string, string> | undefined
      /** Executes the request first. @default false */
      commit?: boolean | undefined
    }
  /** Responds with a redirect without executing the request. */
  | {
      kind: 'redirect'
      /** Value of the `Location` header. */
      location: string
      /** 300 to 399. @default 307 */
      status?: number | undefined
    }
  /** Responds with 401 and the challenge without executing the request. */
  | { kind: 'unauthorized' }
  /** Responds with 429 and the documented code and message without executing the request. */
  | {
      kind: 'throttle'
      /** The exceeded limit in the error. */
      limit: 'requests' | 'executionTime' | 'concurrency'
      /** Value of `Retry-After`. @default 1 */
      retryAfterInSeconds?: number | undefined
    }
  /** Closes the connection without a response. */
  | {
      kind: 'drop'
      /** Executes the request first. @default false */
      commit?: boolean | undefined
    }
  /**
   * Delays the response until `faults.release()` is called; the request is executed then, or with `commit` before. If the client
   * disconnects, or `reset()` is called, a request that was not executed yet never will be.
   */
  | {
      kind: 'hang'
      /** Executes the request when it arrives, not when it is released. @default false */
      commit?: boolean | undefined
    }
  /** Executes the request, sends the headers and a part of the body, never the last byte, and the rest when released. */
  | {
      kind: 'hangInBody'
      /** Bytes of the body before the pause. @default half of the body */
      afterBytes?: number | undefined
    }
  /**
   * Executes the request and closes the connection in the middle of the body, never after its last byte. A response without a body is
   * dropped.
   */
  | {
      kind: 'truncate'
      /** Bytes of the body that are sent. @default half of the body */
      afterBytes?: number | undefined
    }
  /** Executes the request and sends the body in small chunks, without pauses. */
  | {
      kind: 'trickle'
      /** Bytes per chunk. @default 1 */
      bytesAtOnce?: number | undefined
    }
  /** Executes the request and repeats the body until the client disconnects. A 204 becomes a 200. */
  | { kind: 'endless' }
  /** Executes the request and responds with this content type. */
  | {
      kind: 'contentType'
      /** The header's value. */
      contentType: string
    }
  /**
   * Another writer changes the conversation that the request addresses: right before the request is executed, or right after it and
   * before the row is read for the response (for a `GET`: once the response is complete; for a rejected `PATCH`: not at all). Applies
   * only to requests for one conversation.
   */
  | {
      kind: 'writer'
      /** Whether the other writer acts before the request is executed, or after it. */
      when: 'before' | 'after'
      /**
       * Columns by logical name; a lookup takes `{ entityLogicalName, recordId }` or null. A `statuscode` also sets its `statecode`.
       *
       * @default only a new version
       */
      changes?: Record<string, string | number | boolean | null | { entityLogicalName: string; recordId: string }> | undefined
      /** The conversation is deleted instead. @default false */
      delete?: boolean | undefined
    }
  /** Checks a `PATCH` as usual, confirms it with a 204, even if the row was requested, and stores nothing. Applies only to `PATCH`. */
  | { kind: 'notStored' }

/** Selects the requests that match all given fields. Calls of this package's own methods never match. */
export interface FaultTarget {
  /** HTTP method in any case, for example `PATCH`. */
  method?: string | undefined
  /** A part of the path and query as sent; `/oauth2/` for token requests. */
  path?: string | undefined
  /** Id of the conversation whose row is addressed. */
  conversation?: string | undefined
  /** Only from the nth such request on, counted from 1 since the rule was added. Not together with `every`. */
  nth?: number | undefined
  /** Only every nth such request. */
  every?: number | undefined
}

/** A fault, and the requests to inject it into. */
export interface FaultRule {
  /** The requests. @default every request */
  on?: FaultTarget | undefined
  /** Number of requests until the rule is used up. @default 1 */
  times?: number | 'always' | undefined
  /** The fault of these requests. */
  fault: Fault
}

/** Random faults. */
export interface RandomFaults {
  /** An integer from 0. The same seed gives the same faults to the same sequence of requests. */
  seed: number
  /** The share of requests that get a fault, from 0 to 1. */
  rate: number
  /** One of these is drawn with equal probability. One that does not apply to the request has no effect. */
  faults: readonly Fault[]
  /** The requests that may get a fault; the others do not count. @default every request */
  on?: FaultTarget | undefined
}

/** Conditions for all requests, until they are changed. */
export interface Conditions {
  /** Logical names of tables without optimistic concurrency: `If-Match` with an ETag is a 400 `0x8006088d`. @default none */
  concurrencyOff?: readonly string[] | undefined
  /**
   * Service protection limits of the only user. The real ones are 6,000 requests and 1,200,000 ms in 300,000 ms, and 52 concurrent
   * requests. A request over a limit gets a 429. Requests are admitted again when the time of `Retry-After` has passed on the emulator's
   * clock; each request before that adds a second to it. A missing limit does not exist.
   */
  limits?: {
    /** Most requests in the window. */
    requests?: number | undefined
    /** Most execution time in the window; each request takes `executionTimePerRequestInMs`. */
    executionTimeInMs?: number | undefined
    /** Most requests in flight, including those that hang. */
    concurrent?: number | undefined
    /** Length of the window. @default 300000 */
    windowInMs?: number | undefined
  } | undefined
  /** Execution time of each request, because the clock does not move meanwhile. @default 0 */
  executionTimePerRequestInMs?: number | undefined
  /** Values of `CallerObjectId` or `MSCRMCallerID` that get a 403 `0x80040220`. @default none */
  unprivilegedCallers?: readonly string[] | undefined
  /** `expires_in` of the tokens issued from now on. @default 3599 */
  tokenLifetimeInSeconds?: number | undefined
  /** The application's secret has expired. @default false */
  secretExpired?: boolean | undefined
  /**
   * The application is not a user of the environment: it gets tokens, but a 403 `0x80072560` from the Web API. `credential` is not
   * affected. @default false
   */
  applicationUserMissing?: boolean | undefined
  /**
   * Whether `PUT` and `DELETE` of `<row>/<navigation property>/$ref` honour an ETag in `If-Match`, which is not documented; otherwise they
   * ignore it. @default true
   */
  refHonoursIfMatch?: boolean | undefined
  /**
   * Effect of a body with two values for one lookup, such as both customer properties: the first or the last value wins, or a 400
   * `0x80048d19`. None of it is documented; the request log has a warning. @default 'last'
   */
  twoValuesForOneLookup?: 'first' | 'last' | 'refuse' | undefined
  /**
   * Alternate keys by the logical name of their table, each a column by its read name, or several joined with commas. They address rows and
   * targets of binds: `accounts(accountnumber='A-1')`. A write after which two rows would share a key is a 412 `0x80040237`; a key that two
   * rows of the seed share is a 501. @default { account: ['accountnumber'] }
   */
  alternateKeys?: Readonly<Record<string, readonly string[] | undefined>> | undefined
  /**
   * Schema names of relationships that the environment lacks: `RelationshipDefinitions` omits them, and their navigation properties are
   * undeclared. Rows keep their links. @default none
   */
  hiddenRelationships?: readonly string[] | undefined
  /**
   * Privileges that the user of `WhoAmI` lacks: a request that needs one is a 403 `0x80040220`, and `RetrieveUserSetOfPrivilegesByNames`
   * does not list it. A conversation is an activity and has the privileges of all activities. Linking needs `prvWriteActivity`,
   * `prvAppendActivity`, and `prvAppendTo…` of the target. @default none
   */
  missingPrivileges?: readonly `prv${'Append' | 'AppendTo' | 'Create' | 'Delete' | 'Read' | 'Write'}${string}`[] | undefined
  /**
   * Logical names of the tables whose changes can be tracked, besides those that a seed page declares; of any other, `Prefer:
   * odata.track-changes` is an error. Of no table it is documented that it is on, and of conversations it is unknown; ask
   * `EntityDefinitions(LogicalName='…')?$select=ChangeTrackingEnabled` of your environment. @default ['account', 'contact', 'incident']
   */
  changeTracking?: readonly string[] | undefined
  /**
   * Whether the lines of a `$batch` must end with CRLF, as documented: otherwise 400 `0x80048d19`. Clients that live environments accept
   * send LF.
   *
   * @default false
   */
  batchNeedsCrlf?: boolean | undefined
  /**
   * Time of the header `Date` when the emulator's clock is at 0, in milliseconds since 1970. It then follows that clock.
   *
   * @default `Date` is the time of the machine
   */
  dateInMs?: number | undefined
}

/**
 * All methods reject with a `TypeError` that names the field if the argument is invalid, and with an `Error` if the emulator has ended.
 */
export interface Faults {
  /**
   * Appends rules. A request takes the first rule that applies to it; later rules do not count it. After a rejection none was added.
   */
  add(...rules: readonly (FaultRule | readonly FaultRule[])[]): Promise<void>
  /**
   * Injects random faults into requests that no rule takes. Another call replaces the plan and counts requests from 1 again.
   */
  random(plan: RandomFaults): Promise<void>
  /** Sets the conditions; missing fields get their defaults. Resets the usage of the limits. */
  conditions(conditions: Conditions): Promise<void>
  /** Removes rules, random faults and conditions, and releases requests that hang. */
  clear(): Promise<void>
  /** Number of rules that are not used up. */
  waiting(): Promise<number>
  /** Resolves once at least `count` requests hang; with 0, once none does. @default 1 */
  hanging(count?: number): Promise<void>
  /** Releases the requests that hang now. */
  release(): Promise<void>
  /** Invalidates all tokens of the token endpoint. `credential` stays valid. */
  revokeTokens(): Promise<void>
}

/** The emulator's clock, which limits and the expiry of tokens use. It only moves when it is advanced. */
export interface Clock {
  /** Milliseconds since the start or the last reset. */
  now(): Promise<number>
  /** Moves the clock forward by an integer from 0; resolves with the new time. */
  advance(byInMs: number): Promise<number>
}

/** A receiver of changes, as a webhook that is registered in Dataverse for an asynchronous step after the operation. */
export interface Webhook {
  /** An http address. It gets a `POST` of the `RemoteExecutionContext` as JSON, with the documented `x-ms-dynamics-` headers. */
  url: string
  /** Logical name of the table. @default all tables */
  table?: string | undefined
  /** @default all three */
  messages?: readonly ('Create' | 'Update' | 'Delete')[] | undefined
  /** Logical names of columns of `table`: updates of other columns alone are not told. @default all columns */
  attributes?: readonly string[] | undefined
  /** Additional headers, for example a key. */
  headers?: Readonly<Record<string, string>> | undefined
}

/** The result of telling a webhook of a change. */
export interface Delivery {
  url: string
  message: 'Create' | 'Update' | 'Delete'
  /** Logical name of the changed row's table. */
  table: string
  /** Status of the response; any 2xx is success; 0 if there was none within 60 seconds. */
  status: number
  /** The reason if there was no response, otherwise null. */
  error: string | null
}

/** The webhooks of an emulator. A reset removes them. */
export interface Webhooks {
  /** Replaces all webhooks. They are told of changes from now on, in order and once per committed request. Rejects with a `TypeError`. */
  set(webhooks: readonly Webhook[]): Promise<void>
  /** Waits until every change so far was told, and resolves with the newest 1,000 results, oldest first. */
  deliveries(): Promise<Delivery[]>
}

/** A running emulator. It never keeps this process alive, and it ends with this process, even if that is killed. */
export interface Emulator {
  /** `http://127.0.0.1:<port>`, or `https://localhost:<port>` with `tls`; no slash at the end. The Web API is below `/api/data/v9.2/`. */
  readonly url: string
  /** The accepted bearer token, new at every start. It never expires. */
  readonly credential: string
  /** The certificate of its own authority as PEM, which clients have to trust; valid for a year. Null without `tls`. */
  readonly caCertificate: string | null
  /**
   * The application that gets tokens from `POST <url>/<tenantId>/oauth2/v2.0/token`, with `grant_type=client_credentials` and
   * `scope=<url>/.default` or, with `tls`, `https://<any of its hosts>/.default`, with or without a port. Its id and secret are new at
   * every start.
   */
  readonly application: {
    /** The tenant, a GUID: the first part of the token endpoint's path. */
    readonly tenantId: string
    /** `client_id` of a token request. */
    readonly clientId: string
    /** `client_secret` of a token request. */
    readonly clientSecret: string
  }
  /** Injected faults, and the conditions for all requests. */
  readonly faults: Faults
  /** The webhooks that are told of changes. */
  readonly webhooks: Webhooks
  /** The clock for limits and the expiry of tokens. */
  readonly clock: Clock
  /** The newest requests, at most 10,000 and 32 MiB, oldest first. Rejects with an `Error` if the emulator has ended. */
  requests(): Promise<LoggedRequest[]>
  /**
   * Restores the state after the start: rows of the seed, no faults, default conditions, an empty log, no issued tokens, the clock at 0.
   * Closes connections with a request that hangs.
   */
  reset(): Promise<void>
  /** Stops the emulator; resolves once the child process has ended. Further calls return the same promise. */
  close(): Promise<void>
  /** The same as `close`, where the platform has `Symbol.asyncDispose` (Node 20 and later). */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts an emulator in a child process; resolves once it listens. Several can run at the same time.
 *
 * Rejects with a `TypeError` for an unknown or invalid option, and with an `Error` if the binary is missing (the message says how to
 * build it), if a seed is invalid (the message names the file or page, and the row), or if the port is in use.
 */
export function startEmulator(options?: EmulatorOptions): Promise<Emulator>
