// Reads the embedded store's file with another SQLite than the addon's: sql.js, which needs no compiler. It reads only the file itself,
// so the client that wrote it must be closed first.
import { readFileSync } from 'node:fs'
import initSqlJs from 'sql.js'

const SQL = await initSqlJs()

/** Runs a query. Returns its rows as objects. */
export function query(file, sql, ...parameters) {
  const database = new SQL.Database(readFileSync(file))
  try {
    const statement = database.prepare(sql)
    statement.bind(parameters)
    const rows = []
    while (statement.step()) rows.push(statement.getAsObject())
    statement.free()
    return rows
  } finally {
    database.close()
  }
}

/** Reads the links of a conversation: `customer` and `case`, each by table and name. */
export function readConversation(file, id) {
  const [row] = query(
    file,
    `SELECT iif(customer_entity = 1, 'account ', 'contact ') || customer.name AS customer, 'incident ' || incident.name AS "case"
     FROM conversation
     LEFT JOIN record AS customer ON customer.entity = customer_entity AND customer.id = customer_id
     LEFT JOIN record AS incident ON incident.entity = 3 AND incident.id = case_id
     WHERE hex(conversation.id) = upper(replace(?, '-', ''))`,
    id
  )
  return row
}
