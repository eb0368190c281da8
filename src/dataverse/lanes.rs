//! Queues of calls: calls on one conversation run one after the other, in call order; calls on different
//! conversations do not wait for each other.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
};

use tokio::sync::OwnedMutexGuard;

use crate::{domain::ConversationId, sync::lock};

type Lane = tokio::sync::Mutex<()>;

/// One lane for each conversation that has calls.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<ConversationId, Weak<Lane>>>);

/// Number of lanes at which unused ones are removed, and again whenever the map has doubled.
const SWEEP_AT: usize = 1_024;

/// The right to work on a conversation. Dropping it lets the next call run.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Lanes {
    /// Queues in the conversation's lane immediately. The future completes when it is the call's turn; dropping it leaves the lane.
    pub(super) fn line_up(&self, id: ConversationId) -> impl Future<Output = Turn> + Send + use<> {
        let mut waiting: Pin<Box<dyn Future<Output = Turn> + Send>> = Box::pin(self.lane(id).lock_owned());
        // Tokio's mutex is fair, and the first poll takes the place in its queue. So it is polled here, not when a scheduler gets to it.
        let first = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        async move {
            match first {
                Poll::Ready(turn) => turn,
                Poll::Pending => waiting.await,
            }
        }
    }

    fn lane(&self, id: ConversationId) -> Arc<Lane> {
        let mut lanes = lock(&self.0);
        if let Some(lane) = lanes.get(&id).and_then(Weak::upgrade) {
            return lane;
        }
        if lanes.len() >= SWEEP_AT && lanes.len() == lanes.capacity() {
            lanes.retain(|_, lane| lane.strong_count() > 0);
        }
        let lane = Arc::new(Lane::default());
        lanes.insert(id, Arc::downgrade(&lane));
        lane
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn id(number: u128) -> ConversationId {
        number.to_be_bytes().into()
    }

    #[test]
    fn turns_come_in_call_order_in_whatever_order_they_are_polled() {
        let lanes = Lanes::default();
        let first = lanes.line_up(id(1));
        let mut second = Box::pin(lanes.line_up(id(1)));
        let mut third = Box::pin(lanes.line_up(id(1)));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        drop(first.now_or_never().expect("the lane was empty"));
        assert!(third.as_mut().now_or_never().is_none(), "the second is first in line");
        drop(second.now_or_never().expect("its turn"));
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn leaving_the_lane_lets_the_next_one_move_up_but_not_past_the_first() {
        let lanes = Lanes::default();
        let first = lanes.line_up(id(1)).now_or_never().unwrap();
        let second = lanes.line_up(id(1));
        let mut third = Box::pin(lanes.line_up(id(1)));
        drop(second);
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn other_conversations_do_not_wait_and_unused_lanes_are_removed() {
        let lanes = Lanes::default();
        let held = lanes.line_up(id(0)).now_or_never().unwrap();
        for number in 1..100_000 {
            drop(lanes.line_up(id(number)).now_or_never().expect("the lane is empty"));
        }
        assert!(lanes.0.lock().unwrap().len() <= 4 * SWEEP_AT);
        assert!(lanes.line_up(id(0)).now_or_never().is_none(), "a lane in use is kept");
        drop(held);
    }
}
