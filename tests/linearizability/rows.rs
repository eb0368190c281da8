//! The organisation: conversations with everything that was ever in them, and which records exist. Every change makes one version.

use omnichannel_link::domain::{ConversationId, EntityLogicalName, RecordReference, Slot};

use crate::{
    dice::Dice,
    support::{account, contact, incident},
};

pub(crate) const ACTIVE: i32 = 2;
pub(crate) const WAITING: i32 = 3;
pub(crate) const CLOSED: i32 = 4;

/// A moment. Every event of a run has its own.
pub(crate) type Tick = u64;

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) status: i32,
    pub(crate) customer: Option<RecordReference>,
    pub(crate) case: Option<RecordReference>,
}

impl State {
    pub(crate) fn slot(&self, slot: Slot) -> Option<RecordReference> {
        match slot {
            Slot::Customer => self.customer,
            Slot::Case => self.case,
        }
    }

    fn put(&mut self, slot: Slot, record: Option<RecordReference>) {
        match slot {
            Slot::Customer => self.customer = record,
            Slot::Case => self.case = record,
        }
    }
}

/// The writer of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Start,
    AnotherWriter,
    /// The call with this number.
    Call(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) since: Tick,
    pub(crate) number: u64,
    pub(crate) state: State,
    pub(crate) by: By,
}

/// A change of one slot, as a call asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) conversation: usize,
    pub(crate) call: usize,
    /// The value of `If-Match`.
    pub(crate) condition: String,
    pub(crate) slot: Slot,
    pub(crate) after: Option<RecordReference>,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Yes,
    Stale,
    NoSuchRecord,
}

#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) now: Tick,
    /// Of each conversation, oldest first.
    pub(crate) histories: Vec<Vec<Version>>,
    /// When a record was created (true) or deleted.
    pub(crate) existence: Vec<(Tick, RecordReference, bool)>,
    last_number: u64,
    looks_for_records_first: bool,
}

pub(crate) fn records() -> [RecordReference; 6] {
    [account(1), account(2), contact(1), incident(1), incident(2), incident(3)]
}

pub(crate) fn conversation_id(index: usize) -> ConversationId {
    [u8::try_from(index).expect("a small number"); 16].into()
}

impl Rows {
    pub(crate) fn new(conversations: usize, dice: &mut Dice) -> Self {
        let state = State { status: ACTIVE, customer: None, case: None };
        let number = |index: usize| 1_000 + index as u64;
        let row = |index| vec![Version { since: 0, number: number(index), state, by: By::Start }];
        Self {
            now: 0,
            histories: (0..conversations).map(row).collect(),
            existence: records().into_iter().map(|record| (0, record, true)).collect(),
            last_number: number(conversations),
            looks_for_records_first: dice.percent(50),
        }
    }

    /// The next moment.
    pub(crate) fn tick(&mut self) -> Tick {
        self.now += 1;
        self.now
    }

    pub(crate) fn current(&self, conversation: usize) -> &Version {
        self.histories[conversation].last().expect("a first version")
    }

    pub(crate) fn etag(&self, conversation: usize) -> String {
        format!("W/\"{}\"", self.current(conversation).number)
    }

    pub(crate) fn exists(&self, record: RecordReference) -> bool {
        self.existence.iter().rev().find(|(_, known, _)| *known == record).is_some_and(|(_, _, exists)| *exists)
    }

    /// Compares and swaps.
    pub(crate) fn apply(&mut self, write: &Write, dice: &mut Dice) -> Applied {
        let is_missing = write.after.is_some_and(|record| !self.exists(record));
        let is_stale = write.condition != "*" && write.condition != self.etag(write.conversation);
        match (is_missing, is_stale) {
            (true, true) if self.looks_for_records_first => Applied::NoSuchRecord,
            (_, true) => Applied::Stale,
            (true, false) => Applied::NoSuchRecord,
            (false, false) => {
                let mut state = self.current(write.conversation).state;
                state.put(write.slot, write.after);
                self.push(write.conversation, state, By::Call(write.call), dice);
                Applied::Yes
            }
        }
    }

    /// Another writer makes a random change.
    pub(crate) fn other_write(&mut self, conversation: usize, dice: &mut Dice) -> String {
        let mut state = self.current(conversation).state;
        // An inactive conversation soon becomes active again, or nothing would be linked.
        let status = if state.status == ACTIVE { 1 } else { 20 };
        match dice.weighted(&[6, 3, status, 2, 1]) {
            0 => state.customer = dice.pick(&[None, Some(account(1)), Some(account(2)), Some(contact(1))]),
            1 => state.case = dice.pick(&[None, Some(incident(1)), Some(incident(2))]),
            2 if state.status == ACTIVE => state.status = dice.pick(&[WAITING, CLOSED]),
            2 => state.status = ACTIVE,
            // Another column: a new version with the same state.
            3 => {}
            _ => {
                let record = dice.pick(&records());
                let (exists, tick) = (!self.exists(record), self.tick());
                self.existence.push((tick, record, exists));
                return format!("{record} exists: {exists}");
            }
        }
        self.push(conversation, state, By::AnotherWriter, dice);
        format!("another writer: conversation {conversation} is {state:?}")
    }

    fn push(&mut self, conversation: usize, state: State, by: By, dice: &mut Dice) {
        // Other writes in the organisation also increase the numbers.
        self.last_number += 1 + dice.roll(4) as u64;
        let (since, number) = (self.tick(), self.last_number);
        self.histories[conversation].push(Version { since, number, state, by });
    }

    /// The row as the Web API shows it.
    pub(crate) fn json(&self, conversation: usize) -> String {
        let Version { number, state: State { status, customer, case }, .. } = self.current(conversation);
        let annotation = customer.map_or_else(String::new, |record| {
            format!(r#""_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"{}","#, record.entity)
        });
        let id =
            |record: &Option<RecordReference>| record.map_or("null".into(), |record| format!(r#""{}""#, record.id));
        format!(
            r#"{{"@odata.etag":"W/\"{number}\"","activityid":"{}","statecode":0,"statuscode":{status},{annotation}"_msdyn_customer_value":{},"_msdyn_issueid_value":{}}}"#,
            conversation_id(conversation),
            id(customer),
            id(case),
        )
    }
}

/// The slot and the record in a body that changes one slot and nothing else.
pub(crate) fn change(body: &str) -> Option<(Slot, Option<RecordReference>)> {
    let property = |text: &str| match text {
        "msdyn_customer_msdyn_ocliveworkitem_account" => Some((EntityLogicalName::Account, "accounts")),
        "msdyn_customer_msdyn_ocliveworkitem_contact" => Some((EntityLogicalName::Contact, "contacts")),
        "msdyn_IssueId_msdyn_ocliveworkitem" => Some((EntityLogicalName::Incident, "incidents")),
        _ => None,
    };
    let body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(body).ok()?;
    let (name, value) = body.iter().next().filter(|_| body.len() == 1)?;
    let Some(name) = name.strip_suffix("@odata.bind") else {
        let (entity, _) = property(name).filter(|_| value.is_null())?;
        return Some((entity.slot(), None));
    };
    let (entity, set) = property(name)?;
    let id = value.as_str()?.strip_prefix(&format!("/{set}("))?.strip_suffix(')')?;
    Some((entity.slot(), Some(RecordReference { entity, id: id.parse().ok()? })))
}
