//! How many requests are under way at once: 16 at first, then as many as the server recommends, within a limit.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Until the server recommends something.
const AT_FIRST: usize = 16;
/// The degree of parallelism that the server recommends (`dataverse-wire.md` 6.1).
const RECOMMENDED: HeaderName = HeaderName::from_static("x-ms-dop-hint");

/// The slots. Whoever waits for one is admitted in order.
pub(super) struct Slots {
    free: Semaphore,
    count: Mutex<Count>,
    most: usize,
}

struct Count {
    /// As many as there shall be.
    wanted: usize,
    /// As many of those in use as are too many: they go when they are given back.
    surplus: usize,
}

/// The permission to have one request under way.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    permit: Option<SemaphorePermit<'a>>,
}

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        let wanted = AT_FIRST.min(most);
        Self { free: Semaphore::new(wanted), count: Mutex::new(Count { wanted, surplus: 0 }), most }
    }

    /// Waits for a slot.
    pub(super) async fn take(&self) -> Slot<'_> {
        // Never closed, so there is always a permit in the end.
        Slot { slots: self, permit: self.free.acquire().await.ok() }
    }

    /// Does as the answer recommends, if it does.
    pub(super) fn follow(&self, headers: &HeaderMap) {
        let recommended = headers.get(RECOMMENDED).and_then(|hint| hint.to_str().ok()?.trim().parse::<usize>().ok());
        let Some(wanted) = recommended.map(|hint| hint.clamp(1, self.most)) else { return };
        let mut count = self.lock();
        if wanted > count.wanted {
            let more = wanted - count.wanted;
            let kept = more.min(count.surplus);
            count.surplus -= kept;
            self.free.add_permits(more - kept);
        } else {
            let fewer = count.wanted - wanted;
            count.surplus += fewer - self.free.forget_permits(fewer);
        }
        count.wanted = wanted;
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut count = self.slots.lock();
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

    /// Takes all that are free.
    fn take_all(slots: &Slots) -> Vec<Slot<'_>> {
        std::iter::from_fn(|| slots.take().now_or_never()).collect()
    }

    #[test]
    fn there_are_as_many_as_recommended_within_the_limit() {
        let slots = Slots::new(48);
        assert_eq!(take_all(&slots).len(), 16);
        for (text, expected) in
            [("4", 4), ("40", 40), ("52", 48), ("many", 48), ("", 48), ("-1", 48), (" 7 ", 7), ("0", 1)]
        {
            slots.follow(&hint(text));
            assert_eq!(take_all(&slots).len(), expected, "{text}");
        }
        assert_eq!(take_all(&Slots::new(3)).len(), 3);
    }

    #[test]
    fn slots_in_use_go_when_they_are_given_back() {
        let slots = Slots::new(48);
        let mut used = take_all(&slots);
        slots.follow(&hint("10"));
        slots.follow(&hint("12"));
        used.truncate(12);
        assert!(slots.take().now_or_never().is_none(), "4 were given back, and 4 were too many");
        used.truncate(11);
        assert!(slots.take().now_or_never().is_some());
        drop(used);
        assert_eq!(take_all(&slots).len(), 12);
    }
}
