//! One organisation, one client of it, and independent access to the row.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use omnichannel_link::{
    dataverse::{Concurrency, DataverseOptions, DataverseStore, EnvironmentUrl},
    domain::{EntityLogicalName, LinkService, RecordReference},
    http::{
        CaCertificate, ClientSecret, ClientSecretCredential, NetworkOptions, NoopObserver, Proxy, RetryPolicy,
        RetryingHttp, Secret, StaticToken, Token, TokenProvider,
    },
};
use omnichannel_link_emulator::{Changes, Emulator, LoggedRequest, Organisation, Reference, table};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cases::{Case, Credential, Way},
    network::{Ending, Exchange, Network},
    relay::Relay,
    support::{CONVERSATION, account, clock::TestClock, contact, http::refused_address, incident},
};

/// The default timeout of a call.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// The record that calls link and unlink.
pub(crate) fn record() -> RecordReference {
    account(1)
}
/// The record that a link replaces.
pub(crate) fn previous() -> RecordReference {
    contact(2)
}
/// The record that another writer links.
pub(crate) fn other() -> RecordReference {
    contact(3)
}
/// The record in the other slot, which must not change.
fn bystander() -> RecordReference {
    incident(1)
}

pub(crate) struct Fixture {
    pub(crate) service: LinkService,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) network: Arc<Network>,
    pub(crate) relay: Option<Relay>,
    emulator: Emulator,
    /// Requests before the faults were injected.
    in_order: AtomicUsize,
}

/// The conversation, read without the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) customer: Option<RecordReference>,
    pub(crate) is_bystander_there: bool,
    pub(crate) status: Option<i64>,
    pub(crate) subject: Option<String>,
}

fn organisation(case: &Case, customer: Option<RecordReference>) -> Organisation {
    let context = |set: &str| format!("https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#{set}");
    let page = |set: &str, rows: Value| json!({ "@odata.context": context(set), "value": rows });
    let id = |record: RecordReference| record.id.to_string();
    let accounts = if case.record_exists { json!([{ "accountid": id(record()) }]) } else { json!([]) };
    let mut organisation = Organisation::new();
    for page in [
        page("accounts", accounts),
        page("contacts", json!([{ "contactid": id(previous()) }, { "contactid": id(other()) }])),
        page("incidents", json!([{ "incidentid": id(bystander()) }])),
        page(
            "msdyn_ocliveworkitems",
            json!([{ "activityid": CONVERSATION, "statecode": 0, "statuscode": 2, "subject": "Chat",
                "_msdyn_customer_value": customer.map(id), "_msdyn_issueid_value": id(bystander()),
                "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname": customer.map(|record| record.entity.to_string()),
            }]),
        ),
    ] {
        organisation.load_page("page", &page).unwrap();
    }
    organisation
}

impl Fixture {
    pub(crate) async fn new(case: &Case, customer: Option<RecordReference>) -> Self {
        let organisation = organisation(case, customer);
        let emulator = match case.way {
            Way::Trusted | Way::Distrusted => Emulator::start_tls(organisation, 0, &[]).await.unwrap(),
            _ => Emulator::start(organisation, 0).await.unwrap(),
        };
        let mut options = NetworkOptions { proxy: Proxy::Direct, ..NetworkOptions::default() };
        let mut relay = None;
        let url = match case.way {
            Way::Trusted => {
                let pem = emulator.ca_certificate().unwrap();
                options.ca_certificates = CaCertificate::read_pem(pem.as_bytes()).unwrap();
                emulator.url().to_owned()
            }
            Way::Refused => format!("http://{}", refused_address().await),
            // Too long for a label, so that no name server is asked.
            Way::Nameless => format!("https://{}.invalid", "x".repeat(64)),
            Way::RefusedAtTheWrite | Way::Late | Way::Last => {
                let server = emulator.url().trim_start_matches("http://").parse().unwrap();
                let address = relay.insert(Relay::to(server).await).address;
                format!("http://{address}")
            }
            Way::Direct | Way::Distrusted => emulator.url().to_owned(),
        };
        let clock = Arc::new(TestClock::manual());
        let network = Arc::new(Network::new(options, Arc::clone(&clock)));
        let service = client(case, &url.parse().unwrap(), &emulator, &network, &clock);
        Self { service, clock, network, relay, emulator, in_order: AtomicUsize::new(0) }
    }

    /// Forgets the requests so far and injects the faults.
    pub(crate) fn inject_faults(&self, case: &Case) {
        self.network.clear();
        self.in_order.store(self.emulator.requests().len(), Ordering::Relaxed);
        self.emulator.faults().conditions(case.conditions.clone()).unwrap();
        self.emulator.faults().add(case.faults.clone()).unwrap();
        if !case.random.is_null() {
            self.emulator.faults().random(case.random.clone()).unwrap();
        }
    }

    /// Awaits a call, and moves the time on whenever nothing else can happen.
    pub(crate) async fn settled<T>(&self, call: impl Future<Output = T>) -> T {
        tokio::pin!(call);
        loop {
            tokio::select! {
                biased;
                outcome = &mut call => return outcome,
                () = self.is_idle() => assert!(self.clock.end_next_sleep(), "every call has a deadline"),
            }
        }
    }

    /// Waits until only time can make progress: no request is in flight, or the one in flight hangs.
    async fn is_idle(&self) {
        let mut times = 0;
        let mut before = usize::MAX;
        // More than once, because a future may yield without reason.
        while times < 3 {
            let seen = self.network.seen();
            let is_same = before == seen.exchanges.len();
            times = if is_same && (seen.in_flight == 0 || self.hangs(&seen.exchanges)) { times + 1 } else { 0 };
            before = seen.exchanges.len();
            tokio::task::yield_now().await;
        }
    }

    fn hangs(&self, exchanges: &[Exchange]) -> bool {
        if self.relay.as_ref().is_some_and(Relay::holds) {
            return true;
        }
        let log = self.requests();
        let sent = exchanges.iter().filter(|exchange| exchange.ending != Ending::Unsent).count();
        // The last request has arrived, and it is the one that hangs.
        log.len() == sent
            && log.last().and_then(|last| last.fault).is_some_and(|fault| fault.starts_with("hang"))
            && self.emulator.faults().hanging(1).now_or_never().is_some()
    }

    /// The requests since the faults were injected.
    pub(crate) fn requests(&self) -> Vec<LoggedRequest> {
        self.emulator.requests().split_off(self.in_order.load(Ordering::Relaxed))
    }

    pub(crate) fn secrets(&self) -> [String; 2] {
        [self.emulator.credential().to_owned(), self.emulator.application().client_secret.clone()]
    }

    pub(crate) fn state(&self) -> State {
        self.emulator.with_organisation(|organisation| {
            let row = organisation.row(table::CONVERSATION, id());
            let lookup = |name| {
                row.and_then(|row| row.lookup(name)).map(|held: &Reference| RecordReference {
                    entity: held.logical_name().parse::<EntityLogicalName>().unwrap(),
                    id: held.id().to_string().parse().unwrap(),
                })
            };
            State {
                customer: lookup("msdyn_customer"),
                is_bystander_there: lookup("msdyn_issueid") == Some(bystander()),
                status: row.and_then(|row| row.column("statuscode")?.as_i64()),
                subject: row.and_then(|row| row.column("subject")?.as_str().map(str::to_owned)),
            }
        })
    }

    /// Writes to the organisation so far, by any writer. Counting adds one.
    pub(crate) fn count_writes(&self) -> u64 {
        self.emulator.with_organisation(|organisation| {
            organisation.write(table::INCIDENT, Uuid::from_bytes([9; 16]), Changes::new())
        })
    }
}

fn client(
    case: &Case,
    environment: &EnvironmentUrl,
    emulator: &Emulator,
    network: &Arc<Network>,
    clock: &Arc<TestClock>,
) -> LinkService {
    let retries = RetryPolicy::default();
    let tokens: Arc<dyn TokenProvider> = match case.credential {
        Credential::Token => Arc::new(StaticToken(Token::new(emulator.credential()).unwrap())),
        Credential::Secret => {
            let http =
                RetryingHttp::new(network.clone(), clock.clone(), retries, Arc::default(), Arc::new(NoopObserver));
            let application = emulator.application();
            let client = ClientSecret {
                authority_host: emulator.url().parse().unwrap(),
                tenant_id: application.tenant_id.clone(),
                client_id: application.client_id.clone(),
                client_secret: Secret::new(application.client_secret.clone()),
                scope: environment.scope(),
            };
            Arc::new(ClientSecretCredential::new(Arc::new(http), client, clock.clone()))
        }
    };
    let concurrency = if case.checks_versions { Concurrency::CompareAndSwap } else { Concurrency::ReadCheckWrite };
    let options = DataverseOptions { retries, concurrency, caller: None };
    let store = DataverseStore::new(
        environment.clone(),
        network.clone(),
        tokens,
        options,
        clock.clone(),
        Arc::new(NoopObserver),
    );
    LinkService::new(Arc::new(store), clock.clone(), TIMEOUT, None)
}

fn id() -> Uuid {
    Uuid::parse_str(CONVERSATION).unwrap()
}
