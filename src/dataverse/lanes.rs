//! Queues of calls: calls on one conversation run one after the other, in call order; calls on different
//! conversations do not wait for each other.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot;

use crate::{domain::ConversationId, sync::lock};

/// The calls that wait for a conversation, in call order.
type Lane = VecDeque<oneshot::Sender<Turn>>;

/// One lane for each conversation that has calls. A call that finds no lane makes an empty one, without an allocation, and waits for
/// nothing.
#[derive(Clone, Default)]
pub(super) struct Lanes(Arc<Mutex<HashMap<ConversationId, Lane>>>);

/// The right to work on a conversation. Dropping it lets the next call run.
pub(super) struct Turn {
    /// `None` if another call has it now.
    lanes: Option<Lanes>,
    id: ConversationId,
}

impl Lanes {
    /// Queues in the conversation's lane immediately. The future completes when it is the call's turn; dropping it leaves the lane.
    pub(super) fn line_up(&self, id: ConversationId) -> impl Future<Output = Turn> + Send + use<> {
        let place = match lock(&self.0).entry(id) {
            Entry::Vacant(lane) => {
                lane.insert(Lane::new());
                Ok(Turn { lanes: Some(self.clone()), id })
            }
            Entry::Occupied(mut lane) => {
                let (next, turn) = oneshot::channel();
                join(lane.get_mut(), next);
                Err(turn)
            }
        };
        async move {
            match place {
                Ok(turn) => turn,
                // A sender is not dropped before it has sent, because the lane exists until it is empty.
                Err(turn) => turn.await.unwrap_or(Turn { lanes: None, id }),
            }
        }
    }

    /// The next call that waits. Without one the lane is removed.
    fn next(&self, id: ConversationId) -> Option<oneshot::Sender<Turn>> {
        let mut lanes = lock(&self.0);
        let next = lanes.get_mut(&id)?.pop_front();
        if next.is_none() {
            lanes.remove(&id);
        }
        next
    }
}

/// Removes calls that have left, before the lane would grow.
fn join(lane: &mut Lane, next: oneshot::Sender<Turn>) {
    if lane.len() == lane.capacity() {
        lane.retain(|waiting| !waiting.is_closed());
        lane.reserve(lane.len().max(4));
    }
    lane.push_back(next);
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(lanes) = self.lanes.take() else { return };
        while let Some(next) = lanes.next(self.id) {
            match next.send(Turn { lanes: Some(lanes.clone()), id: self.id }) {
                Ok(()) => return,
                // The call has left.
                Err(mut turn) => turn.lanes = None,
            }
        }
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
        assert_eq!(lanes.0.lock().unwrap().len(), 1);
        assert!(lanes.line_up(id(0)).now_or_never().is_none(), "a lane in use is kept");
        drop(held);
        assert!(lanes.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_turn_that_reaches_a_call_as_it_leaves_is_passed_on() {
        let lanes = Lanes::default();
        let first = lanes.line_up(id(1)).now_or_never().unwrap();
        let (second, third) = (lanes.line_up(id(1)), lanes.line_up(id(1)));
        drop(first);
        drop(second);
        drop(third.now_or_never().expect("its turn"));
        assert!(lanes.0.lock().unwrap().is_empty());
    }

    #[test]
    fn calls_that_have_left_take_no_room_in_a_long_lane() {
        let lanes = Lanes::default();
        let first = lanes.line_up(id(1)).now_or_never().unwrap();
        for _ in 0..100_000 {
            drop(lanes.line_up(id(1)));
        }
        assert!(lanes.0.lock().unwrap()[&id(1)].capacity() <= 16);
        let last = lanes.line_up(id(1));
        drop(first);
        assert!(last.now_or_never().is_some());
    }
}
