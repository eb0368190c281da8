//! One call's dealings with the server.

use std::time::Instant;

use super::{
    Shared,
    answer::{self, Row},
    fault,
    request::{self, Sender},
};
use crate::{
    domain::{Call, CallerId, ConversationId, conversation_not_found},
    error::LinkError,
    http::{CallError, HttpRequest, HttpResponse},
};

/// Who asks, and whom.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Shared,
    pub(super) call: &'a Call,
    caller: Option<CallerId>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(shared: &'a Shared, call: &'a Call) -> Self {
        Self { shared, call, caller: call.caller().or(shared.caller) }
    }

    /// For the headers.
    pub(super) fn sender(&self) -> Sender<'a> {
        Sender { call: self.call, caller: self.caller }
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        self.shared.http.call(request).await
    }

    /// Reads the row that decisions rest on.
    pub(super) async fn row(&self, id: ConversationId) -> Result<Row, LinkError> {
        let answer = self.send(request::read(&self.shared.environment, id, self.sender())).await;
        let answer = answer.map_err(fault::unreachable)?;
        if fault::is_row_not_found(&answer) {
            return Err(conversation_not_found(id));
        }
        answer::row(&answer::success(answer)?, id)
    }

    /// Keeps a row that an answer has just shown.
    pub(super) fn remember(&self, row: Row) {
        self.shared.remembered.put(self.caller, row);
    }

    /// Keeps a row that was asked for then, unless a call that went on meanwhile has left another one.
    pub(super) fn remember_read(&self, row: Row, asked: Instant) {
        self.shared.remembered.put_if_newest(self.caller, row, asked);
    }

    /// Takes out what is remembered of a conversation.
    pub(super) fn recall(&self, id: ConversationId) -> Option<Row> {
        self.shared.remembered.take(self.caller, id)
    }
}
