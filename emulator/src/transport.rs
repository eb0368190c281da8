//! Connections, and the exchange of requests and responses on them.

mod body_faults;
mod common_headers;
mod connection;
mod deadline;
mod exchange;
pub(crate) mod server;
mod tls;
