//! SQL functions of our own.

use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};

use crate::{dataverse::tables::table, domain::EntityLogicalName};

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

pub(super) fn add(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_scalar_function("fold", 1, PURE, fold)?;
    connection.create_scalar_function("value_hash", 3, PURE, |call| {
        Ok(value_hash(call.get(0)?, call.get_raw(1).as_bytes()?, call.get_raw(2)))
    })
}

/// Converts strings to lower case, in every script. Other values stay as they are.
fn fold(call: &Context<'_>) -> rusqlite::Result<Value> {
    Ok(match call.get_raw(0) {
        ValueRef::Text(text) => lower_case(text).into(),
        other => other.try_into()?,
    })
}

/// Hash of a string or number in a column of a record, for the table `record_value`. Values that count as equal have the same hash: strings
/// in any case, `1` and `1.0`. `None` if the value is not in that table: the record's own id, and numbers that are not whole, because a
/// key has none.
///
/// The hashes are stored, so they must stay the same in every version. FNV-1a is a few lines. Collisions do no harm, because records that
/// are found by a hash are compared with the key.
pub(super) fn value_hash(entity: EntityLogicalName, column: &[u8], value: ValueRef<'_>) -> Option<i64> {
    if column == table(entity).id.as_bytes() {
        return None;
    }
    let (kind, value) = match value {
        ValueRef::Text(text) => (b"text", lower_case(text).into_bytes()),
        ValueRef::Integer(number) => (b"int ", number.to_le_bytes().to_vec()),
        ValueRef::Real(number) => (b"int ", whole(number)?.to_le_bytes().to_vec()),
        ValueRef::Null | ValueRef::Blob(_) => return None,
    };
    // No name has a space.
    let parts = [entity.as_str().as_bytes(), b" ", column, b" ", kind, &value];
    let bytes = parts.into_iter().flatten();
    let hash =
        bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3));
    Some(hash.cast_signed())
}

fn lower_case(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_lowercase()
}

/// The integer that SQLite takes for equal to the number.
fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and in range")]
    (number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number)).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_same_in_every_version() {
        let hash = |column: &str, value| value_hash(EntityLogicalName::Contact, column.as_bytes(), value);
        let text = |text: &'static str| ValueRef::Text(text.as_bytes());
        assert_eq!(hash("telephone1", text("+1-555-0166")), Some(-7_107_606_830_797_684_113));
        assert_eq!(hash("statecode", ValueRef::Integer(1)), Some(8_753_476_600_427_694_475));
    }

    #[test]
    fn values_have_the_same_hash_if_they_are_equal() {
        use ValueRef::{Integer, Real, Text};
        let hash = |entity, column: &str, value| value_hash(entity, column.as_bytes(), value);
        let contact = |value| hash(EntityLogicalName::Contact, "fullname", value);
        assert_eq!(contact(Text("JÜRGEN".as_bytes())), contact(Text("jürgen".as_bytes())));
        let minimum = i64::MIN;
        for (real, integer) in [(1.0, 1), (-0.0, 0), (-9_223_372_036_854_775_808.0, minimum)] {
            assert_eq!(contact(Real(real)), contact(Integer(integer)), "{real}");
        }
        let one = contact(Text(b"1"));
        for other in [
            contact(Integer(1)),
            contact(Text(b"1 ")),
            hash(EntityLogicalName::Account, "fullname", Text(b"1")),
            hash(EntityLogicalName::Contact, "telephone1", Text(b"1")),
        ] {
            assert!(other.is_some() && other != one);
        }
        for real in [0.5, f64::INFINITY, f64::NAN, 9_223_372_036_854_775_808.0] {
            assert_eq!(contact(Real(real)), None, "{real}");
        }
        assert_eq!(contact(ValueRef::Null), None);
        assert_eq!(hash(EntityLogicalName::Contact, "contactid", Text(b"1")), None);
    }
}
