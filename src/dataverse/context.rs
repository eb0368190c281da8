//! Shared state of a client, and the context of the requests of one call.

use std::{sync::Arc, time::Instant};

use super::{environment::EnvironmentUrl, error, headers::CommonHeaders, remembered::RememberedRows, response::Row};
use crate::{
    clock::SharedClock,
    domain::{Call, CallerId, ConversationId},
    error::LinkError,
    http::{AuthorizedHttp, HttpRequest, HttpResponse, RetryBudget},
};

/// Protection of a write against other writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concurrency {
    /// The write depends on the version of the row that was decided on. No change of another writer is ever lost.
    #[default]
    CompareAndSwap,
    /// None, for tables without optimistic concurrency: the row is read, then written if it exists. A change that another writer
    /// makes in between is overwritten.
    ReadCheckWrite,
}

/// State that all calls of one client share.
pub(super) struct Shared {
    pub(super) environment: EnvironmentUrl,
    pub(super) headers: CommonHeaders,
    pub(super) http: AuthorizedHttp,
    pub(super) budget: Arc<RetryBudget>,
    pub(super) remembered: RememberedRows,
    pub(super) concurrency: Concurrency,
    pub(super) caller: Option<CallerId>,
    pub(super) clock: SharedClock,
}

/// A call, and the client that makes it.
#[derive(Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) shared: &'a Shared,
    pub(super) call: &'a Call,
}

impl RequestContext<'_> {
    /// The impersonated user, if any.
    pub(super) fn caller(&self) -> Option<CallerId> {
        self.call.caller().or(self.shared.caller)
    }

    /// Sends a request. The response may have any status.
    pub(super) async fn send(&self, request: &mut HttpRequest) -> Result<HttpResponse, LinkError> {
        self.shared.http.call(request).await.map_err(error::no_response)
    }

    /// Caches a row from the response that has just arrived.
    pub(super) fn remember(&self, row: Row) {
        self.shared.remembered.put(self.caller(), row);
    }

    /// Caches a row that was requested at `asked`, unless a call that completed since has cached another one.
    pub(super) fn remember_read(&self, row: Row, asked: Instant) {
        self.shared.remembered.put_if_newest(self.caller(), row, asked);
    }

    pub(super) fn recall(&self, id: ConversationId) -> Option<Row> {
        self.shared.remembered.take(self.caller(), id)
    }
}
