//! Progress of a call's write: whether it may have been applied, and the id of the server's last response.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use uuid::Uuid;

use crate::sync::lock;

/// Shared by a call and the layers that send its requests, so that it can still be read after the call was cancelled.
#[derive(Debug, Default)]
pub struct Progress {
    is_sent: AtomicBool,
    service_request_id: Arc<Mutex<Option<Uuid>>>,
}

impl Progress {
    /// Progress of a request that does not change whether the call's write may have been applied: a read, or another write while the first
    /// one is in doubt. Ids of its responses are recorded for the call.
    #[must_use]
    pub fn separate(&self) -> Arc<Self> {
        Arc::new(Self { is_sent: AtomicBool::default(), service_request_id: Arc::clone(&self.service_request_id) })
    }

    /// Records that from now on the write may take effect, even if the call is cancelled.
    pub fn sending(&self) {
        self.is_sent.store(true, Ordering::SeqCst);
    }

    /// Records that the write provably had no effect.
    pub fn not_applied(&self) {
        self.is_sent.store(false, Ordering::SeqCst);
    }

    /// Whether a call that ends now may have taken effect.
    #[must_use]
    pub fn maybe_applied(&self) -> bool {
        self.is_sent.load(Ordering::SeqCst)
    }

    /// Records the id of a response, even if the request is sent again afterwards.
    pub fn responded(&self, id: Uuid) {
        *lock(&self.service_request_id) = Some(id);
    }

    /// Id of the last response, which the server's operators can look up.
    #[must_use]
    pub fn service_request_id(&self) -> Option<Uuid> {
        *lock(&self.service_request_id)
    }
}
