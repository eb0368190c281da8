//! Parses a URL into what it addresses.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    definitions::{
        Definitions, TableRef, is_known_operation, is_known_set,
        table::{Collection, Column, Navigation},
    },
    error::ODataError,
    message::decode,
};

pub(crate) const VERSIONS: [&str; 3] = ["v9.0", "v9.1", "v9.2"];

const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// Resources that Dataverse has besides sets and operations.
const OTHER_RESOURCES: [&str; 6] = [
    "EntityDefinitions",
    "GlobalOptionSetDefinitions",
    "ManagedPropertyDefinitions",
    "RelationshipDefinitions",
    "$crossjoin",
    "$all",
];

/// Splits the path of the request line into the API version and the segments below it, which stay encoded.
pub(crate) fn split(path: &str) -> Result<(&str, Vec<&str>), ODataError> {
    let unknown = || ODataError::NotEmulated("the path is not under /api/data/v9.0, v9.1 or v9.2".to_owned());
    let rest = path.strip_prefix("/api/data/").ok_or_else(unknown)?;
    let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
    if !VERSIONS.contains(&version) {
        return Err(unknown());
    }
    Ok((version, rest.split('/').collect()))
}

/// The target of a path below the root. The key of a row stays unresolved, because it may need the rows.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) table: TableRef,
    /// The key between the parentheses, decoded. `None`: the set.
    pub(crate) key: Option<String>,
    /// The first segment as sent, with any kind of key.
    pub(crate) segment: String,
    pub(crate) part: Part,
}

/// The addressed part of the row, or of the set without a key.
#[derive(Debug)]
pub(crate) enum Part {
    Whole,
    /// `/$count`
    Count,
    /// `/$ref`
    Reference,
    /// `/<column>`; with `/$value` after it as text.
    Property {
        column: Column,
        as_text: bool,
    },
    /// `/<single-valued navigation property>`
    Navigation(Navigation),
    NavigationReference(Navigation),
    Collection(Collection),
    CollectionCount(Collection),
    /// `/<collection>/$ref`, or with the key of a member `/<collection>(<key>)/$ref`.
    CollectionReference(Collection, Option<String>),
    /// `/Microsoft.Dynamics.CRM.<name>`, with the text between its parentheses.
    Operation {
        name: String,
        arguments: Option<String>,
    },
}

impl Address {
    /// Parses the segments below the version. `hides` tells which navigation properties the environment lacks.
    pub(crate) fn parse(
        definitions: &Definitions,
        segments: &[&str],
        hides: impl Fn(&str) -> bool,
    ) -> Result<Self, ODataError> {
        let segment = segments.first().copied().unwrap_or_default();
        let decoded = decode(segment)?;
        let resource = Resource::parse(&decoded)?;
        let table = resource.table(definitions)?;
        let rest = segments[1..].iter().map(|segment| decode(segment)).collect::<Result<Vec<_>, _>>()?;
        let rest: Vec<_> = rest.iter().map(String::as_str).collect();
        let part = part(&table, resource.key.is_some(), &rest, hides)?;
        Ok(Self { table, key: resource.key.map(str::to_owned), segment: segment.to_owned(), part })
    }
}

fn part(table: &TableRef, has_key: bool, rest: &[&str], hides: impl Fn(&str) -> bool) -> Result<Part, ODataError> {
    let not_emulated = || ODataError::NotEmulated("a path below a row or a set".to_owned());
    let (first, after) = match rest {
        [] => return Ok(Part::Whole),
        ["$count"] if !has_key => return Ok(Part::Count),
        ["$ref"] => return Ok(Part::Reference),
        [first, after @ ..] => (*first, after),
    };
    if let Some(operation) = first.strip_prefix(NAMESPACE) {
        return if after.is_empty() { Ok(operation_part(operation)) } else { Err(not_emulated()) };
    }
    if !has_key {
        return Err(not_emulated());
    }
    let (name, key) = match first.split_once('(') {
        Some((name, key)) => (name, Some(key.strip_suffix(')').ok_or(ODataError::QuerySyntax)?.to_owned())),
        None => (first, None),
    };
    if let Some(navigation) = table.navigation(name).filter(|_| key.is_none() && !hides(name)) {
        match after {
            [] => return Ok(Part::Navigation(navigation.clone())),
            ["$ref"] => return Ok(Part::NavigationReference(navigation.clone())),
            _ => return Err(not_emulated()),
        }
    }
    if let Some(collection) = table.collection(name) {
        return match (after, key) {
            ([], None) => Ok(Part::Collection(collection.clone())),
            (["$count"], None) => Ok(Part::CollectionCount(collection.clone())),
            (["$ref"], key) => Ok(Part::CollectionReference(collection.clone(), key)),
            _ => Err(not_emulated()),
        };
    }
    let column = table.column_read_as(name).filter(|_| key.is_none());
    match (column, after) {
        (Some(column), []) => Ok(Part::Property { column: column.clone(), as_text: false }),
        (Some(column), ["$value"]) => Ok(Part::Property { column: column.clone(), as_text: true }),
        (Some(_), _) => Err(not_emulated()),
        (None, _) if is_known_operation(name) => Err(ODataError::NotEmulated(format!("the operation '{name}'"))),
        (None, _) => Err(ODataError::SetNotFound { segment: name.to_owned() }),
    }
}

fn operation_part(text: &str) -> Part {
    match text.split_once('(') {
        Some((name, rest)) => Part::Operation {
            name: name.to_owned(),
            arguments: Some(rest.strip_suffix(')').unwrap_or(rest).to_owned()),
        },
        None => Part::Operation { name: text.to_owned(), arguments: None },
    }
}

/// One segment, for example `accounts(<key>)`.
pub(crate) struct Resource<'a> {
    pub(crate) set: &'a str,
    pub(crate) key: Option<&'a str>,
}

impl<'a> Resource<'a> {
    pub(crate) fn parse(segment: &'a str) -> Result<Self, ODataError> {
        match segment.split_once('(') {
            None => Ok(Self { set: segment, key: None }),
            Some((set, rest)) => Ok(Self { set, key: Some(rest.strip_suffix(')').ok_or(ODataError::QuerySyntax)?) }),
        }
    }

    pub(crate) fn table(&self, definitions: &Definitions) -> Result<TableRef, ODataError> {
        if let Some(table) = definitions.by_set(self.set) {
            return Ok(Arc::clone(table));
        }
        let exists = self.set.is_empty()
            || self.set.starts_with('$')
            || OTHER_RESOURCES.contains(&self.set)
            || is_known_set(self.set)
            || is_known_operation(self.set);
        if exists {
            return Err(ODataError::NotEmulated(format!("the resource '{}'", self.set)));
        }
        Err(ODataError::SetNotFound { segment: self.set.to_owned() })
    }
}

/// The last segment of `/accounts(…)`, `accounts(…)` or an absolute URL of this server. `origin` is the server as the client addresses it.
pub(crate) fn relative<'u>(origin: &str, uri: &'u str) -> Result<&'u str, ODataError> {
    let path = uri.strip_prefix(origin).unwrap_or(uri);
    let relative = match path.strip_prefix("/api/data/") {
        Some(path) => VERSIONS.into_iter().find_map(|version| path.strip_prefix(version)?.strip_prefix('/')),
        None => Some(path.strip_prefix('/').unwrap_or(path)),
    };
    relative
        .filter(|relative| !relative.contains('/') && !relative.starts_with('$'))
        .ok_or_else(|| ODataError::NotEmulated(format!("a bind to '{uri}'")))
}

/// Parses a GUID with hyphens and without braces, in either case.
pub(crate) fn parse_guid(key: &str) -> Result<Uuid, ODataError> {
    // Without the check of the length, braces and GUIDs without hyphens would be accepted.
    if key.len() != 36 {
        return Err(ODataError::QuerySyntax);
    }
    Uuid::try_parse(key).map_err(|_| ODataError::QuerySyntax)
}
