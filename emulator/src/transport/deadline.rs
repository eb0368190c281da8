//! The time that a client has for the body of its request.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
};
use http_body::Frame;
use tokio::time::Sleep;

const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The request with a body that fails when the time is over.
pub(crate) async fn limit(request: Request) -> Request {
    request.map(|body| Body::new(Deadline { body, end: None }))
}

struct Deadline {
    body: Body,
    /// From the first time that the body is not there yet.
    end: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Deadline {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        #[expect(clippy::disallowed_methods, reason = "clients are slow on the clock of the machine")]
        let end = self.end.get_or_insert_with(|| Box::pin(tokio::time::sleep(BODY_TIMEOUT)));
        end.as_mut().poll(cx).map(|()| Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
