//! Sends the body of a response, at once or with an injected fault.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::Frame;

use crate::state::{Release, Shared};

/// Fault of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyFault {
    Whole,
    /// Sends chunks of this many bytes.
    Trickle(usize),
    /// Hangs after this many bytes, by default half of the body, and always before the last byte.
    Hang(Option<usize>),
    /// Ends after this many bytes, by default half of the body, and always before the last byte.
    Truncate(Option<usize>),
    /// Repeats the body forever.
    Endless,
}

impl BodyFault {
    /// The body, and its length if a header must state it.
    pub(crate) fn body(self, bytes: &Bytes, shared: &Arc<Shared>) -> (Body, Option<usize>) {
        let before =
            |after: Option<usize>| bytes.slice(..after.unwrap_or(bytes.len() / 2).min(bytes.len().saturating_sub(1)));
        let mut steps = VecDeque::new();
        match self {
            BodyFault::Whole => return (Body::from(bytes.clone()), None),
            BodyFault::Trickle(at_once) => {
                for start in (0..bytes.len()).step_by(at_once) {
                    steps.push_back(Step::Send(bytes.slice(start..(start + at_once).min(bytes.len()))));
                    steps.push_back(Step::flush());
                }
            }
            BodyFault::Hang(after) => {
                let first = before(after);
                let rest = bytes.slice(first.len()..);
                steps.extend([Step::Send(first), Step::flush(), Step::hang(shared), Step::Send(rest)]);
            }
            BodyFault::Truncate(after) => {
                steps.extend([Step::Send(before(after)), Step::flush(), Step::Fail]);
            }
            BodyFault::Endless => {
                let chunk = if bytes.is_empty() { Bytes::from_static(b" ") } else { bytes.clone() };
                let again = chunk.repeat(16 * 1024 / chunk.len() + 1).into();
                return (Body::new(Endless { chunk: again, shared: Arc::clone(shared) }), None);
            }
        }
        (Body::new(Steps(steps)), Some(bytes.len()))
    }
}

enum Step {
    Send(Bytes),
    /// Flushes the bytes sent so far, and lets a client on the same runtime read them: Tokio polls its sockets first.
    Flush(Pin<Box<dyn Future<Output = ()> + Send>>),
    Hang(Pin<Box<dyn Future<Output = Release> + Send>>),
    Fail,
}

impl Step {
    fn flush() -> Self {
        Step::Flush(Box::pin(tokio::task::yield_now()))
    }

    fn hang(shared: &Arc<Shared>) -> Self {
        let shared = Arc::clone(shared);
        Step::Hang(Box::pin(async move { shared.gate.wait().await }))
    }
}

/// A body that performs one step after another. It has no length of its own, so that a header can state another one.
struct Steps(VecDeque<Step>);

impl http_body::Body for Steps {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let cut = || Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        loop {
            match self.0.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Send(bytes)) if bytes.is_empty() => {}
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Flush(mut yielding)) => {
                    if yielding.as_mut().poll(cx).is_pending() {
                        self.0.push_front(Step::Flush(yielding));
                        return Poll::Pending;
                    }
                }
                Some(Step::Hang(mut release)) => match release.as_mut().poll(cx) {
                    Poll::Ready(Release::Continue) => {}
                    Poll::Ready(Release::Disconnect | Release::Stop) => return cut(),
                    Poll::Pending => {
                        self.0.push_front(Step::Hang(release));
                        return Poll::Pending;
                    }
                },
                Some(Step::Fail) => return cut(),
            }
        }
    }
}

struct Endless {
    chunk: Bytes,
    shared: Arc<Shared>,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.shared.gate.has_ended() {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }
}
