//! Criteria that say in two ways what they mean: as an author writes it, and so that the general engine gets it right.
//!
//! Where the specification says that the general engine is wrong, a criterion carries a mark: the reason, what is asked,
//! and an equivalent that avoids the defect. Both engines are asked what is asked; if they differ, the general engine
//! must give the compiled answer to the equivalent, or nothing is explained.

use std::collections::BTreeSet;

/// What the general engine (octofhir-fhirpath 0.4.57) gets wrong. One example of each stands in
/// [`defects`](super::defects).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// `all`, `allTrue`, `allFalse`, `isDistinct`, `subsetOf` and `supersetOf` are true of nothing, `anyTrue` and
    /// `anyFalse` are false (FHIRPath, Existence); the engine gives nothing, unless we answer for it.
    TrueOfNothing,
    /// `hasValue()` of nothing is false (FHIR, Additional functions); it gives nothing.
    HasValue,
    /// Functions of strings, arithmetic and `is` take one item and fail on several (FHIRPath); it gives nothing, or takes
    /// the first.
    SeveralItems,
    /// `as` takes one item and fails on several (FHIRPath, as); it takes all, and gives nothing for primitives of a
    /// choice.
    As,
    /// `mod` of decimals (FHIRPath, mod); it loses the fraction.
    Modulo,
    /// `union` and `combine` of nothing with something are something (FHIRPath, Combining); it gives nothing.
    UnionWithNothing,
    /// Times are not compared with periods and the like (FHIRPath, Comparison: an error); it gives nothing.
    OpenChoice,
    /// A single item is true where a boolean is expected (FHIRPath, Singleton evaluation); to it some are nothing.
    Truth,
    /// The parts of a Quantity are its own (FHIR); its code is the unit, its system nothing.
    QuantityParts,
    /// Age, Duration and the like are Quantities (FHIR); it compares them with none.
    DerivedQuantity,
    /// Quantities of different dimensions are neither equal nor unequal (FHIRPath, Equality); it says unequal.
    Dimension,
    /// A dateTime that is a day is a Date for membership and equivalence as it is for equality; it is none.
    DayAsTime,
    /// Whether a time with a zone is one without is not known (the suites); it takes the latter in UTC.
    Zone,
    /// `toString()` of dates and times gives them as they are written (FHIRPath, toString); it writes them in its own way.
    TimeText,
    /// An integer64 is a number (FHIR R5), though JSON has a string; it is a string.
    Integer64,
    /// An element has its own type, `instant` or `unsignedInt` (FHIR); it goes by the value.
    DerivedPrimitive,
    /// Elements of a contained resource have types (FHIR); it knows them not.
    NestedResource,
    /// Halves are rounded away from zero (FHIRPath, round); it rounds them to even, for equivalence too.
    Rounding,
    /// A decimal keeps the digits that it is written with (FHIR, decimal); it drops zeros.
    Digits,
    /// A text is a date or a time if it looks like one (FHIRPath, toDateTime); any with a `T` may be one for it.
    TextToTime,
    /// What is finer than a partial time does not count when it is added (FHIRPath, Date/Time arithmetic); it counts.
    PartialTime,
    /// A Decimal is no Integer, whatever its digits (FHIRPath, toInteger); it is one.
    DecimalToInteger,
    /// `null` is as good as absent (FHIR JSON); it is an item.
    Null,
    /// The unit of a Quantity as a value is the code where the system is UCUM (FHIR, Use of FHIR Quantity); it takes the
    /// displayed unit.
    QuantityCode,
    /// A Quantity that is not in UCUM is no value (the same); it takes the displayed unit.
    NotUcum,
    /// A code of a unit may be any text (FHIR); it panics at letters beyond ASCII.
    UnitText,
    /// A second may have any number of decimals (FHIR, dateTime); it knows up to six.
    Fraction,
    /// Equivalence takes all white space for the same (FHIRPath, Equivalence), and conversions take none; it drops what
    /// stands around a text.
    Padding,
    /// An element without a value, only with extensions, is an item that equals no value; it takes it for nothing.
    NoValue,
    /// A comparison with nothing gives nothing, even of several items (FHIRPath, Comparison); it fails.
    SeveralAndNothing,
    /// An error in a part that cannot change the answer may be passed over (FHIRPath, Boolean logic); it evaluates all.
    Lazy,
}

impl Reason {
    /// In their order.
    const ALL: [Self; 31] = [
        Self::TrueOfNothing,
        Self::HasValue,
        Self::SeveralItems,
        Self::As,
        Self::Modulo,
        Self::UnionWithNothing,
        Self::OpenChoice,
        Self::Truth,
        Self::QuantityParts,
        Self::DerivedQuantity,
        Self::Dimension,
        Self::DayAsTime,
        Self::Zone,
        Self::TimeText,
        Self::Integer64,
        Self::DerivedPrimitive,
        Self::NestedResource,
        Self::Rounding,
        Self::Digits,
        Self::TextToTime,
        Self::PartialTime,
        Self::DecimalToInteger,
        Self::Null,
        Self::QuantityCode,
        Self::NotUcum,
        Self::UnitText,
        Self::Fraction,
        Self::Padding,
        Self::NoValue,
        Self::SeveralAndNothing,
        Self::Lazy,
    ];
}

/// No sample has these letters.
const OPEN: char = '\u{27e6}';
const OR: char = '\u{a6}';
const CLOSE: char = '\u{27e7}';

/// What is asked, with its equivalent.
pub(super) fn mark(reason: Reason, asked: &str, equivalent: &str) -> String {
    format!("{OPEN}{}{OR}{asked}{OR}{equivalent}{CLOSE}", reason as u8)
}

/// What nothing equivalent is known to.
pub(super) fn flag(reason: Reason, asked: &str) -> String {
    mark(reason, asked, asked)
}

/// The criterion as an author writes it.
pub(super) fn asked(marked: &str) -> String {
    resolved(marked, &|_| false)
}

/// The criterion as the general engine gets it right.
pub(super) fn equivalent(marked: &str) -> String {
    resolved(marked, &|_| true)
}

/// The marks of a criterion.
pub(super) fn reasons(marked: &str) -> BTreeSet<Reason> {
    let after = marked.split(OPEN).skip(1);
    after.filter_map(|rest| reason(rest.split(OR).next()?)).collect()
}

fn reason(number: &str) -> Option<Reason> {
    Reason::ALL.get(number.parse::<usize>().ok()?).copied()
}

/// The text with one side of every mark.
fn resolved(marked: &str, takes_equivalent: &dyn Fn(Reason) -> bool) -> String {
    let Some((before, rest)) = marked.split_once(OPEN) else { return marked.to_owned() };
    let (inside, after) = closed(rest);
    let mut parts = split(inside);
    let reason = reason(parts.remove(0)).expect("a mark begins with its reason");
    let side = parts[usize::from(takes_equivalent(reason))];
    format!("{before}{}{}", resolved(side, takes_equivalent), resolved(after, takes_equivalent))
}

/// What stands in a mark, and what comes after it.
fn closed(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (position, letter) in text.char_indices() {
        match letter {
            OPEN => depth += 1,
            CLOSE => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[..position], &text[position + CLOSE.len_utf8()..]);
        }
    }
    (text, "")
}

/// The parts of a mark, not of those inside.
fn split(inside: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (position, letter) in inside.char_indices() {
        match letter {
            OPEN => depth += 1,
            CLOSE => depth -= 1,
            OR if depth == 0 => {
                parts.push(&inside[start..position]);
                start = position + OR.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    parts
}

#[test]
fn a_mark_has_two_sides_and_marks_may_stand_in_marks() {
    let inner = mark(Reason::HasValue, "a", "b");
    let outer = format!("x{}y{}", mark(Reason::As, &format!("1{inner}"), &format!("2{inner}{inner}")), inner);
    assert_eq!(asked(&outer), "x1aya");
    assert_eq!(equivalent(&outer), "x2bbyb");
    assert_eq!(reasons(&outer), BTreeSet::from([Reason::As, Reason::HasValue]));
}
