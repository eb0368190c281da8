//! Links to the next page: the accepted forms, and the limits of a chain of pages.

use std::{sync::Arc, time::Duration};

use omnichannel_link::{
    dataverse::Concurrency,
    domain::{CallOptions, ConversationDetails, ConversationQuery, Listing},
    error::{Code, LinkError},
};

use crate::{
    ACTIVE,
    script::{Script, client, reply, row_json},
    support::http::ScriptedHttp,
};

const SERVICE: &str = "https://contoso.crm4.dynamics.com/api/data/v9.2";

/// A page with as many rows, and the link to the next one.
fn page(rows: usize, next: Option<&str>) -> String {
    let row = row_json(7, ACTIVE, None, None);
    let next = next.map_or_else(String::new, |link| format!(r#","@odata.nextLink":"{link}""#));
    format!(r#"{{"value":[{}]{next}}}"#, vec![row; rows].join(","))
}

async fn list(server: &Script) -> Result<Vec<ConversationDetails>, LinkError> {
    server.list().await
}

#[tokio::test]
async fn a_link_is_followed_in_every_form_that_leads_to_the_environments_conversations() {
    for (link, requested) in [
        (format!("{SERVICE}/msdyn_ocliveworkitems?$skiptoken=x"), "/api/data/v9.2/msdyn_ocliveworkitems"),
        ("msdyn_ocliveworkitems?$skiptoken=x".into(), "/api/data/v9.2/msdyn_ocliveworkitems"),
        ("./msdyn_ocliveworkitems?$skiptoken=x".into(), "/api/data/v9.2/msdyn_ocliveworkitems"),
        ("?$skiptoken=x".into(), "/api/data/v9.2/msdyn_ocliveworkitems"),
        ("/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x".into(), "/api/data/v9.2/msdyn_ocliveworkitems"),
        ("../v9.1/msdyn_ocliveworkitems?$skiptoken=x".into(), "/api/data/v9.1/msdyn_ocliveworkitems"),
        (
            format!("{}/msdyn_ocliveworkitems?$skiptoken=x", SERVICE.replace("9.2", "9.1")),
            "/api/data/v9.1/msdyn_ocliveworkitems",
        ),
        (
            format!("{}/msdyn_ocliveworkitems?$skiptoken=x", SERVICE.replace("9.2", "10.0")),
            "/api/data/v10.0/msdyn_ocliveworkitems",
        ),
        (
            "https://CONTOSO.crm4.dynamics.com:443/API/Data/v9.2/msdyn_ocliveworkitems?$skiptoken=x#top".into(),
            "/API/Data/v9.2/msdyn_ocliveworkitems",
        ),
        (
            "//contoso.crm4.dynamics.com/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x".into(),
            "/api/data/v9.2/msdyn_ocliveworkitems",
        ),
    ] {
        let pages = [page(2, Some(&link)), page(1, None)].map(|page| reply(200, page));
        let server = Script::new(pages);
        assert_eq!(list(&server).await.unwrap().len(), 3, "{link}");
        let sent = server.sent();
        let (_, second) = sent.split_once("\n--\n").unwrap();
        assert!(second.starts_with(&format!("GET {requested}?$skiptoken=x\n")), "{link}: {second}");
    }
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_rejected_and_nothing_is_sent_there() {
    for link in [
        "https://evil.example/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "//evil.example/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "https://contoso.crm4.dynamics.com@evil.example/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "https://me:hunter2@contoso.crm4.dynamics.com/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "http://contoso.crm4.dynamics.com/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "https://contoso.crm4.dynamics.com:444/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "https://contoso.crm4.dynamics.com/api/data/v9.2/accounts?$skiptoken=x",
        "https://contoso.crm4.dynamics.com/api/data/msdyn_ocliveworkitems?$skiptoken=x",
        "https://contoso.crm4.dynamics.com/api/data/v9.2/x/msdyn_ocliveworkitems?$skiptoken=x",
        "https://contoso.crm4.dynamics.com/api/data/vx/msdyn_ocliveworkitems?$skiptoken=x",
        "https://contoso.crm4.dynamics.com/api/data/v9.2/../../x/msdyn_ocliveworkitems?$skiptoken=x",
        "/x/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "../../../x/msdyn_ocliveworkitems?$skiptoken=x",
        r"\\\\evil.example/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=x",
        "accounts?$skiptoken=x",
        "javascript:alert(1)",
        "",
    ] {
        let server = Script::new([reply(200, page(1, Some(link)))]);
        let error = list(&server).await.unwrap_err();
        assert_eq!(error.code(), Code::Protocol, "{link}");
        assert!(!error.message().contains("hunter2"));
        assert_eq!(server.methods(), "GET", "{link}");
    }
    let null = page(1, Some("")).replace(r#":"""#, ":null");
    assert_eq!(list(&Script::new([reply(200, null)])).await.unwrap().len(), 1, "no link");
}

/// A server that always has another page. Every page whose number is divisible by `filled` has a row; none if it is 0.
fn endless(filled: usize) -> Arc<ScriptedHttp> {
    ScriptedHttp::new(move |number, _| {
        let is_filled = filled > 0 && (number + 1).is_multiple_of(filled);
        reply(200, page(is_filled.into(), Some(&format!("?$skiptoken={number}"))))
    })
}

#[tokio::test]
async fn a_chain_of_empty_pages_is_paced_and_ends() {
    let server = endless(0);
    let (clock, service) = client(Concurrency::CompareAndSwap, server.clone());
    let listing = Listing::new(ConversationQuery::default(), None);
    let error = service.list(listing, CallOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::Protocol);
    assert!(error.message().contains("empty"), "{error}");
    let (asked, waited) = (server.requests().len(), clock.pauses().iter().sum::<Duration>());
    assert!(asked <= 30, "{asked}");
    assert!(waited > Duration::from_secs(10) && waited < Duration::from_secs(30), "{waited:?}");
}

#[tokio::test]
async fn a_few_empty_pages_before_a_row_cost_little() {
    let server = endless(3);
    let (clock, service) = client(Concurrency::CompareAndSwap, server.clone());
    let mut listing = Listing::new(ConversationQuery::default(), None);
    for _ in 0..100 {
        let (rows, rest) = service.list(listing, CallOptions::default()).await.unwrap();
        assert_eq!(rows.len(), 1);
        listing = rest.unwrap();
    }
    assert_eq!(server.requests().len(), 300);
    assert!(clock.pauses().iter().all(|pause| *pause <= Duration::from_millis(100)), "{:?}", clock.pauses());
}
