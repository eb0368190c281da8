//! Webhooks: tell other programs of changes of rows, as an asynchronous step of Dataverse does after a write.

mod context;
mod deliver;
mod registration;

pub(crate) use deliver::{Deliveries, run};
pub(crate) use registration::Webhook;
