//! One call while something goes wrong: what it ended with, what was sent, and what is there afterwards.

use std::time::Duration;

use omnichannel_link::{
    domain::{CallOptions, LinkPolicy, RecordReference},
    error::LinkError,
};
use omnichannel_link_emulator::LoggedRequest;

use crate::{
    cases::{Case, Way},
    network::{Ending, Seen},
    support::{CONVERSATION, conversation},
    world::{State, World, previous, record},
};

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Into an empty slot.
    Link,
    /// Into a slot that holds another record.
    Replace,
    /// By a client that has not seen the conversation.
    Unlink,
    /// By a client that has just linked the record, and remembers the row.
    WarmUnlink,
    /// Into a slot that holds another record, by a client that has just linked that one, and remembers the row.
    WarmReplace,
    /// By a client that has just linked the record, and links it once more.
    Again,
}

impl Call {
    pub(crate) const ALL: [Self; 6] =
        [Self::Link, Self::Replace, Self::WarmReplace, Self::Unlink, Self::WarmUnlink, Self::Again];

    pub(crate) fn is_link(self) -> bool {
        matches!(self, Self::Link | Self::Replace | Self::WarmReplace | Self::Again)
    }

    /// Whether the client remembers the row.
    pub(crate) fn is_warm(self) -> bool {
        matches!(self, Self::WarmReplace | Self::WarmUnlink | Self::Again)
    }

    /// Whether it makes sense here.
    pub(crate) fn applies_to(self, case: &Case) -> bool {
        // A client that need not read meets another of the requests that a rule counts.
        let counts_reads = case.faults.to_string().contains("nth");
        let is_warm_possible = !counts_reads && case.checks_versions;
        match self {
            Self::WarmReplace => is_warm_possible && is_reachable(case.way),
            Self::WarmUnlink => is_warm_possible && case.record_exists && is_reachable(case.way),
            // It never comes to a write.
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

/// What a call ended with.
#[derive(Debug)]
pub(crate) enum End {
    /// The outcome's word, and what was replaced.
    Done(&'static str, Option<RecordReference>),
    Failed(LinkError),
}

#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) call: Call,
    pub(crate) end: End,
    /// The id of the call, if it told.
    pub(crate) request_id: Option<String>,
    pub(crate) before: State,
    pub(crate) after: State,
    /// Rows that were written meanwhile, by whomever.
    pub(crate) writes: u64,
    /// By the client's account.
    pub(crate) seen: Seen,
    /// By the server's.
    pub(crate) log: Vec<LoggedRequest>,
    pub(crate) took: Duration,
    pub(crate) secrets: [String; 2],
}

impl Observation {
    pub(crate) async fn of(case: &Case, call: Call) -> Self {
        let mut world = World::new(case, call.held_before()).await;
        let id = Some(conversation(CONVERSATION));
        if call.is_warm() {
            let first = if call == Call::WarmReplace { previous() } else { record() };
            let linked = world.service.link(first, id, LinkPolicy::default(), CallOptions::default());
            world.settled(linked).await.unwrap();
        }
        if let Some(relay) = &mut world.relay {
            match case.way {
                Way::Late => relay.deliver_late(false),
                Way::Last => relay.deliver_late(true),
                _ => relay.leave_after(usize::from(!call.is_warm())).await,
            }
        }
        world.let_go_wrong(case);
        let (before, writes, start) = (world.state(), world.count_writes(), world.clock.elapsed());
        let (end, request_id) = if call.is_link() {
            let linked = world.service.link(record(), id, LinkPolicy::default(), CallOptions::default());
            match world.settled(linked).await {
                Ok(done) => (End::Done(done.status.as_str(), done.previous), Some(done.request_id.to_string())),
                Err(error) => failed(error),
            }
        } else {
            match world.settled(world.service.unlink(record(), id, CallOptions::default())).await {
                Ok(done) => (End::Done("unlinked", None), Some(done.request_id.to_string())),
                Err(error) => failed(error),
            }
        };
        Self {
            call,
            end,
            request_id,
            before,
            after: world.state(),
            // Counting is a write as well.
            writes: world.count_writes() - writes - 1,
            seen: world.network.seen(),
            log: world.requests(),
            took: world.clock.elapsed().saturating_sub(start),
            secrets: world.secrets(),
        }
    }

    /// Whether anything went wrong at all.
    pub(crate) fn met_the_fault(&self) -> bool {
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
