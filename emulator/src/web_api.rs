//! From a request to an answer: who may ask, which row is meant, which verb does what.

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};
use serde_json::Value;

use crate::{
    address::{Address, Options},
    fault::{self, Fault},
    organisation::Organisation,
    prefer::Preferences,
    read, update,
};

/// The tenant that a 401 names. Its authority is the emulator itself, so that nothing that follows it leaves the machine.
const TENANT: &str = "6f1c2a52-5d0e-4f7a-9a43-0c1de8b7e5f1";

/// One request, apart from how it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As in the request line, percent-encoding included.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    /// `None` when it was larger than the server takes.
    pub(crate) body: Option<Bytes>,
}

/// One answer, apart from the headers that every answer carries.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// What Dataverse accepts although it is hardly ever meant; shown in the request log.
    pub(crate) warnings: Vec<String>,
}

/// What the server knows of itself.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) credential: String,
}

/// What every verb needs of a request.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) options: Options,
    pub(crate) preferences: Preferences,
    /// Scheme, host and port as the client calls them.
    pub(crate) origin: String,
    /// URL that set names are appended to, with the version the client uses.
    pub(crate) root: String,
}

impl Request {
    /// Method and path with query.
    pub(crate) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The one value of a header, however many lines it came in.
    pub(crate) fn header(&self, name: &str) -> Result<Option<String>, Fault> {
        let unreadable = |_| Fault::NotEmulated(format!("header {name} is not ASCII"));
        let values: Result<Vec<_>, _> = self.headers.get_all(name).iter().map(|value| value.to_str()).collect();
        let values = values.map_err(unreadable)?;
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }
}

impl Service {
    pub(crate) fn authorises(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get("authorization").and_then(|value| value.to_str().ok());
        sent.and_then(|value| value.split_once(' '))
            .is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token.trim() == self.credential)
    }

    /// Answers one request. A fault leaves the organisation as it was.
    pub(crate) fn answer(&self, organisation: &mut Organisation, request: &Request) -> Answer {
        let host = request.headers.get("host").and_then(|host| host.to_str().ok());
        let origin = host.map_or_else(|| self.url.clone(), |host| format!("http://{host}"));
        self.try_answer(organisation, request, &origin).unwrap_or_else(|fault| refuse(&fault, request, &origin))
    }

    fn try_answer(&self, organisation: &mut Organisation, request: &Request, origin: &str) -> Result<Answer, Fault> {
        if !self.authorises(&request.headers) {
            return Err(Fault::Unauthorized);
        }
        let address = Address::parse(&request.path)?;
        let preferences = Preferences::of(&request.headers)?;
        let options = Options::parse(request.query.as_deref())?;
        let root = format!("{origin}/api/data/{}", address.version);
        let context = Context { request, options, preferences, origin: origin.to_owned(), root };
        match (&request.method, address.id) {
            (&Method::GET, Some(id)) => read::get(organisation, &context, address.table, id),
            (&Method::PATCH, Some(id)) => update::patch(organisation, &context, address.table, id),
            // A row takes no POST, a set neither of the others.
            (&Method::POST, Some(_)) | (&Method::PATCH | &Method::PUT | &Method::DELETE, None) => {
                Err(Fault::NoResource { uri: format!("{origin}{}", request.target()) })
            }
            _ => Err(Fault::NotEmulated("this verb is unknown to it here".to_owned())),
        }
    }
}

fn refuse(fault: &Fault, request: &Request, origin: &str) -> Answer {
    let (status, code, message) = fault.parts(&format!("{} {}", request.method, request.target()));
    if let Fault::Unauthorized = fault {
        let challenge = format!("Bearer authorization_uri={origin}/{TENANT}/oauth2/authorize, resource_id={origin}/");
        return Answer { status, headers: vec![("www-authenticate", challenge)], ..Answer::default() };
    }
    let all_annotations = Preferences::of(&request.headers).is_ok_and(|preferences| preferences.annotations.all());
    Answer { status, body: Some(fault::body(code, &message, all_annotations)), ..Answer::default() }
}
