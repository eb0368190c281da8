//! Headers of requests, prepared once per client.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
};

pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const ODATA_MAX_VERSION: HeaderName = HeaderName::from_static("odata-maxversion");
pub(super) const CALLER_OBJECT_ID: HeaderName = HeaderName::from_static("callerobjectid");
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const ANNOTATE: HeaderValue =
    HeaderValue::from_static(r#"odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname""#);
const REPRESENT_AND_ANNOTATE: HeaderValue = HeaderValue::from_static(
    r#"return=representation,odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname""#,
);

/// Headers that are the same in all requests of a client, which copy them. Those of a call have a place in them already, because a
/// map that grows is allocated anew.
pub(super) struct CommonHeaders {
    pub(super) get: HeaderMap,
    pub(super) patch: HeaderMap,
}

impl Default for CommonHeaders {
    fn default() -> Self {
        const OF_A_CALL: HeaderValue = HeaderValue::from_static("");
        const ODATA: HeaderValue = HeaderValue::from_static("4.0");

        let common = HeaderMap::from_iter([
            (ACCEPT, JSON),
            (ODATA_MAX_VERSION, ODATA),
            (ODATA_VERSION, ODATA),
            (CLIENT_REQUEST_ID, OF_A_CALL),
            (AUTHORIZATION, OF_A_CALL),
        ]);
        let (mut get, mut patch) = (common.clone(), common);
        // Bypasses caches between client and server.
        get.insert(IF_NONE_MATCH, HeaderValue::from_static("null"));
        get.insert(PREFER, ANNOTATE);
        patch.insert(CONTENT_TYPE, JSON);
        patch.insert(IF_MATCH, OF_A_CALL);
        patch.insert(PREFER, REPRESENT_AND_ANNOTATE);
        Self { get, patch }
    }
}
