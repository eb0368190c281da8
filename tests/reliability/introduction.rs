//! The text above the tables.

pub(crate) fn introduction(faults: usize, calls: usize, mixed: u64) -> String {
    format!(
        "# Reliability

How `linkToConversation` and `unlinkFromConversation` end on Dataverse when something goes wrong: {faults} faults, {calls} calls. A test
writes these tables from real calls, and fails if a call ends differently (`tests/reliability`). The client in it is the real one, with
real sockets, default options and a timeout of 30 s; the server is the emulator of this project, which follows Microsoft's documentation.
Only time is simulated: pauses and deadlines pass at once, and random pauses are the same in every run.

## What holds in every row

* **A success is what the server stored.** `linked` and `replaced` mean that the slot holds the record, `unlinked` that it does not, until
  another writer changes it. The `previous` of `replaced` is the record that was there.
* **An error with `maybeApplied: false` changed nothing.** One with `true` means that a write was sent and its result is not known for
  certain. Once a response to a write is lost, every error of the call has `true`, whatever the row shows afterwards: another
  writer may have reverted the change. The same holds for an error that does not come from Dataverse itself, such as a page of a proxy.
* **A code describes the row or the connection.** `CONVERSATION_NOT_FOUND` means that Dataverse has no such conversation, never the 404 of a gateway.
* **No change is applied twice.** A lost write is sent again only on the condition that it was not stored.
* **Changes of other writers are not overwritten unseen.** A link replaces a record only after reading it, and its outcome reports that; an unlink
  removes exactly the record it names; the other slot and all other columns stay as they are. The only exception needs an option: see
  the last row.
* **Retries end.** No call here sends more than 16 requests or takes longer than its timeout, and none is sent earlier than the server asks.
* **Errors can be traced.** Each has the id of the call and, if there was a response, the server's id of the last one; none shows a secret.

After a lost response to a write, the row leaves two questions open:

* If another writer reverts the change before the client reads the row, the change seems never to have been made. The client then decides
  again, so the change may be made a second time; and if that ends in an error, the error carries `maybeApplied: true`.
* If the write used a cached row and the slot is as wanted, either this write set it, or another writer had set it before the
  call began. The client then reports what is true in both cases: `alreadyLinked` of a link, and `NOT_LINKED` with `maybeApplied: true` of an
  unlink. A client that has read the row in the same call knows what the slot held before, and reports `linked`, `replaced` or `unlinked`.

The same is checked for {mixed} calls with random faults and other writers, which are not in the tables.

## How to read the tables

* **with**: the affected requests; once, unless it states *every*. *Stored* means that the server applied the write although its
  response was faulty.
* **call**: each fault is tried with a link into an empty slot, a link over another record and an unlink, by a client without a cached
  row; and, where possible, the last two by a client with a cached row, which does not read first. A link over another record,
  and calls with a cached row, are shown if they end differently; a second link of the same record is also tried, and not shown.
* **maybe applied** and **retryable** are the properties `maybeApplied` and `isRetryable` of the error.
* **requests**: `GET` reads the conversation, `PATCH` writes the link on condition that the conversation is unchanged, `token` requests a token.
  Then the status; *lost*: the connection ended before the response did; *hung*: the client stopped waiting; *unsent*: it did not reach the
  server; *too long*: more than 4 MiB.
* **time**: how long the call took, pauses and waiting included.
"
    )
}
