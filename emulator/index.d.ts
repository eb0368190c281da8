/// <reference lib="esnext.disposable" />

/**
 * An emulator of the Dataverse Web API, as far as links need it, for tests: `require('omnichannel-link-emulator')`.
 *
 * @module omnichannel-link-emulator
 */

/**
 * A page of rows, as a Web API `GET` of an entity set returns it.
 *
 * Sets: `accounts`, `contacts`, `incidents`, `msdyn_ocliveworkitems`. The set is taken from `@odata.context`, which must hold
 * `$metadata#<set>`. A lookup is its `_<column>_value` with the annotation
 * `_<column>_value@Microsoft.Dynamics.CRM.lookuplogicalname`; it may lead to a row that is loaded later, or never. `@odata.etag`
 * and formatted values are ignored. A column that a page shows exists, even if the emulator did not know it.
 */
export interface SeedPage {
  /** Where the page comes from, `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#accounts(name)` say; what counts is the set. */
  '@odata.context': string
  /** The rows; each must have the key of its table. */
  value: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** What else such an answer has, `@odata.nextLink` say; ignored. */
  readonly [name: string]: unknown
}

/** How an emulator starts. */
export interface EmulatorOptions {
  /**
   * Port on 127.0.0.1. The start rejects when it is in use.
   *
   * @default 0, which takes a free one
   */
  port?: number | undefined
  /**
   * The rows to begin with: a page, an array of pages, or the path of a file with one page or of a folder of such `*.json` files
   * (relative to the working directory). The order of pages does not matter; loading a row twice is an error.
   *
   * @default no rows
   */
  seed?: SeedPage | readonly SeedPage[] | string | undefined
  /**
   * Serves https, over HTTP/1.1, and nothing else, under a certificate authority that is a new one at every start: clients have to trust
   * {@link Emulator.caCertificate}. The certificate is good for `localhost`, `127.0.0.1`, `::1` and `hosts`, for which the token
   * endpoint gives tokens too. A proxy that maps `contoso.crm4.dynamics.com:443` and `login.microsoftonline.com:443` to the emulator's
   * port makes everything look as in production.
   *
   * The start rejects with an `Error` for a host that is no host name.
   *
   * @default false
   */
  tls?: boolean | { hosts?: readonly string[] | undefined } | undefined
}

/** One request that came in. */
export interface LoggedRequest {
  /** 1 for the first request since the start or the last reset; it goes on counting when older entries are dropped. */
  number: number
  /** As sent, `PATCH` say. */
  method: string
  /** Path and query as sent. */
  path: string
  /** Names in lower case; lines of one name are joined with `, `. Never `authorization`. */
  headers: Record<string, string>
  /**
   * The body as text: its first 64 KiB, empty when there was none or when it was over the limit of 1 MiB. Secrets of a request for a
   * token are replaced by `***`.
   */
  body: string
  /** Status of the answer; 0 when there was none, or none yet. */
  status: number
  /** The fault that the request met, or null. */
  fault: Fault['kind'] | null
  /** What Dataverse accepts although it is hardly ever meant, for example a `PATCH` without `If-Match` that created a row. */
  warnings: string[]
}

/**
 * What goes wrong with one request. Without `commit: true` a `status`, `drop`, or `hang` comes before anything is done; with it the
 * request is executed first and the client does not learn of it. The other kinds say themselves what is done.
 */
export type Fault =
  /** Answers with this status and does nothing, unless `commit`. */
  | {
      kind: 'status'
      /** 200 to 599. */
      status: number
      /** `code` of the error body. @default '' */
      code?: string | undefined
      /** `message` of the error body, or the paragraph of the HTML page. @default '' */
      message?: string | undefined
      /** An OData error; a gateway's HTML page; no body. The last two come without the headers of Dataverse. @default 'json' */
      body?: 'json' | 'html' | 'empty' | undefined
      /** Headers that are added or replaced, for example `retry-after` in seconds or as a date, or `x-ms-retry-after-ms`. */
      headers?: Record<string, string> | undefined
      /** Executes the request first. @default false */
      commit?: boolean | undefined
    }
  /** Answers with a redirect and does nothing. */
  | {
      kind: 'redirect'
      /** Where to, as the header says it. */
      location: string
      /** 300 to 399. @default 307 */
      status?: number | undefined
    }
  /** Answers 401 with the challenge and does nothing. */
  | { kind: 'unauthorized' }
  /** Answers 429 with the documented code and text and does nothing. */
  | {
      kind: 'throttle'
      /** Which of the three the error names. */
      limit: 'requests' | 'executionTime' | 'concurrency'
      /** What `Retry-After` says. @default 1 */
      retryAfterInSeconds?: number | undefined
    }
  /** Closes the connection without an answer. */
  | {
      kind: 'drop'
      /** Executes the request first. @default false */
      commit?: boolean | undefined
    }
  /**
   * Answers only when `faults.release()` is called; the request is executed then, or before with `commit`. If the client goes, or
   * `reset()` is called, a request that was not executed never is.
   */
  | {
      kind: 'hang'
      /** Executes the request when it comes, not when it is released. @default false */
      commit?: boolean | undefined
    }
  /** Executes the request, sends the head and so many bytes of the body, never the last, and the rest when released. */
  | {
      kind: 'hangInBody'
      /** How much of the body comes before the pause. @default half of the body */
      afterBytes?: number | undefined
    }
  /**
   * Executes the request and closes the connection after so many bytes of the body, never after the last. An answer with no body
   * is dropped.
   */
  | {
      kind: 'truncate'
      /** How much of the body comes. @default half of the body */
      afterBytes?: number | undefined
    }
  /** Executes the request and sends the body in pieces of so many bytes, one after the other without waiting. */
  | {
      kind: 'trickle'
      /** The size of a piece. @default 1 */
      bytesAtOnce?: number | undefined
    }
  /** Executes the request and sends the body again and again until the client goes. A 204 becomes a 200. */
  | { kind: 'endless' }
  /** Executes the request and answers with this content type. */
  | {
      kind: 'contentType'
      /** The header's value. */
      contentType: string
    }
  /**
   * Another writer changes the conversation that the request addresses: right before the request is executed, or right after it, before
   * the row is read for the answer (after a `GET`: once its answer is made; after a refused `PATCH`: not at all). Meets only requests
   * for one conversation.
   */
  | {
      kind: 'writer'
      /** Whether the other writer comes before the request is executed, or after it. */
      when: 'before' | 'after'
      /**
       * Columns by logical name; a lookup takes `{ entityLogicalName, recordId }` or null. A `statuscode` brings its `statecode`.
       *
       * @default nothing but a new version
       */
      changes?: Record<string, string | number | boolean | null | { entityLogicalName: string; recordId: string }> | undefined
      /** The conversation is deleted instead. @default false */
      delete?: boolean | undefined
    }
  /** Checks a `PATCH` as always, confirms it with a 204, even if the row was asked for, and stores nothing. Meets only `PATCH`. */
  | { kind: 'notStored' }

/** Which requests are meant: those that fit all that is given. Control calls of this package are never among them. */
export interface FaultTarget {
  /** In any case, `PATCH` say. */
  method?: string | undefined
  /** A part of path and query as sent; `/oauth2/` for requests for a token. */
  path?: string | undefined
  /** Id of the conversation whose row is addressed. */
  conversation?: string | undefined
  /** Only from the nth such request on, counted from 1 since the rule was added. Not together with `every`. */
  nth?: number | undefined
  /** Only every nth such request. */
  every?: number | undefined
}

/** A fault, and which requests meet it. */
export interface FaultRule {
  /** Which requests. @default every request */
  on?: FaultTarget | undefined
  /** How many requests it takes before it is used up. @default 1 */
  times?: number | 'always' | undefined
  /** What goes wrong with them. */
  fault: Fault
}

/** Faults that come by chance. */
export interface RandomFaults {
  /** An integer from 0. The same seed brings the same faults to the same sequence of requests. */
  seed: number
  /** The share of requests that meet a fault, from 0 to 1. */
  rate: number
  /** One of these is drawn, each as likely as the others. One that does not apply to the request does nothing. */
  faults: readonly Fault[]
  /** Which requests may meet one; the others do not count. @default every request */
  on?: FaultTarget | undefined
}

/** What holds for all requests until it is changed. */
export interface Conditions {
  /** Logical names of tables without optimistic concurrency: `If-Match` with an ETag is a 400 `0x8006088d`. @default none */
  concurrencyOff?: readonly ('account' | 'contact' | 'incident' | 'msdyn_ocliveworkitem')[] | undefined
  /**
   * Service protection limits, of the one user there is. The real ones are 6,000 requests and 1,200,000 ms in 300,000 ms, and 52 at
   * once. Who meets one gets a 429 and is let through when the time of `Retry-After` has passed on the emulator's clock; each request
   * before that adds a second to it. A limit that is not given does not exist.
   */
  limits?: {
    /** How many requests may come in the window. */
    requests?: number | undefined
    /** How long requests may take together in the window; each takes `executionTimePerRequestInMs`. */
    executionTimeInMs?: number | undefined
    /** How many requests may be in flight. Requests that hang are. */
    concurrent?: number | undefined
    /** How far back requests and execution time are counted. @default 300000 */
    windowInMs?: number | undefined
  } | undefined
  /** What each request adds to the execution time, since the clock stands still meanwhile. @default 0 */
  executionTimePerRequestInMs?: number | undefined
  /** Values of `CallerObjectId` or `MSCRMCallerID` that get a 403 `0x80040220`. @default none */
  unprivilegedCallers?: readonly string[] | undefined
  /** `expires_in` of the tokens issued from now on. @default 3599 */
  tokenLifetimeInSeconds?: number | undefined
  /** The application's secret has expired. @default false */
  secretExpired?: boolean | undefined
  /**
   * The application is no user of the environment: it gets tokens, and with them a 403 `0x80072560` from the Web API. `credential` is not
   * concerned. @default false
   */
  applicationUserMissing?: boolean | undefined
  /**
   * Whether `PUT` and `DELETE` of `<row>/<navigation property>/$ref` take an ETag in `If-Match` as a condition, which is not documented;
   * otherwise they ignore it. @default true
   */
  refHonoursIfMatch?: boolean | undefined
  /**
   * What comes of a body with two values for one lookup, such as both customer properties: the first or last of the body holds, or
   * 400 `0x80048d19`. None of it is documented; the request log has a warning. @default 'last'
   */
  twoValuesForOneLookup?: 'first' | 'last' | 'refuse' | undefined
  /**
   * Alternate keys by the logical name of their table, each a column by the name it is read by, or several joined with commas. They
   * address rows and targets of binds: `accounts(accountnumber='A-1')`. A write after which two rows would have one key is a 412
   * `0x80040237`; one that two rows of the seed have leads to neither, but to a 501. @default { account: ['accountnumber'] }
   */
  alternateKeys?: Readonly<Partial<Record<'account' | 'contact' | 'incident' | 'msdyn_ocliveworkitem', readonly string[] | undefined>>> | undefined
  /**
   * Schema names of relationships that the environment does not have: `RelationshipDefinitions` leaves them out, and their navigation
   * properties are undeclared. Rows keep the links they have. @default none
   */
  hiddenRelationships?: readonly (
    | 'account_msdyn_ocliveworkitems'
    | 'msdyn_account_msdyn_ocliveworkitem_Customer'
    | 'msdyn_contact_msdyn_ocliveworkitem_Customer'
    | 'msdyn_incident_msdyn_ocliveworkitem'
  )[] | undefined
  /**
   * Privileges that the user of `WhoAmI` does not have: what needs one is a 403 `0x80040220`, and
   * `RetrieveUserSetOfPrivilegesByNames` does not list it. A conversation is an activity and has the privileges of all activities. To link
   * takes `prvWriteActivity`, `prvAppendActivity`, and `prvAppendTo…` of the target. @default none
   */
  missingPrivileges?: readonly `prv${'Append' | 'AppendTo' | 'Create' | 'Read' | 'Write'}${'Account' | 'Activity' | 'Contact' | 'Incident'}`[] | undefined
  /**
   * What the header `Date` says when the emulator's clock stands at 0, in milliseconds since 1970; it then goes with that clock.
   *
   * @default `Date` is the time of the machine
   */
  dateInMs?: number | undefined
}

/**
 * All of these reject with a `TypeError` that names the field when the argument is wrong, and with an `Error` when the emulator
 * is gone.
 */
export interface Faults {
  /**
   * Adds rules behind those that are there. A request takes the first rule that applies to it; the rules behind do not count it. After
   * a rejection none was added.
   */
  add(...rules: readonly (FaultRule | readonly FaultRule[])[]): Promise<void>
  /**
   * Lets faults come by chance to requests that no rule takes. A further call replaces the plan and counts requests from 1 again.
   */
  random(plan: RandomFaults): Promise<void>
  /** Sets the conditions; what is not given goes back to its default. The limits count from nothing again. */
  conditions(conditions: Conditions): Promise<void>
  /** Removes rules, random faults and conditions, and releases what hangs. */
  clear(): Promise<void>
  /** How many rules are not used up. */
  waiting(): Promise<number>
  /** Resolves when at least `count` requests hang; with 0, when none does. @default 1 */
  hanging(count?: number): Promise<void>
  /** Lets go what hangs now. */
  release(): Promise<void>
  /** Makes all tokens worthless that the token endpoint has issued. `credential` stays good. */
  revokeTokens(): Promise<void>
}

/** The emulator's only time, by which limits open and tokens expire. It stands still until it is moved. */
export interface Clock {
  /** Milliseconds since the start or the last reset. */
  now(): Promise<number>
  /** Moves it forward, by an integer from 0; resolves with the new time. */
  advance(byInMs: number): Promise<number>
}

/** A running emulator. It never keeps this process alive, and it ends with it, also when this process is killed. */
export interface Emulator {
  /** `http://127.0.0.1:<port>`, or `https://localhost:<port>` with `tls`; no slash at the end. The Web API is below `/api/data/v9.2/`. */
  readonly url: string
  /** The bearer token it accepts; a new one at every start. It never expires. */
  readonly credential: string
  /** The certificate of its own authority as PEM, for clients to trust; good for a year. Null without `tls`. */
  readonly caCertificate: string | null
  /**
   * The application to which `POST <url>/<tenantId>/oauth2/v2.0/token` gives tokens, with `grant_type=client_credentials` and
   * `scope=<url>/.default` or, with `tls`, `https://<any of its hosts>/.default`, with or without a port. Its id and secret are new ones at every start.
   */
  readonly application: {
    /** The tenant, a GUID: the first part of the token endpoint's path. */
    readonly tenantId: string
    /** `client_id` of a request for a token. */
    readonly clientId: string
    /** `client_secret` of a request for a token. */
    readonly clientSecret: string
  }
  /** What goes wrong with requests, and the conditions that hold for all of them. */
  readonly faults: Faults
  /** The time by which limits open and tokens expire. */
  readonly clock: Clock
  /** The newest 10,000 requests, oldest first. Rejects with an `Error` when the emulator is gone. */
  requests(): Promise<LoggedRequest[]>
  /**
   * Everything as right after the start: rows of the seed, no faults, default conditions, an empty log, no issued tokens, the clock at 0.
   * Connections on which a request hangs are closed.
   */
  reset(): Promise<void>
  /** Ends it; resolves when the child process is gone. Further calls return the same promise. */
  close(): Promise<void>
  /** The same as `close`, where the platform has `Symbol.asyncDispose` (Node 20 and later). */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts an emulator in a child process; resolves when it listens. Several can run at once.
 *
 * Rejects with a `TypeError` for an unknown or wrong option, and with an `Error` when the binary is missing (the message says what
 * builds it), when a seed is wrong (the message names the file or page, and the row), or when the port is in use.
 */
export function startEmulator(options?: EmulatorOptions): Promise<Emulator>
