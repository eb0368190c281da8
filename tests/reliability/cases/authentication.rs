//! Tokens that are not accepted, and tokens that are not issued.

use serde_json::{Value, json};

use super::{Case, Group, at, at_every};

pub(super) fn group() -> Group {
    let unauthorized = json!({ "kind": "unauthorized" });
    let token = |times: &str, fault: Value| {
        let times = if times == "always" { json!("always") } else { json!(1) };
        json!([{ "on": { "path": "/oauth2/" }, "times": times, "fault": fault }])
    };
    let asks_for_claims = json!({
        "kind": "status", "status": 401, "body": "empty",
        "headers": { "www-authenticate": r#"Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""# },
    });
    let down = json!({ "kind": "status", "status": 503, "body": "empty" });
    Group {
        title: "Authentication",
        about: "The client has a client secret and gets its tokens over the network (`token`), unless the table states otherwise.",
        cases: vec![
            Case::new("401", "the read", at("GET", &unauthorized)).with_secret(),
            Case::new("401", "the write", at("PATCH", &unauthorized)).with_secret(),
            Case::new("401", "every read", at_every("GET", &unauthorized)).with_secret(),
            Case::new("401", "every write", at_every("PATCH", &unauthorized)).with_secret(),
            Case::new("401, and the credential is one fixed token", "the read", at("GET", &unauthorized)),
            Case::new("401, and the credential is one fixed token", "the write", at("PATCH", &unauthorized)),
            Case::new("401 that demands claims", "the read", at("GET", &asks_for_claims)).with_secret(),
            Case::under("Secret expired", "every token", json!({ "secretExpired": true })).with_secret(),
            Case::under(
                "Application is no user of the environment",
                "every request",
                json!({ "applicationUserMissing": true }),
            )
            .with_secret(),
            Case::new("Token endpoint returns 503", "the token", token("once", down.clone())).with_secret(),
            Case::new("Token endpoint returns 503", "every token", token("always", down)).with_secret(),
            Case::new("Token endpoint resets the connection", "the token", token("once", json!({ "kind": "drop" })))
                .with_secret(),
            Case::new("Token endpoint does not respond", "the token", token("once", json!({ "kind": "hang" })))
                .with_secret(),
            Case::new(
                "Token endpoint returns a web page",
                "the token",
                token("once", json!({ "kind": "status", "status": 200, "body": "html" })),
            )
            .with_secret(),
        ],
    }
}
