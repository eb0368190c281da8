//! The emulator under test, on a thread of its own, and what the fuzzer knows of its rows.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
};

use omnichannel_link_emulator::{Changes, Emulator, Organisation, Reference, Row};
use uuid::Uuid;

use crate::catalog::Catalog;

/// Rows per table at the start.
const SEEDED: usize = 3;

/// Ids per table that requests use. Those that are not seeded get their rows by requests.
pub(crate) const IDS: usize = 12;

pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
}

/// A hash of which rows exist in which version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl World {
    pub(crate) fn start() -> Self {
        let catalog = Catalog::read();
        let organisation = seed(&catalog);
        let (started, emulator) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                started.send(Arc::new(Emulator::start(organisation, 0).await.unwrap())).unwrap();
                std::future::pending::<()>().await;
            });
        });
        let emulator = emulator.recv().unwrap();
        let host = emulator.url().trim_start_matches("http://").to_owned();
        Self { catalog, address: host.parse().unwrap(), host, emulator }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.emulator.with_organisation(|organisation| {
            let (mut hash, mut rows) = (DefaultHasher::new(), 0_u64);
            for table in &self.catalog.tables {
                for id in organisation.ids(&table.name) {
                    rows += 1;
                    id.hash(&mut hash);
                    organisation.row(&table.name, id).map(Row::version).hash(&mut hash);
                }
                rows.hash(&mut hash);
            }
            Snapshot(hash.finish())
        })
    }

    pub(crate) fn version(&self, table: &str, id: Uuid) -> Option<u64> {
        self.emulator
            .with_organisation(|organisation| organisation.row(table, id).map(omnichannel_link_emulator::Row::version))
    }
}

/// One of the ids that requests use for rows of the table with this number.
pub(crate) fn id(table: usize, number: usize) -> Uuid {
    Uuid::from_u128(0xf0e1_0000_0000_4000_8000_0000_0000_0000 | (table as u128) << 96 | number as u128)
}

fn seed(catalog: &Catalog) -> Organisation {
    let mut organisation = Organisation::new();
    for (index, table) in catalog.tables.iter().enumerate() {
        for number in 0..SEEDED {
            let mut changes = Changes::new();
            // The last row of each table points to others.
            for (_, column, target) in table.navigations.iter().filter(|_| number == SEEDED - 1) {
                let to = catalog.tables.iter().position(|table| table.name == *target);
                changes = to.map_or(changes.clone(), |to| changes.link(column, Reference::new(target, id(to, number))));
            }
            organisation.write(&table.name, id(index, number), changes);
        }
    }
    organisation
}
