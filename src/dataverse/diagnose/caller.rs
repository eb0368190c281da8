//! Checks of the caller: the token, the user it belongs to and its privileges; and of the server's clock, speed and limits.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header::DATE};
use serde::Deserialize;
use uuid::Uuid;

use super::checks::{get, parse, word};
use crate::{
    dataverse::{context::RequestContext, tables::table},
    domain::{CheckKind, CheckOutcome, CheckResult, EntityLogicalName},
    error::{Code, LinkError},
    http::{Audience, field_lines},
};

pub(super) const TOKEN: CheckKind = CheckKind {
    name: "token",
    if_passed: "The client can identify itself.",
    if_failed: "The client cannot identify itself, so every call fails.",
};
pub(super) const WHO_AM_I: CheckKind = CheckKind {
    name: "whoAmI",
    if_passed: "The environment knows the caller: links are made in this user's name.",
    if_failed: "The environment does not accept the caller, so every call fails.",
};
pub(super) const CLOCK_SKEW: CheckKind = CheckKind {
    name: "clockSkew",
    if_passed: "Tokens are valid for as long as they state.",
    if_failed: "Tokens and certificates count as expired, or as not valid yet.",
};
pub(super) const LATENCY: CheckKind = CheckKind {
    name: "latency",
    if_passed: "A link costs two of these round trips, or one if the client has the conversation cached.",
    if_failed: "It is unknown how long a link takes.",
};
pub(super) const PRIVILEGES: CheckKind = CheckKind {
    name: "privileges",
    if_passed: "The caller may link and unlink, unless access to a single row is missing.",
    if_failed: "Calls that need a missing privilege fail with FORBIDDEN.",
};
pub(super) const LIMITS: CheckKind = CheckKind {
    name: "limits",
    if_passed: "The server grants this much to this user in any five minutes.",
    if_failed: "The server's limits are unknown.",
};

/// Largest difference of the clocks at which tokens are still accepted.
const TOLERATED_SKEW: Duration = Duration::from_secs(300);
/// Resolution of the `Date` header.
const DATE_PRECISION: Duration = Duration::from_secs(1);
/// Round trips that are measured; the median is reported.
const ROUND_TRIPS: usize = 3;
/// Privileges that links need. A conversation is an activity: Read, Write and Append on it, `AppendTo` on the record.
fn needed() -> Vec<&'static str> {
    let to_link = EntityLogicalName::ALL.into_iter().map(|entity| table(entity).privilege);
    ["prvReadActivity", "prvWriteActivity", "prvAppendActivity"].into_iter().chain(to_link).collect()
}

pub(super) async fn token(context: RequestContext<'_>) -> CheckResult<()> {
    let environment = &context.shared.environment;
    let (token, good_for) = context.shared.http.current_token().await?;
    let age = good_for.map_or_else(String::new, |left| format!(" It is valid for {} more.", rounded(left)));
    let Some(claims) = token.claims() else {
        let found = format!("An opaque token; its audience cannot be inspected.{age}");
        return Ok(((), CheckOutcome::Passed(found)));
    };
    let id = |id: Option<Uuid>| id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    let issued_to = format!("application {}, tenant {}", id(claims.application), id(claims.tenant));
    let origin = environment.origin();
    let purpose = match claims.audience {
        Some(Audience::Origin(audience)) if audience == origin => format!("for {audience}"),
        // The token does not state which servers belong to that application.
        Some(Audience::Application(resource)) => format!("for the resource {resource}"),
        other => {
            let audience = match other {
                Some(Audience::Origin(audience)) => format!("for {audience}"),
                _ => "for something that is not a server".to_owned(),
            };
            let found = format!("A token {audience} instead of {origin} ({issued_to}).");
            let fix = format!("Request the token for the scope {}.", environment.scope());
            return Err(LinkError::new(Code::AuthenticationFailed, found).hint(fix));
        }
    };
    Ok(((), CheckOutcome::Passed(format!("A token {purpose} ({issued_to}).{age}"))))
}

/// Facts about the response to `WhoAmI`, whatever its status.
pub(super) struct WhoAmIResponse {
    pub(super) headers: HeaderMap,
    /// When the request was sent, by this machine's clock.
    begun: SystemTime,
    took: Duration,
}

pub(super) async fn who_am_i(context: RequestContext<'_>, facts: &mut Option<WhoAmIResponse>) -> CheckResult<Uuid> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Me {
        user_id: Uuid,
        organization_id: Uuid,
    }

    let clock = &context.shared.clock;
    let (begun, since) = (clock.wall(), clock.now());
    let response = get(context, "WhoAmI", None).await?;
    let took = clock.now().saturating_duration_since(since);
    *facts = Some(WhoAmIResponse { headers: response.headers.clone(), begun, took });
    if response.status == StatusCode::NOT_FOUND {
        let fix = "Check the URL: use the environment's own address, such as https://contoso.crm4.dynamics.com, without a path.";
        return Err(LinkError::new(Code::InvalidConfiguration, "There is no Web API at this address (404).").hint(fix));
    }
    let Me { user_id, organization_id } = parse(response)?;
    Ok((user_id, CheckOutcome::Passed(format!("User {user_id} of organisation {organization_id}."))))
}

pub(super) fn clock_skew(WhoAmIResponse { headers, begun, took }: &WhoAmIResponse) -> CheckResult<()> {
    let date = field_lines(headers, &DATE).find_map(|line| httpdate::parse_http_date(line.trim()).ok());
    let Some(server) = date else {
        return Ok(((), CheckOutcome::Skipped("The response does not state the server's time.".into())));
    };
    // The response was written at some time during the round trip.
    let here = *begun + *took / 2;
    let (apart, which) = match server.duration_since(here) {
        Ok(behind) => (behind, "behind"),
        Err(ahead) => (ahead.duration(), "ahead of"),
    };
    let certain = apart.saturating_sub(*took / 2 + DATE_PRECISION);
    if certain.is_zero() {
        return Ok(((), CheckOutcome::Passed("This machine's clock and the server's agree.".into())));
    }
    let found = format!("This machine's clock is {} {which} the server's.", rounded(certain));
    if certain <= TOLERATED_SKEW {
        return Ok(((), CheckOutcome::Passed(found)));
    }
    let fix = "Set this machine's clock, and keep it synchronised with a time server.";
    Err(LinkError::new(Code::AuthenticationFailed, found).hint(fix))
}

pub(super) async fn latency(context: RequestContext<'_>) -> CheckResult<()> {
    let clock = &context.shared.clock;
    let mut trips = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let since = clock.now();
        parse::<serde::de::IgnoredAny>(get(context, "WhoAmI", None).await?)?;
        trips.push(clock.now().saturating_duration_since(since));
    }
    trips.sort_unstable();
    let median = trips[ROUND_TRIPS / 2].as_secs_f64() * 1e3;
    Ok(((), CheckOutcome::Passed(format!("A round trip takes {median:.1} ms, the median of {ROUND_TRIPS}."))))
}

pub(super) async fn privileges(context: RequestContext<'_>, user: Uuid) -> CheckResult<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Held {
        role_privileges: Vec<Privilege>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Privilege {
        privilege_name: String,
    }

    let path =
        format!("systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p)");
    let needed = needed();
    let query = format!("@p=[\"{}\"]", needed.join("\",\""));
    let response = get(context, &path, Some(&query)).await?;
    if response.status == StatusCode::FORBIDDEN {
        // Links do not need the privilege to read privileges.
        return Ok(((), CheckOutcome::Skipped("The caller may not read its own privileges (403).".into())));
    }
    let Held { role_privileges } = parse(response)?;
    let is_held = |name: &&str| role_privileges.iter().any(|held| held.privilege_name == **name);
    let missing: Vec<_> = needed.iter().copied().filter(|name| !is_held(name)).collect();
    if missing.is_empty() {
        return Ok(((), CheckOutcome::Passed(format!("The user has {}.", needed.join(", ")))));
    }
    let missing = missing.join(", ");
    let fix = format!(
        "Give user {user} a security role with {missing} (Power Platform admin center, Settings, Users + permissions, Security roles)."
    );
    Err(LinkError::new(Code::Forbidden, format!("The user does not have {missing}.")).hint(fix))
}

/// The remaining quota, and the number of concurrent requests that the server recommends.
pub(super) fn limits(headers: &HeaderMap) -> CheckOutcome {
    let headings = [
        ("x-ms-ratelimit-burst-remaining-xrm-requests", "requests left"),
        ("x-ms-ratelimit-time-remaining-xrm-requests", "seconds of execution left"),
        ("x-ms-dop-hint", "concurrent requests recommended"),
    ];
    let limits = headings.into_iter().filter_map(|(name, unit)| Some(format!("{} {unit}", word(headers, name)?)));
    let limits = limits.collect::<Vec<_>>().join(", ");
    if limits.is_empty() {
        CheckOutcome::Skipped("The response states no limits.".into())
    } else {
        CheckOutcome::Passed(format!("{limits}."))
    }
}

/// The duration in the largest unit of which there are at least two.
fn rounded(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
