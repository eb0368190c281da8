//! `serve` answers like Dataverse, at once and from memory. `http` and `sqlite` are limits: the work of a link in plain Rust.

mod http;
mod measure;
mod server;
mod sqlite;

use std::{env, error::Error, io};

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => server::run(),
        ["http", settings] => http::run(settings),
        ["sqlite", settings] => sqlite::run(settings),
        _ => Err(io::Error::other("expected: serve | http JSON | sqlite JSON").into()),
    }
}
