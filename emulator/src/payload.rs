//! Parses and checks the body of a PATCH.

use std::collections::HashSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    address::Resource,
    conditions::TwoValues,
    error::ODataError,
    json, keys,
    organisation::{Changes, Organisation, Reference, Row, logical_name},
    privileges::{self, Right},
    table::{self, Kind, Lookup, Navigation, Table},
    web_api::Context,
};

/// A valid body.
pub(crate) struct Payload {
    pub(crate) changes: Changes,
    pub(crate) warnings: Vec<String>,
}

/// Reads a body for the current row. All checks are done before anything is written.
pub(crate) fn read(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &'static Table,
    id: Uuid,
    body: &[u8],
) -> Result<Payload, ODataError> {
    read_properties(organisation, context, table, id, &properties(table, body)?)
}

/// Parses the body as a JSON object.
pub(crate) fn properties(table: &'static Table, body: &[u8]) -> Result<Map<String, Value>, ODataError> {
    let unreadable = |detail: String| ODataError::BodyNotReadable { table, detail };
    match json::parse(body).map_err(|error| unreadable(error.to_string()))? {
        Value::Object(properties) => Ok(properties),
        _ => Err(unreadable("The body is not a JSON object.".to_owned())),
    }
}

/// Reads the properties of a body, or of a request for a reference.
pub(crate) fn read_properties(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &'static Table,
    id: Uuid,
    properties: &Map<String, Value>,
) -> Result<Payload, ODataError> {
    let row = organisation.row(table, id);
    let mut reader = Reader { organisation, context, table, row, changes: Changes::new(), warnings: Vec::new() };
    for (name, value) in properties {
        reader.property(name, value)?;
    }
    let changes = set_state(std::mem::take(&mut reader.changes), table, id, row, properties)?;
    check_links(organisation, table, row, &changes)?;
    keys::check_unique(organisation, context.conditions, table, id, &changes)?;
    Ok(Payload { changes, warnings: reader.warnings })
}

struct Reader<'a> {
    organisation: &'a Organisation,
    context: &'a Context<'a>,
    table: &'static Table,
    row: Option<&'a Row>,
    changes: Changes,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn property(&mut self, name: &str, value: &Value) -> Result<(), ODataError> {
        let table = self.table;
        if let Some((property, annotation)) = name.split_once('@') {
            return match (annotation, self.context.conditions.navigation(table, property)) {
                ("odata.bind", Some((lookup, navigation))) => self.bind(lookup, navigation, value),
                ("odata.bind", None) => Err(ODataError::UndeclaredProperty { table, name: property.to_owned() }),
                _ => Err(ODataError::NotEmulated(format!("the annotation '{name}' in a body"))),
            };
        }
        if let Some((lookup, navigation)) = self.context.conditions.navigation(table, name) {
            // If lookup and navigation property have the same name, as with `ownerid`, a value is a write by column name.
            return match value {
                Value::Null => self.clear(lookup, navigation),
                Value::String(_) if lookup.name == name => Err(ODataError::LookupNotWritable),
                _ => Err(ODataError::NotEmulated(format!("a value other than null for '{name}'"))),
            };
        }
        if let Some(lookup) = logical_name(name).filter(|_| self.organisation.has_lookup(table, name)) {
            return self.read_name(name, lookup, value);
        }
        if table.lookup(name).is_some() {
            return Err(match value {
                Value::Null => ODataError::UntypedValue { table, name: name.to_owned() },
                _ => ODataError::LookupNotWritable,
            });
        }
        self.column(name, value)
    }

    fn bind(&mut self, lookup: &Lookup, navigation: &Navigation, value: &Value) -> Result<(), ODataError> {
        let table = self.table;
        let Value::String(uri) = value else {
            let why = format!("'{}@odata.bind': {value}, on which reports disagree", navigation.name);
            return Err(ODataError::NotEmulated(why));
        };
        let Some(target) = table::by_logical_name(navigation.target) else {
            return Err(ODataError::NotEmulated(format!("'{}' points to a table it does not have", navigation.name)));
        };
        let relative = self.relative(uri)?;
        let resource = Resource::parse(relative)?;
        let Some(key) = resource.key else { return Err(ODataError::QuerySyntax) };
        if resource.set != target.set {
            return Err(ODataError::WrongBindType {
                table,
                navigation: navigation.name.to_owned(),
                expected: target.logical_name,
                found: uri.clone(),
            });
        }
        privileges::check(self.context.conditions, Right::Append, table)?;
        privileges::check(self.context.conditions, Right::AppendTo, target)?;
        let to = Reference::new(target, keys::find(self.organisation, self.context.conditions, target, key)?);
        self.link(lookup.name, Some(to))
    }

    /// Sets a lookup, or applies the rule for two values if it is set already.
    fn link(&mut self, lookup: &str, to: Option<Reference>) -> Result<(), ODataError> {
        if self.changes.links().any(|(name, _)| name == lookup) {
            self.warnings.push(format!("two values for '{lookup}' in one body"));
            match self.context.conditions.two_values_for_one_lookup {
                TwoValues::First => return Ok(()),
                TwoValues::Last => {}
                TwoValues::Refuse => {
                    return Err(ODataError::TwoValues { table: self.table, lookup: lookup.to_owned() });
                }
            }
        }
        let changes = std::mem::take(&mut self.changes);
        self.changes = match to {
            Some(to) => changes.link(lookup, to),
            None => changes.clear(lookup),
        };
        Ok(())
    }

    /// The last segment of `/accounts(…)`, `accounts(…)` or an absolute URL of this server.
    fn relative<'u>(&self, uri: &'u str) -> Result<&'u str, ODataError> {
        let path = uri.strip_prefix(&self.context.origin).and_then(|path| path.strip_prefix("/api/data/"));
        let relative = match path {
            Some(path) => ["v9.0/", "v9.1/", "v9.2/"].into_iter().find_map(|version| path.strip_prefix(version)),
            None => Some(uri.strip_prefix('/').unwrap_or(uri)),
        };
        relative
            .filter(|relative| !relative.contains('/') && !relative.starts_with('$'))
            .ok_or_else(|| ODataError::NotEmulated(format!("a bind to '{uri}'")))
    }

    fn clear(&mut self, lookup: &Lookup, navigation: &Navigation) -> Result<(), ODataError> {
        if lookup.navigations.iter().all(|navigation| table::by_logical_name(navigation.target).is_none()) {
            return Err(ODataError::NotEmulated(format!("'{}' points to a table it does not have", navigation.name)));
        }
        if let Some(linked) = self.row.and_then(|row| row.lookup(lookup.name))
            && linked.logical_name() != navigation.target
        {
            // The behaviour of Dataverse is unknown. Clearing is the cautious guess, because it can lose a link.
            self.warnings.push(format!(
                "null through '{}' cleared a link to {}",
                navigation.name,
                linked.logical_name()
            ));
        }
        self.link(lookup.name, None)
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

    fn column(&mut self, name: &str, value: &Value) -> Result<(), ODataError> {
        let table = self.table;
        if name == table.key {
            return Err(ODataError::NotEmulated(format!("the key '{name}' in a body")));
        }
        let Some(column) = table.column(name) else {
            if self.organisation.has_column(table, name) {
                return Err(ODataError::NotEmulated(format!("a write of '{name}', which only a seed page declares")));
            }
            return Err(ODataError::InvalidProperty { table, name: name.to_owned() });
        };
        if matches!(column.kind, Kind::System | Kind::SystemTime | Kind::Version) {
            return Err(ODataError::NotEmulated(format!("a write of '{name}', which the server writes itself")));
        }
        if let Some(expected) = column.kind.mismatch(value) {
            let literal = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Err(ODataError::WrongLiteral { table, literal, expected });
        }
        if let (Kind::Text(limit), Some(text)) = (column.kind, value.as_str())
            && text.encode_utf16().count() > limit
        {
            return Err(ODataError::TooLong { table, name: column.name, limit });
        }
        if name != "statecode" && name != "statuscode" {
            self.changes = std::mem::take(&mut self.changes).set(name, value.clone());
        }
        Ok(())
    }
}

/// State and status belong together: a missing one comes from the row, or is the default of the state.
fn set_state(
    changes: Changes,
    table: &'static Table,
    id: Uuid,
    row: Option<&Row>,
    properties: &Map<String, Value>,
) -> Result<Changes, ODataError> {
    let given = |name: &str| match properties.get(name) {
        None => Ok(None),
        Some(Value::Null) => Err(ODataError::NotEmulated(format!("null for '{name}'"))),
        Some(value) => Ok(value.as_i64()),
    };
    let (state, status) = (given("statecode")?, given("statuscode")?);
    if state.is_none() && status.is_none() {
        return Ok(changes);
    }
    let current = |name: &str| row.and_then(|row| row.column(name)).and_then(Value::as_i64);
    let current_state = current("statecode").unwrap_or_default();
    let new_state = state.unwrap_or(current_state);
    if row.is_none() && new_state != 0 {
        return Err(ODataError::NotEmulated(format!("creating a row in statecode {new_state}")));
    }
    let known = table.state(new_state);
    let kept = current("statuscode").filter(|_| new_state == current_state);
    let new_status = status.or(kept).or(known.map(|state| state.default_status)).unwrap_or(-1);
    let belongs = table.status(new_status).is_some_and(|status| status.state == new_state) || kept == Some(new_status);
    if !belongs {
        let state = known.map_or_else(|| new_state.to_string(), |state| state.label.to_owned());
        return Err(ODataError::InvalidStatus { table, id: id.to_string(), state, status: new_status });
    }
    Ok(changes.set("statecode", new_state).set("statuscode", new_status))
}

/// Checks that need other rows. They come after all checks of the body alone.
fn check_links(
    organisation: &Organisation,
    table: &'static Table,
    row: Option<&Row>,
    changes: &Changes,
) -> Result<(), ODataError> {
    let mut written = HashSet::new();
    for (name, to) in changes.links() {
        written.insert(name);
        let required = table.lookup(name).is_some_and(|lookup| lookup.required);
        if to.is_none() && required {
            return Err(ODataError::NotEmulated(format!("clearing '{name}', which is required")));
        }
        let Some(to) = to else { continue };
        if let Some(target) = table::by_logical_name(to.logical_name())
            && organisation.row(target, to.id()).is_none()
        {
            return Err(ODataError::RowNotFound { table: target, id: to.id().to_string() });
        }
    }
    match table.lookups.iter().find(|lookup| lookup.required && row.is_none() && !written.contains(lookup.name)) {
        Some(lookup) => {
            Err(ODataError::NotEmulated(format!("creating a row without '{}', which is required", lookup.name)))
        }
        None => Ok(()),
    }
}
