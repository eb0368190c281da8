// The embedded store, and imports into it.

import type { CallOptions } from './calls'

/** The embedded store. */
export interface EmbeddedOptions {
  /**
   * Path of the SQLite file. A relative path is resolved when the client is created. The first import creates the file, with mode 0600; a read
   * never does. A file that is not writable can be read.
   *
   * `:memory:`, URLs, `~` and other names that SQLite or a shell treats specially are rejected.
   *
   * Several programs may have the file open. If it is replaced by another file while only one program has it open, the next call uses the new
   * file; an update that was being committed rejects with `STORE`. With several programs, close them all first, and remove the files `-wal`
   * and `-shm` beside the old file.
   */
  path: string
}

/** Options of an import. Without `timeoutInMs` it has no deadline. */
export interface ImportOptions extends CallOptions {
  /**
   * Called about five times a second while rows are written, never after the promise has settled. An error that it throws is an uncaught
   * exception; the import goes on.
   */
  onProgress?: ((progress: ImportProgress) => void) | undefined
}

/** Progress of an import. */
export interface ImportProgress {
  /** Rows written so far. */
  rowsDone: number
  /** Rows of the page. */
  rowsTotal: number
}

/** A page of rows, as a GET of `accounts`, `contacts`, `incidents` or `msdyn_ocliveworkitems` returns it. */
export interface EntityPage {
  /** Names the table: it ends in `$metadata#accounts(…)`, for example. */
  '@odata.context': string
  /**
   * The rows, each at most 16 MiB of JSON. Lookups need their `@Microsoft.Dynamics.CRM.lookuplogicalname` annotation.
   *
   * All columns of accounts, contacts and incidents are kept, so that `findRecord` can search them. Other annotations, objects and arrays
   * (`$expand`) are not. Half of a surrogate pair becomes U+FFFD. A page with a duplicate column in a row is rejected.
   */
  value: object[]
  /** Present if there are more pages. */
  '@odata.nextLink'?: string | undefined
  [annotation: string]: unknown
}

/** Result of an import. */
export interface ImportSummary {
  /** The table. */
  entitySet: 'accounts' | 'contacts' | 'incidents' | 'msdyn_ocliveworkitems'
  /** Rows that were new. */
  inserted: number
  /** Rows that existed. Columns absent from the page were left unchanged. */
  updated: number
  /** Slots in the whole store, after this import, whose record is not in the store. */
  danglingLinks: number
  /** The page had an `@odata.nextLink`: get the next page and import it, too. */
  moreRowsExist: boolean
}
