//! The HTTP exchanges of a link in plain Rust: no retries, no queue, no checks but that the row holds the record.

mod clients;

use std::{rc::Rc, time::Instant};

use serde::Deserialize;
use tokio::task::{JoinSet, LocalSet};

use crate::{
    Failed,
    measure::{Meter, Times},
};
use clients::{Client, Exchange};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    client: Client,
    /// 1: PATCH with a remembered ETag. 2: GET before it.
    trips: u8,
    tls: bool,
    port: u16,
    certificate: String,
    in_flight: u64,
    first_conversation: u64,
    contacts: [String; 2],
    #[serde(flatten)]
    times: Times,
}

/// The members of a row that a link depends on.
#[derive(Deserialize)]
pub(crate) struct Row {
    #[serde(rename = "@odata.etag")]
    etag: String,
    statuscode: i32,
    #[serde(rename = "_msdyn_customer_value")]
    contact: Option<String>,
}

pub(crate) fn run(settings: &str) -> Result<(), Failed> {
    let settings: Rc<Settings> = Rc::new(serde_json::from_str(settings)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let shared = clients::shared(&settings)?;
        let mut lanes = Vec::new();
        for number in 0..settings.in_flight {
            lanes.push((number, Exchange::open(&settings, &shared).await?));
        }
        let meter = Rc::new(Meter::start(settings.times));
        let mut running = JoinSet::new();
        for (number, exchange) in lanes {
            running.spawn_local(lane(settings.clone(), meter.clone(), exchange, number));
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(meter.report()?)
    })
}

/// Links two contacts in turn to one conversation.
async fn lane(settings: Rc<Settings>, meter: Rc<Meter>, mut exchange: Exchange, number: u64) -> Result<(), Failed> {
    let id = format!("00000000-0000-4000-8000-{:012x}", settings.first_conversation + number);
    let path = format!(
        "/api/data/v9.2/msdyn_ocliveworkitems({id})?$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value"
    );
    let mut etag = exchange.get(&path).await?.etag;
    for turn in 0.. {
        let contact = &settings.contacts[turn % 2];
        let began = Instant::now();
        if settings.trips == 2 {
            let row = exchange.get(&path).await?;
            if row.statuscode != 2 {
                return Err("the conversation is not active".into());
            }
            etag = row.etag;
        }
        let body = format!(r#"{{"msdyn_customer_msdyn_ocliveworkitem_contact@odata.bind":"/contacts({contact})"}}"#);
        let row = exchange.patch(&path, &etag, body).await?;
        if row.contact.as_ref() != Some(contact) {
            return Err("the row holds another record".into());
        }
        etag = row.etag;
        if !meter.record(began, 1) {
            break;
        }
    }
    Ok(())
}
