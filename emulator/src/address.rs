//! From a URL to the row it names.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::{
    fault::Fault,
    query::QueryFault,
    table::{self, Table},
};

pub(crate) const VERSIONS: [&str; 3] = ["v9.0", "v9.1", "v9.2"];

/// What Dataverse serves and the emulator does not: refused by name, because "not found" would be a wrong answer.
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
    /// The segment of the row as it was sent, with whichever key.
    pub(crate) segment: String,
    /// The navigation property whose reference is meant, `…/<name>/$ref`, and not the row.
    pub(crate) reference: Option<String>,
}

impl Address {
    /// Reads a path as it stands in the request line, percent-encoding included. `find` finds the row of a key.
    pub(crate) fn parse(path: &str, find: impl Fn(&'static Table, &str) -> Result<Uuid, Fault>) -> Result<Self, Fault> {
        let unknown = || Fault::NotEmulated("the path is not under /api/data/v9.0, v9.1 or v9.2".to_owned());
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
            _ => return Err(Fault::NotEmulated("paths below a row or a set are unknown to it".to_owned())),
        };
        let id = resource.key.map(|key| find(table, key)).transpose()?;
        Ok(Self { version: version.to_owned(), table, id, segment: segment.to_owned(), reference })
    }
}

/// One segment, `accounts(<key>)` say.
pub(crate) struct Resource<'a> {
    pub(crate) set: &'a str,
    pub(crate) key: Option<&'a str>,
}

impl<'a> Resource<'a> {
    pub(crate) fn parse(segment: &'a str) -> Result<Self, Fault> {
        match segment.split_once('(') {
            None => Ok(Self { set: segment, key: None }),
            Some((set, rest)) => Ok(Self { set, key: Some(rest.strip_suffix(')').ok_or(Fault::QuerySyntax)?) }),
        }
    }

    fn table(&self) -> Result<&'static Table, Fault> {
        if let Some(table) = table::by_set(self.set) {
            return Ok(table);
        }
        if self.set.is_empty() || self.set.starts_with('$') || NOT_EMULATED.contains(&self.set) {
            return Err(Fault::NotEmulated(format!("'{}' is unknown to it", self.set)));
        }
        Err(Fault::SetNotFound { segment: self.set.to_owned() })
    }
}

/// A bare GUID with its hyphens, in either case.
pub(crate) fn parse_guid(key: &str) -> Result<Uuid, Fault> {
    // Without the check of the length, braces and GUIDs with no hyphens would pass.
    if key.len() != 36 {
        return Err(Fault::QuerySyntax);
    }
    Uuid::try_parse(key).map_err(|_| Fault::QuerySyntax)
}

/// The query options the emulator knows, those of sets as they were sent.
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
    /// Reads the query as it stands in the request line.
    pub(crate) fn parse(query: Option<&str>, is_of_set: bool) -> Result<Self, Fault> {
        let mut options = Self::default();
        for option in query.unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let name = decode(name)?;
            let value = decode(&value.replace('+', " "))?;
            let place = match name.as_str() {
                "$select" if options.select.is_none() => {
                    let names: Vec<_> = value.split(',').map(|name| name.trim().to_owned()).collect();
                    if names.iter().any(|name| name.is_empty() || name == "*") {
                        return Err(Fault::NotEmulated("this $select is unknown to it".to_owned()));
                    }
                    options.select = Some(names);
                    continue;
                }
                // A shared variable for plug-ins; changes no answer.
                "tag" => continue,
                "$skip" if is_of_set => return Err(QueryFault::SkipNotSupported.into()),
                "$filter" if is_of_set => &mut options.filter,
                "$orderby" if is_of_set => &mut options.order_by,
                "$top" if is_of_set => &mut options.top,
                "$count" if is_of_set => &mut options.count,
                "$skiptoken" if is_of_set => &mut options.skip_token,
                other => return Err(Fault::NotEmulated(format!("query option '{other}'"))),
            };
            if place.replace(value).is_some() {
                return Err(Fault::NotEmulated(format!("'{name}' twice")));
            }
        }
        Ok(options)
    }
}

/// Undoes percent-encoding.
pub(crate) fn decode(text: &str) -> Result<String, Fault> {
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| Fault::QuerySyntax)?.into_owned())
}
