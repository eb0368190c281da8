/**
 * A page of rows, as a Web API `GET` of an entity set returns it.
 *
 * Sets: `accounts`, `contacts`, `incidents`, `msdyn_ocliveworkitems`. The set is taken from `@odata.context`, which must hold
 * `$metadata#<set>`. A lookup is its `_<column>_value` with the annotation
 * `_<column>_value@Microsoft.Dynamics.CRM.lookuplogicalname`; it may lead to a row that is loaded later, or never. `@odata.etag`
 * and formatted values are ignored. A column that a page shows exists, even if the emulator did not know it.
 */
export interface SeedPage {
  '@odata.context': string
  value: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly [name: string]: unknown
}

export interface EmulatorOptions {
  /**
   * Port on 127.0.0.1. The start rejects when it is in use.
   *
   * @default 0, which takes a free one
   */
  port?: number
  /**
   * The rows to begin with: a page, an array of pages, or the path of a file with one page or of a folder of such `*.json` files
   * (relative to the working directory). The order of pages does not matter; loading a row twice is an error.
   *
   * @default no rows
   */
  seed?: SeedPage | readonly SeedPage[] | string
}

/** One request that the emulator answered. */
export interface LoggedRequest {
  /** 1 for the first request; it goes on counting when older entries are dropped. */
  number: number
  method: string
  /** Path and query as sent. */
  path: string
  /** Names in lower case; lines of one name are joined with `, `. Never `authorization`. */
  headers: Record<string, string>
  /** The body as text: its first 64 KiB, empty when there was none or when it was over the limit of 1 MiB. */
  body: string
  /** Status of the answer. */
  status: number
  /** What Dataverse accepts although it is hardly ever meant, for example a `PATCH` without `If-Match` that created a row. */
  warnings: string[]
}

/** A running emulator. It never keeps this process alive, and it ends with it, also when this process is killed. */
export interface Emulator {
  /** `http://127.0.0.1:<port>`, with no slash at the end. The Web API is below `/api/data/v9.2/`. */
  readonly url: string
  /** The bearer token it accepts; a new one at every start. */
  readonly credential: string
  /** The newest 10,000 requests, oldest first. Rejects with an `Error` when the emulator is gone. */
  requests(): Promise<LoggedRequest[]>
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
