//! The caller: the token, who it is to the environment, what that user may do; and what the answers say by the way.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header::DATE};
use serde::Deserialize;
use uuid::Uuid;

use super::{Asker, Seen, parsed, word};
use crate::{
    domain::Finding,
    error::{Code, LinkError},
    http::{Audience, field_lines},
};

/// Tokens that are this much off are refused.
const TOLERATED_SKEW: Duration = Duration::from_secs(300);
/// The header has whole seconds.
const DATE_PRECISION: Duration = Duration::from_secs(1);
/// Round trips of which the middle one counts.
const ROUND_TRIPS: usize = 3;
/// What links need, as activities have it: Read, Write and Append here, `AppendTo` there.
const PRIVILEGES: [&str; 6] = [
    "prvReadActivity",
    "prvWriteActivity",
    "prvAppendActivity",
    "prvAppendToAccount",
    "prvAppendToContact",
    "prvAppendToIncident",
];

pub(super) async fn token(asker: Asker<'_>) -> Seen<()> {
    let environment = &asker.shared.environment;
    let (token, good_for) = asker.shared.http.current_token().await?;
    let age = good_for.map_or_else(String::new, |left| format!(" It is good for {} more.", rounded(left)));
    let Some(claims) = token.claims() else {
        let found = format!("A token that only its issuer can read, so what it is for cannot be seen.{age}");
        return Ok(((), Finding::Passed(found)));
    };
    let id = |id: Option<Uuid>| id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    let whose = format!("application {}, tenant {}", id(claims.application), id(claims.tenant));
    let origin = environment.origin();
    let for_what = match claims.audience {
        Some(Audience::Origin(audience)) if audience == origin => format!("for {audience}"),
        // Which servers that application has, the token does not say.
        Some(Audience::Application(resource)) => format!("for the resource {resource}"),
        other => {
            let audience = match other {
                Some(Audience::Origin(audience)) => format!("for {audience}"),
                _ => "for something that is no server".to_owned(),
            };
            let found = format!("A token {audience} instead of {origin} ({whose}).");
            let fix = format!("Request the token for the scope {}.", environment.scope());
            return Err(LinkError::new(Code::AuthenticationFailed, found).hint(fix));
        }
    };
    Ok(((), Finding::Passed(format!("A token {for_what} ({whose}).{age}"))))
}

/// What is remembered of a round trip, whatever was answered.
pub(super) struct Trip {
    pub(super) headers: HeaderMap,
    /// By this machine's clock.
    begun: SystemTime,
    took: Duration,
}

pub(super) async fn who_am_i(asker: Asker<'_>, trip: &mut Option<Trip>) -> Seen<Uuid> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Me {
        user_id: Uuid,
        organization_id: Uuid,
    }

    let clock = &asker.shared.clock;
    let (begun, since) = (clock.wall(), clock.now());
    let answer = asker.ask("WhoAmI", None).await?;
    let took = clock.now().saturating_duration_since(since);
    *trip = Some(Trip { headers: answer.headers.clone(), begun, took });
    if answer.status == StatusCode::NOT_FOUND {
        let fix = "Check the URL: it is the environment's own, as in https://contoso.crm4.dynamics.com, without a path to a page.";
        return Err(LinkError::new(Code::InvalidConfiguration, "There is no Web API at this address (404).").hint(fix));
    }
    let Me { user_id, organization_id } = parsed(answer)?;
    Ok((user_id, Finding::Passed(format!("User {user_id} of organisation {organization_id}."))))
}

pub(super) fn clock_skew(Trip { headers, begun, took }: &Trip) -> Seen<()> {
    let date = field_lines(headers, &DATE).find_map(|line| httpdate::parse_http_date(line.trim()).ok());
    let Some(server) = date else {
        return Ok(((), Finding::Skipped("The server's answer does not say what time it is there.".into())));
    };
    // The answer was written at some time between the two ends of the round trip.
    let here = *begun + *took / 2;
    let (apart, which) = match server.duration_since(here) {
        Ok(behind) => (behind, "behind"),
        Err(ahead) => (ahead.duration(), "ahead of"),
    };
    let certain = apart.saturating_sub(*took / 2 + DATE_PRECISION);
    if certain.is_zero() {
        return Ok(((), Finding::Passed("This machine's clock and the server's agree.".into())));
    }
    let found = format!("This machine's clock is {} {which} the server's.", rounded(certain));
    if certain <= TOLERATED_SKEW {
        return Ok(((), Finding::Passed(found)));
    }
    let fix = "Set this machine's clock right, and have it set by a time server.";
    Err(LinkError::new(Code::AuthenticationFailed, found).hint(fix))
}

pub(super) async fn latency(asker: Asker<'_>) -> Seen<()> {
    let clock = &asker.shared.clock;
    let mut trips = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let since = clock.now();
        parsed::<serde::de::IgnoredAny>(asker.ask("WhoAmI", None).await?)?;
        trips.push(clock.now().saturating_duration_since(since));
    }
    trips.sort_unstable();
    let median = trips[ROUND_TRIPS / 2].as_secs_f64() * 1e3;
    Ok(((), Finding::Passed(format!("A round trip takes {median:.1} ms, the median of {ROUND_TRIPS}."))))
}

pub(super) async fn privileges(asker: Asker<'_>, user: Uuid) -> Seen<()> {
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
    let query = format!("@p=[\"{}\"]", PRIVILEGES.join("\",\""));
    let answer = asker.ask(&path, Some(&query)).await?;
    if answer.status == StatusCode::FORBIDDEN {
        // Links do not ask for this.
        return Ok(((), Finding::Skipped("The caller may not ask for its own privileges (403).".into())));
    }
    let Held { role_privileges } = parsed(answer)?;
    let is_held = |name: &&str| role_privileges.iter().any(|held| held.privilege_name == **name);
    let missing: Vec<_> = PRIVILEGES.into_iter().filter(|name| !is_held(name)).collect();
    if missing.is_empty() {
        return Ok(((), Finding::Passed(format!("The user has {}.", PRIVILEGES.join(", ")))));
    }
    let missing = missing.join(", ");
    let fix = format!(
        "Give user {user} a security role with {missing} (Power Platform admin center, Settings, Users + permissions, Security roles)."
    );
    Err(LinkError::new(Code::Forbidden, format!("The user does not have {missing}.")).hint(fix))
}

/// What is left of the limits, and how many requests at once the server recommends.
pub(super) fn limits(headers: &HeaderMap) -> Finding {
    let said = [
        ("x-ms-ratelimit-burst-remaining-xrm-requests", "requests left"),
        ("x-ms-ratelimit-time-remaining-xrm-requests", "seconds of execution left"),
        ("x-ms-dop-hint", "requests at once recommended"),
    ];
    let said = said.into_iter().filter_map(|(name, what)| Some(format!("{} {what}", word(headers, name)?)));
    let said = said.collect::<Vec<_>>().join(", ");
    if said.is_empty() {
        Finding::Skipped("The server's answer says nothing of limits.".into())
    } else {
        Finding::Passed(format!("{said}."))
    }
}

/// In the largest unit of which there are at least two.
fn rounded(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
