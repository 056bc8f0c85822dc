//! Criteria that say in three ways what they mean: as an author writes it, so that the general engine gets it right, and
//! so that the compiled engine gets it wrong as the general one does.
//!
//! Where the specification says that the general engine is wrong, a criterion carries a mark: the reason, what is asked,
//! an equivalent that avoids the defect, and an imitation of the defect. Both engines are asked what is asked; if they
//! differ, the general engine must give the compiled answer to the equivalent, or the compiled engine the general answer
//! to the imitation; see [`settled`](super::settled).

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
    /// Times are not compared with periods and the like (FHIRPath, Comparison: an error), and what is no value is converted
    /// to nothing (FHIRPath, Conversion); it gives nothing, or fails.
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
    /// Functions of sets go by equality (FHIRPath, Subsetting); they compare Quantities with none, and objects by the order
    /// of their members.
    Sets,
    /// `t`, `yes`, `1` and the like are booleans as texts (FHIRPath, toBoolean); it knows `true` and `false`.
    Words,
    /// Times of the day compare by their parts, whatever their precision (FHIRPath, Comparison); it compares those of one
    /// precision only.
    TimePrecision,
    /// A text is an Integer if it is one of 32 bits (FHIRPath, Integer); it takes 64.
    LongInteger,
    /// `getValue()` of several is nothing (FHIR, Additional functions); it gives all.
    GetValue,
    /// The precision of a time is the number of digits that it is written with (FHIRPath, precision); it has one number
    /// for each type.
    Precision,
    /// The clock goes by the event, not by what it is asked on (FHIRPath, now); of a delete without a resource it says
    /// nothing.
    Clock,
    /// What stands in braces in a unit does not change it (UCUM, Curly braces); it knows no unit that is only that.
    Annotation,
    /// Values are not compared with elements that have elements (FHIRPath, Comparison: an error); it gives nothing.
    Incomparable,
    /// What has no power is nothing (FHIRPath, power); of the inverse of 0 it fails.
    Power,
    /// Texts have the order of their letters (FHIRPath, Comparison); it takes those that look like times for times.
    TextOrder,
    /// An element is absent, whatever is there that its name begins (`series` and `seriesDosesString`); it takes the other
    /// for a choice of it.
    Namesake,
    /// An error in a part that cannot change the answer may be passed over (FHIRPath, Boolean logic); it evaluates all.
    Lazy,
    /// An element's id is there, whatever the element is (FHIR, Element); a value has none to it.
    PrimitiveId,
}

impl Reason {
    /// In their order.
    const ALL: [Self; 44] = [
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
        Self::Sets,
        Self::Words,
        Self::TimePrecision,
        Self::LongInteger,
        Self::GetValue,
        Self::Precision,
        Self::Clock,
        Self::Annotation,
        Self::Incomparable,
        Self::Power,
        Self::TextOrder,
        Self::Namesake,
        Self::Lazy,
        Self::PrimitiveId,
    ];
}

/// No sample has these letters.
const OPEN: char = '\u{27e6}';
const OR: char = '\u{a6}';
const CLOSE: char = '\u{27e7}';

/// Which way a mark says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Asked,
    Equivalent,
    Imitation,
}

/// What is asked, with its equivalent.
pub(super) fn mark(reason: Reason, asked: &str, equivalent: &str) -> String {
    marked(reason, [asked, equivalent, asked])
}

/// What is asked, and as what the general engine takes it.
pub(super) fn imitated(reason: Reason, asked: &str, imitation: &str) -> String {
    marked(reason, [asked, asked, imitation])
}

/// What is asked, and what both engines take for the same.
pub(super) fn named(reason: Reason, asked: &str, name: &str) -> String {
    marked(reason, [asked, name, name])
}

/// What nothing can be put in the place of.
pub(super) fn flag(reason: Reason, asked: &str) -> String {
    marked(reason, [asked; 3])
}

/// What is asked, its equivalent, and an imitation.
pub(super) fn marked(reason: Reason, [asked, equivalent, imitation]: [&str; 3]) -> String {
    format!("{OPEN}{}{OR}{asked}{OR}{equivalent}{OR}{imitation}{CLOSE}", reason as u8)
}

/// The criterion as an author writes it.
pub(super) fn asked(marked: &str) -> String {
    resolved(marked, &|_| Side::Asked)
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
pub(super) fn resolved(marked: &str, side: &dyn Fn(Reason) -> Side) -> String {
    let Some((before, rest)) = marked.split_once(OPEN) else { return marked.to_owned() };
    let (inside, after) = closed(rest);
    let mut parts = split(inside);
    let reason = reason(parts.remove(0)).expect("a mark begins with its reason");
    let taken = parts[side(reason) as usize];
    format!("{before}{}{}", resolved(taken, side), resolved(after, side))
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
fn a_mark_has_three_sides_and_marks_may_stand_in_marks() {
    let inner = mark(Reason::HasValue, "a", "b");
    let outer = format!(
        "x{}y{}{}",
        mark(Reason::As, &format!("1{inner}"), &format!("2{inner}{inner}")),
        inner,
        imitated(Reason::Zone, "z", "w")
    );
    let all = |side| resolved(&outer, &|_| side);
    assert_eq!(asked(&outer), "x1ayaz");
    assert_eq!(all(Side::Equivalent), "x2bbybz");
    assert_eq!(all(Side::Imitation), "x1ayaw");
    assert_eq!(reasons(&outer), BTreeSet::from([Reason::As, Reason::HasValue, Reason::Zone]));
}
