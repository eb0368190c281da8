//! Common to all tests: seed rows, a running emulator, and a plain HTTP client.

use std::time::Duration;

use omnichannel_link_emulator::{Emulator, Organisation, table};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const ACCOUNT: &str = "0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02";
pub(crate) const CONTACT: &str = "2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10";
pub(crate) const INCIDENT: &str = "6b726d86-d37c-43b8-b3a4-c4056ddd2e07";
pub(crate) const CONVERSATION: &str = "7b7c9a3e-0d11-4f9e-9c39-5d0f6f3b1a01";
pub(crate) const MISSING: &str = "ffffffff-0000-4000-8000-00000000dead";
pub(crate) const AGENT: &str = "c2dd22d0-9d47-4799-8d95-355c298bd4f2";

pub(crate) const NAV_ACCOUNT: &str = "msdyn_customer_msdyn_ocliveworkitem_account";
pub(crate) const NAV_CONTACT: &str = "msdyn_customer_msdyn_ocliveworkitem_contact";
pub(crate) const NAV_CASE: &str = "msdyn_IssueId_msdyn_ocliveworkitem";

pub(crate) const CUSTOMER_OF: &str = "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname";

/// The slot of a conversation as (table, id).
pub(crate) type Slot = Option<(String, String)>;

pub(crate) fn page(set: &str, rows: impl Into<Value>) -> Value {
    let context = format!("https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#{set}(x)");
    json!({ "@odata.context": context, "value": rows.into() })
}

pub(crate) fn pages() -> Vec<Value> {
    let lookup = "Microsoft.Dynamics.CRM.lookuplogicalname";
    vec![
        // Loaded first, although all rows that it links come later.
        page(
            "msdyn_ocliveworkitems",
            json!([{
                "@odata.etag": "W/\"48213377\"",
                "activityid": CONVERSATION,
                "subject": "Visitor 17",
                "statecode": 0,
                "statuscode": 2,
                "_msdyn_customer_value": CONTACT,
                format!("_msdyn_customer_value@{lookup}"): "contact",
                "_msdyn_issueid_value": null,
                "_msdyn_activeagentid_value": AGENT,
                format!("_msdyn_activeagentid_value@{lookup}"): "systemuser",
            }]),
        ),
        page("accounts", json!([{ "accountid": ACCOUNT, "name": "Fabrikam Coffee" }])),
        page("contacts", json!([{ "contactid": CONTACT, "fullname": "A. Tester" }])),
        page(
            "incidents",
            json!([{
                "incidentid": INCIDENT,
                "title": "Coffee machine leaks",
                "_customerid_value": ACCOUNT,
                format!("_customerid_value@{lookup}"): "account",
            }]),
        ),
    ]
}

pub(crate) struct Server {
    pub(crate) emulator: Emulator,
    client: reqwest::Client,
}

pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status, code and message of an error response.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let error = &self.json()["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.text)).to_owned();
        (self.status.as_u16(), text("code"), text("message"))
    }

    pub(crate) fn expect_error(&self, status: u16, code: &str, message: &str) {
        let (got_status, got_code, got_message) = self.error();
        assert_eq!((got_status, got_code.as_str()), (status, code), "{got_message}");
        assert!(got_message.contains(message), "'{message}' is not in: {got_message}");
    }

    pub(crate) fn expect_not_emulated(&self, request: &str) {
        self.expect_error(501, "EMULATOR_NOT_IMPLEMENTED", request);
    }
}

impl From<Emulator> for Server {
    fn from(emulator: Emulator) -> Self {
        Self { emulator, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }
}

impl Server {
    pub(crate) fn advance(&self, milliseconds: u64) {
        self.emulator.clock().advance(Duration::from_millis(milliseconds));
    }

    pub(crate) async fn start() -> Self {
        let mut organisation = Organisation::new();
        for page in pages() {
            organisation.load_page("page", &page).unwrap();
        }
        Self::from(Emulator::start(organisation, 0).await.unwrap())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> TestResponse {
        let url = if path.starts_with('/') {
            format!("{}{path}", self.emulator.url())
        } else {
            format!("{}/api/data/v9.2/{path}", self.emulator.url())
        };
        let mut request = self.client.request(method, url);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.bearer_auth(self.emulator.credential());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body.unwrap_or_default()).send().await.unwrap();
        TestResponse {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> TestResponse {
        self.send(Method::GET, path, headers, None).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: Value) -> TestResponse {
        let all = [&[("content-type", "application/json")], headers].concat();
        self.send(Method::POST, path, &all, Some(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str, headers: &[(&str, &str)]) -> TestResponse {
        self.send(Method::DELETE, path, headers, None).await
    }

    /// A PATCH for tests of the body: with `If-Match: *` unless a condition is given.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> TestResponse {
        self.patch_with(path, &[("if-match", "*")], body).await
    }

    pub(crate) async fn patch_with(&self, path: &str, headers: &[(&str, &str)], body: Value) -> TestResponse {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.send(Method::PATCH, path, &all, Some(body.to_string())).await
    }

    /// A PATCH with `If-Match: *` that may get no response.
    pub(crate) async fn patch_or_error(&self, path: &str, body: Value) -> Result<StatusCode, reqwest::Error> {
        let request = self.client.patch(format!("{}/api/data/v9.2/{path}", self.emulator.url()));
        let request = request.bearer_auth(self.emulator.credential()).header("if-match", "*");
        let response = request.header("content-type", "application/json").body(body.to_string()).send().await?;
        Ok(response.status())
    }

    /// The conversation's version, customer and case.
    pub(crate) fn conversation(&self) -> (u64, Slot, Slot) {
        self.emulator.with_organisation(|organisation| {
            let row = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap();
            let slot = |name: &str| row.lookup(name).map(|to| (to.logical_name().to_owned(), to.id().to_string()));
            (row.version(), slot("msdyn_customer"), slot("msdyn_issueid"))
        })
    }
}

pub(crate) fn id(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

pub(crate) fn conversation_path() -> String {
    format!("msdyn_ocliveworkitems({CONVERSATION})")
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with slots, which may be empty")]
pub(crate) fn linked(table: &str, id: &str) -> Slot {
    Some((table.to_owned(), id.to_owned()))
}

/// A body with one bind.
pub(crate) fn bind(navigation: &str, uri: &str) -> Value {
    json!({ format!("{navigation}@odata.bind"): uri })
}
