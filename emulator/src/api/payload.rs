//! Reads the body of a create or an update into the changes of a row.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    address::{Resource, relative},
    context::Context,
    keys,
};
use crate::{
    authority::privileges::{self, Right},
    conditions::TwoValues,
    definitions::{
        TableRef,
        kind::{Kind, Rejected},
        table::{ANY, Collection, Column, Navigation},
    },
    error::ODataError,
    json,
    organisation::{Changes, Organisation, Reference, Row},
};

mod state;

/// A valid body.
pub(crate) struct Payload {
    pub(crate) changes: Changes,
    pub(crate) nested: Vec<Nested>,
    /// The key in the body.
    pub(crate) id: Option<Uuid>,
    pub(crate) warnings: Vec<String>,
}

/// A row in the body of another one, which is created with it.
pub(crate) struct Nested {
    pub(crate) table: TableRef,
    pub(crate) place: Place,
    pub(crate) properties: Map<String, Value>,
}

pub(crate) enum Place {
    /// The outer row points to it with this lookup.
    Lookup(String),
    /// It is in this collection of the outer row.
    Member(Collection),
}

/// Parses the body as a JSON object.
pub(crate) fn properties(table: &TableRef, body: &[u8]) -> Result<Map<String, Value>, ODataError> {
    let unreadable = |detail: String| ODataError::BodyNotReadable { table: table.clone(), detail };
    let value = match json::parse_unique(body) {
        Ok(value) => value,
        Err(json::Error::Duplicate(name)) => {
            return Err(ODataError::DuplicateProperty { table: table.clone(), name });
        }
        Err(json::Error::Invalid(detail)) => return Err(unreadable(detail)),
    };
    // Some clients encode the body twice, and Dataverse reads that.
    let value = match value {
        Value::String(text) => json::parse(text.as_bytes()).unwrap_or_default(),
        value => value,
    };
    match value {
        Value::Object(properties) => Ok(properties),
        _ => Err(unreadable("The body is not a JSON object.".to_owned())),
    }
}

/// Reads the properties of a body for the row with this id, if it exists. All checks are done before anything is written.
pub(crate) fn read(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    properties: &Map<String, Value>,
) -> Result<Payload, ODataError> {
    let row = organisation.row(&table.logical_name, id);
    let mut reader = Reader {
        organisation,
        context,
        table,
        row,
        payload: Payload { changes: Changes::new(), nested: Vec::new(), id: None, warnings: Vec::new() },
    };
    for (name, value) in properties {
        reader.property(name, value)?;
    }
    let mut payload = reader.payload;
    payload.changes = state::complete(payload.changes, table, id, row, properties)?;
    check_links(organisation, context, table, row, &payload)?;
    Ok(payload)
}

struct Reader<'a> {
    organisation: &'a Organisation,
    context: &'a Context<'a>,
    table: &'a TableRef,
    row: Option<&'a Row>,
    payload: Payload,
}

impl Reader<'_> {
    fn property(&mut self, name: &str, value: &Value) -> Result<(), ODataError> {
        let table = Arc::clone(self.table);
        if let Some((property, annotation)) = name.split_once('@') {
            return self.annotation(name, property, annotation, value);
        }
        if let Some(navigation) = self.context.conditions.navigation(&table, name) {
            // If lookup and navigation property have the same name, as with `ownerid`, a value is a write by column name.
            return match value {
                Value::Null => self.clear(navigation),
                Value::String(_) if navigation.column == name => Err(ODataError::LookupNotWritable),
                Value::Object(properties) => self.nested_one(navigation, properties),
                _ => Err(ODataError::NotEmulated(format!("a value that is neither null nor a row for '{name}'"))),
            };
        }
        if let Some(collection) = table.collection(name) {
            return self.nested_many(collection, value);
        }
        match table.column_read_as(name) {
            Some(column) if column.is_lookup() => self.read_name(name, &column.name, value),
            Some(column) => self.column(column, value),
            None if table.lookup(name).is_some() => Err(match value {
                Value::Null => ODataError::UntypedValue { table, name: name.to_owned() },
                _ => ODataError::LookupNotWritable,
            }),
            None => Err(ODataError::InvalidProperty { table, name: name.to_owned() }),
        }
    }

    fn annotation(&mut self, name: &str, property: &str, annotation: &str, value: &Value) -> Result<(), ODataError> {
        let table = Arc::clone(self.table);
        match (property, annotation) {
            ("", "odata.type") => {
                let found = value.as_str().unwrap_or_default();
                let is_own = found.trim_start_matches('#').strip_prefix("Microsoft.Dynamics.CRM.");
                if is_own == Some(table.logical_name.as_str()) {
                    return Ok(());
                }
                Err(ODataError::WrongType { table, found: found.to_owned() })
            }
            // Members of a row that a client has read and sends back. The version in a body is no condition.
            ("", "odata.etag" | "odata.context" | "odata.id" | "odata.editLink") => Ok(()),
            (property, "odata.bind") => match self.context.conditions.navigation(&table, property) {
                Some(navigation) => self.bind(navigation, value),
                None if table.collection(property).is_some() => {
                    Err(ODataError::NotEmulated(format!("a bind to the collection '{property}'")))
                }
                None => Err(ODataError::UndeclaredProperty { table, name: property.to_owned() }),
            },
            (property, "odata.type") if table.column_read_as(property).is_some() => Ok(()),
            (property, annotation) if table.column_read_as(property).is_some() && is_shown(annotation) => Ok(()),
            _ => Err(ODataError::NotEmulated(format!("the annotation '{name}' in a body"))),
        }
    }

    fn bind(&mut self, navigation: &Navigation, value: &Value) -> Result<(), ODataError> {
        let table = self.table;
        let Value::String(uri) = value else {
            let why = format!("'{}@odata.bind': {value}, on which reports disagree", navigation.name);
            return Err(ODataError::NotEmulated(why));
        };
        let definitions = &self.context.definitions;
        let resource = Resource::parse(relative(&self.context.origin, uri)?)?;
        let Some(key) = resource.key else { return Err(ODataError::QuerySyntax) };
        let is_open = navigation.targets.iter().any(|target| target == ANY);
        let known: Vec<_> =
            navigation.targets.iter().filter_map(|target| definitions.by_logical_name(target)).collect();
        if known.is_empty() && !is_open {
            return Err(ODataError::NotEmulated(format!("'{}' points to a table it does not have", navigation.name)));
        }
        let found = definitions
            .by_set(resource.set)
            .filter(|found| is_open || known.iter().any(|target| target.logical_name == found.logical_name));
        let Some(target) = found else {
            if navigation.targets.len() > known.len() {
                return Err(ODataError::NotEmulated(format!(
                    "'{}' points to a table it does not have",
                    navigation.name
                )));
            }
            return Err(ODataError::WrongBindType {
                table: table.clone(),
                navigation: navigation.name.clone(),
                expected: known.first().map_or_else(String::new, |target| target.logical_name.clone()),
                found: uri.clone(),
            });
        };
        privileges::check(self.context.conditions, Right::Append, table)?;
        privileges::check(self.context.conditions, Right::AppendTo, target)?;
        let id = keys::find(self.organisation, self.context.conditions, target, key)?;
        self.link(&navigation.column, Some(Reference::new(&target.logical_name, id)))
    }

    /// Sets a lookup, or applies the rule for two values if it is set already.
    fn link(&mut self, lookup: &str, to: Option<Reference>) -> Result<(), ODataError> {
        if self.payload.changes.links().any(|(name, _)| name == lookup) {
            self.payload.warnings.push(format!("two values for '{lookup}' in one body"));
            match self.context.conditions.two_values_for_one_lookup {
                TwoValues::First => return Ok(()),
                TwoValues::Last => {}
                TwoValues::Refuse => {
                    return Err(ODataError::TwoValues { table: self.table.clone(), lookup: lookup.to_owned() });
                }
            }
        }
        let changes = std::mem::take(&mut self.payload.changes);
        self.payload.changes = match to {
            Some(to) => changes.link(lookup, to),
            None => changes.clear(lookup),
        };
        Ok(())
    }

    fn clear(&mut self, navigation: &Navigation) -> Result<(), ODataError> {
        if let Some(linked) = self.row.and_then(|row| row.lookup(&navigation.column))
            && !navigation.targets.iter().any(|target| target == linked.logical_name() || target == ANY)
        {
            // The behaviour of Dataverse is unknown. Clearing is the cautious guess, because it can lose a link.
            self.payload.warnings.push(format!(
                "null through '{}' cleared a link to {}",
                navigation.name,
                linked.logical_name()
            ));
        }
        self.link(&navigation.column, None)
    }

    fn read_name(&mut self, name: &str, lookup: &str, value: &Value) -> Result<(), ODataError> {
        if !value.is_null() {
            return Err(ODataError::LookupNotWritable);
        }
        let disassociates = self.context.request.header("autodisassociate")?;
        if !disassociates.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err(ODataError::LookupNotNullable { name: name.to_owned() });
        }
        self.link(lookup, None)
    }

    fn nested_one(&mut self, navigation: &Navigation, properties: &Map<String, Value>) -> Result<(), ODataError> {
        if self.row.is_some() {
            return Err(ODataError::NotEmulated(format!("a new row for '{}' in an update", navigation.name)));
        }
        let target = self.context.definitions.by_logical_name(navigation.targets.first().map_or("", String::as_str));
        let Some(target) = target.filter(|_| navigation.targets.len() == 1) else {
            return Err(ODataError::NotEmulated(format!("a new row for '{}', whose table is open", navigation.name)));
        };
        self.payload.nested.push(Nested {
            table: Arc::clone(target),
            place: Place::Lookup(navigation.column.clone()),
            properties: properties.clone(),
        });
        Ok(())
    }

    fn nested_many(&mut self, collection: &Collection, value: &Value) -> Result<(), ODataError> {
        let name = &collection.name;
        let Some(rows) = value.as_array() else {
            return Err(ODataError::NotEmulated(format!("a value that is not an array for '{name}'")));
        };
        // The parties of an activity belong to it, so that an update replaces them.
        if self.row.is_some() && collection.table != "activityparty" {
            return Err(ODataError::NotEmulated(format!("new rows for '{name}' in an update")));
        }
        let Some(table) = self.context.definitions.by_logical_name(&collection.table) else {
            return Err(ODataError::NotEmulated(format!("'{name}' has rows of a table it does not have")));
        };
        for row in rows {
            let Some(properties) = row.as_object() else {
                return Err(ODataError::NotEmulated(format!("a row that is not an object in '{name}'")));
            };
            self.payload.nested.push(Nested {
                table: Arc::clone(table),
                place: Place::Member(collection.clone()),
                properties: properties.clone(),
            });
        }
        Ok(())
    }

    fn column(&mut self, column: &Column, value: &Value) -> Result<(), ODataError> {
        let (table, name) = (self.table, &column.name);
        if *name == table.key {
            let id = value.as_str().filter(|text| text.len() == 36).and_then(|text| Uuid::try_parse(text).ok());
            self.payload.id = Some(id.ok_or_else(|| self.wrong_literal(value, "Edm.Guid"))?);
            return Ok(());
        }
        let accepted = column.kind.accept(value).map_err(|rejected| self.rejected(column, value, rejected))?;
        let may_set = if self.row.is_some() { column.update } else { column.create };
        if !may_set || matches!(column.kind, Kind::Version) {
            // Documented: the value of a column that is not valid for the operation is ignored.
            self.payload.warnings.push(format!("'{name}' cannot be set here, and its value was ignored"));
            return Ok(());
        }
        if !matches!(column.kind, Kind::State(_) | Kind::Status(_)) {
            self.payload.changes = std::mem::take(&mut self.payload.changes).set(name, accepted);
        }
        Ok(())
    }

    fn wrong_literal(&self, value: &Value, expected: &'static str) -> ODataError {
        let literal = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        ODataError::WrongLiteral { table: self.table.clone(), literal, expected }
    }

    fn rejected(&self, column: &Column, value: &Value, rejected: Rejected) -> ODataError {
        let (table, name) = (self.table.clone(), column.name.clone());
        match rejected {
            Rejected::Type(expected) => self.wrong_literal(value, expected),
            Rejected::TooLong(limit) => ODataError::TooLong { table, name, limit },
            Rejected::OutOfRange(range) => ODataError::OutOfRange { table, name, range },
            Rejected::NotAChoice(choices) => {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                ODataError::NotAChoice { table, name, value, choices }
            }
            Rejected::TooEarly => ODataError::TooEarly,
            Rejected::NotEmulated(what) => ODataError::NotEmulated(what.to_owned()),
        }
    }
}

/// Whether a response annotates a column with this.
fn is_shown(annotation: &str) -> bool {
    annotation.starts_with("OData.Community.Display") || annotation.starts_with("Microsoft.Dynamics.CRM.")
}

/// Checks that need other rows. They come after all checks of the body alone.
fn check_links(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    row: Option<&Row>,
    payload: &Payload,
) -> Result<(), ODataError> {
    let mut written = HashSet::new();
    for (name, to) in payload.changes.links() {
        written.insert(name);
        if to.is_none() && is_required(table, name) {
            return Err(ODataError::NotEmulated(format!("clearing '{name}', which is required")));
        }
        let Some(to) = to else { continue };
        if let Some(target) = context.definitions.by_logical_name(to.logical_name())
            && organisation.row(to.logical_name(), to.id()).is_none()
        {
            return Err(ODataError::RowNotFound { table: target.clone(), id: to.id().to_string() });
        }
    }
    let nested = payload.nested.iter().filter_map(|nested| match &nested.place {
        Place::Lookup(column) => Some(column.as_str()),
        Place::Member(_) => None,
    });
    written.extend(nested);
    let lacks =
        |column: &&Column| row.is_none() && is_required(table, &column.name) && !written.contains(column.name.as_str());
    match table.columns.iter().find(lacks) {
        Some(column) => {
            Err(ODataError::NotEmulated(format!("creating a row without '{}', which is required", column.name)))
        }
        None => Ok(()),
    }
}

/// Whether a lookup must have a value. The server fills in the owner and the like.
fn is_required(table: &TableRef, name: &str) -> bool {
    name == "customerid" && table.logical_name == "incident"
}
