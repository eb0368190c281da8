// Dataverse environments: URL, credential, retries, network, and the traffic.

/** An access token and its expiry. */
export interface AccessToken {
  /** The token, without `Bearer`. */
  token: string
  /** Expiry in milliseconds since 1970. A time in the past, or more than a year ahead, counts as unknown. */
  expiresOnTimestamp: number
}

/** Argument of a credential function. */
export interface TokenRequest {
  /** `<environment URL>/.default` */
  scope: string
  /** Aborts after 30 seconds. */
  abortSignal: AbortSignal
  /** The claims that the server demanded in a claims challenge, as JSON. */
  claims?: string
}

/** A credential of `@azure/identity`, or any object with the same method. */
export interface TokenCredential {
  /** Returns a token for a scope, `<environment URL>/.default`. */
  getToken(scope: string, options: { abortSignal?: AbortSignal; claims?: string }): Promise<AccessToken | null>
}

/** An application of Microsoft Entra with a secret: the client credentials flow. */
export interface ClientSecretCredential {
  /** Id of the tenant, or one of its domains. */
  tenantId: string
  /** Id of the application (client). */
  clientId: string
  /** Value of the secret, not its id. No error, log or inspection shows it. */
  clientSecret: string
  /**
   * The authority that issues the tokens, such as `https://login.microsoftonline.com`. Required if the environment is not in a known Microsoft
   * cloud, like the emulator.
   * @default the authority of the cloud that the environment's URL belongs to
   */
  authorityHost?: string | undefined
}

/** Result of a credential function. Without a token the call rejects with `AUTHENTICATION_FAILED`. */
export type GivenToken = string | AccessToken | null | undefined

/**
 * Source of access tokens for `<environment URL>/.default`: the token itself, a function that returns it, an application with a secret, or a
 * credential of `@azure/identity`.
 *
 * The client caches the token; concurrent calls share one request for it. It is refreshed early (a quarter of its lifetime, at most 6 minutes
 * before it expires) and after a 401. A token without a sensible `expiresOnTimestamp` is cached for a minute. A failure of the
 * credential has no effect while the cached token is valid.
 *
 * A request continues for up to a minute (10 minutes with a client secret) after the call that needed it has ended, so that its token serves
 * the next call. A call of the same client inside its own credential would wait for itself, and rejects with `INVALID_CONFIGURATION`.
 *
 * A rejection by the authority is `AUTHENTICATION_FAILED`, with its number (`AADSTS7000222`) as `serviceCode` and its trace id as
 * `serviceRequestId`.
 */
export type Credential =
  | string
  | ((request: TokenRequest) => GivenToken | Promise<GivenToken>)
  | ClientSecretCredential
  | TokenCredential

/** Retries of failed requests. */
export interface RetryOptions {
  /**
   * Maximum number of retries of a failed request: a read, or a write that did not reach the server. A write whose response was lost is not
   * repeated; the row is read instead. Retries draw on a budget of the client (35 at most, refilled by successes), so that an outage does not
   * multiply the traffic.
   *
   * The pause after a 429, or a 503 with Retry-After, does not count as a retry: only the call's deadline or signal, or `close()`, ends it.
   * @default 3
   */
  maxRetries?: number | undefined
  /**
   * Shortest delay before a retry, in milliseconds. Each delay is random, between this and three times the previous one.
   *
   * A 429, and a 503 with Retry-After, pauses the whole client for as long as the server asks. Then one request goes first, and the others
   * follow at the rate that the server was seen to accept. A call whose deadline is before the end of the pause rejects at once with
   * `THROTTLED`.
   * @default 800
   */
  retryDelayInMs?: number | undefined
  /**
   * Longest delay before a retry, unless the server asks for more, in milliseconds.
   * @default 60000
   */
  maxRetryDelayInMs?: number | undefined
}

/** A Dataverse environment. */
export interface DataverseOptions {
  /**
   * URL of the environment, such as `https://contoso.crm4.dynamics.com`. The URL of one of its pages (`…/main.aspx?…`), of its Web API or of
   * `Organization.svc` is accepted, too. Plain http is accepted for this machine only.
   * @default process.env.DATAVERSE_URL
   */
  url?: string | undefined
  /**
   * Source of access tokens. If there is none, the constructor throws `INVALID_CONFIGURATION`.
   * @default the application in `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET` and, optionally, `AZURE_AUTHORITY_HOST`
   */
  credential?: Credential | undefined
  /** The user to impersonate in calls without a `callerObjectId` of their own; see `ReadOptions.callerObjectId`. */
  callerObjectId?: string | undefined
  /** Retries of failed requests. */
  retryOptions?: RetryOptions | undefined
  /**
   * Maximum number of requests in flight, 1 to 48. The client starts with 4, adds one per round trip while all are in use, and reduces the
   * number when the server throttles. It never exceeds the server's recommendation (`x-ms-dop-hint`); other requests wait.
   * @default 48
   */
  maxConcurrency?: number | undefined
  /**
   * `false` is only for an environment whose conversation table has optimistic concurrency switched off (`INVALID_CONFIGURATION` reports
   * it): every call then reads the row again, and writes on the sole condition that it exists. A change that another writer makes between
   * the two is overwritten, and an unlink may remove a link that it does not name.
   * @default true
   */
  optimisticConcurrency?: boolean | undefined
  /**
   * The HTTP proxy: a URL such as `http://user:password@proxy.example:8080` (special characters percent-encoded), `'DIRECT'` for none, or a
   * function of the server's URL. The function returns what a PAC script returns (`PROXY host:port; DIRECT`), such a URL, or nothing for no
   * proxy: Electron's `url => session.defaultSession.resolveProxy(url)`, for example. It is called about once a minute and after a failed
   * connection, and must not call the client itself.
   *
   * The entries of a list are tried in order until a connection is established; nothing was sent before that. A proxy that demands a password
   * or refuses the server ends the search. An entry that failed comes last for five minutes. SOCKS, NTLM and Kerberos are not supported; such
   * entries are skipped.
   * @default `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in either case; otherwise the settings of macOS or Windows
   */
  proxy?: string | ((url: string) => string | null | undefined | Promise<string | null | undefined>) | undefined
  /**
   * Certificates of authorities in PEM, trusted besides the platform's store and the file in `NODE_EXTRA_CA_CERTS`, such as the certificate
   * of a proxy that inspects TLS. A server's own self-signed certificate is accepted, too; its names and dates are still checked. An
   * entry here must be a valid certificate; in the file an invalid one is skipped.
   */
  caCertificates?: string | string[] | undefined
  /**
   * Added to the `User-Agent`, so that the environment's owners can identify the requests: `my-service/1.2`. At most 256 printable ASCII
   * characters.
   */
  application?: string | undefined
}

/**
 * Channels of Node's `diagnostics_channel` with the traffic of all Dataverse clients. No message holds a token, a query or a body.
 *
 * Messages arrive shortly after the event, in order, and outside of the call's async context; `requestId` is that of the call's outcome or
 * error. If more than 10,000 messages wait for a busy thread, further ones are dropped. A client checks for subscribers when a call begins.
 *
 * `OMNICHANNEL_LINK_LOG=debug` writes the same to stderr; `warn` leaves out the attempts.
 */
export interface DiagnosticsChannels {
  /** An attempt has ended. */
  'omnichannel-link:request': RequestMessage
  /** Another attempt will follow. */
  'omnichannel-link:retry': RetryMessage
  /** The server throttles, and the client pauses. */
  'omnichannel-link:throttle': ThrottleMessage
}

/** A request to the environment or to a token authority. */
export interface RequestSubject {
  /** `GET`, `PATCH`, `POST` … */
  method: string
  /** Host, with the port if it is not the default one. */
  host: string
  /** Path, without the query. */
  path: string
  /** Id of the call that needed the request; null for a token. */
  requestId: string | null
  /** Number of the attempt, from 1. */
  attempt: number
}

/** An attempt has ended. */
export interface RequestMessage extends RequestSubject {
  /** HTTP status of the response; null without one. */
  status: number | null
  /** Reason why there is no response: `Connect`, `Interrupted` or `cancelled`, for example. */
  error: string | null
  /** The id that the server gave the request. */
  serviceRequestId: string | null
  /** Duration of the attempt, in milliseconds. */
  durationInMs: number
}

/** Another attempt will follow. */
export interface RetryMessage extends RequestSubject {
  /** HTTP status of the response; null without one. */
  status: number | null
  /** Reason why there is no response. */
  error: string | null
  /** Delay before the next attempt, in milliseconds. */
  delayInMs: number
}

/** The server throttles, and the whole client pauses. */
export interface ThrottleMessage extends RequestSubject {
  /** Duration of the pause, in milliseconds. */
  delayInMs: number
}
