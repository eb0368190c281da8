//! URL of an environment.

use std::{fmt, str::FromStr};

use ::http::uri::{Authority, InvalidUri, PathAndQuery, Scheme, Uri};
use bytes::Bytes;
use url::Url;

use super::tables::conversation;
use crate::{domain::ConversationId, http};

/// URL of an environment, such as `https://contoso.crm4.dynamics.com`. Plain HTTP is accepted for this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentUrl {
    url: Url,
    /// Scheme and authority of every request, which share these bytes.
    scheme: Scheme,
    authority: Authority,
    /// Path of a conversation's row, up to its id.
    row: String,
}

/// Domains of environments, and the token authorities of their clouds.
const CLOUDS: [(&str, &str); 4] = [
    (".dynamics.com", "https://login.microsoftonline.com"),
    (".microsoftdynamics.us", "https://login.microsoftonline.us"),
    (".appsplatform.us", "https://login.microsoftonline.us"),
    (".dynamics.cn", "https://login.chinacloudapi.cn"),
];

/// Reason why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableUrl {
    #[error("expected a URL such as https://contoso.crm4.dynamics.com ({0})")]
    Malformed(url::ParseError),
    #[error("expected a URL such as https://contoso.crm4.dynamics.com ({0})")]
    Unusable(String),
    #[error("expected https; plain http is accepted on this machine only, because the token would be sent unencrypted")]
    NotHttps,
    #[error("expected no user, password, query or fragment in it")]
    ExtraParts,
    /// It has a path, which environments in Microsoft's clouds do not have, and which is not that of a known page or service.
    #[error("expected only the environment's address, such as https://contoso.crm4.dynamics.com, without a path")]
    Path,
}

impl EnvironmentUrl {
    const API: &str = "api/data/";
    /// Version of the API that requests use.
    const VERSION: &str = "v9.2";

    /// The URL, with a slash at its end.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// Scope of its tokens: `<environment>/.default`.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("{}/.default", self.origin())
    }

    /// Scheme, host and port, which is the audience of its tokens.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The authority that issues its tokens, derived from the domain. `None` if the domain does not belong to a known cloud. The rest of
    /// the name is ignored, because Microsoft adds regions.
    #[must_use]
    pub fn authority_host(&self) -> Option<Url> {
        cloud_authority(&self.url).and_then(|authority| Url::parse(authority).ok())
    }

    /// URL of the entity set of conversations. `query` is the part after `?`.
    pub(super) fn conversations(&self, query: &str) -> Url {
        self.set(conversation::ENTITY_SET, query)
    }

    /// Whether a URL is that of the entity set of conversations, in any version of the API. A token may be sent only there. Paths are
    /// not case-sensitive, as on the server.
    pub(super) fn has_conversations_at(&self, url: &Url) -> bool {
        let root = format!("{}{}v", self.url.path(), Self::API).to_ascii_lowercase();
        let path = url.path().to_ascii_lowercase();
        let version =
            path.strip_prefix(&root).and_then(|path| path.strip_suffix(conversation::ENTITY_SET)?.strip_suffix('/'));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        url.origin() == self.url.origin()
            && (url.username(), url.password()) == ("", None)
            && version
                .and_then(|version| version.split_once('.'))
                .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
    }

    /// URL of an entity set. `query` is the part after `?`.
    pub(super) fn set(&self, name: &str, query: &str) -> Url {
        self.api(name, Some(query))
    }

    /// URI of a conversation's row. `query` is the part after `?`, with no character that must be encoded.
    pub(super) fn conversation(&self, id: ConversationId, query: &str) -> Result<Uri, ::http::Error> {
        let path = [&self.row, id.encode(&mut [0; ConversationId::LENGTH]), ")?", query].concat();
        let row = PathAndQuery::from_maybe_shared(Bytes::from(path))?;
        Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(row).build()
    }

    pub(super) fn api(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{}{}/{path}", self.url.path(), Self::API, Self::VERSION));
        url.set_query(query);
        url
    }
}

/// The URL as users write it, without the slash at its end.
impl fmt::Display for EnvironmentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl FromStr for EnvironmentUrl {
    type Err = UnusableUrl;

    /// Accepts the URLs that users copy: that of the environment, the API, a page in the browser or an older service. The path of the
    /// latter is removed.
    fn from_str(text: &str) -> Result<Self, UnusableUrl> {
        let mut url = Url::parse(text).map_err(UnusableUrl::Malformed)?;
        // Removes a dot at the end of the host, which neither a token's audience nor a certificate has.
        if let Some(host) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
            url.set_host(Some(&host)).map_err(UnusableUrl::Malformed)?;
        }
        if !http::is_safe_for_secrets(&url) {
            return Err(UnusableUrl::NotHttps);
        }
        let segments: Vec<_> = url.path().split('/').filter(|segment| !segment.is_empty()).collect();
        let page = (0..segments.len()).find(|&index| begins_page(&segments[index..]));
        let has_extra = page.is_none() && (url.query().is_some() || url.fragment().is_some());
        if !url.username().is_empty() || url.password().is_some() || has_extra {
            return Err(UnusableUrl::ExtraParts);
        }
        let base = segments[..page.unwrap_or(segments.len())].join("/");
        url.set_path(&if base.is_empty() { "/".to_owned() } else { format!("/{base}/") });
        url.set_query(None);
        url.set_fragment(None);
        if !base.is_empty() && cloud_authority(&url).is_some() {
            page.ok_or(UnusableUrl::Path)?;
            url.set_path("/");
        }
        let unusable = |why: InvalidUri| UnusableUrl::Unusable(why.to_string());
        let scheme = url.scheme().parse().map_err(unusable)?;
        let authority = url.authority().parse().map_err(unusable)?;
        let row = format!("{}{}{}/{}(", url.path(), Self::API, Self::VERSION, conversation::ENTITY_SET);
        Ok(Self { url, scheme, authority, row })
    }
}

fn cloud_authority(url: &Url) -> Option<&'static str> {
    let host = url.host_str()?;
    CLOUDS.iter().find(|(suffix, _)| host.ends_with(suffix)).map(|(_, authority)| *authority)
}

/// Whether this is the path of the API, a page or a service below an environment's address. Paths of IIS are not case-sensitive.
fn begins_page(segments: &[&str]) -> bool {
    let is = |index: usize, name: &str| segments.get(index).is_some_and(|segment| segment.eq_ignore_ascii_case(name));
    let ends = |suffix: &str| segments[0].to_ascii_lowercase().ends_with(suffix);
    let is_api = is(0, "api") && (segments.len() == 1 || is(1, "data"));
    is_api || is(0, "XRMServices") || ends(".aspx") || ends(".svc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_users_copy_lead_to_one_address() {
        for text in [
            "https://contoso.crm4.dynamics.com",
            "https://contoso.crm4.dynamics.com/",
            "https://CONTOSO.crm4.dynamics.com:443/api/data/v9.2/",
            "https://contoso.crm4.dynamics.com/api/data/v9.0",
            "https://contoso.crm4.dynamics.com./",
            "https://contoso.crm4.dynamics.com//API/DATA/",
            "https://contoso.crm4.dynamics.com/api",
            "https://contoso.crm4.dynamics.com/Api/Data/v9.2/accounts?$top=1",
            "https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#x",
            "https://contoso.crm4.dynamics.com/main.aspx",
            "https://contoso.crm4.dynamics.com:443/Main.aspx/?appid=1&pagetype=entityrecord&id=%7b2%7d#603471854",
            "https://contoso.crm4.dynamics.com/_root/homepage.aspx?etn=account",
            "https://contoso.crm4.dynamics.com/XRMServices/2011/Organization.svc",
            "https://contoso.crm4.dynamics.com/xrmservices/2011/organization.svc/web?SDKClientVersion=9",
            "https://contoso.crm4.dynamics.com/Organization.svc",
            " https://contoso.crm4.dynamics.com/main.aspx#1 ",
        ] {
            let url: EnvironmentUrl = text.parse().unwrap();
            assert_eq!(url.as_url().as_str(), "https://contoso.crm4.dynamics.com/");
            assert_eq!(url.scope(), "https://contoso.crm4.dynamics.com/.default");
            assert_eq!(
                url.conversation([0; 16].into(), "$select=a").unwrap(),
                "https://contoso.crm4.dynamics.com/api/data/v9.2/msdyn_ocliveworkitems(00000000-0000-0000-0000-000000000000)?$select=a"
            );
        }
    }

    #[test]
    fn an_unknown_path_belongs_to_another_server_or_is_rejected() {
        for (text, address) in [
            ("https://crm.contoso.example:8443/Contoso/main.aspx?etc=1#2", "https://crm.contoso.example:8443/Contoso"),
            ("https://crm.contoso.example/Contoso/API/data/v8.2", "https://crm.contoso.example/Contoso"),
            ("https://crm.contoso.example/api/database/", "https://crm.contoso.example/api/database"),
            ("http://localhost.:5000/api/data", "http://localhost:5000"),
            ("http://127.0.0.1:5000/x/", "http://127.0.0.1:5000/x"),
        ] {
            assert_eq!(text.parse::<EnvironmentUrl>().unwrap().to_string(), address, "{text}");
        }
        for text in ["foo", "apps/uniquename", "api/discovery/v9.2", "WebResources/a.html"] {
            let url = format!("https://contoso.crm4.dynamics.com/{text}");
            assert_eq!(url.parse::<EnvironmentUrl>(), Err(UnusableUrl::Path), "{url}");
        }
    }

    #[test]
    fn a_token_is_never_sent_unencrypted_except_to_this_machine() {
        assert!("http://127.0.0.1:8080".parse::<EnvironmentUrl>().is_ok());
        for text in ["http://contoso.crm4.dynamics.com", "ftp://127.0.0.1", "http://192.168.0.1"] {
            assert_eq!(text.parse::<EnvironmentUrl>(), Err(UnusableUrl::NotHttps), "{text}");
        }
    }

    #[test]
    fn each_cloud_has_its_authority() {
        for (url, authority) in [
            ("https://contoso.crm4.dynamics.com", Some("https://login.microsoftonline.com/")),
            ("https://contoso.api.crm99.dynamics.com", Some("https://login.microsoftonline.com/")),
            ("https://contoso.crm9.dynamics.com", Some("https://login.microsoftonline.com/")),
            ("https://contoso.crm.microsoftdynamics.us", Some("https://login.microsoftonline.us/")),
            ("https://contoso.crm.appsplatform.us", Some("https://login.microsoftonline.us/")),
            ("https://contoso.crm.dynamics.cn", Some("https://login.chinacloudapi.cn/")),
            ("https://contoso.crm.microsoftdynamics.de", None),
            ("https://dynamics.com.example", None),
            ("https://evildynamics.com", None),
            ("http://127.0.0.1:8080", None),
        ] {
            let environment: EnvironmentUrl = url.parse().unwrap();
            assert_eq!(environment.authority_host().as_ref().map(Url::as_str), authority, "{url}");
        }
    }

    #[test]
    fn secrets_in_the_url_are_rejected() {
        for text in [
            "https://me:secret@x.dynamics.com",
            "https://x.dynamics.com?code=secret",
            "https://x.dynamics.com/#t",
            "https://me@x.dynamics.com/main.aspx",
        ] {
            assert_eq!(text.parse::<EnvironmentUrl>(), Err(UnusableUrl::ExtraParts), "{text}");
        }
        assert!(matches!("contoso.crm4.dynamics.com".parse::<EnvironmentUrl>(), Err(UnusableUrl::Malformed(_))));
        assert!(matches!("https://contoso\"crm.example".parse::<EnvironmentUrl>(), Err(UnusableUrl::Unusable(_))));
    }
}
