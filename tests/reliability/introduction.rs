//! What stands above the tables.

pub(crate) fn introduction(faults: usize, calls: usize, mixed: u64) -> String {
    format!(
        "# Reliability

What `linkToConversation` and `unlinkFromConversation` end with on Dataverse when something goes wrong: {faults} faults, {calls} calls. A test
writes these tables from what it sees, and fails when it sees something else (`tests/reliability`). The client in it is the real one, with
real sockets, default options and a timeout of 30 s; the server is the emulator of this project, which follows Microsoft's documentation.
Only time is not real: pauses and deadlines pass at once, and random pauses are the same in every run.

## What holds in every row

* **A success is what the server stored.** `linked` and `replaced` mean that the slot holds the record, `unlinked` that it does not, until
  somebody else changes it. What `replaced` reports as `previous` is what was there.
* **An error with `maybeApplied: false` changed nothing.** One with `true` is given only when a write was sent and what became of it cannot
  be told for certain. Once a response to a write was lost, every error of the call says `true`, whatever the row shows afterwards: another
  writer may have taken the change back. The same goes for a refusal that does not come from Dataverse itself, such as a proxy's page.
* **A code is true of the row or of the wire.** `CONVERSATION_NOT_FOUND` means that Dataverse has no such conversation, and no gateway's 404.
* **No change is applied twice.** A lost write is sent again only on the condition that it was not stored.
* **What another writer wrote is not overwritten unseen.** A link replaces it only after having read it, and its outcome says so; an unlink
  removes exactly the record it names; the other slot and all other columns stay as they are. The one exception is chosen by an option: see
  the last row.
* **Retries end.** No call here sends more than 16 requests or takes longer than its timeout, and none is sent earlier than the server asks.
* **Errors can be followed up.** Each has the id of the call and, if there was an answer, the server's id of the last one; none shows a secret.

Two things cannot be told from the row when the response to a write is lost:

* When another writer takes the change back before the client looks, it seems as if the change had never been made. The client then decides
  again, so the change may be made a second time; and if that ends in an error, the error carries `maybeApplied: true`.
* When the write rested on a remembered row and the slot is as wanted, this may be the work of the write, or of another writer before the
  call began. The client then says what is true in both cases: `alreadyLinked` of a link, and `NOT_LINKED` with `maybeApplied: true` of an
  unlink. A client that has read the row in the same call knows what the slot held before, and says `linked`, `replaced` or `unlinked`.

The same is checked for {mixed} calls that meet faults and other writers at random, which are in no table.

## How to read the tables

* **with**: the requests that it happens to; once, unless it says *every*. *Stored* means that the server carried the write out although its
  answer went wrong.
* **call**: each fault meets a link into an empty slot, a link over another record and an unlink, by a client that sees the conversation for
  the first time; and, where that can be, the last two by a client that remembers the row and need not read. A link over another record,
  and calls with a row remembered, are shown where they end differently; a second link of the same record is tried as well, and not shown.
* **maybe applied** and **retryable** are the properties `maybeApplied` and `isRetryable` of the error.
* **requests**: `GET` reads the conversation, `PATCH` writes the link on condition that the conversation is unchanged, `token` asks the authority.
  Then the status; *lost*: the connection ended before the answer did; *hung*: the client stopped waiting; *unsent*: the server has not
  seen it; *too long*: more than 4 MiB.
* **time**: how long the call took, pauses and waiting included.
"
    )
}
