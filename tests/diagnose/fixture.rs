//! An emulator with a client, and reports as strings that tests can compare.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use omnichannel_link::{
    dataverse::{Concurrency, DataverseOptions, DataverseStore},
    domain::{CallOptions, Check, CheckOutcome, LinkService, Report},
    error::Code,
    http::{
        CaCertificate, Event, NetworkOptions, NetworkService, Observer, Proxy, RetryPolicy, StaticToken, Token,
        TokenProvider,
    },
};
use omnichannel_link_emulator::{Emulator, Organisation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{CONVERSATION, clock::TestClock};

pub(crate) struct DiagnoseFixture {
    pub(crate) emulator: Emulator,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) concurrency: Concurrency,
    pub(crate) network: NetworkOptions,
    pub(crate) url: String,
    pub(crate) tokens: Arc<dyn TokenProvider>,
    pub(crate) seen: Arc<RequestIds>,
}

/// Ids of the calls that requests belonged to.
#[derive(Default)]
pub(crate) struct RequestIds(Mutex<Vec<String>>);

impl Observer for RequestIds {
    fn is_listening(&self) -> bool {
        true
    }

    fn observe(&self, event: Event) {
        if let Event::Request { subject, .. } = event {
            self.0.lock().unwrap().push(subject.request_id.unwrap());
        }
    }
}

/// An active conversation with account 1 and case 1, and three records of each kind.
pub(crate) fn organisation(status: i32) -> Organisation {
    let mut organisation = Organisation::new();
    let id = |number: u8| Uuid::from_bytes([number; 16]).to_string();
    let mut load = |set: &str, rows: Vec<Value>| {
        let context = format!("https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#{set}");
        organisation.load_page(set, &json!({ "@odata.context": context, "value": rows })).unwrap();
    };
    for (set, key) in [("accounts", "accountid"), ("contacts", "contactid"), ("incidents", "incidentid")] {
        load(set, (1..=3).map(|number| json!({ key: id(number) })).collect());
    }
    load(
        "msdyn_ocliveworkitems",
        vec![json!({
            "activityid": CONVERSATION, "statecode": i32::from(status == 4), "statuscode": status,
            "_msdyn_customer_value": id(1),
            "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
            "_msdyn_issueid_value": id(1),
        })],
    );
    organisation
}

impl DiagnoseFixture {
    pub(crate) async fn plain() -> Self {
        Self::of(Emulator::start(organisation(2), 0).await.unwrap())
    }

    pub(crate) async fn secure() -> Self {
        Self::of(Emulator::start_tls(organisation(2), 0, &["contoso.crm4.dynamics.com"]).await.unwrap())
    }

    pub(crate) fn of(emulator: Emulator) -> Self {
        let trusted = emulator.ca_certificate().map(|pem| CaCertificate::read_pem(pem.as_bytes()).unwrap());
        let network = NetworkOptions {
            ca_certificates: trusted.unwrap_or_default(),
            proxy: Proxy::Direct,
            ..NetworkOptions::default()
        };
        let fixture = Self {
            url: emulator.url().to_owned(),
            tokens: Arc::new(StaticToken(Token::new(emulator.credential()).unwrap())),
            clock: Arc::default(),
            concurrency: Concurrency::default(),
            network,
            emulator,
            seen: Arc::default(),
        };
        fixture.condition(&json!({}));
        fixture
    }

    /// Sets conditions. The server's clock is always the test's.
    pub(crate) fn condition(&self, conditions: &Value) {
        let mut all = json!({ "dateInMs": 0 });
        all.as_object_mut().unwrap().extend(conditions.as_object().unwrap().clone());
        self.emulator.faults().conditions(all).unwrap();
    }

    pub(crate) fn service(&self) -> LinkService {
        let network = Arc::new(NetworkService::new(self.network.clone(), self.clock.clone()));
        // The test's clock treats longer pauses as deadlines.
        let retries = RetryPolicy { max_delay: Duration::from_secs(1), ..RetryPolicy::default() };
        let options = DataverseOptions { concurrency: self.concurrency, retries, ..DataverseOptions::default() };
        let (url, tokens) = (self.url.parse().unwrap(), Arc::clone(&self.tokens));
        let store = DataverseStore::new(url, network.clone(), tokens, options, self.clock.clone(), self.seen.clone());
        LinkService::new(Arc::new(store.with_inspection(network)), self.clock.clone(), Duration::from_secs(30), None)
    }

    pub(crate) async fn report(&self) -> Report {
        self.service().diagnose(CallOptions::default()).await.unwrap()
    }

    /// The different ids under which requests were made.
    pub(crate) fn observed(&self) -> Vec<String> {
        let mut ids = self.seen.0.lock().unwrap().clone();
        ids.sort();
        ids.dedup();
        ids
    }

    /// The report with one check per line, without the parts that differ at every start.
    pub(crate) fn shown(&self, report: &Report) -> String {
        let lines = report.checks.iter().map(|check| {
            let remedy = match &check.outcome {
                CheckOutcome::Failed { fix, code, .. } => format!("\n    {code}: {fix}"),
                _ => String::new(),
            };
            format!("{} {}: {}{remedy}", check.name, check.status(), check.found())
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let text = format!("{} {}\n{text}", report.store.as_str(), report.target);
        let port = url::Url::parse(&self.url).unwrap().port().map_or_else(String::new, |port| format!(":{port}"));
        let text = text.replace(&port, ":port");
        // `localhost` may have several addresses, and a certificate is issued anew every day.
        let lines = text.lines().map(|line| match (line.split_once("localhost is "), line.split_once("until 20")) {
            (Some((before, _)), _) => format!("{before}localhost is …"),
            (_, Some((before, date))) => format!("{before}until …{}", &date["YY-MM-DD".len()..]),
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn code(check: &Check) -> Option<Code> {
    match check.outcome {
        CheckOutcome::Failed { code, .. } => Some(code),
        _ => None,
    }
}

/// Names of the checks with this status.
pub(crate) fn named(report: &Report, status: &str) -> String {
    let names = report.checks.iter().filter(|check| check.status() == status).map(|check| check.name);
    names.collect::<Vec<_>>().join(" ")
}
