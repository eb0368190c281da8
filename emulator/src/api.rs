//! The Web API: from the URL and the body of a request to rows and back.

mod address;
mod batch;
mod condition;
pub(crate) mod context;
mod csdl;
mod fetchxml;
pub(crate) mod functions;
pub(crate) mod keys;
mod list;
mod metadata;
mod options;
mod payload;
mod query;
mod read;
mod reference;
mod render;
pub(crate) mod route;
mod shape;
mod tracking;
mod write;
