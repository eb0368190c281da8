//! Limits the requests in flight: few at first, one more per round trip while all are in use, fewer after a throttled request, and
//! never more than the server recommends or the options allow.

use std::sync::Mutex;

use http::{HeaderMap, HeaderName};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::sync::lock;

/// Slots at first: a server with a low limit throttles few of the first burst.
const INITIAL: f64 = 4.0;
/// Share that is left after a throttled request.
const DECREASE: f64 = 0.7;
/// Degree of parallelism that the server recommends.
const RECOMMENDED: HeaderName = HeaderName::from_static("x-ms-dop-hint");

/// Slots are given out in the order of `take`.
pub(super) struct Slots {
    free: Semaphore,
    count: Mutex<Count>,
    max: usize,
}

struct Count {
    /// Number of slots that the server seems to accept, with a fraction.
    window: f64,
    cap: usize,
    /// Slots to give out: the window, rounded down and within its limits.
    total: usize,
    /// Slots in use beyond `total`. They are removed when returned.
    surplus: usize,
}

/// Permission to have one request in flight.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    permit: Option<SemaphorePermit<'a>>,
}

impl Slots {
    pub(super) fn new(max: usize) -> Self {
        let mut count = Count { window: INITIAL, cap: max, total: 0, surplus: 0 };
        count.total = count.target();
        Self { free: Semaphore::new(count.total), count: Mutex::new(count), max }
    }

    pub(super) async fn take(&self) -> Slot<'_> {
        // The semaphore is never closed, so this always gets a permit.
        Slot { slots: self, permit: self.free.acquire().await.ok() }
    }

    /// Uses the response's recommendation, if any, as the upper limit.
    pub(super) fn follow(&self, headers: &HeaderMap) {
        let hints =
            headers.get_all(RECOMMENDED).iter().filter_map(|hint| hint.to_str().ok()?.trim().parse::<f64>().ok());
        let Some(hint) = hints.filter(|hint| *hint >= 0.0).reduce(f64::min) else { return };
        let cap = whole(hint.min(as_f64(self.max)));
        let mut count = lock(&self.count);
        count.cap = cap;
        self.resize(&mut count);
    }

    /// The server accepted a request. While all slots are in use, this adds one per round trip.
    pub(super) fn grow(&self) {
        if self.free.available_permits() > 0 {
            return;
        }
        let mut count = lock(&self.count);
        count.window = (count.window + 1.0 / count.window).min(as_f64(count.cap));
        self.resize(&mut count);
    }

    pub(super) fn total(&self) -> u32 {
        u32::try_from(lock(&self.count).total).unwrap_or(u32::MAX)
    }

    /// The server throttled a request.
    pub(super) fn shrink(&self) {
        let mut count = lock(&self.count);
        count.window = (count.window.min(as_f64(count.cap)) * DECREASE).max(1.0);
        self.resize(&mut count);
    }

    fn resize(&self, count: &mut Count) {
        let target = count.target();
        if target > count.total {
            let more = target - count.total;
            let kept = more.min(count.surplus);
            count.surplus -= kept;
            self.free.add_permits(more - kept);
        } else if target < count.total {
            let fewer = count.total - target;
            count.surplus += fewer - self.free.forget_permits(fewer);
        }
        count.total = target;
    }
}

impl Count {
    fn target(&self) -> usize {
        whole(self.window.min(as_f64(self.cap)))
    }
}

/// Rounds down, to at least one slot.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and a client's options limit it"
)]
fn whole(slots: f64) -> usize {
    (slots as usize).max(1)
}

/// Exact, because no client has more than `u32::MAX` slots.
fn as_f64(slots: usize) -> f64 {
    u32::try_from(slots).map_or(f64::MAX, f64::from)
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut count = lock(&self.slots.count);
        if count.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            count.surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn hint(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(RECOMMENDED, text.parse().unwrap())])
    }

    fn take_all(slots: &Slots) -> Vec<Slot<'_>> {
        std::iter::from_fn(|| slots.take().now_or_never()).collect()
    }

    fn grow(slots: &Slots) {
        for _ in 0..2_000 {
            let _used = take_all(slots);
            slots.grow();
        }
    }

    #[test]
    fn there_are_no_more_slots_than_recommended_or_allowed() {
        let slots = Slots::new(48);
        assert_eq!(take_all(&slots).len(), 4);
        for (text, expected) in [
            ("4", 4),
            ("40", 40),
            ("52", 48),
            ("many", 48),
            ("", 48),
            ("-1", 48),
            (" 7 ", 7),
            ("9.0", 9),
            ("NaN", 9),
            ("0", 1),
        ] {
            slots.follow(&hint(text));
            grow(&slots);
            assert_eq!(take_all(&slots).len(), expected, "{text}");
        }
        assert_eq!(take_all(&Slots::new(3)).len(), 3);
    }

    #[test]
    fn a_round_trip_with_all_slots_in_use_adds_one_and_throttling_removes_some() {
        let slots = Slots::new(48);
        let used = take_all(&slots);
        (0..5).for_each(|_| slots.grow());
        drop(used);
        assert_eq!(take_all(&slots).len(), 5);
        (0..100).for_each(|_| slots.grow());
        assert_eq!(take_all(&slots).len(), 5, "not all were in use");
        assert_eq!(slots.total(), 5);
        slots.shrink();
        assert_eq!(take_all(&slots).len(), 3);
        (0..9).for_each(|_| slots.shrink());
        assert_eq!(take_all(&slots).len(), 1);
    }

    #[test]
    fn surplus_slots_are_removed_when_returned() {
        let slots = Slots::new(48);
        grow(&slots);
        let mut used = take_all(&slots);
        assert_eq!(used.len(), 48);
        slots.follow(&hint("10"));
        slots.follow(&hint("12"));
        used.truncate(12);
        assert!(slots.take().now_or_never().is_none(), "the returned ones were surplus");
        used.truncate(11);
        assert!(slots.take().now_or_never().is_some());
        drop(used);
        let left = take_all(&slots).len();
        assert!((10..=12).contains(&left), "{left}");
    }
}
