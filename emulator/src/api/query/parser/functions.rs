//! The query functions of `$filter`, for example `Microsoft.Dynamics.CRM.LastXDays`.

use super::{
    super::predicate::{Predicate, Problem},
    Filter, Operand, Parser, Token, not_emulated,
};
use crate::error::ODataError;

const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// A function, without its namespace.
#[derive(Clone, Copy, Debug)]
struct Function {
    name: &'static str,
    /// The operator of `fetchXml` that means the same.
    operator: &'static str,
    values: Values,
}

/// The values that a function takes besides the name of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    None,
    /// `PropertyValue`
    One,
    /// `PropertyValues`
    Many,
}

const fn function(name: &'static str, operator: &'static str, values: Values) -> Function {
    Function { name, operator, values }
}

/// Those of fiscal periods, hierarchies, teams, languages and full-text search are missing.
const FUNCTIONS: [Function; 43] = [
    function("Between", "between", Values::Many),
    function("ContainValues", "contain-values", Values::Many),
    function("DoesNotContainValues", "not-contain-values", Values::Many),
    function("EqualBusinessId", "eq-businessid", Values::None),
    function("EqualUserId", "eq-userid", Values::None),
    function("In", "in", Values::Many),
    function("Last7Days", "last-seven-days", Values::None),
    function("LastMonth", "last-month", Values::None),
    function("LastWeek", "last-week", Values::None),
    function("LastXDays", "last-x-days", Values::One),
    function("LastXHours", "last-x-hours", Values::One),
    function("LastXMonths", "last-x-months", Values::One),
    function("LastXWeeks", "last-x-weeks", Values::One),
    function("LastXYears", "last-x-years", Values::One),
    function("LastYear", "last-year", Values::None),
    function("Next7Days", "next-seven-days", Values::None),
    function("NextMonth", "next-month", Values::None),
    function("NextWeek", "next-week", Values::None),
    function("NextXDays", "next-x-days", Values::One),
    function("NextXHours", "next-x-hours", Values::One),
    function("NextXMonths", "next-x-months", Values::One),
    function("NextXWeeks", "next-x-weeks", Values::One),
    function("NextXYears", "next-x-years", Values::One),
    function("NextYear", "next-year", Values::None),
    function("NotBetween", "not-between", Values::Many),
    function("NotEqualBusinessId", "ne-businessid", Values::None),
    function("NotEqualUserId", "ne-userid", Values::None),
    function("NotIn", "not-in", Values::Many),
    function("OlderThanXDays", "olderthan-x-days", Values::One),
    function("OlderThanXHours", "olderthan-x-hours", Values::One),
    function("OlderThanXMinutes", "olderthan-x-minutes", Values::One),
    function("OlderThanXMonths", "olderthan-x-months", Values::One),
    function("OlderThanXWeeks", "olderthan-x-weeks", Values::One),
    function("OlderThanXYears", "olderthan-x-years", Values::One),
    function("On", "on", Values::One),
    function("OnOrAfter", "on-or-after", Values::One),
    function("OnOrBefore", "on-or-before", Values::One),
    function("ThisMonth", "this-month", Values::None),
    function("ThisWeek", "this-week", Values::None),
    function("ThisYear", "this-year", Values::None),
    function("Today", "today", Values::None),
    function("Tomorrow", "tomorrow", Values::None),
    function("Yesterday", "yesterday", Values::None),
];

/// A function by its full name.
fn find(name: &str) -> Option<Function> {
    let name = name.strip_prefix(NAMESPACE)?;
    FUNCTIONS.into_iter().find(|function| function.name == name)
}

impl Parser<'_> {
    /// The arguments of a query function, for example `PropertyName='x',PropertyValues=['1','2'])`.
    pub(super) fn query_function(&mut self, name: &str) -> Result<Filter, ODataError> {
        let unknown = || not_emulated(&format!("the function '{name}'"));
        let function = find(self.in_row(name).unwrap_or(name)).ok_or_else(unknown)?;
        self.argument("PropertyName")?;
        let name = self.text()?;
        let column = Operand::of(&self.context.definitions, &self.rows.table, &name)?;
        let values = match function.values {
            Values::None => Vec::new(),
            Values::One => {
                self.expect(',')?;
                self.argument("PropertyValue")?;
                vec![self.value()?]
            }
            Values::Many => {
                self.expect(',')?;
                self.argument("PropertyValues")?;
                self.array()?
            }
        };
        self.expect(')')?;
        let of = (column.name.as_str(), column.kind);
        let predicate = Predicate::read(function.operator, of, &values, self.context.asked());
        let predicate = predicate.map_err(|problem| match problem {
            Problem::Invalid(what) | Problem::NotEmulated(what) => not_emulated(what.trim_end_matches('.')),
        })?;
        Ok(Filter::Is(column, predicate))
    }

    fn argument(&mut self, name: &str) -> Result<(), ODataError> {
        if self.word()? == name { self.expect('=') } else { Err(ODataError::QuerySyntax) }
    }

    /// A value with or without quotes.
    fn value(&mut self) -> Result<String, ODataError> {
        match self.tokens.next() {
            Some(Token::Text(value) | Token::Word(value)) => Ok(value),
            _ => Err(ODataError::QuerySyntax),
        }
    }

    fn array(&mut self) -> Result<Vec<String>, ODataError> {
        if !self.takes('[') {
            return Err(not_emulated("values that are not an array"));
        }
        if self.takes(']') {
            return Err(not_emulated("an array with no values"));
        }
        let mut values = vec![self.text()?];
        while self.takes(',') {
            values.push(self.text()?);
        }
        self.expect(']')?;
        Ok(values)
    }
}
