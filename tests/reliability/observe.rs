//! One call with injected faults: its outcome, its requests, and the row afterwards.

use std::time::Duration;

use omnichannel_link::{
    domain::{CallOptions, LinkPolicy, RecordReference},
    error::LinkError,
};
use omnichannel_link_emulator::LoggedRequest;

use crate::{
    cases::{Case, Way},
    fixture::{Fixture, State, previous, record},
    network::{Ending, Seen},
    support::{CONVERSATION, conversation},
};

/// The call to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Into an empty slot.
    Link,
    /// Into a slot that holds another record.
    Replace,
    /// By a client without a cached row.
    Unlink,
    /// By a client that has just linked the record, so that its row is cached.
    WarmUnlink,
    /// Into a slot that holds another record, by a client that has just linked that one, so that the row is cached.
    WarmReplace,
    /// By a client that has just linked the same record.
    Again,
}

impl Call {
    pub(crate) const ALL: [Self; 6] =
        [Self::Link, Self::Replace, Self::WarmReplace, Self::Unlink, Self::WarmUnlink, Self::Again];

    pub(crate) fn is_link(self) -> bool {
        matches!(self, Self::Link | Self::Replace | Self::WarmReplace | Self::Again)
    }

    /// Whether the client has the row cached.
    pub(crate) fn is_warm(self) -> bool {
        matches!(self, Self::WarmReplace | Self::WarmUnlink | Self::Again)
    }

    /// Whether the case can occur in this call.
    pub(crate) fn applies_to(self, case: &Case) -> bool {
        // A client that does not read first would change which request a counting rule hits.
        let counts_reads = case.faults.to_string().contains("nth");
        let is_warm_possible = !counts_reads && case.checks_versions;
        match self {
            Self::WarmReplace => is_warm_possible && is_reachable(case.way),
            Self::WarmUnlink => is_warm_possible && case.record_exists && is_reachable(case.way),
            // It never writes.
            Self::Again => is_warm_possible && case.record_exists && case.way == Way::Direct,
            Self::Link | Self::Replace | Self::Unlink => true,
        }
    }

    fn held_before(self) -> Option<RecordReference> {
        match self {
            Self::Link | Self::WarmReplace | Self::WarmUnlink | Self::Again => None,
            Self::Replace => Some(previous()),
            Self::Unlink => Some(record()),
        }
    }
}

fn is_reachable(way: Way) -> bool {
    !matches!(way, Way::Refused | Way::Nameless | Way::Distrusted)
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The status of the outcome, and the replaced record.
    Done(&'static str, Option<RecordReference>),
    Failed(LinkError),
}

#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) call: Call,
    pub(crate) end: End,
    /// The id of the call, if it was reported.
    pub(crate) request_id: Option<String>,
    pub(crate) before: State,
    pub(crate) after: State,
    /// Writes during the call, by any writer.
    pub(crate) writes: u64,
    /// As the client recorded it.
    pub(crate) seen: Seen,
    /// As the server recorded it.
    pub(crate) log: Vec<LoggedRequest>,
    pub(crate) took: Duration,
    pub(crate) secrets: [String; 2],
}

impl Observation {
    pub(crate) async fn of(case: &Case, call: Call) -> Self {
        let mut fixture = Fixture::new(case, call.held_before()).await;
        let id = Some(conversation(CONVERSATION));
        if call.is_warm() {
            let first = if call == Call::WarmReplace { previous() } else { record() };
            let linked = fixture.service.link(first, id, LinkPolicy::default(), CallOptions::default());
            fixture.settled(linked).await.unwrap();
        }
        if let Some(relay) = &mut fixture.relay {
            match case.way {
                Way::Late => relay.deliver_late(false),
                Way::Last => relay.deliver_late(true),
                _ => relay.leave_after(usize::from(!call.is_warm())).await,
            }
        }
        fixture.inject_faults(case);
        let (before, writes, start) = (fixture.state(), fixture.count_writes(), fixture.clock.elapsed());
        let (end, request_id) = if call.is_link() {
            let linked = fixture.service.link(record(), id, LinkPolicy::default(), CallOptions::default());
            match fixture.settled(linked).await {
                Ok(done) => (End::Done(done.status.as_str(), done.previous), Some(done.request_id.to_string())),
                Err(error) => failed(error),
            }
        } else {
            match fixture.settled(fixture.service.unlink(record(), id, CallOptions::default())).await {
                Ok(done) => (End::Done("unlinked", None), Some(done.request_id.to_string())),
                Err(error) => failed(error),
            }
        };
        Self {
            call,
            end,
            request_id,
            before,
            after: fixture.state(),
            // Counting itself writes once.
            writes: fixture.count_writes() - writes - 1,
            seen: fixture.network.seen(),
            log: fixture.requests(),
            took: fixture.clock.elapsed().saturating_sub(start),
            secrets: fixture.secrets(),
        }
    }

    /// Whether any fault occurred.
    pub(crate) fn is_faulty(&self) -> bool {
        let is_fine = |ending| matches!(ending, Ending::Answered(200..=299));
        self.log.iter().any(|request| request.fault.is_some())
            || self.seen.exchanges.iter().any(|exchange| !is_fine(exchange.ending))
    }

    pub(crate) fn maybe_applied(&self) -> bool {
        matches!(&self.end, End::Failed(error) if error.details().maybe_applied)
    }
}

fn failed(error: LinkError) -> (End, Option<String>) {
    let id = error.details().request_id.clone();
    (End::Failed(error), id)
}
