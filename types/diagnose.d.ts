// What doctor() looks at and what it tells.

import type { CallOptions, StoreName } from './calls'
import type { LinkErrorCode } from './errors'

/** Options of an examination. */
export interface DoctorOptions extends CallOptions {
  /**
   * Milliseconds until the call rejects with `TIMEOUT`. One check takes at most 15 seconds.
   * @default 120000, whatever the client's `timeoutInMs` is
   */
  timeoutInMs?: number | undefined
}

/** What an examination found. */
export interface DoctorReport {
  /** What was examined. */
  store: StoreName
  /** The environment's URL, or the file's path. */
  target: string
  /** Whether no check failed. */
  healthy: boolean
  /** In the order in which they were made. Each rests on those before it that it needs: after a failure it is skipped. */
  checks: DoctorCheck[]
}

/**
 * What is looked at in Dataverse, in this order:
 *
 * | name | what is looked at |
 * |---|---|
 * | `proxy` | which one the way goes through, by host and port |
 * | `dns` | the addresses of the server's name; a proxy finds the server by itself |
 * | `tls` | whose certificate the server shows, who issued it, until when it is good, whether it is trusted; the version of HTTP |
 * | `token` | whether the credential gives one, for how long, and, if it can be read, for what: audience, tenant, application |
 * | `whoAmI` | whether the environment knows the caller, and as whom |
 * | `clockSkew` | how far this machine's clock is from the server's; more than five minutes fail |
 * | `latency` | how long a round trip takes; never fails if there is an answer |
 * | `table` | whether conversations are there, under the names that are used |
 * | `concurrency` | whether the table checks versions, and whether the option `concurrency` fits |
 * | `navigation` | whether the properties by which records are linked are there, spelled exactly so |
 * | `privileges` | whether the caller has those that links need |
 * | `limits` | what is left of the server's limits; never fails |
 */
export type DataverseCheckName =
  | 'proxy' | 'dns' | 'tls' | 'token' | 'whoAmI' | 'clockSkew' | 'latency' | 'table' | 'concurrency' | 'navigation' | 'privileges' | 'limits'

/**
 * What is looked at in the embedded store, in this order. A file that is not there is not created.
 *
 * | name | what is looked at |
 * |---|---|
 * | `file` | whether it is there, or could be created by the first import |
 * | `database` | whether it is a database of this package, in a version that this one knows |
 * | `integrity` | whether SQLite finds it sound (`PRAGMA quick_check`, which reads all of it) |
 * | `writable` | whether the lock for a write can be had now; nothing is written |
 * | `contents` | how many conversations and records are in it, and how many links hold a record that is not |
 */
export type EmbeddedCheckName = 'file' | 'database' | 'integrity' | 'writable' | 'contents'

/** One line of a report. Its texts hold no secret, are in English, and not made for parsing. */
export interface DoctorCheck {
  /** What was looked at. */
  name: DataverseCheckName | EmbeddedCheckName
  /** `skipped`: what it rests on failed, or it does not apply here; `found` says which. */
  status: 'passed' | 'failed' | 'skipped'
  /** What was seen, in a sentence or two: "A certificate for *.crm4.dynamics.com, issued by Contoso TLS Inspection CA, until 2027-01-31." */
  found: string
  /** What it means for links and unlinks. */
  meaning: string
  /** What to do about it, if it failed. */
  fix: string | null
  /** If it failed: the code of the error that a link meets. */
  code: LinkErrorCode | null
  /** How long it took. */
  durationInMs: number
}
