//! Connections, and the exchange of requests and responses on them.

mod body_faults;
mod connection;
mod exchange;
pub(crate) mod server;
mod tls;
