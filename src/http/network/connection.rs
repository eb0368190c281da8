//! One HTTP connection to a server. A task of its own reads and writes until the connection ends.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    connector::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, Stream},
    failure::SendError,
};

/// The right to send on a connection. Dropping the last one closes the connection.
pub(super) enum Sender {
    /// One request at a time.
    Http1(http1::SendRequest<Full<Bytes>>),
    /// Shared by all requests.
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Whether a request can be sent now.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_ready(),
            Self::Http2(sender) => sender.is_ready(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// The same right for another request.
    pub(super) fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }
}

pub(super) struct Connection {
    pub(super) sender: Sender,
    /// Ends when the server has been silent for too long. Kept with the connection, because moving a timer on is cheaper than starting
    /// one.
    silence: Pin<Box<Sleep>>,
}

impl Connection {
    pub(super) fn new(sender: Sender) -> Self {
        Self { sender, silence: Box::pin(sleep_until(Instant::now())) }
    }

    pub(super) async fn open(stream: Stream, is_http2: bool) -> hyper::Result<Self> {
        let io = TokioIo::new(stream);
        let sender = if is_http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new());
            builder.keep_alive_interval(KEEPALIVE_INTERVAL).keep_alive_timeout(KEEPALIVE_TIMEOUT);
            let (sender, connection) = builder.handshake(io).await?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            // In one piece: to copy a short body behind the head is cheaper than a system call with two buffers.
            let (sender, connection) = http1::Builder::new().writev(false).handshake(io).await?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        Ok(Self::new(sender))
    }

    /// Sends a request and waits for the head of the response.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        until: Instant,
    ) -> Result<Response<Incoming>, SendError> {
        self.silence.as_mut().reset(until);
        let response = async {
            match &mut self.sender {
                Sender::Http1(sender) => sender.try_send_request(request).await,
                Sender::Http2(sender) => sender.try_send_request(request).await,
            }
        };
        tokio::select! {
            biased;
            response = response => response.map_err(|error| match error.message() {
                // Given back, so no byte of it was sent.
                Some(_) => SendError::NotSent(error.into_error()),
                None => SendError::Lost(error.into_error()),
            }),
            () = &mut self.silence => Err(SendError::Silent),
        }
    }

    /// The next part of a body. `None` at its end.
    pub(super) async fn read(&mut self, body: &mut Incoming, timeout: Duration) -> Result<Option<Bytes>, SendError> {
        while !body.is_end_stream() {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = &mut self.silence => return Err(SendError::Silent),
            };
            let Some(frame) = frame else { break };
            self.silence.as_mut().reset(Instant::now() + timeout);
            // Anything else is a trailer.
            if let Ok(part) = frame.map_err(SendError::Lost)?.into_data() {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }
}
