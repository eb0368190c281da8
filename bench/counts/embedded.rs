//! Calls on an embedded store of its own.

use std::{fmt::Write, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use omnichannel_link::{
    domain::{CallOptions, LinkPolicy, LinkService},
    embedded::{EmbeddedStore, Source},
};
use tempfile::TempDir;

use super::{Failed, contact, conversation, ensure_written, still_clock::StillClock};

/// Links in batches: all calls of a batch are made before the first one settles.
pub(crate) async fn links(calls: usize, batch: u8) -> Result<(), Failed> {
    let client = Client::new(batch).await?;
    for round in 0..calls.div_ceil(batch.into()) {
        let link = |number| {
            let (policy, options) = (LinkPolicy::default(), CallOptions::default());
            client.service.link(contact(round), Some(conversation(number)), policy, options)
        };
        for outcome in try_join_all((0..batch).map(link)).await? {
            ensure_written(&outcome)?;
        }
    }
    Ok(())
}

pub(crate) async fn reads(calls: usize) -> Result<(), Failed> {
    let client = Client::new(1).await?;
    for _ in 0..calls {
        client.service.read(Some(conversation(0)), CallOptions::default()).await?;
    }
    Ok(())
}

struct Client {
    service: LinkService,
    _folder: TempDir,
}

impl Client {
    /// A store with two contacts and this many conversations.
    async fn new(conversations: u8) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let clock = Arc::<StillClock>::default();
        // Without checkpoints in idle moments, because those depend on time.
        let path = folder.path().join("links.db");
        let store = Arc::new(EmbeddedStore::checkpointing_after(Duration::MAX, path, Arc::clone(&clock) as _));
        let service = LinkService::new(Arc::clone(&store) as _, clock, Duration::from_secs(30), None);
        let mut contacts = String::new();
        for call in 0..2 {
            write!(contacts, r#",{{"contactid":"{}"}}"#, contact(call).id)?;
        }
        let mut rows = String::new();
        for number in 0..conversations {
            write!(rows, r#",{{"activityid":"{}","statuscode":2,"subject":"Hello"}}"#, conversation(number))?;
        }
        for (set, rows) in [("contacts", contacts), ("msdyn_ocliveworkitems", rows)] {
            let page = format!(r#"{{"@odata.context":"https://x/$metadata#{set}","value":[{}]}}"#, &rows[1..]);
            let begin = |call| Ok(store.import(Source::Text(page), None, call));
            service.perform(CallOptions::default(), begin).await?;
        }
        Ok(Self { service, _folder: folder })
    }
}
