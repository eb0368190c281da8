//! Parses a URL into the row it addresses.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::{
    error::ODataError,
    query::QueryError,
    table::{self, Table},
};

pub(crate) const VERSIONS: [&str; 3] = ["v9.0", "v9.1", "v9.2"];

/// Resources that Dataverse has and the emulator does not. They get an error that names them, because "not found" would be wrong.
const NOT_EMULATED: [&str; 17] = [
    "EntityDefinitions",
    "GlobalOptionSetDefinitions",
    "RelationshipDefinitions",
    "WhoAmI",
    "activitypointers",
    "leads",
    "msdyn_liveworkstreams",
    "msdyn_ocsessions",
    "msdyn_sessionparticipants",
    "opportunities",
    "organizations",
    "queueitems",
    "queues",
    "socialprofiles",
    "systemusers",
    "tasks",
    "teams",
];

/// A path below `/api/data/v9.x/`.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) version: String,
    pub(crate) table: &'static Table,
    /// `None` for the collection.
    pub(crate) id: Option<Uuid>,
    /// The segment of the row as sent, with any kind of key.
    pub(crate) segment: String,
    /// Set for `…/<name>/$ref`: the navigation property whose reference is addressed instead of the row.
    pub(crate) reference: Option<String>,
}

impl Address {
    /// Parses the path of the request line, with its percent-encoding. `find` looks up the row of a key.
    pub(crate) fn parse(
        path: &str,
        find: impl Fn(&'static Table, &str) -> Result<Uuid, ODataError>,
    ) -> Result<Self, ODataError> {
        let unknown = || ODataError::NotEmulated("the path is not under /api/data/v9.0, v9.1 or v9.2".to_owned());
        let (version, rest) =
            path.strip_prefix("/api/data/").and_then(|rest| rest.split_once('/')).ok_or_else(unknown)?;
        if !VERSIONS.contains(&version) {
            return Err(unknown());
        }
        let mut segments = rest.split('/');
        let segment = segments.next().unwrap_or_default();
        let decoded = decode(segment)?;
        let resource = Resource::parse(&decoded)?;
        let table = resource.table()?;
        let reference = match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => None,
            (Some(name), Some("$ref"), None) if resource.key.is_some() => Some(decode(name)?),
            _ => return Err(ODataError::NotEmulated("a path below a row or a set".to_owned())),
        };
        let id = resource.key.map(|key| find(table, key)).transpose()?;
        Ok(Self { version: version.to_owned(), table, id, segment: segment.to_owned(), reference })
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

    fn table(&self) -> Result<&'static Table, ODataError> {
        if let Some(table) = table::by_set(self.set) {
            return Ok(table);
        }
        if self.set.is_empty() || self.set.starts_with('$') || NOT_EMULATED.contains(&self.set) {
            return Err(ODataError::NotEmulated(format!("the resource '{}'", self.set)));
        }
        Err(ODataError::SetNotFound { segment: self.set.to_owned() })
    }
}

/// Parses a GUID with hyphens and without braces, in either case.
pub(crate) fn parse_guid(key: &str) -> Result<Uuid, ODataError> {
    // Without the check of the length, braces and GUIDs without hyphens would be accepted.
    if key.len() != 36 {
        return Err(ODataError::QuerySyntax);
    }
    Uuid::try_parse(key).map_err(|_| ODataError::QuerySyntax)
}

/// The supported query options. Those of sets are kept as sent.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// The names of `$select`.
    pub(crate) select: Option<Vec<String>>,
    pub(crate) filter: Option<String>,
    pub(crate) order_by: Option<String>,
    pub(crate) top: Option<String>,
    pub(crate) count: Option<String>,
    pub(crate) skip_token: Option<String>,
}

impl Options {
    /// Parses the query of the request line.
    pub(crate) fn parse(query: Option<&str>, is_of_set: bool) -> Result<Self, ODataError> {
        let mut options = Self::default();
        for option in query.unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let name = decode(name)?;
            let value = decode(&value.replace('+', " "))?;
            let place = match name.as_str() {
                "$select" if options.select.is_none() => {
                    let names: Vec<_> = value.split(',').map(|name| name.trim().to_owned()).collect();
                    if names.iter().any(|name| name.is_empty() || name == "*") {
                        return Err(ODataError::NotEmulated("$select with * or an empty name".to_owned()));
                    }
                    options.select = Some(names);
                    continue;
                }
                // A shared variable for plug-ins. It does not change the response.
                "tag" => continue,
                "$skip" if is_of_set => return Err(QueryError::SkipNotSupported.into()),
                "$filter" if is_of_set => &mut options.filter,
                "$orderby" if is_of_set => &mut options.order_by,
                "$top" if is_of_set => &mut options.top,
                "$count" if is_of_set => &mut options.count,
                "$skiptoken" if is_of_set => &mut options.skip_token,
                other => return Err(ODataError::NotEmulated(format!("query option '{other}'"))),
            };
            if place.replace(value).is_some() {
                return Err(ODataError::NotEmulated(format!("'{name}' given twice")));
            }
        }
        Ok(options)
    }
}

/// Decodes percent-encoding.
pub(crate) fn decode(text: &str) -> Result<String, ODataError> {
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| ODataError::QuerySyntax)?.into_owned())
}
