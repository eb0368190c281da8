//! Conditions on the columns of a row.

use std::collections::HashSet;

use super::joined::Joined;
use crate::{api::query::predicate::Predicate, definitions::table::Column};

pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Condition { source: usize, column: Box<Column>, is: Predicate },
}

impl Filter {
    pub(super) fn accepts(&self, joined: &Joined<'_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.accepts(joined)),
            Self::Or(parts) => parts.iter().any(|part| part.accepts(joined)),
            Self::Condition { source, column, is } => is.accepts(&joined.value(*source, column)),
        }
    }

    pub(super) fn uses(&self, used: &mut HashSet<usize>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.uses(used)),
            Self::Condition { source, .. } => {
                used.insert(*source);
            }
        }
    }
}
