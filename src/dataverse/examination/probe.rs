//! The probe: asks a live environment what Microsoft does not document (`dataverse-wire.md` 11), on one conversation.
//!
//! Every write is made on the version that the probe itself saw last, and the row is read after each. Whatever ends the
//! experiments, the conversation's customer is put back afterwards; its case is never touched.

mod experiments;
mod restoration;

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use self::{experiments::Experiments, restoration::restore};
use super::{Asker, Notes};
use crate::{
    dataverse::{Shared, lanes::Turn},
    domain::{Call, Check, CheckName, ConversationId, Finding},
    error::LinkError,
    http::ReqwestService,
};

/// What is tried, in this order; `Restored` comes after it, whatever happens.
const EXPERIMENTS: [CheckName; 14] = [
    CheckName::ProbeConversation,
    CheckName::ProbeHttpVersion,
    CheckName::ProbeInactive,
    CheckName::ProbeRepresentation,
    CheckName::ProbeNoOpWrite,
    CheckName::ProbeEtagOn204,
    CheckName::ProbeStaleVersion,
    CheckName::ProbeRefPutStale,
    CheckName::ProbeRefDeleteStale,
    CheckName::ProbeWrongTypeNull,
    CheckName::ProbeBothBinds,
    CheckName::ProbeBindNull,
    CheckName::ProbeBindNullAutoDisassociate,
    CheckName::ProbeWrongTypeBind,
];

/// Ends the experiments. Nothing more is written but what restores.
struct Stop(Finding);

impl From<LinkError> for Stop {
    /// A fault in between says nothing about the question that was asked.
    fn from(error: LinkError) -> Self {
        Self(Finding::Skipped(format!("The probe ended here. {}", error.message())))
    }
}

/// What a probe needs. It is owned, because a probe outlives whoever waits for it, to put things back.
pub(in crate::dataverse) struct Probe {
    pub(in crate::dataverse) shared: Arc<Shared>,
    pub(in crate::dataverse) inspector: Option<Arc<ReqwestService>>,
    pub(in crate::dataverse) call: Arc<Call>,
    pub(in crate::dataverse) id: ConversationId,
}

impl Probe {
    /// Probes until the end, or until it is told to stop or the call's time is nearly over, and restores.
    pub(in crate::dataverse) async fn run(
        self,
        turn: impl Future<Output = Turn>,
        alone: impl Future<Output = OwnedMutexGuard<()>>,
        stop: CancellationToken,
    ) -> Vec<Check> {
        let Self { shared, inspector, call, id } = &self;
        let mut notes = Notes { clock: &shared.clock, checks: Vec::new() };
        let Some(_turns) = stop.run_until_cancelled(async { (turn.await, alone.await) }).await else {
            return notes.checks;
        };
        let asker = Asker { shared, call };
        // Rows that links remember are about to become old.
        drop(shared.remembered.take(asker.sender().caller, *id));
        let mut experiments = match Experiments::prepare(asker, *id).await {
            Ok((experiments, finding)) => {
                notes.note(CheckName::ProbeConversation, finding);
                experiments
            }
            Err(fault) => {
                notes.note(CheckName::ProbeConversation, fault.into());
                skip_rest(&mut notes, "There is nothing to probe.");
                return notes.checks;
            }
        };
        let patience = call.deadline().map(|deadline| restoration::time_before(deadline, shared.clock.now()));
        let out_of_time = async {
            match patience {
                Some(patience) => shared.clock.sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        call.progress().sending();
        tokio::select! {
            biased;
            () = experiments.run(&mut notes, inspector.as_deref()) => {}
            () = stop.cancelled() => {}
            () = out_of_time => {}
        }
        skip_experiments(&mut notes, "The probe ended before.");
        let finding = restore(asker, experiments.into_state()).await;
        if matches!(finding, Finding::Passed(_)) {
            call.progress().not_applied();
        }
        notes.note(CheckName::Restored, finding);
        notes.checks
    }
}

/// The checks of a probe that was not begun.
pub(super) fn skip_all(notes: &mut Notes<'_>, why: &str) {
    skip_rest(notes, why);
}

fn skip_rest(notes: &mut Notes<'_>, why: &str) {
    skip_experiments(notes, why);
    notes.skip::<()>(CheckName::Restored, "Nothing was changed.");
}

fn skip_experiments(notes: &mut Notes<'_>, why: &str) {
    for name in EXPERIMENTS {
        if notes.checks.iter().all(|check| check.name != name) {
            notes.skip::<()>(name, why);
        }
    }
}
