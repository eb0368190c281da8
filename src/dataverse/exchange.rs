//! One call's dealings with the server.

use std::sync::Arc;

use super::{Shared, answer::Row, request::Sender};
use crate::{
    domain::{Call, CallerId, ConversationId},
    http::{AuthorizedResponse, CallError, HttpRequest},
};

/// Who asks, and whom.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) call: &'a Call,
    caller: Option<CallerId>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, call: &'a Call) -> Self {
        Self { shared, call, caller: call.caller().or(shared.caller) }
    }

    /// For the headers.
    pub(super) fn sender(&self) -> Sender<'_> {
        Sender { call: self.call, caller: self.caller }
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<AuthorizedResponse, CallError> {
        self.shared.http.call(request).await
    }

    /// Keeps a row that an answer has just shown.
    pub(super) fn remember(&self, row: Row) {
        self.shared.remembered.put(self.caller, row);
    }

    /// Takes out what is remembered of a conversation.
    pub(super) fn recall(&self, id: ConversationId) -> Option<Row> {
        self.shared.remembered.take(self.caller, id)
    }
}
