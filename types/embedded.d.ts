// The embedded store, and how rows come into it.

import type { CallOptions } from './calls'

/** The embedded store. */
export interface EmbeddedOptions {
  /**
   * The SQLite file. Relative paths are resolved when the client is made. Created by the first import, never by a read, and for the user who
   * runs the program alone (mode 0600). A file that may not be written can be read.
   *
   * A plain path: `:memory:`, URLs, `~` and other names that SQLite or a shell would treat specially are refused. Several programs may have the
   * file open. One that is moved into its place while a single program has it open is used by the next call; an update that was being committed
   * then rejects with `STORE`. With several programs, close them all first and remove the files `-wal` and `-shm` beside the old one.
   */
  path: string
}

/** Options of an import. It has no deadline unless `timeoutInMs` is given. */
export interface ImportOptions extends CallOptions {
  /**
   * Called about five times a second while rows are written, never after the promise has settled. What it throws is an uncaught
   * exception of the program; the import goes on.
   */
  onProgress?: ((progress: ImportProgress) => void) | undefined
}

/** How far an import is. */
export interface ImportProgress {
  /** Rows written so far. */
  rowsDone: number
  /** Rows of the page. */
  rowsTotal: number
}

/** A page of rows: what a GET of `accounts`, `contacts`, `incidents` or `msdyn_ocliveworkitems` returned. */
export interface EntityPage {
  /** Names the table; ends in `$metadata#accounts(…)` for example. */
  '@odata.context': string
  /**
   * The rows, each at most 16 MiB of JSON. Lookups need their `@Microsoft.Dynamics.CRM.lookuplogicalname` annotation.
   *
   * Of accounts, contacts and incidents all columns are kept, so that `findRecord` finds them; but other annotations, and objects and
   * arrays (`$expand`), are not. Half of a surrogate pair becomes U+FFFD. A column that is there twice refuses the page.
   */
  value: object[]
  /** Present if this was not all. */
  '@odata.nextLink'?: string | undefined
  [annotation: string]: unknown
}

/** What an import did. */
export interface ImportSummary {
  /** The table, such as `accounts`. */
  entitySet: 'accounts' | 'contacts' | 'incidents' | 'msdyn_ocliveworkitems'
  /** Rows that were new. */
  inserted: number
  /** Rows that were there; columns absent from the page stayed as they were. */
  updated: number
  /** Slots in the whole store, after this import, that hold a record the store does not have. */
  danglingLinks: number
  /** The page had an `@odata.nextLink`: get the next page and import it too. */
  moreRowsExist: boolean
}
