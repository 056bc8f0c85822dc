//! Equality of two values as FHIRPath asks it of complex elements: members in any order, numbers by their value.

use std::borrow::Cow;

use super::{Kind, NodeId, Tree};

/// Whether two values are equal. Of objects both must stand at a place of which everything is read.
pub(super) fn deep_equal((one, here): (Tree<'_, '_>, NodeId), (other, there): (Tree<'_, '_>, NodeId)) -> bool {
    // No deeper than the reader goes.
    match (one.kind(here), other.kind(there)) {
        (Kind::Object, Kind::Object) => same_members((one, here), (other, there)),
        (Kind::Array, Kind::Array) => {
            let (mut mine, mut theirs) = (one.elements(here), other.elements(there));
            loop {
                match (mine.next(), theirs.next()) {
                    (None, None) => return true,
                    (Some(mine), Some(theirs)) if deep_equal((one, mine), (other, theirs)) => {}
                    _ => return false,
                }
            }
        }
        (Kind::String, Kind::String) => one.string(here) == other.string(there),
        (Kind::Number, Kind::Number) => same_number(one.text(here), other.text(there)),
        (mine, theirs) => mine == theirs,
    }
}

fn same_members((one, here): (Tree<'_, '_>, NodeId), (other, there): (Tree<'_, '_>, NodeId)) -> bool {
    let in_same_order = one.members(here).zip(other.members(there)).all(|(mine, theirs)| mine.0 == theirs.0);
    if in_same_order {
        let count = one.members(here).count();
        return count == other.members(there).count()
            && one
                .members(here)
                .zip(other.members(there))
                .all(|(mine, theirs)| deep_equal((one, mine.1), (other, theirs.1)));
    }
    let (mine, theirs) = (sorted(one, here), sorted(other, there));
    mine.len() == theirs.len()
        && mine
            .iter()
            .zip(&theirs)
            .all(|(mine, theirs)| mine.0 == theirs.0 && deep_equal((one, mine.1), (other, theirs.1)))
}

fn sorted<'a>(tree: Tree<'a, '_>, node: NodeId) -> Vec<(Cow<'a, str>, NodeId)> {
    let mut members: Vec<_> = tree.members(node).collect();
    members.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    members
}

/// Whether two JSON numbers have the same value, however they are written.
pub(super) fn same_number(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (Number::read(one), Number::read(other)) {
        (Some(one), Some(other)) => {
            one.exponent == other.exponent && one.is_negative == other.is_negative && one.digits().eq(other.digits())
        }
        _ => false,
    }
}

/// 0.digits * 10^exponent.
struct Number<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i128,
}

impl<'a> Number<'a> {
    /// `None` for an exponent of more than 30 digits: such a number equals only what is written like it.
    fn read(text: &'a str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0');
        let significant = if whole.is_empty() { fraction.trim_start_matches('0') } else { fraction };
        if whole.is_empty() && significant.is_empty() {
            return Some(Self { is_negative: false, whole, fraction: significant, exponent: 0 });
        }
        let leading_zeros = fraction.len() - significant.len();
        let exponent = exponent.parse::<i128>().ok().filter(|exponent| exponent.unsigned_abs() < 10_u128.pow(30))?;
        let exponent = exponent + whole.len() as i128 - leading_zeros as i128;
        let (whole, fraction) = match significant.trim_end_matches('0') {
            "" => (whole.trim_end_matches('0'), ""),
            fraction => (whole, fraction),
        };
        Some(Self { is_negative, whole, fraction, exponent })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::same_number;

    #[test]
    fn numbers_are_equal_by_value() {
        for (one, other) in [
            ("6.50", "6.5"),
            ("10", "1e1"),
            ("10", "1E+1"),
            ("0.001", "1e-3"),
            ("0.00120", "12.0e-4"),
            ("100", "1.00e2"),
            ("-0", "0"),
            ("0e999999999999999999999999999999999999999", "0.000"),
            ("9007199254740993", "9007199254740993.0"),
            ("-1.5", "-15e-1"),
        ] {
            assert!(same_number(one, other), "{one} {other}");
            assert!(same_number(other, one), "{other} {one}");
        }
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("1", "-1"),
            ("1", "10"),
            ("1", "1e1"),
            ("0.1", "0.01"),
            ("0", "1"),
            ("1e99999999999999999999999999999999999999", "1e99999999999999999999999999999999999998"),
            ("1.00000000000000000000000000000000000001", "1"),
        ] {
            assert!(!same_number(one, other), "{one} {other}");
            assert!(!same_number(other, one), "{other} {one}");
        }
    }
}
