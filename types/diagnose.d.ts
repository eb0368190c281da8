// The report of diagnose().

import type { CallOptions, StoreName } from './calls'
import type { LinkErrorCode } from './errors'

/** Options of a diagnosis. */
export interface DiagnoseOptions extends CallOptions {
  /**
   * Milliseconds until the call rejects with `TIMEOUT`. One check takes at most 15 seconds.
   * @default 120000, whatever the client's `timeoutInMs` is
   */
  timeoutInMs?: number | undefined
}

/** Result of a diagnosis. */
export interface DiagnosisReport {
  /** Kind of the store. */
  store: StoreName
  /** The environment's URL, or the file's path. */
  target: string
  /** Whether no check failed. */
  healthy: boolean
  /** The checks in the order in which they were made. A check that depends on a failed one is skipped. */
  checks: DiagnosisCheck[]
}

/**
 * Checks of a Dataverse environment, in this order.
 *
 * | name | subject |
 * |---|---|
 * | `proxy` | the proxy in use, by host and port |
 * | `dns` | addresses of the server's name; a proxy resolves the name itself |
 * | `tls` | the server's certificate: its holder, issuer, end date and whether it is trusted; the version of HTTP |
 * | `token` | whether the credential returns a token, for how long, and, if it is readable, for which audience, tenant and application |
 * | `whoAmI` | whether the environment knows the caller, and as which user |
 * | `clockSkew` | difference between this machine's clock and the server's; more than five minutes fail |
 * | `latency` | duration of a round trip; never fails if there is a response |
 * | `table` | whether the conversation table exists with the expected names |
 * | `concurrency` | whether the table supports optimistic concurrency, and whether `optimisticConcurrency` fits |
 * | `navigation` | whether the navigation properties that link records exist, with the expected spelling |
 * | `privileges` | whether the caller has the privileges that links need |
 * | `limits` | the rest of the server's limits; never fails |
 */
export type DataverseCheckName =
  | 'proxy' | 'dns' | 'tls' | 'token' | 'whoAmI' | 'clockSkew' | 'latency' | 'table' | 'concurrency' | 'navigation' | 'privileges' | 'limits'

/**
 * Checks of an embedded store, in this order. A missing file is not created.
 *
 * | name | subject |
 * |---|---|
 * | `file` | whether it exists, or the first import could create it |
 * | `database` | whether it is a database of this package, in a known version |
 * | `integrity` | whether SQLite finds it intact (`PRAGMA quick_check`, which reads all of it) |
 * | `writable` | whether the write lock is available; nothing is written |
 * | `contents` | the number of conversations and records, and of links to missing records |
 */
export type EmbeddedCheckName = 'file' | 'database' | 'integrity' | 'writable' | 'contents'

/** One check of a report. Its strings are English prose without secrets, and not made for parsing. */
export interface DiagnosisCheck {
  /** Name of the check. */
  name: DataverseCheckName | EmbeddedCheckName
  /** `skipped` if a check that it depends on failed, or if it does not apply here; `found` states which. */
  status: 'passed' | 'failed' | 'skipped'
  /** Finding: "A certificate for *.crm4.dynamics.com, issued by Contoso TLS Inspection CA, until 2027-01-31." */
  found: string
  /** Its meaning for links and unlinks. */
  meaning: string
  /** How to fix it, if it failed. */
  fix: string | null
  /** If it failed, the code of the error that links reject with. */
  code: LinkErrorCode | null
  /** Duration of the check, in milliseconds. */
  durationInMs: number
}
