//! Functions and actions, definitions, tokens, the API for tests, and unknown resources.

use serde_json::{Value, json};

use super::{Grammar, query::encoded};
use crate::http::Message;

impl Grammar<'_> {
    pub(super) fn operation(&mut self) -> Message {
        let root = self.root();
        let get = |rest: &str| Message::new("GET", format!("{root}/{rest}"));
        let post = |rest: &str, body: &Value| Message::new("POST", format!("{root}/{rest}")).json(body);
        let typed = |table: &str| json!({ "@odata.type": format!("Microsoft.Dynamics.CRM.{table}") });
        match self.random.below(16) {
            0 => get("WhoAmI"),
            1 => get("WhoAmI()"),
            2 => get("RetrieveVersion()"),
            3 => get("RetrieveAvailableLanguages()"),
            4 => get(
                "RetrieveCurrentOrganization(AccessType=@p1)?@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'",
            ),
            5 => get("RetrieveTotalRecordCount(EntityNames=@p1)?@p1=[%22account%22,%22contact%22]"),
            6 => get("RetrieveTotalRecordCount(EntityNames=['account'])"),
            7 => get(&format!(
                "systemusers({})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()",
                self.id_of("systemuser")
            )),
            8 => get(
                "systemusers(4bd7f2a1-0c3e-4f57-8d11-5a0f7c9e2b61)/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p)?@p=[%22prvReadActivity%22]",
            ),
            9 => {
                let name = self.random.word(&["account", "contact", "incident", "lead", "task"]);
                let key = self.world.catalog.table(&name).key.clone();
                let mut row = || {
                    let mut row = typed(&name);
                    row[&key] = self.id_of(&name).to_string().into();
                    row
                };
                let (target, subordinate, content) = (row(), row(), row());
                post(
                    "Merge",
                    &json!({ "Target": target, "Subordinate": subordinate, "UpdateContent": content, "PerformParentingChecks": false }),
                )
            }
            10 => {
                let bind = self.bind("incident");
                let status = *self.random.pick(&[5, 6, -1, 1, i64::MAX]);
                post(
                    "CloseIncident",
                    &json!({ "IncidentResolution": { "subject": "x", "incidentid@odata.bind": bind }, "Status": status }),
                )
            }
            11 => {
                let (bind, action) =
                    (self.bind("opportunity"), self.random.word(&["WinOpportunity", "LoseOpportunity"]));
                post(
                    &action,
                    &json!({ "Status": 3, "OpportunityClose": { "subject": "x", "opportunityid@odata.bind": bind } }),
                )
            }
            12 => {
                let queue = self.id_of("queue");
                let mut target = typed("letter");
                target["activityid"] = self.id_of("letter").to_string().into();
                post(&format!("queues({queue})/Microsoft.Dynamics.CRM.AddToQueue"), &json!({ "Target": target }))
            }
            13 => {
                let name = self.known();
                let argument = self.text();
                get(&format!("{name}({}=@p1)?@p1={}", encoded(&argument), encoded(&self.odd_value().to_string())))
            }
            14 => {
                let (name, body) = (self.known(), self.odd_value());
                post(&name, &body)
            }
            _ => {
                let (index, table) = self.table();
                let row = self.row_url((index, table));
                Message::new("GET", format!("{row}/Microsoft.Dynamics.CRM.{}()", self.known()))
            }
        }
    }

    fn known(&mut self) -> String {
        self.random.pick(&self.world.catalog.known).clone()
    }

    pub(super) fn multiple(&mut self) -> Message {
        let (index, table) = self.table();
        let action = self.random.word(&["CreateMultiple", "UpdateMultiple", "UpsertMultiple", "DeleteMultiple"]);
        let mut rows = Vec::new();
        for _ in 0..self.random.below(4) {
            let (mut row, _) = self.body(table, 1);
            row.insert("@odata.type".to_owned(), format!("Microsoft.Dynamics.CRM.{}", table.name).into());
            if !self.random.one_in(3) {
                row.insert(table.key.clone(), self.id(index).to_string().into());
            } else if self.random.one_in(3) {
                row.insert("@odata.id".to_owned(), self.bind(&table.name).into());
            }
            rows.push(Value::from(row));
        }
        let message = Message::new("POST", format!("{}/Microsoft.Dynamics.CRM.{action}", self.set_url(table)));
        self.with_headers(message.json(&json!({ "Targets": rows })))
    }

    pub(super) fn metadata(&mut self) -> Message {
        let root = self.root();
        let (_, table) = self.table();
        let name = &table.name;
        let column = self.random.pick(&table.columns).name.clone();
        let rest = match self.random.below(14) {
            0 => "$metadata".to_owned(),
            1 => "EntityDefinitions?$select=LogicalName,EntitySetName".to_owned(),
            2 => format!("EntityDefinitions?$filter={}", encoded(&format!("LogicalName eq '{name}'"))),
            3 => format!("EntityDefinitions(LogicalName='{name}')?$select=LogicalName,EntitySetName,PrimaryIdAttribute"),
            4 => format!("EntityDefinitions(LogicalName=%27{name}%27)?$expand=Attributes($select=LogicalName;$filter=LogicalName%20eq%20'{column}'),Keys"),
            5 => format!("EntityDefinitions(LogicalName='{name}')/Attributes?$select=LogicalName"),
            6 => format!("EntityDefinitions(LogicalName='{name}')/Attributes(LogicalName='{column}')"),
            7 => format!("EntityDefinitions(LogicalName='{name}')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$expand=OptionSet,GlobalOptionSet"),
            8 => format!("EntityDefinitions(LogicalName='{name}')/{}", self.random.word(&["Keys", "OneToManyRelationships", "ManyToOneRelationships", "ManyToManyRelationships"])),
            9 => format!("RelationshipDefinitions{}", self.random.word(&["", "/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "/Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata?$select=SchemaName"])),
            10 => format!("RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata?$select=SchemaName&$filter=ReferencingEntity%20eq%20'{name}'"),
            11 => self.random.word(&["GlobalOptionSetDefinitions", "GlobalOptionSetDefinitions(Name='budgetstatus')", "EntityDefinitions", ""]),
            12 => format!("EntityDefinitions({})", self.random.uuid()),
            _ => "RetrieveMetadataChanges(Query=@p0)?@p0={\"Criteria\":{\"Conditions\":[{\"PropertyName\":\"LogicalName\",\"ConditionOperator\":\"Equals\",\"Value\":{\"Value\":\"account\",\"Type\":\"System.String\"}}],\"FilterOperator\":\"And\"},\"Properties\":{\"PropertyNames\":[\"Attributes\"]}}".replace('{', "%7B").replace('}', "%7D").replace('"', "%22"),
        };
        self.with_headers(Message::new("GET", format!("{root}/{rest}")))
    }

    pub(super) fn token(&mut self) -> Message {
        let application = self.world.emulator.application().clone();
        let tenant = self.random.word(&[&application.tenant_id, &application.tenant_id, "common", "x", "%00"]);
        match self.random.below(5) {
            0 => Message::new("GET", format!("/{tenant}/v2.0/.well-known/openid-configuration")),
            1 => {
                let authority = self.random.word(&["https://login.microsoftonline.com/x", "https://localhost/x", "x"]);
                let endpoint = encoded(&format!("{authority}/oauth2/v2.0/authorize"));
                Message::new(
                    "GET",
                    format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}"),
                )
            }
            _ => {
                let scope =
                    self.random.word(&[&format!("http://{}/.default", self.world.host), "x", "https://x/.default"]);
                let secret = self.random.word(&[&application.client_secret, "wrong"]);
                let grant =
                    self.random.word(&["client_credentials", "client_credentials", "client_credentials", "password"]);
                let mut message = Message::new("POST", format!("/{tenant}/oauth2/v2.0/token"));
                message.body = format!(
                    "grant_type={grant}&client_id={}&client_secret={secret}&scope={}",
                    application.client_id,
                    encoded(&scope)
                )
                .into_bytes();
                message.header("Content-Type", "application/x-www-form-urlencoded")
            }
        }
    }

    /// Other resources, and methods of the API for tests without a lasting effect.
    pub(super) fn other(&mut self) -> Message {
        match self.random.below(8) {
            0 => {
                let name = self.known();
                let method =
                    self.random.word(&["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "MERGE", "TRACE"]);
                Message::new(&method, format!("/api/data/v9.2/{name}"))
            }
            1 => Message::new("POST", "/api/search/v1.0/query").json(&json!({ "search": "x" })),
            2 => Message::new(
                "GET",
                self.random.word(&[
                    "/",
                    "/api",
                    "/api/data",
                    "/api/data/v9.2",
                    "/api/data/v9.2/",
                    "//",
                    "/_emulator",
                    "/favicon.ico",
                    "*",
                ]),
            ),
            3 => Message::new("GET", "/_emulator/requests").header("Authorization", "Bearer wrong"),
            4 => {
                let method = self.random.word(&[
                    "clock.now",
                    "faults.waiting",
                    "faults.release",
                    "faults.revokeTokens",
                    "x",
                    "%FF",
                    "",
                ]);
                Message::new("POST", format!("/_emulator/{method}")).json(&Value::Null)
            }
            5 => Message::new("GET", "/api/data/v9.2/WhoAmI")
                .header("Authorization", self.random.word(&["Bearer x", "Basic eDp5", "", "Bearer"])),
            6 => {
                let (index, table) = self.table();
                Message::new("PATCH", format!("{}/entityimage?x-ms-file-name=a.png", self.row_url((index, table))))
                    .header("x-ms-transfer-mode", "chunked")
            }
            _ => Message::new("GET", format!("/api/backgroundoperation/{}", self.random.uuid())),
        }
    }
}
