//! Putting things back: after the experiments, after a failure, after nobody waits any more.

use std::time::{Duration, Instant};

use super::experiments::{State, body, holds, patch};
use crate::{
    clock,
    dataverse::{examination::Asker, exchange::Exchange, fault},
    domain::{Call, CallOptions, Finding},
    error::{Code, LinkError},
};

/// How long restoring may take, whatever the call's own time.
const TIME: Duration = Duration::from_secs(10);
/// Other writers and lost answers may get in the way so often.
const MAX_ATTEMPTS: u32 = 6;
/// The longest pause before the second attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(100);

/// How long experiments may go on, so that there is time to restore before the deadline.
pub(super) fn time_before(deadline: Instant, now: Instant) -> Duration {
    let left = deadline.saturating_duration_since(now);
    left.saturating_sub(TIME.min(left / 3))
}

/// Has the conversation hold the customer that it held before, unless that is another writer's business by now.
pub(super) async fn restore(asker: Asker<'_>, state: State) -> Finding {
    let Asker { shared, call } = asker;
    let options =
        CallOptions { caller: call.caller(), traceparent: call.traceparent().cloned(), ..CallOptions::default() };
    // The call's own deadline may be over.
    let own = Call::new(call.request_id(), Some(shared.clock.now() + TIME), options);
    let before = holds(state.original.conversation.customer);
    let restored = tokio::select! {
        biased;
        restored = attempts(Asker { shared, call: &own }, state) => restored,
        () = shared.clock.sleep(TIME) => Err(LinkError::new(Code::Timeout, "The server did not answer in time.")),
    };
    restored.unwrap_or_else(|fault| Finding::Failed {
        found: format!("The customer could not be put back. {}", fault.message()),
        fix: format!("Look at the conversation, and see to it that it {before}, as before the probe."),
        code: fault.code(),
    })
}

async fn attempts(asker: Asker<'_>, mut state: State) -> Result<Finding, LinkError> {
    let exchange = Exchange::new(asker.shared, asker.call);
    let mut failure = LinkError::new(Code::Conflict, "Other writers changed the conversation at every attempt.");
    for attempt in 0..MAX_ATTEMPTS {
        if attempt > 0 {
            let pause = clock::jitter(&*asker.shared.clock, PAUSE * 2_u32.pow(attempt));
            asker.shared.clock.sleep(pause).await;
        }
        let now = match exchange.row(state.id).await {
            Ok(now) => now,
            Err(fault) => {
                failure = fault;
                continue;
            }
        };
        if !state.explains(&now) {
            return Ok(Finding::Failed {
                found: format!(
                    "Another writer changed what the conversation is linked to: it {}. That was left alone. Before the probe it {}.",
                    holds(now.conversation.customer),
                    holds(state.original.conversation.customer),
                ),
                fix: "Nothing, if what is linked now is right; otherwise link what was there before.".into(),
                code: Code::Conflict,
            });
        }
        let original = state.original.conversation.customer;
        // A write that may still be on its way is made void by a new version.
        if now.conversation.customer == original && !state.in_doubt {
            return Ok(Finding::Passed(format!("The conversation {}, as before the probe.", holds(original))));
        }
        let request = patch(asker, state.id, &now.etag, &body(original, now.conversation.customer), false);
        match asker.send(request).await {
            // Read once more, to be sure.
            Ok(answer) if answer.status.is_success() => state.in_doubt = false,
            Ok(answer) => failure = fault::explain(&answer),
            Err(fault) => failure = fault,
        }
    }
    Err(failure)
}
