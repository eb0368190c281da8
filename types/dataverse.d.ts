// Everything about reaching a Dataverse environment.

/** An access token, and when it expires. */
export interface AccessToken {
  /** The token itself, without `Bearer`. */
  token: string
  /** Milliseconds since 1970. A time that has passed, or is more than a year ahead, counts as unknown. */
  expiresOnTimestamp: number
}

/** What a credential function is told. */
export interface TokenRequest {
  /** `<environment URL>/.default` */
  scope: string
  /** Aborts after 30 seconds. */
  abortSignal: AbortSignal
  /** What the server demanded of the token in a claims challenge, as JSON. */
  claims?: string
}

/** What every credential of `@azure/identity` is, and anything that looks alike. */
export interface TokenCredential {
  /** Gives a token for a scope, `<environment URL>/.default`. */
  getToken(scope: string, options: { abortSignal?: AbortSignal; claims?: string }): Promise<AccessToken | null>
}

/** An application of Microsoft Entra that proves itself by a secret: the client credentials flow. */
export interface ClientSecretCredential {
  /** The tenant's id, or one of its domains. */
  tenantId: string
  /** The application's (client) id. */
  clientId: string
  /** The secret's value, not its id. No error, log or inspection shows it. */
  clientSecret: string
  /**
   * Who gives the tokens, such as `https://login.microsoftonline.com`. Must be given for an environment of no known cloud, the
   * emulator's for example.
   * @default the authority of the cloud that the environment's URL belongs to
   */
  authorityHost?: string | undefined
}

/** What a credential function gives. Nothing is `AUTHENTICATION_FAILED`. */
export type GivenToken = string | AccessToken | null | undefined

/**
 * How to get an access token for `<environment URL>/.default`: the token itself, a function that gives it, an application's secret,
 * or a credential of `@azure/identity`.
 *
 * Tokens are kept by the client: one request however many calls wait, made again a quarter of the token's life before it expires
 * but at most six minutes, and after the server refused it. A request outlives the call that needed it, for up to a minute (ten
 * with a client secret), so a token that comes too late for one call serves the next. A token without a sensible
 * `expiresOnTimestamp` is kept for a minute. While a token is still good, a credential that fails is not noticed. Calls of the same
 * client inside its own credential reject with `INVALID_CONFIGURATION`, because they would wait for themselves. What the authority
 * refuses is `AUTHENTICATION_FAILED`, with its number (`AADSTS7000222`) as `serviceCode` and its trace id as `serviceRequestId`.
 */
export type Credential =
  | string
  | ((request: TokenRequest) => GivenToken | Promise<GivenToken>)
  | ClientSecretCredential
  | TokenCredential

/** How failed requests are retried. */
export interface RetryOptions {
  /**
   * Retries after a failure: of reads, and of changes that did not reach the server. A change whose response was lost is looked up
   * instead. Retries draw on a budget of the client (35 at most, refilled by successes), so that an outage does not multiply traffic.
   * A 429, and a 503 with Retry-After, is waited out and does not count: only the call's deadline or signal, or `close()`, ends that.
   * @default 3
   */
  maxRetries?: number | undefined
  /**
   * The shortest pause before a retry, in milliseconds. Each is drawn at random between this and three times the one before. A 429,
   * and a 503 with Retry-After, pauses the whole client for as long as the server asks; afterwards one request goes ahead, and the
   * others follow at the rate that the server was seen to accept. A call whose deadline is before the end of the pause rejects at
   * once with `THROTTLED`.
   * @default 800
   */
  retryDelayInMs?: number | undefined
  /**
   * The longest pause before a retry that the server did not ask for, in milliseconds.
   * @default 60000
   */
  maxRetryDelayInMs?: number | undefined
}

/** A Dataverse environment. */
export interface DataverseOptions {
  /**
   * Such as `https://contoso.crm4.dynamics.com`. The address of a page of the environment (`…/main.aspx?…`), of its API or of
   * `Organization.svc` is understood as well. Plain http is accepted on this machine only.
   * @default process.env.DATAVERSE_URL
   */
  url?: string | undefined
  /**
   * How to get a token. Without one the client is refused with `INVALID_CONFIGURATION`.
   * @default the secret in `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET` and, optionally, `AZURE_AUTHORITY_HOST`
   */
  credential?: Credential | undefined
  /**
   * On whose behalf calls are made that do not say so themselves: the Entra object id of a user. See
   * {@link ConversationCallOptions.callerObjectId}.
   */
  callerObjectId?: string | undefined
  /** How failed requests are retried. */
  retryOptions?: RetryOptions | undefined
  /**
   * The most requests in flight, 1 to 48. The client begins with 4, adds one per round trip while all are in use, and takes some away
   * when the server refuses one. It never exceeds this limit or the server's recommendation (`x-ms-dop-hint`); other requests wait.
   * @default 48
   */
  maxConcurrency?: number | undefined
  /**
   * The HTTP proxy that leads out: `http://user:password@proxy.example:8080` (special characters percent-encoded), `'DIRECT'` for none,
   * or a function of the server's URL that answers like a PAC script (`PROXY host:port; DIRECT`), with such a URL, or with nothing for
   * none: Electron's `url => session.defaultSession.resolveProxy(url)`. The function is asked about once a minute and after a failed
   * connection, and must not call the client itself. The entries of its answer are tried in order: the next one if no connection comes about, so that nothing was sent, but not
   * if a proxy wants a password or refuses to connect to the server. What could not be connected to comes last for five minutes. SOCKS,
   * NTLM and Kerberos proxies are not supported; such entries are skipped.
   * @default `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in either case; else the settings of macOS or Windows
   */
  proxy?: string | ((url: string) => string | null | undefined | Promise<string | null | undefined>) | undefined
  /**
   * Certificates of authorities, in PEM, that are trusted besides the platform's store and the file in `NODE_EXTRA_CA_CERTS`: where TLS
   * is inspected, that of the inspecting proxy. A server's own self-signed certificate may be named as well; its names and its time
   * are checked all the same. Each entry has to be a certificate here; in the file, one that cannot be read is skipped.
   */
  caCertificates?: string | string[] | undefined
  /** Added to the `User-Agent`, so that the environment's owners see whose requests these are: `my-service/1.2`. At most 256 characters. */
  application?: string | undefined
  /**
   * `false` is only for an environment whose conversation table has optimistic concurrency switched off (`INVALID_CONFIGURATION` reports
   * it): every call then reads the row again and writes on the sole condition that it exists. A change that another writer makes between
   * the two is overwritten, and an unlink may remove a link that it does not name.
   * @default true
   */
  optimisticConcurrency?: boolean | undefined
}

/**
 * What Node's `diagnostics_channel` of these names is told of the traffic of all Dataverse clients, while it has subscribers: an
 * attempt is over, there will be another, the server throttles. Never a token, a query or a body.
 *
 * Messages come a moment later than what they tell of, in its order but outside of the call's async context: `requestId` is that of
 * the call's outcome or error. More than 10,000 that wait for a busy thread are dropped. A client looks for subscribers when a call
 * begins.
 *
 * `OMNICHANNEL_LINK_LOG=debug` writes the same to stderr; `warn` leaves out the attempts.
 */
export interface DiagnosticsChannels {
  /** An attempt is over. */
  'omnichannel-link:request': RequestMessage
  /** There will be another attempt. */
  'omnichannel-link:retry': RetryMessage
  /** The server throttles. */
  'omnichannel-link:throttle': ThrottleMessage
}

/** A request, to the environment or to a token authority. */
export interface RequestSubject {
  /** `GET`, `PATCH`, `POST` … */
  method: string
  /** With the port, if it is not the scheme's own. */
  host: string
  /** Without the query. */
  path: string
  /** The id of the call that needed it; null for a token. */
  requestId: string | null
  /** 1 for the first. */
  attempt: number
}

/** An attempt is over. */
export interface RequestMessage extends RequestSubject {
  /** HTTP status of the answer; null without one. */
  status: number | null
  /** Why there was no response: `Connect` or `Interrupted`, for example, or `cancelled`. */
  error: string | null
  /** The id the server gave it. */
  serviceRequestId: string | null
  /** How long it took, in milliseconds. */
  durationInMs: number
}

/** There will be another attempt. */
export interface RetryMessage extends RequestSubject {
  /** HTTP status of the answer; null without one. */
  status: number | null
  /** Why there is no answer. */
  error: string | null
  /** The pause before it, in milliseconds. */
  delayInMs: number
}

/** The server throttles, and the whole client pauses. */
export interface ThrottleMessage extends RequestSubject {
  /** The pause, in milliseconds. */
  delayInMs: number
}
