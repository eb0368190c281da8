//! Evaluates `$filter`.

use std::{cmp::Ordering, collections::HashSet, sync::OnceLock};

use serde_json::Value;
use uuid::Uuid;

use super::{
    operand::{Operand, compare},
    predicate::Predicate,
};
use crate::{
    definitions::table::{Collection, Members},
    organisation::{Organisation, Row},
};

#[derive(Debug)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Compare(Operand, Operator, Value),
    Match(Operand, Function, String),
    /// Compares two columns of the row.
    CompareColumns(Operand, Operator, Operand),
    Is(Operand, Predicate),
    Lambda(Box<Lambda>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Contains,
    StartsWith,
    EndsWith,
}

impl Filter {
    /// Whether a row matches. `None`: undecided because of an empty column, which a negation does not change. Only `ne` matches empty
    /// columns. Microsoft documents neither; the database below Dataverse would behave like this.
    pub(crate) fn accepts(&self, organisation: &Organisation, id: Uuid, row: &Row) -> Option<bool> {
        // One decisive part decides the whole, even if others are undecided.
        let together = |parts: &[Filter], decisive: bool| {
            let mut found = Some(!decisive);
            for part in parts {
                match part.accepts(organisation, id, row) {
                    Some(accepted) if accepted == decisive => return Some(decisive),
                    accepted => found = found.and(accepted),
                }
            }
            found
        };
        match self {
            Filter::And(parts) => together(parts, false),
            Filter::Or(parts) => together(parts, true),
            Filter::Not(inner) => inner.accepts(organisation, id, row).map(|accepted| !accepted),
            Filter::Compare(column, operator, literal) => {
                operator.accepts(&column.value(organisation, id, row), literal)
            }
            Filter::Match(column, function, part) => {
                column.value(organisation, id, row).as_str().map(|text| match function {
                    Function::Contains => text.contains(part),
                    Function::StartsWith => text.starts_with(part),
                    Function::EndsWith => text.ends_with(part),
                })
            }
            Filter::CompareColumns(one, operator, other) => {
                let [one, other] = [one, other].map(|column| column.value(organisation, id, row));
                (!one.is_null() && !other.is_null()).then(|| operator.accepts(&one, &other))?
            }
            Filter::Is(column, predicate) => {
                let value = column.value(organisation, id, row);
                let accepted = predicate.accepts(&value);
                (accepted || !value.is_null()).then_some(accepted)
            }
            Filter::Lambda(lambda) => Some(lambda.accepts(organisation, id)),
        }
    }
}

impl Operator {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }

    /// Name in error messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eq => "Equal",
            Self::Ne => "NotEqual",
            Self::Gt => "GreaterThan",
            Self::Ge => "GreaterThanOrEqual",
            Self::Lt => "LessThan",
            Self::Le => "LessThanOrEqual",
        }
    }

    fn accepts(self, value: &Value, literal: &Value) -> Option<bool> {
        let found = match (self, value.is_null(), literal.is_null()) {
            (Self::Ne, ..) | (Self::Eq, _, true) | (_, false, _) => compare(value, literal),
            _ => return None,
        };
        Some(match self {
            Self::Eq => found == Ordering::Equal,
            Self::Ne => found != Ordering::Equal,
            Self::Gt => found == Ordering::Greater,
            Self::Ge => found != Ordering::Less,
            Self::Lt => found == Ordering::Less,
            Self::Le => found != Ordering::Greater,
        })
    }
}

/// `any` or `all`: a condition on the rows of a collection.
#[derive(Debug)]
pub(crate) struct Lambda {
    /// Logical name of the table that has the collection.
    table: String,
    collection: Collection,
    /// `None`: true for every row.
    condition: Option<Filter>,
    /// `all` instead of `any`.
    is_all: bool,
    /// The rows with a member that decides: for `any` one that matches, for `all` one that does not. They are found once per query,
    /// because every row asks for them.
    deciding: OnceLock<HashSet<Uuid>>,
}

impl Lambda {
    pub(super) fn new(table: &str, collection: &Collection, condition: Option<Filter>, is_all: bool) -> Self {
        let (table, collection) = (table.to_owned(), collection.clone());
        Self { table, collection, condition, is_all, deciding: OnceLock::new() }
    }

    /// Whether the row with this id matches. `all` accepts a row without members.
    pub(super) fn accepts(&self, organisation: &Organisation, id: Uuid) -> bool {
        self.deciding.get_or_init(|| self.find(organisation)).contains(&id) != self.is_all
    }

    fn find(&self, organisation: &Organisation) -> HashSet<Uuid> {
        // Guess: a member for which the condition is undecided does not match.
        let is_deciding = |id: Uuid, row: &Row| {
            let matches =
                self.condition.as_ref().is_none_or(|filter| filter.accepts(organisation, id, row) == Some(true));
            matches != self.is_all
        };
        let members = &self.collection.table;
        match &self.collection.by {
            Members::Lookup { column } => {
                let rows = organisation.rows(members);
                let points = rows.filter_map(|(id, row)| Some((row.lookup(column)?, id, row)));
                let points = points.filter(|(to, id, row)| to.logical_name() == self.table && is_deciding(*id, row));
                points.map(|(to, ..)| to.id()).collect()
            }
            Members::Intersect { relationship, is_one } => {
                let pairs = organisation.pairs(relationship);
                let pairs = pairs.map(|(one, two)| if *is_one { (one, two) } else { (two, one) });
                let found = pairs.filter(|(_, member)| {
                    organisation.row(members, *member).is_some_and(|row| is_deciding(*member, row))
                });
                found.map(|(owner, _)| owner).collect()
            }
        }
    }
}
