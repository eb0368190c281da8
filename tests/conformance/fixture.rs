//! A store with one active conversation and some records, and independent access to its rows.

use std::{path::PathBuf, sync::Arc, time::Duration};

use omnichannel_link::{
    dataverse::{DataverseOptions, DataverseStore},
    domain::{CallOptions, EntityLogicalName, LinkService, LinkStore, RecordReference},
    embedded::{EmbeddedStore, Source},
    error::StoreName,
    http::{NetworkOptions, NetworkService, NoopObserver, StaticToken, Token},
};
use omnichannel_link_emulator::{Changes, Emulator, Organisation, Reference, table};
use rusqlite::{Connection, params};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{CONVERSATION, clock::TestClock};

pub(crate) struct StoreFixture {
    pub(crate) service: LinkService,
    pub(crate) clock: Arc<TestClock>,
    backing: Backing,
}

enum Backing {
    File { folder: TempDir },
    Server { emulator: Emulator },
}

/// The account or contact, and the case.
type Links = (Option<RecordReference>, Option<RecordReference>);

/// Ten of each kind.
fn pages() -> Vec<serde_json::Value> {
    let context = |set: &str| format!("https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#{set}");
    let records = |set: &str, key: &str| {
        let rows: Vec<_> =
            (1..=10_u8).map(|number| serde_json::json!({ key: Uuid::from_bytes([number; 16]).to_string() })).collect();
        serde_json::json!({ "@odata.context": context(set), "value": rows })
    };
    let conversation = serde_json::json!({
        "activityid": CONVERSATION, "statecode": 0, "statuscode": 2,
        "_msdyn_customer_value": null, "_msdyn_issueid_value": null,
    });
    vec![
        serde_json::json!({ "@odata.context": context("msdyn_ocliveworkitems"), "value": [conversation] }),
        records("accounts", "accountid"),
        records("contacts", "contactid"),
        records("incidents", "incidentid"),
    ]
}

impl StoreFixture {
    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::default());
        let store = Arc::new(EmbeddedStore::new(folder.path().join("links.db"), clock.clone()));
        let service = service(store.clone(), &clock);
        for page in pages() {
            let text = Source::Text(page.to_string());
            let store = store.clone();
            service.perform(CallOptions::default(), move |call| Ok(store.import(text, None, call))).await.unwrap();
        }
        Self { service, clock, backing: Backing::File { folder } }
    }

    pub(crate) async fn dataverse() -> Self {
        let mut organisation = Organisation::new();
        for page in pages() {
            organisation.load_page("page", &page).unwrap();
        }
        let emulator = Emulator::start(organisation, 0).await.unwrap();
        let clock = Arc::new(TestClock::default());
        Self {
            service: service(Arc::new(client(&emulator, &clock)), &clock),
            clock,
            backing: Backing::Server { emulator },
        }
    }

    /// A second client of the same rows.
    pub(crate) fn another_client(&self) -> LinkService {
        match &self.backing {
            Backing::File { .. } => service(Arc::new(EmbeddedStore::new(self.file(), self.clock.clone())), &self.clock),
            Backing::Server { emulator } => service(Arc::new(client(emulator, &self.clock)), &self.clock),
        }
    }

    pub(crate) fn name(&self) -> StoreName {
        match self.backing {
            Backing::File { .. } => StoreName::Embedded,
            Backing::Server { .. } => StoreName::Dataverse,
        }
    }

    /// Keeps an embedded store from writing until dropped.
    pub(crate) fn hold(&self) -> Option<Connection> {
        matches!(self.backing, Backing::File { .. }).then(|| {
            let connection = self.connection();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            connection
        })
    }

    pub(crate) fn links(&self) -> Links {
        match &self.backing {
            Backing::File { .. } => self
                .connection()
                .query_row("SELECT customer_type, customer_id, case_id FROM conversation_text", [], |row| {
                    let (entity, customer, case): (Option<String>, Option<String>, Option<String>) =
                        (row.get(0)?, row.get(1)?, row.get(2)?);
                    let customer = entity.map(|entity| reference(&entity, &customer.unwrap_or_default()));
                    Ok((customer, case.filter(|id| id.len() == 36).map(|id| reference("incident", &id))))
                })
                .unwrap(),
            Backing::Server { emulator } => emulator.with_organisation(|organisation| {
                let row = organisation.row(table::CONVERSATION, id()).unwrap();
                let lookup = |name| {
                    row.lookup(name).map(|held: &Reference| reference(held.logical_name(), &held.id().to_string()))
                };
                (lookup("msdyn_customer"), lookup("msdyn_issueid"))
            }),
        }
    }

    /// Writes behind the client's back.
    pub(crate) fn set_links(&self, customer: Option<RecordReference>, case: Option<RecordReference>) {
        match &self.backing {
            Backing::File { .. } => {
                let entity = customer.map(|record| if record.entity == EntityLogicalName::Account { 1 } else { 2 });
                let ids = [customer, case].map(|record| record.map(|record| *record.id.as_bytes()));
                self.connection()
                    .execute(
                        "UPDATE conversation SET customer_entity = ?1, customer_id = ?2, case_id = ?3",
                        params![entity, ids[0], ids[1]],
                    )
                    .unwrap();
            }
            Backing::Server { emulator } => emulator.with_organisation(|organisation| {
                let change = |changes: Changes, name, to: Option<RecordReference>| match to {
                    Some(to) => {
                        changes.link(name, Reference::new(table_of(to.entity), Uuid::from_bytes(*to.id.as_bytes())))
                    }
                    None => changes.clear(name),
                };
                let changes = change(change(Changes::new(), "msdyn_customer", customer), "msdyn_issueid", case);
                organisation.write(table::CONVERSATION, id(), changes);
            }),
        }
    }

    /// Writes behind the client's back.
    pub(crate) fn set_status(&self, code: i32) {
        match &self.backing {
            Backing::File { .. } => {
                self.connection().execute("UPDATE conversation SET statuscode = ?1", [code]).unwrap();
            }
            Backing::Server { emulator } => emulator.with_organisation(|organisation| {
                organisation.write(table::CONVERSATION, id(), Changes::new().set("statuscode", code));
            }),
        }
    }

    /// A number that grows with every write.
    pub(crate) fn version(&self) -> u64 {
        match &self.backing {
            Backing::File { .. } => std::fs::metadata(self.file().with_extension("db-wal")).map_or(0, |wal| wal.len()),
            Backing::Server { emulator } => emulator
                .with_organisation(|organisation| organisation.row(table::CONVERSATION, id()).unwrap().version()),
        }
    }

    pub(crate) fn conversations(&self) -> i64 {
        match &self.backing {
            Backing::File { .. } => {
                self.connection().query_row("SELECT count(*) FROM conversation", [], |row| row.get(0)).unwrap()
            }
            Backing::Server { emulator } => {
                emulator.with_organisation(|organisation| organisation.ids(table::CONVERSATION).map(|_| 1).sum())
            }
        }
    }

    fn file(&self) -> PathBuf {
        match &self.backing {
            Backing::File { folder } => folder.path().join("links.db"),
            Backing::Server { .. } => unreachable!("asked of the embedded store only"),
        }
    }

    fn connection(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }
}

fn service(store: Arc<dyn LinkStore>, clock: &Arc<TestClock>) -> LinkService {
    LinkService::new(store, clock.clone(), Duration::from_secs(30), None)
}

fn client(emulator: &Emulator, clock: &Arc<TestClock>) -> DataverseStore {
    let environment: omnichannel_link::dataverse::EnvironmentUrl = emulator.url().parse().unwrap();
    let http = Arc::new(NetworkService::new(NetworkOptions::default(), clock.clone()));
    let tokens = Arc::new(StaticToken(Token::new(emulator.credential()).unwrap()));
    DataverseStore::new(environment, http, tokens, DataverseOptions::default(), clock.clone(), Arc::new(NoopObserver))
}

fn id() -> Uuid {
    Uuid::parse_str(CONVERSATION).unwrap()
}

fn reference(entity: &str, id: &str) -> RecordReference {
    RecordReference { entity: entity.parse().unwrap(), id: id.parse().unwrap() }
}

fn table_of(entity: EntityLogicalName) -> &'static str {
    match entity {
        EntityLogicalName::Account => table::ACCOUNT,
        EntityLogicalName::Contact => table::CONTACT,
        EntityLogicalName::Incident => table::INCIDENT,
    }
}
