//! The connections to one server that wait for a request.

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Sender};
use crate::sync::lock;

/// Idle connections are closed before load balancers or routers drop them silently.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_IDLE: usize = 64;

#[derive(Default)]
pub(super) struct Pool(Mutex<Idle>);

#[derive(Default)]
struct Idle {
    /// With the times until which they are used. The one used last comes last, and is used first, so that the others can expire.
    connections: Vec<(Connection, Instant)>,
    /// Whether a task closes connections that expire.
    is_watched: bool,
}

impl Idle {
    fn close_unusable(&mut self, now: Instant) {
        self.connections.retain(|(connection, until)| now < *until && !connection.sender.is_closed());
    }
}

impl Pool {
    /// A connection that can be used now. A shared one stays in the pool.
    pub(super) fn take(&self) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = lock(&self.0);
        idle.close_unusable(now);
        let ready = idle.connections.iter().rposition(|(connection, _)| connection.sender.is_ready())?;
        let (connection, until) = &mut idle.connections[ready];
        if let Some(sender) = connection.sender.share() {
            *until = now + IDLE_TIMEOUT;
            return Some(Connection::new(sender));
        }
        Some(idle.connections.remove(ready).0)
    }

    /// Lets other requests use this new connection at the same time, if it is one of HTTP/2. If several were opened at once, one of them
    /// is used for all. Returns the connection to use, and whether it is an older one.
    pub(super) fn share(self: &Arc<Self>, opened: Connection) -> (Connection, bool) {
        let Some(sender) = opened.sender.share() else { return (opened, false) };
        if let Some(older) = self.take() {
            return (older, true);
        }
        self.keep(opened);
        (Connection::new(sender), false)
    }

    /// Takes back a connection whose response is complete.
    pub(super) fn put(self: &Arc<Self>, connection: Connection) {
        if matches!(connection.sender, Sender::Http1(_)) {
            self.keep(connection);
        }
    }

    fn keep(self: &Arc<Self>, connection: Connection) {
        let now = Instant::now();
        let mut idle = lock(&self.0);
        if idle.connections.len() >= MAX_IDLE {
            idle.close_unusable(now);
        }
        if idle.connections.len() >= MAX_IDLE || connection.sender.is_closed() {
            return;
        }
        idle.connections.push((connection, now + IDLE_TIMEOUT));
        if !std::mem::replace(&mut idle.is_watched, true) {
            tokio::spawn(close_expired(Arc::downgrade(self)));
        }
    }
}

/// Ends when no connection is left.
async fn close_expired(pool: Weak<Pool>) {
    loop {
        sleep_until(Instant::now() + IDLE_TIMEOUT).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = lock(&pool.0);
        idle.close_unusable(Instant::now());
        if idle.connections.is_empty() {
            idle.is_watched = false;
            return;
        }
    }
}
