//! From a URL to the row it names.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::{
    fault::Fault,
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
    /// The navigation property whose reference is meant, `…/<name>/$ref`, and not the row.
    pub(crate) reference: Option<String>,
}

impl Address {
    /// Reads a path as it stands in the request line, percent-encoding included.
    pub(crate) fn parse(path: &str) -> Result<Self, Fault> {
        let unknown = || Fault::NotEmulated("the path is not under /api/data/v9.0, v9.1 or v9.2".to_owned());
        let (version, rest) =
            path.strip_prefix("/api/data/").and_then(|rest| rest.split_once('/')).ok_or_else(unknown)?;
        if !VERSIONS.contains(&version) {
            return Err(unknown());
        }
        let mut segments = rest.split('/');
        let segment = decode(segments.next().unwrap_or_default())?;
        let resource = Resource::parse(&segment)?;
        let table = resource.table()?;
        let id = resource.key.map(parse_key).transpose()?;
        let reference = match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => None,
            (Some(name), Some("$ref"), None) if id.is_some() => Some(decode(name)?),
            _ => return Err(Fault::NotEmulated("paths below a row or a set are unknown to it".to_owned())),
        };
        Ok(Self { version: version.to_owned(), table, id, reference })
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

/// A key: a bare GUID with its hyphens, in either case.
pub(crate) fn parse_key(key: &str) -> Result<Uuid, Fault> {
    let starts_as_name = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts_as_name && key.contains('=') {
        return Err(Fault::NotEmulated("keys by name, alternate keys among them, are unknown to it".to_owned()));
    }
    // Without the check of the length, braces and GUIDs with no hyphens would pass.
    if key.len() != 36 {
        return Err(Fault::QuerySyntax);
    }
    Uuid::try_parse(key).map_err(|_| Fault::QuerySyntax)
}

/// The query options the emulator knows.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// The names of `$select`.
    pub(crate) select: Option<Vec<String>>,
}

impl Options {
    /// Reads the query as it stands in the request line.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Fault> {
        let mut options = Self::default();
        for option in query.unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match decode(name)?.as_str() {
                "$select" if options.select.is_none() => {
                    let names: Vec<_> = decode(value)?.split(',').map(|name| name.trim().to_owned()).collect();
                    if names.iter().any(|name| name.is_empty() || name == "*") {
                        return Err(Fault::NotEmulated("this $select is unknown to it".to_owned()));
                    }
                    options.select = Some(names);
                }
                // A shared variable for plug-ins; changes no answer.
                "tag" => {}
                other => return Err(Fault::NotEmulated(format!("query option '{other}'"))),
            }
        }
        Ok(options)
    }
}

/// Undoes percent-encoding.
pub(crate) fn decode(text: &str) -> Result<String, Fault> {
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| Fault::QuerySyntax)?.into_owned())
}
