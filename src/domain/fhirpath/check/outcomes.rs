//! What a part of a criterion can come to, by interaction: found without any event, from what a create and a delete do
//! not have.
//!
//! An over-estimate: what is missing in a set cannot happen, what is in it may.

use crate::domain::event::Interaction;
use crate::domain::fhirpath::catalog::{self, BOOLEAN, Gives};
use crate::domain::fhirpath::types::Types;

/// A set of results: [`TRUE`], [`FALSE`], [`EMPTY`] and [`OTHER`], one bit each.
pub(super) type Set = u8;

pub(super) const TRUE: Set = 1;
pub(super) const FALSE: Set = 2;
pub(super) const EMPTY: Set = 4;
/// What is no single boolean.
pub(super) const OTHER: Set = 8;
const ANSWER: Set = TRUE | FALSE | EMPTY;
const ANY: Set = ANSWER | OTHER;

/// The possible results by [`Interaction::index`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcomes([Set; 3]);

impl Outcomes {
    /// The same for every interaction.
    pub(super) fn all(set: Set) -> Self {
        Self([set; 3])
    }

    pub(super) fn any() -> Self {
        Self::all(ANY)
    }

    /// The focus; a delete may come without it.
    pub(super) fn focus() -> Self {
        Self::all(OTHER | EMPTY)
    }

    /// `%previous`.
    pub(super) fn previous() -> Self {
        Self([EMPTY, OTHER | EMPTY, OTHER | EMPTY])
    }

    /// `%current`.
    pub(super) fn current() -> Self {
        Self([OTHER | EMPTY, OTHER | EMPTY, EMPTY])
    }

    /// Items of these types, at least one.
    pub(super) fn items(types: &Types) -> Self {
        Self::all(if types.never_boolean() { OTHER } else { TRUE | FALSE | OTHER })
    }

    /// What an interaction can give.
    pub(super) fn of(self, interaction: Interaction) -> Set {
        self.0[interaction.index()]
    }

    pub(super) fn map(self, change: impl Fn(Set) -> Set) -> Self {
        Self(self.0.map(change))
    }

    pub(super) fn zip(self, other: Self, change: impl Fn(Set, Set) -> Set) -> Self {
        Self(std::array::from_fn(|index| change(self.0[index], other.0[index])))
    }

    /// Items of these types below items of this kind: empty where those are.
    pub(super) fn below(self, types: &Types) -> Self {
        let items = Self::items(types).0[0];
        self.map(|set| if set == EMPTY { EMPTY } else { items | EMPTY })
    }

    /// This set, but empty where the input is.
    pub(super) fn unless_empty(self, set: Set) -> Self {
        self.map(|input| if input == EMPTY { EMPTY } else { set })
    }
}

/// `and`, `or`, `xor` and `implies` in FHIRPath's three-valued logic.
pub(super) fn logic(
    left: Outcomes,
    right: Outcomes,
    table: fn(Option<bool>, Option<bool>) -> Option<bool>,
) -> Outcomes {
    left.zip(right, |left, right| {
        let pairs = answers(left).into_iter().flat_map(|one| answers(right).into_iter().map(move |other| (one, other)));
        pairs.fold(0, |set, (one, other)| set | bit(table(one, other)))
    })
}

pub(super) fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

pub(super) fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    not(and(not(left), not(right)))
}

pub(super) fn xor(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    Some(left? != right?)
}

pub(super) fn implies(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    or(not(left), right)
}

fn not(value: Option<bool>) -> Option<bool> {
    value.map(|value| !value)
}

/// As operands of an operator; what is no boolean may count as anything.
fn answers(set: Set) -> Vec<Option<bool>> {
    let set = if set & OTHER == 0 { set } else { ANSWER };
    let all = [(TRUE, Some(true)), (FALSE, Some(false)), (EMPTY, None)];
    all.into_iter().filter(|(bit, _)| set & bit != 0).map(|(_, answer)| answer).collect()
}

fn bit(answer: Option<bool>) -> Set {
    match answer {
        Some(true) => TRUE,
        Some(false) => FALSE,
        None => EMPTY,
    }
}

/// `=`, `<`, `+` and the like: empty where one operand is.
pub(super) fn strict(left: Outcomes, right: Outcomes, set: Set) -> Outcomes {
    left.zip(right, |left, right| if left == EMPTY || right == EMPTY { EMPTY } else { set })
}

/// `~`: two empty operands are equivalent.
pub(super) fn equivalent(left: Outcomes, right: Outcomes) -> Outcomes {
    left.zip(right, |left, right| match (left, right) {
        (EMPTY, EMPTY) => TRUE,
        (EMPTY, other) | (other, EMPTY) if other & EMPTY == 0 => FALSE,
        _ => TRUE | FALSE,
    })
}

/// `item in collection`.
pub(super) fn member(item: Outcomes, collection: Outcomes) -> Outcomes {
    item.zip(collection, |item, collection| match (item, collection) {
        (EMPTY, _) => EMPTY,
        (_, EMPTY) => FALSE | (item & EMPTY),
        _ => ANSWER,
    })
}

/// `left | right`.
pub(super) fn union(left: Outcomes, right: Outcomes) -> Outcomes {
    left.zip(right, |left, right| match (left, right) {
        (EMPTY, other) | (other, EMPTY) => other,
        _ => ((left | right) & !EMPTY) | (left & right & EMPTY) | OTHER,
    })
}

/// What a function call gives: called on `input`, with these arguments, giving items of these types.
pub(super) fn call(name: &str, input: Outcomes, given: &[Outcomes], types: &Types) -> Outcomes {
    let argument = |index: usize| given.get(index).copied();
    let never = |criteria: Option<Outcomes>| {
        // what is no boolean may count as true
        criteria.map_or(Outcomes::all(0), |criteria| criteria.map(|set| Set::from(set & (TRUE | OTHER) == 0)))
    };
    match name {
        "exists" => input.zip(never(argument(0)), |input, never| match input {
            _ if never != 0 => FALSE,
            EMPTY => FALSE,
            _ if input & EMPTY == 0 && given.is_empty() => TRUE,
            _ => TRUE | FALSE,
        }),
        "empty" => input.map(|input| match input {
            EMPTY => TRUE,
            _ if input & EMPTY == 0 => FALSE,
            _ => TRUE | FALSE,
        }),
        "not" => input.map(|input| answers(input).into_iter().fold(0, |set, answer| set | bit(not(answer)))),
        "all" | "allTrue" | "allFalse" | "isDistinct" | "subsetOf" => {
            input.map(|input| if input == EMPTY { TRUE } else { ANSWER })
        }
        "anyTrue" | "anyFalse" | "hasValue" => input.map(|input| if input == EMPTY { FALSE } else { ANSWER }),
        "count" => Outcomes::all(OTHER),
        "where" => input.zip(never(argument(0)), |input, never| if never != 0 { EMPTY } else { input | EMPTY }),
        "select" => input.zip(argument(0).unwrap_or(Outcomes::any()), |input, given| match (input, given) {
            (EMPTY, _) | (_, EMPTY) => EMPTY,
            _ => given | EMPTY | OTHER,
        }),
        "iif" => choose(argument(0), argument(1), argument(2)),
        "intersect" => strict(input, argument(0).unwrap_or(Outcomes::any()), ANY),
        "union" | "combine" => union(input, argument(0).unwrap_or(Outcomes::any())),
        "is" | "startsWith" | "endsWith" | "contains" | "matches" | "matchesFull" | "toBoolean"
        | "convertsToBoolean" | "convertsToInteger" | "convertsToDecimal" | "convertsToString" | "convertsToDate"
        | "convertsToDateTime" | "convertsToTime" | "convertsToQuantity" => input.unless_empty(ANSWER),
        "as" | "ofType" | "extension" => input.below(types),
        "children" | "descendants" | "repeat" | "repeatAll" => input.unless_empty(ANY),
        "now" | "today" | "timeOfDay" | "join" => Outcomes::all(OTHER | EMPTY),
        _ => match catalog::gives(name) {
            Gives::Input => input.map(|input| input | EMPTY),
            Gives::Type(BOOLEAN) => Outcomes::all(ANSWER),
            Gives::Type(_) => input.unless_empty(OTHER | EMPTY),
            _ => Outcomes::any(),
        },
    }
}

/// `iif(criterion, then, otherwise)`.
fn choose(criterion: Option<Outcomes>, then: Option<Outcomes>, otherwise: Option<Outcomes>) -> Outcomes {
    let criterion = criterion.unwrap_or(Outcomes::any());
    let empty = Outcomes::all(EMPTY);
    let then = criterion.zip(then.unwrap_or(empty), |set, then| if set & (TRUE | OTHER) == 0 { 0 } else { then });
    let otherwise = criterion.zip(otherwise.unwrap_or(empty), |set, otherwise| if set == TRUE { 0 } else { otherwise });
    then.zip(otherwise, |then, otherwise| then | otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: Interaction = Interaction::Create;

    #[test]
    fn three_valued_logic_is_that_of_fhirpath() {
        let values = [Some(true), Some(false), None];
        for left in values {
            for right in values {
                let is = |value| left == Some(value) || right == Some(value);
                let both = |value| left == Some(value) && right == Some(value);
                let known = left.is_some() && right.is_some();
                assert_eq!(and(left, right), if is(false) { Some(false) } else { both(true).then_some(true) });
                assert_eq!(or(left, right), if is(true) { Some(true) } else { both(false).then_some(false) });
                assert_eq!(xor(left, right), known.then_some(left != right));
                assert_eq!(
                    implies(left, right),
                    match (left, right) {
                        (Some(false), _) | (_, Some(true)) => Some(true),
                        (Some(true), Some(false)) => Some(false),
                        _ => None,
                    }
                );
            }
        }
    }

    #[test]
    fn what_is_empty_on_create_stays_empty_through_paths_and_comparisons() {
        let previous = Outcomes::previous();
        let status = previous.below(&Types::one("code"));
        assert_eq!(status.of(CREATE), EMPTY);
        assert_eq!(status.of(Interaction::Update), OTHER | EMPTY);
        assert_eq!(strict(status, Outcomes::all(OTHER), ANSWER).of(CREATE), EMPTY);
        assert_eq!(equivalent(status, Outcomes::all(OTHER)).of(CREATE), FALSE);
        assert_eq!(equivalent(status, Outcomes::all(OTHER | EMPTY)).of(CREATE), TRUE | FALSE);
        assert_eq!(member(status, Outcomes::all(OTHER)).of(CREATE), EMPTY);
        assert_eq!(union(status, Outcomes::current()).of(CREATE), OTHER | EMPTY);
        assert_eq!(call("exists", status, &[], &Types::one(BOOLEAN)).of(CREATE), FALSE);
        assert_eq!(call("empty", status, &[], &Types::one(BOOLEAN)).of(CREATE), TRUE);
        assert_eq!(call("not", Outcomes::all(FALSE | EMPTY), &[], &Types::one(BOOLEAN)).of(CREATE), TRUE | EMPTY);
        let branches = [Outcomes::all(FALSE), Outcomes::all(TRUE), Outcomes::all(FALSE)];
        assert_eq!(call("iif", Outcomes::focus(), &branches, &Types::unknown()).of(CREATE), FALSE);
    }
}
