//! Reading from the embedded store: what is read, and what is not.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "support/embedded.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod embedded;
#[path = "support/vfs.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod vfs;

use omnichannel_link::{
    domain::{CallOptions, ConversationQuery, EntityLogicalName, KeyValue, Listing, RecordKey},
    error::Code,
};
use rusqlite::ffi;

use self::{
    embedded::{Office, account, conversation},
    vfs::Step,
};

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_read() {
    let office = Office::seeded().await.reopened().await;
    let before = office.disk.total(Step::OpenForWriting);
    let gate = office.disk.hold(Step::Lock);
    let first = office.link(1, account(1));
    let held = gate.entered();
    drop(gate);
    let columns = vec![("name".to_owned(), KeyValue::Text("Fabrikam".to_owned()))];
    let key = RecordKey::new(EntityLogicalName::Account, columns).unwrap();
    drop(office.service.read(Some(conversation(1)), CallOptions::default()));
    drop(office.service.list(Listing::new(ConversationQuery::default(), None), CallOptions::default()));
    drop(office.service.find(key, CallOptions::default()));
    // After a failure the next job opens the file again, if there is one.
    held.answer(ffi::SQLITE_IOERR);
    assert_eq!(first.await.unwrap_err().code(), Code::Store);
    office.service.close().await.unwrap();
    assert_eq!(office.disk.total(Step::OpenForWriting), before + 1);
}
