//! Conditions that hold for every request until they are changed: limits, switches, lifetimes. Independent of HTTP.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use crate::definitions::{
    Definitions,
    formatted::with_commas,
    table::{Navigation, Table},
};

/// Settings of the organisation and of the service. The defaults are those of a healthy service.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Conditions {
    /// Logical names of the tables without optimistic concurrency.
    pub(crate) concurrency_off: Vec<String>,
    pub(crate) limits: Limits,
    /// Execution time that each request uses up.
    pub(crate) execution_time_per_request_in_ms: u64,
    /// Values of `CallerObjectId` and `MSCRMCallerID` that may not be impersonated.
    pub(crate) unprivileged_callers: Vec<String>,
    pub(crate) token_lifetime_in_seconds: u64,
    pub(crate) secret_expired: bool,
    /// The application is not a user of the environment: it gets tokens, but no access.
    pub(crate) application_user_missing: bool,
    /// Whether a `PUT` or `DELETE` of a reference honours `If-Match`. Microsoft does not document it.
    pub(crate) ref_honours_if_match: bool,
    /// Effect of two values for one lookup in a body.
    pub(crate) two_values_for_one_lookup: TwoValues,
    pub(crate) alternate_keys: AlternateKeys,
    /// Schema names of one-to-many relationships that the environment lacks.
    pub(crate) hidden_relationships: Vec<String>,
    /// Their navigation properties.
    #[serde(skip)]
    hidden_navigations: Vec<String>,
    /// Privileges that the user lacks.
    pub(crate) missing_privileges: Vec<String>,
    /// Logical names of the tables whose changes can be tracked, besides those that declare it.
    pub(crate) change_tracking: Vec<String>,
    /// Whether the lines of a batch must end with CRLF, as documented. Clients that live environments accept send LF.
    pub(crate) batch_needs_crlf: bool,
    /// Time of the `Date` header when the clock is at 0, since 1970. `None`: the time of the machine.
    pub(crate) date_in_ms: Option<u64>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            concurrency_off: Vec::new(),
            limits: Limits::default(),
            execution_time_per_request_in_ms: 0,
            unprivileged_callers: Vec::new(),
            token_lifetime_in_seconds: 3599,
            secret_expired: false,
            application_user_missing: false,
            ref_honours_if_match: true,
            two_values_for_one_lookup: TwoValues::Last,
            alternate_keys: AlternateKeys::default(),
            hidden_relationships: Vec::new(),
            hidden_navigations: Vec::new(),
            missing_privileges: Vec::new(),
            // A guess. It is known of no table that it is on, and of most standard ones that it can be.
            change_tracking: ["account", "contact", "incident"].map(str::to_owned).to_vec(),
            batch_needs_crlf: false,
            date_in_ms: None,
        }
    }
}

impl Conditions {
    /// Rejects names that the definitions do not have.
    pub(crate) fn resolve(&mut self, definitions: &Definitions) -> Result<(), String> {
        let has_table = |name: &str| definitions.by_logical_name(name).is_some();
        if let Some(name) = self.concurrency_off.iter().find(|name| !has_table(name)) {
            return Err(format!("`concurrencyOff`: no table '{name}'"));
        }
        if let Some(name) = self.change_tracking.iter().find(|name| !has_table(name)) {
            return Err(format!("`changeTracking`: no table '{name}'"));
        }
        if let Some(name) = self.alternate_keys.0.keys().find(|name| !has_table(name)) {
            return Err(format!("`alternateKeys`: no table '{name}'"));
        }
        for name in &self.hidden_relationships {
            let found = definitions.one_to_many().iter().find(|known| known.name == *name);
            let found = found.ok_or_else(|| format!("`hiddenRelationships`: no relationship '{name}'"))?;
            self.hidden_navigations.push(found.navigation.clone());
        }
        Ok(())
    }

    pub(crate) fn tracks_changes(&self, table: &Table) -> bool {
        table.change_tracking || self.change_tracking.contains(&table.logical_name)
    }

    pub(crate) fn is_concurrency_off(&self, table: &Table) -> bool {
        self.concurrency_off.contains(&table.logical_name)
    }

    /// Whether a navigation property belongs to a hidden relationship.
    pub(crate) fn hides(&self, navigation: &str) -> bool {
        self.hidden_navigations.iter().any(|hidden| hidden == navigation)
    }

    /// The single-valued navigation property with this name, unless the relationship is hidden.
    pub(crate) fn navigation<'t>(&self, table: &'t Table, name: &str) -> Option<&'t Navigation> {
        table.navigation(name).filter(|_| !self.hides(name))
    }

    pub(crate) fn misses(&self, privilege: &str) -> bool {
        self.missing_privileges.iter().any(|missing| missing == privilege)
    }

    /// The alternate keys of a table, each as the sorted names of its columns.
    pub(crate) fn keys<'a>(&'a self, table: &'a Table) -> &'a [Vec<String>] {
        self.alternate_keys.0.get(&table.logical_name).map_or(&table.keys, Vec::as_slice)
    }
}

/// Effect of two values for one lookup in a body, for example both customer properties. Microsoft does not document it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TwoValues {
    First,
    Last,
    Refuse,
}

/// Alternate keys by the logical name of their table. Each is one column, or several joined with commas. The columns are checked later,
/// because only the organisation knows them.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<String>>")]
pub(crate) struct AlternateKeys(BTreeMap<String, Vec<Vec<String>>>);

impl Default for AlternateKeys {
    fn default() -> Self {
        Self(BTreeMap::from([("account".to_owned(), vec![vec!["accountnumber".to_owned()]])]))
    }
}

impl TryFrom<BTreeMap<String, Vec<String>>> for AlternateKeys {
    type Error = String;

    fn try_from(given: BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let read = |(table, keys): (String, Vec<String>)| {
            let keys = keys.iter().map(|key| read_key(&table, key)).collect::<Result<_, _>>()?;
            Ok((table, keys))
        };
        given.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

fn read_key(table: &str, key: &str) -> Result<Vec<String>, String> {
    let mut columns: Vec<_> = key.split(',').map(|column| column.trim().to_owned()).collect();
    columns.sort_unstable();
    if columns.iter().any(String::is_empty) {
        return Err(format!("`alternateKeys`: '{key}' of {table} has a column without a name"));
    }
    if columns.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(format!("`alternateKeys`: '{key}' of {table} has a column twice"));
    }
    Ok(columns)
}

/// The service protection limits. `None`: no limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Limits {
    requests: Option<u64>,
    execution_time_in_ms: Option<u64>,
    concurrent: Option<u64>,
    window_in_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests: None, execution_time_in_ms: None, concurrent: None, window_in_ms: 300_000 }
    }
}

/// One of the three limits.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Limit {
    Requests,
    ExecutionTime,
    Concurrency,
}

impl Limit {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Limit::Requests => "0x80072322",
            Limit::ExecutionTime => "0x80072321",
            Limit::Concurrency => "0x80072326",
        }
    }

    pub(crate) fn message(self, limits: &Limits) -> String {
        let seconds = limits.window_in_ms / 1000;
        match self {
            Limit::Requests => {
                let limit = limits.requests.unwrap_or(REQUESTS);
                format!("Number of requests exceeded the limit of {limit} over time window of {seconds} seconds.")
            }
            Limit::ExecutionTime => {
                let limit = with_commas(&limits.execution_time_in_ms.unwrap_or(EXECUTION_TIME_IN_MS).to_string());
                format!(
                    "Combined execution time of incoming requests exceeded limit of {limit} milliseconds over time window of \
                     {seconds} seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later."
                )
            }
            Limit::Concurrency => {
                format!("Number of concurrent requests exceeded the limit of {}.", limits.concurrent.unwrap_or(52))
            }
        }
    }
}

/// The documented limits.
const REQUESTS: u64 = 6000;
const EXECUTION_TIME_IN_MS: u64 = 1_200_000;

/// Extra wait per request during a block. The growth is documented, the amount is not.
const GROWTH_IN_MS: u64 = 1000;

/// Wait after too many concurrent requests. Its length is not documented.
const CONCURRENCY_WAIT_IN_MS: u64 = 1000;

/// Usage of the limits by the only user of the emulator. Uses the clock that tests move.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// Usage in the window, the oldest first.
    used: VecDeque<Usage>,
    /// The limit that blocks all requests, and the end of the block.
    blocked: Option<(Limit, u64)>,
}

/// The requests of one moment, and their execution time. The clock often stands still, so that one entry stands for many requests.
#[derive(Debug)]
struct Usage {
    at: u64,
    requests: u64,
    execution_time_in_ms: u64,
}

impl Throttle {
    /// Admits a request, or returns the exceeded limit and the time to wait.
    pub(crate) fn admit(&mut self, conditions: &Conditions, now: u64, others: u64) -> Result<(), (Limit, u64)> {
        let limits = &conditions.limits;
        while self.used.front().is_some_and(|used| used.at.saturating_add(limits.window_in_ms) <= now) {
            self.used.pop_front();
        }
        self.blocked = match self.blocked {
            Some((limit, until)) if until > now => Some((limit, until.saturating_add(GROWTH_IN_MS))),
            _ => self.exceeded(limits, now, others),
        };
        if let Some((limit, until)) = self.blocked {
            return Err((limit, until - now));
        }
        let cost = conditions.execution_time_per_request_in_ms;
        match self.used.back_mut().filter(|used| used.at == now) {
            Some(used) => {
                used.requests += 1;
                used.execution_time_in_ms = used.execution_time_in_ms.saturating_add(cost);
            }
            None => self.used.push_back(Usage { at: now, requests: 1, execution_time_in_ms: cost }),
        }
        Ok(())
    }

    /// Requests, and execution time in milliseconds, that are left in the window.
    pub(crate) fn remaining(&self, limits: &Limits) -> (u64, u64) {
        let (requests, time) = self.total();
        let left = |limit: Option<u64>, otherwise: u64, used: u64| limit.unwrap_or(otherwise).saturating_sub(used);
        (left(limits.requests, REQUESTS, requests), left(limits.execution_time_in_ms, EXECUTION_TIME_IN_MS, time))
    }

    fn total(&self) -> (u64, u64) {
        self.used.iter().fold((0, 0_u64), |(requests, time), used| {
            (requests + used.requests, time.saturating_add(used.execution_time_in_ms))
        })
    }

    /// The limit that is exceeded now, and when there is capacity again.
    fn exceeded(&self, limits: &Limits, now: u64, others: u64) -> Option<(Limit, u64)> {
        if limits.concurrent.is_some_and(|limit| others >= limit) {
            return Some((Limit::Concurrency, now.saturating_add(CONCURRENCY_WAIT_IN_MS)));
        }
        let first = self.used.front().map_or(now, |used| used.at);
        let (requests, mut spent) = self.total();
        if limits.requests.is_some_and(|limit| requests >= limit) {
            return Some((Limit::Requests, first.saturating_add(limits.window_in_ms)));
        }
        let limit = limits.execution_time_in_ms.filter(|limit| spent >= *limit)?;
        let mut free_at = now;
        for used in &self.used {
            if spent < limit {
                break;
            }
            spent = spent.saturating_sub(used.execution_time_in_ms);
            free_at = used.at.saturating_add(limits.window_in_ms);
        }
        Some((Limit::ExecutionTime, free_at))
    }
}
