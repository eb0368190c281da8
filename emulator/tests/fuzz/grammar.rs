//! Valid requests of every kind that the emulator knows.

mod batch;
mod fetch;
mod others;
mod query;
mod rows;
mod values;

use serde_json::Value;
use uuid::Uuid;

use crate::{
    catalog::Table,
    http::Message,
    random::Random,
    world::{self, IDS, World},
};

/// The values that a later `GET` of a row must show.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) path: String,
    pub(crate) values: Vec<(String, Value)>,
}

pub(crate) struct Made {
    pub(crate) message: Message,
    pub(crate) expected: Option<Expected>,
}

impl From<Message> for Made {
    fn from(message: Message) -> Self {
        Self { message, expected: None }
    }
}

pub(crate) struct Grammar<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) world: &'a World,
}

/// Tables with the most rules of their own.
const FAVOURITES: [&str; 8] =
    ["account", "contact", "incident", "msdyn_ocliveworkitem", "systemuser", "task", "opportunity", "team"];

impl<'a> Grammar<'a> {
    pub(crate) fn request(&mut self) -> Made {
        match self.random.below(24) {
            0..=3 => self.list().into(),
            4..=5 => self.get_row().into(),
            6..=8 => self.create(),
            9..=11 => self.update(),
            12 => self.delete().into(),
            13 => self.property(),
            14..=15 => self.navigation().into(),
            16 => self.reference().into(),
            17 => self.operation().into(),
            18 => self.multiple().into(),
            19 => self.batch().into(),
            20 => self.fetch_xml().into(),
            // Its answers are large.
            21 if self.random.one_in(3) => self.metadata().into(),
            22 => self.token().into(),
            _ => self.other().into(),
        }
    }

    /// A table and its number.
    fn table(&mut self) -> (usize, &'a Table) {
        let catalog = &self.world.catalog;
        let index = if self.random.one_in(3) {
            self.random.below(catalog.tables.len())
        } else {
            let name = self.random.pick(&FAVOURITES);
            catalog.tables.iter().position(|table| table.name == *name).unwrap_or_default()
        };
        (index, &catalog.tables[index])
    }

    fn id_of(&mut self, table: &str) -> Uuid {
        let index = self.world.catalog.tables.iter().position(|known| known.name == table);
        self.id(index.unwrap_or_default())
    }

    fn id(&mut self, table: usize) -> Uuid {
        match self.random.below(30) {
            // A row of another table.
            0 => world::id(self.random.below(self.world.catalog.tables.len()), 0),
            1 => self.random.uuid(),
            _ => world::id(table, self.random.below(IDS)),
        }
    }

    fn root(&mut self) -> String {
        let version = if self.random.one_in(20) {
            self.random.word(&["v9.0", "v9.1", "v8.2", "v9.3", "v9.2/"])
        } else {
            "v9.2".into()
        };
        format!("/api/data/{version}")
    }

    fn set_url(&mut self, table: &Table) -> String {
        format!("{}/{}", self.root(), table.set)
    }

    /// URL of a row: by its id, or by an alternate key.
    fn row_url(&mut self, (index, table): (usize, &Table)) -> String {
        let key = if table.name == "account" && self.random.one_in(8) {
            format!("accountnumber='A-{}'", self.random.below(4))
        } else {
            self.id(index).to_string()
        };
        format!("{}({key})", self.set_url(table))
    }

    /// Adds some of the headers that clients send.
    fn with_headers(&mut self, mut message: Message) -> Message {
        if self.random.one_in(3) {
            message = message
                .header("Accept", "application/json")
                .header("OData-Version", "4.0")
                .header("OData-MaxVersion", "4.0");
        }
        if self.random.one_in(3) {
            let prefer = self.random.word(&[
                "return=representation",
                "odata.include-annotations=\"*\"",
                "return=representation,odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"",
                "odata.maxpagesize=2",
                "odata.maxpagesize=1, odata.include-annotations=\"OData.Community.Display.V1.FormattedValue\"",
                "odata.track-changes",
                "odata.continue-on-error",
                "respond-async",
                "odata.include-annotations=\"Microsoft.Dynamics.CRM.*\"; return=representation",
            ]);
            message = message.header("Prefer", prefer);
        }
        if self.random.one_in(12) {
            let header = self.random.word(&["MSCRMCallerID", "CallerObjectId"]);
            let caller = self.id_of("systemuser").to_string();
            message = message.header(&header, caller);
        }
        if self.random.one_in(20) {
            message = message.header("AutoDisassociate", "true");
        }
        if self.random.one_in(20) {
            message = message.header("MSCRM.SuppressDuplicateDetection", "false");
        }
        message.chunked = self.random.one_in(25);
        message
    }

    /// Adds a condition on the version, often the current one.
    fn with_condition(&mut self, message: Message, table: &str, id: Option<Uuid>) -> Message {
        let version = id.and_then(|id| self.world.version(table, id)).unwrap_or_default();
        match self.random.below(10) {
            0..=2 => message.header("If-Match", "*"),
            3..=5 => message.header("If-Match", format!("W/\"{version}\"")),
            6 => message.header("If-Match", format!("W/\"{}\"", version.wrapping_sub(1))),
            7 => message.header("If-None-Match", "*"),
            8 => message.header("If-None-Match", format!("W/\"{version}\"")),
            _ => message,
        }
    }
}
