//! Behaviour that every store must have. The cases run over the embedded store on a real file, and over the Dataverse store
//! against the emulator on a real socket. A bug fix begins with a case here.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod fixture;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use fixture::StoreFixture;
use futures_util::future::join_all;
use omnichannel_link::{
    domain::{CallOptions, IfLinked, LinkOutcome, LinkPolicy, LinkStatus, RecordReference, Status, UnlinkOutcome},
    error::{Code, CurrentRecord, LinkError},
};
use support::{CONVERSATION, NOWHERE, account, contact, conversation, incident};

/// Runs every case over every store.
macro_rules! conformance {
    ($($case:ident)+) => {
        mod embedded {
            $(#[tokio::test] async fn $case() { super::$case(super::StoreFixture::embedded().await).await; })+
        }
        mod dataverse {
            $(#[tokio::test] async fn $case() { super::$case(super::StoreFixture::dataverse().await).await; })+
        }
    };
}

conformance! {
    a_link_into_an_empty_slot_is_linked
    a_link_replaces_another_record_and_reports_it
    a_record_that_is_already_linked_is_not_written
    a_link_never_changes_the_other_slot
    the_same_id_in_another_table_is_another_record
    only_active_conversations_can_be_linked
    linkable_statuses_widen_the_set
    a_conversation_that_does_not_exist_is_not_created
    a_record_that_does_not_exist_is_an_error_and_the_old_link_stays
    the_status_is_checked_before_the_slot
    another_record_is_kept_or_an_error_as_the_policy_states
    the_slot_must_hold_the_expected_record
    a_dry_run_decides_and_writes_nothing
    a_dry_run_sees_the_effect_of_earlier_calls
    a_read_sees_the_effect_of_earlier_calls
    a_read_shows_the_current_row
    a_read_needs_a_conversation_that_exists
    an_unlink_removes_the_named_record
    an_unlink_of_another_record_leaves_the_linked_one
    an_unlink_from_an_empty_slot_is_an_error
    an_unlink_is_allowed_in_every_status
    a_dangling_link_can_be_removed_and_replaced
    calls_on_one_conversation_take_effect_in_call_order
    two_clients_on_one_conversation_lose_nothing
    a_call_without_a_conversation_is_an_error
    a_closed_client_rejects_calls_and_can_be_closed_again
    closing_lets_pending_calls_finish
    an_expired_call_is_a_timeout_and_the_next_one_works
    outcomes_carry_the_store_and_an_id_of_their_own
}

/// The call is queued when this returns, even if it is not awaited.
fn link(
    fixture: &StoreFixture,
    record: RecordReference,
) -> impl Future<Output = Result<LinkOutcome, LinkError>> + use<> {
    fixture.service.link(record, Some(conversation(CONVERSATION)), LinkPolicy::default(), CallOptions::default())
}

fn unlink(
    fixture: &StoreFixture,
    record: RecordReference,
) -> impl Future<Output = Result<UnlinkOutcome, LinkError>> + use<> {
    fixture.service.unlink(record, Some(conversation(CONVERSATION)), CallOptions::default())
}

async fn a_link_into_an_empty_slot_is_linked(fixture: StoreFixture) {
    let outcome = link(&fixture, incident(1)).await.unwrap();
    assert_eq!((outcome.status, outcome.record, outcome.previous), (LinkStatus::Linked, incident(1), None));
    assert_eq!(fixture.links(), (None, Some(incident(1))));
}

async fn a_link_replaces_another_record_and_reports_it(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), None);
    let outcome = link(&fixture, contact(2)).await.unwrap();
    assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(1))));
    assert_eq!(fixture.links(), (Some(contact(2)), None));
}

async fn a_record_that_is_already_linked_is_not_written(fixture: StoreFixture) {
    fixture.set_links(Some(contact(1)), Some(incident(1)));
    let before = fixture.version();
    for record in [contact(1), incident(1)] {
        let outcome = link(&fixture, record).await.unwrap();
        assert_eq!((outcome.status, outcome.previous), (LinkStatus::AlreadyLinked, None));
    }
    assert_eq!(fixture.version(), before);
}

async fn a_link_never_changes_the_other_slot(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), Some(incident(1)));
    link(&fixture, incident(2)).await.unwrap();
    assert_eq!(fixture.links(), (Some(account(1)), Some(incident(2))));
    link(&fixture, contact(2)).await.unwrap();
    unlink(&fixture, incident(2)).await.unwrap();
    assert_eq!(fixture.links(), (Some(contact(2)), None));
}

async fn the_same_id_in_another_table_is_another_record(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), None);
    assert_eq!(unlink(&fixture, contact(1)).await.unwrap_err().code(), Code::NotLinked);
    assert_eq!(link(&fixture, contact(1)).await.unwrap().status, LinkStatus::Replaced);
    assert_eq!(fixture.links(), (Some(contact(1)), None));
}

async fn only_active_conversations_can_be_linked(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), None);
    // The last number is unknown: it is kept, and is not active.
    for code in [1, 3, 4, 5, 6, 7, 192_350_000] {
        fixture.set_status(code);
        let before = fixture.version();
        let error = link(&fixture, contact(2)).await.unwrap_err();
        assert_eq!(error.code(), Code::ConversationNotActive, "{code}");
        assert_eq!(error.details().conversation_status, Some(code));
        assert_eq!(fixture.version(), before);
    }
    assert_eq!(fixture.links(), (Some(account(1)), None));
}

async fn linkable_statuses_widen_the_set(fixture: StoreFixture) {
    fixture.set_status(5);
    let policy = LinkPolicy { linkable_statuses: vec![Status::WRAP_UP], ..LinkPolicy::default() };
    let call = fixture.service.link(account(1), Some(conversation(CONVERSATION)), policy, CallOptions::default());
    assert_eq!(call.await.unwrap().status, LinkStatus::Linked);
}

fn link_with(
    fixture: &StoreFixture,
    record: RecordReference,
    policy: LinkPolicy,
) -> impl Future<Output = Result<LinkOutcome, LinkError>> + use<> {
    fixture.service.link(record, Some(conversation(CONVERSATION)), policy, CallOptions::default())
}

async fn another_record_is_kept_or_an_error_as_the_policy_states(fixture: StoreFixture) {
    let policy = |if_linked| LinkPolicy { if_linked, ..LinkPolicy::default() };
    for if_linked in [IfLinked::Keep, IfLinked::Reject] {
        fixture.set_links(None, None);
        assert_eq!(link_with(&fixture, account(1), policy(if_linked)).await.unwrap().status, LinkStatus::Linked);
        assert_eq!(link_with(&fixture, account(1), policy(if_linked)).await.unwrap().status, LinkStatus::AlreadyLinked);
    }
    let before = fixture.version();
    let kept = link_with(&fixture, contact(2), policy(IfLinked::Keep)).await.unwrap();
    assert_eq!((kept.status, kept.previous, kept.current), (LinkStatus::Kept, None, Some(account(1))));
    let refused = link_with(&fixture, contact(2), policy(IfLinked::Reject)).await.unwrap_err();
    assert_eq!((refused.code(), refused.is_retryable()), (Code::Occupied, false));
    assert_eq!(refused.details().current, Some(Some(CurrentRecord::from(account(1)))));
    assert_eq!((fixture.version(), fixture.links()), (before, (Some(account(1)), None)));
}

async fn the_slot_must_hold_the_expected_record(fixture: StoreFixture) {
    let expecting = |expected| LinkPolicy { expected: Some(expected), ..LinkPolicy::default() };
    let refused = link_with(&fixture, account(1), expecting(Some(account(2)))).await.unwrap_err();
    assert_eq!((refused.code(), refused.details().current.clone()), (Code::Conflict, Some(None)));
    assert_eq!(link_with(&fixture, account(1), expecting(None)).await.unwrap().status, LinkStatus::Linked);
    // Written without the client, so that its cached row is stale.
    fixture.set_links(Some(contact(2)), None);
    let refused = link_with(&fixture, account(2), expecting(Some(account(1)))).await.unwrap_err();
    assert_eq!(refused.details().current, Some(Some(CurrentRecord::from(contact(2)))));
    assert!(!refused.details().maybe_applied);
    let replaced = link_with(&fixture, account(2), expecting(Some(contact(2)))).await.unwrap();
    assert_eq!((replaced.status, fixture.links()), (LinkStatus::Replaced, (Some(account(2)), None)));
}

async fn a_dry_run_decides_and_writes_nothing(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), None);
    let before = fixture.version();
    let id = Some(conversation(CONVERSATION));
    let dry = || CallOptions { dry_run: true, ..CallOptions::default() };
    let outcome = fixture.service.link(contact(2), id, LinkPolicy::default(), dry()).await.unwrap();
    assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(1))));
    assert_eq!(
        fixture.service.link(incident(1), id, LinkPolicy::default(), dry()).await.unwrap().status,
        LinkStatus::Linked
    );
    fixture.service.unlink(account(1), id, dry()).await.unwrap();
    assert_eq!(fixture.service.unlink(account(2), id, dry()).await.unwrap_err().code(), Code::NotLinked);
    assert_eq!((fixture.version(), fixture.links()), (before, (Some(account(1)), None)));
    fixture.set_status(4);
    let refused = fixture.service.link(contact(2), id, LinkPolicy::default(), dry()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ConversationNotActive);
}

async fn a_dry_run_sees_the_effect_of_earlier_calls(fixture: StoreFixture) {
    let dry = CallOptions { dry_run: true, ..CallOptions::default() };
    let linked = link(&fixture, account(1));
    let decided =
        fixture.service.link(contact(2), Some(conversation(CONVERSATION)), LinkPolicy::default(), dry.clone());
    let unlinked = unlink(&fixture, account(1));
    let refused = fixture.service.unlink(contact(2), Some(conversation(CONVERSATION)), dry);
    let (refused, unlinked, decided, linked) = tokio::join!(refused, unlinked, decided, linked);
    linked.unwrap();
    // It may run before or after the unlink.
    assert!([Some(account(1)), None].contains(&decided.unwrap().previous));
    unlinked.unwrap();
    assert_eq!(refused.unwrap_err().details().current, Some(None));
}

async fn a_read_sees_the_effect_of_earlier_calls(fixture: StoreFixture) {
    let linked = link(&fixture, account(1));
    let read = fixture.service.read(Some(conversation(CONVERSATION)), CallOptions::default());
    let (linked, read) = futures_util::future::join(linked, read).await;
    assert_eq!(linked.unwrap().status, LinkStatus::Linked);
    assert_eq!(read.unwrap().conversation.customer, Some(account(1)));
}

async fn a_read_shows_the_current_row(fixture: StoreFixture) {
    // Written without the client, so that its cached row is stale.
    link(&fixture, account(1)).await.unwrap();
    fixture.set_links(Some(contact(2)), None);
    let read = fixture.service.read(Some(conversation(CONVERSATION)), CallOptions::default()).await.unwrap();
    assert_eq!((read.conversation.customer, read.conversation.status), (Some(contact(2)), Status::ACTIVE));
}

async fn a_read_needs_a_conversation_that_exists(fixture: StoreFixture) {
    let nowhere = fixture.service.read(Some(conversation(NOWHERE)), CallOptions::default()).await.unwrap_err();
    assert_eq!(nowhere.code(), Code::ConversationNotFound);
    assert_eq!(
        fixture.service.read(None, CallOptions::default()).await.unwrap_err().code(),
        Code::NoFocusedConversation
    );
}

async fn a_conversation_that_does_not_exist_is_not_created(fixture: StoreFixture) {
    let nowhere = Some(conversation(NOWHERE));
    let linked = fixture.service.link(account(1), nowhere, LinkPolicy::default(), CallOptions::default()).await;
    let unlinked = fixture.service.unlink(account(1), nowhere, CallOptions::default()).await;
    assert_eq!(linked.unwrap_err().code(), Code::ConversationNotFound);
    assert_eq!(unlinked.unwrap_err().code(), Code::ConversationNotFound);
    assert_eq!(fixture.conversations(), 1);
}

async fn a_record_that_does_not_exist_is_an_error_and_the_old_link_stays(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), None);
    for missing in [account(99), contact(99), incident(99)] {
        let error = link(&fixture, missing).await.unwrap_err();
        assert_eq!(error.code(), Code::RecordNotFound);
        assert!(error.message().contains(&missing.to_string()), "{error}");
        assert!(!error.details().maybe_applied);
    }
    assert_eq!(fixture.links(), (Some(account(1)), None));
}

async fn the_status_is_checked_before_the_slot(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), None);
    fixture.set_status(4);
    for record in [account(1), account(99)] {
        assert_eq!(link(&fixture, record).await.unwrap_err().code(), Code::ConversationNotActive);
    }
}

async fn an_unlink_removes_the_named_record(fixture: StoreFixture) {
    fixture.set_links(Some(contact(1)), Some(incident(1)));
    unlink(&fixture, incident(1)).await.unwrap();
    assert_eq!(fixture.links(), (Some(contact(1)), None));
    unlink(&fixture, contact(1)).await.unwrap();
    assert_eq!(fixture.links(), (None, None));
}

async fn an_unlink_of_another_record_leaves_the_linked_one(fixture: StoreFixture) {
    fixture.set_links(Some(account(1)), Some(incident(1)));
    for (named, held) in [(account(2), account(1)), (contact(1), account(1)), (incident(2), incident(1))] {
        let error = unlink(&fixture, named).await.unwrap_err();
        assert_eq!(error.code(), Code::NotLinked);
        assert_eq!(error.details().current, Some(Some(CurrentRecord::from(held))));
    }
    assert_eq!(fixture.links(), (Some(account(1)), Some(incident(1))));
}

async fn an_unlink_from_an_empty_slot_is_an_error(fixture: StoreFixture) {
    let error = unlink(&fixture, incident(1)).await.unwrap_err();
    assert_eq!((error.code(), error.details().current.clone()), (Code::NotLinked, Some(None)));
}

async fn an_unlink_is_allowed_in_every_status(fixture: StoreFixture) {
    for code in 1..=7 {
        fixture.set_links(None, Some(incident(1)));
        fixture.set_status(code);
        unlink(&fixture, incident(1)).await.unwrap();
        assert_eq!(fixture.links(), (None, None), "{code}");
    }
}

async fn a_dangling_link_can_be_removed_and_replaced(fixture: StoreFixture) {
    fixture.set_links(Some(contact(99)), Some(incident(99)));
    unlink(&fixture, contact(99)).await.unwrap();
    let outcome = link(&fixture, incident(1)).await.unwrap();
    assert_eq!(outcome.previous, Some(incident(99)));
    assert_eq!(fixture.links(), (None, Some(incident(1))));
}

async fn calls_on_one_conversation_take_effect_in_call_order(fixture: StoreFixture) {
    let records = [account(1), contact(1), account(2), contact(2)];
    let calls: Vec<_> = (0..40).map(|turn| link(&fixture, records[turn % records.len()])).collect();
    // The order of polling, here from last to first, must not matter.
    let outcomes = join_all(calls.into_iter().rev()).await;
    for (turn, outcome) in outcomes.into_iter().rev().enumerate() {
        let outcome = outcome.unwrap();
        let expected = turn.checked_sub(1).map(|before| records[before % records.len()]);
        assert_eq!((outcome.record, outcome.previous), (records[turn % records.len()], expected), "call {turn}");
    }
    assert_eq!(fixture.links(), (Some(contact(2)), None));
}

async fn two_clients_on_one_conversation_lose_nothing(fixture: StoreFixture) {
    let other = fixture.another_client();
    let id = Some(conversation(CONVERSATION));
    let options = CallOptions::default;
    // One client links customers, the other cases: a write of the whole row instead of one slot would lose one of them.
    for round in 1..=8 {
        let (customer, case) = tokio::join!(
            fixture.service.link(account(round), id, LinkPolicy::default(), options()),
            other.link(incident(round), id, LinkPolicy::default(), options()),
        );
        customer.unwrap();
        case.unwrap();
        assert_eq!(fixture.links(), (Some(account(round)), Some(incident(round))));
    }
    // Both replace the customer: each reports what it replaced, and together the reports form one chain.
    let rivals = [contact(1), contact(2)];
    let (one, two) = tokio::join!(
        fixture.service.link(rivals[0], id, LinkPolicy::default(), options()),
        other.link(rivals[1], id, LinkPolicy::default(), options()),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    let (first, second) = if one.previous == Some(account(8)) { (one, two) } else { (two, one) };
    assert_eq!(first.previous, Some(account(8)));
    assert_eq!(second.previous, Some(first.record));
    assert_eq!(fixture.links().0, Some(second.record));
}

async fn a_call_without_a_conversation_is_an_error(fixture: StoreFixture) {
    let error =
        fixture.service.link(account(1), None, LinkPolicy::default(), CallOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::NoFocusedConversation);
    let error = fixture.service.unlink(account(1), None, CallOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::NoFocusedConversation);
}

async fn a_closed_client_rejects_calls_and_can_be_closed_again(fixture: StoreFixture) {
    link(&fixture, account(1)).await.unwrap();
    fixture.service.close().await.unwrap();
    fixture.service.close().await.unwrap();
    assert_eq!(link(&fixture, account(2)).await.unwrap_err().code(), Code::Closed);
    // The closed client is reported before the missing focus, as in the table.
    let error = fixture.service.unlink(account(1), None, CallOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::Closed);
    assert_eq!(fixture.links(), (Some(account(1)), None));
}

async fn closing_lets_pending_calls_finish(fixture: StoreFixture) {
    let pending = join_all([account(1), incident(1), contact(2)].map(|record| link(&fixture, record)));
    let (closed, outcomes) = tokio::join!(fixture.service.close(), pending);
    closed.unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(fixture.links(), (Some(contact(2)), Some(incident(1))));
}

async fn an_expired_call_is_a_timeout_and_the_next_one_works(fixture: StoreFixture) {
    // The embedded store is locked before the call begins. The server cannot be locked, but there the timeout ends before the first byte is sent.
    let held = fixture.hold();
    let options = CallOptions { timeout: Some(Duration::from_secs(7)), ..CallOptions::default() };
    let call = fixture.service.link(account(1), Some(conversation(CONVERSATION)), LinkPolicy::default(), options);
    fixture.clock.set_instant_sleeps(true);
    let error = call.await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Code::Timeout, true));
    assert!(error.message().contains("7000 ms"), "{error}");
    drop(held);
    fixture.clock.set_instant_sleeps(false);
    link(&fixture, incident(1)).await.unwrap();
    assert_eq!(fixture.links().1, Some(incident(1)));
}

async fn outcomes_carry_the_store_and_an_id_of_their_own(fixture: StoreFixture) {
    let (one, two) = (link(&fixture, account(1)).await.unwrap(), link(&fixture, account(2)).await.unwrap());
    assert_eq!(one.store, fixture.name());
    assert_ne!(one.request_id, two.request_id);
    let error = link(&fixture, account(99)).await.unwrap_err();
    assert_eq!(error.details().store, Some(fixture.name()));
    assert_eq!(error.details().request_id.as_deref().map(str::len), Some(36));
}
