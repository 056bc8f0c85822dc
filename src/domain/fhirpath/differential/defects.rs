//! Where the general engine is wrong: one criterion for each defect, settled by the specification.
//!
//! The compiled engine must give the right answer, the general engine gives the wrong one: a new version of it that
//! mends a defect fails the test until the defect is taken out. `docs/conformance.md` lists them.

use super::{Event, Outcome, compiled, general};
use crate::domain::event::{FhirRelease, Interaction};

/// A defect.
pub(in super::super) struct Defect {
    /// What the specification says, and what the engine does.
    pub(in super::super) what: &'static str,
    pub(in super::super) criterion: &'static str,
    right: Outcome,
    wrong: Outcome,
}

const TRUE: Outcome = Outcome::Answer(true);
const FALSE: Outcome = Outcome::Answer(false);
const FAILED: Outcome = Outcome::Failed;

const RESOURCE: &str = r#"{"resourceType": "Observation", "id": "o", "status": null,
    "_language": {"extension": [{"url": "urn:x", "valueString": "x"}]}, "implicitRules": " x ",
    "identifier": [{"value": "a-1"}, {"value": "b-2"}],
    "issued": "2024-05-01T10:00:00.1882432Z",
    "performer": [{"identifier": {"period": {"start": "2024-05-01"}}}],
    "effectiveDateTime": "2024-05-01T10:00:00Z",
    "valueQuantity": {"value": 6.5, "unit": "percent", "system": "http://unitsofmeasure.org", "code": "%"},
    "component": [
        {"valueQuantity": {"value": 5.5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}},
        {"valueQuantity": {"value": 2.5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}
    ]}"#;

/// All that are known.
pub(in super::super) const DEFECTS: &[Defect] = &[
    Defect {
        what: "A Quantity has a code; the engine takes its displayed unit for it.",
        criterion: "value.code = '%'",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "A Quantity has a system; the engine gives none.",
        criterion: "value.system = 'http://unitsofmeasure.org'",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "The unit of a Quantity as a value is its UCUM code (FHIR, Use of FHIR Quantity); the engine takes the displayed unit.",
        criterion: "value > 6 '%'",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "Quantities of different dimensions are neither equal nor unequal (FHIRPath, Equality); the engine says unequal.",
        criterion: "value != 6.5 'mg'",
        right: FALSE,
        wrong: TRUE,
    },
    Defect {
        what: "`as` keeps a primitive of a choice (FHIRPath, as); the engine gives nothing. `ofType` is right.",
        criterion: "(effective as dateTime) > @2024-01-01T00:00:00Z",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "A member that is `null` is absent (FHIR JSON); the engine counts it as an item.",
        criterion: "status.exists()",
        right: FALSE,
        wrong: TRUE,
    },
    Defect {
        what: "Equivalence takes all white space for the same and nothing more (FHIRPath, Equivalent); the engine also drops what stands around a text.",
        criterion: "implicitRules ~ 'x'",
        right: FALSE,
        wrong: TRUE,
    },
    Defect {
        what: "`toString()` of a time is the time without `T` (FHIRPath, toString); the engine writes a `T`.",
        criterion: "value.exists() and @T10:30:00.toString() = '10:30:00'",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "Functions of strings take one string and fail on several (FHIRPath, String manipulation); the engine gives nothing.",
        criterion: "identifier.value.substring(2) = '1'",
        right: FAILED,
        wrong: FALSE,
    },
    Defect {
        what: "An element that has only extensions is an item that equals no value; the engine takes it for nothing.",
        criterion: "language != 'x'",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "Arithmetic takes one item and fails on several (FHIRPath, Math); the engine takes the first.",
        criterion: "component.value.value + 1 > 0",
        right: FAILED,
        wrong: TRUE,
    },
    Defect {
        what: "A dateTime that is a day equals that Date, and so it is a member and equivalent; the engine sees neither.",
        criterion: "performer.first().identifier.period.start in (@2024-05-01 | @2024-05-02)",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "A second may have any number of decimals (FHIR, dateTime); the engine reads up to six.",
        criterion: "issued > @2024-01-01T00:00:00Z",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "Times are not compared with other types (FHIRPath, Comparison: an error); the engine gives nothing.",
        criterion: "value > @2024-01-01T00:00:00Z",
        right: FAILED,
        wrong: FALSE,
    },
    Defect {
        what: "A comparison with nothing gives nothing, also of several items (FHIRPath, Comparison); the engine, as we wrapped it, fails.",
        criterion: "identifier.value > method.text",
        right: FALSE,
        wrong: FAILED,
    },
    Defect {
        what: "`mod` keeps fractions (FHIRPath, mod); the engine does not.",
        criterion: "component[0].value.value mod 2 = 1.5",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "`round()` rounds halves away from zero (FHIRPath, round); the engine rounds them to even.",
        criterion: "component[1].value.value.round() = 3",
        right: TRUE,
        wrong: FALSE,
    },
];

#[test]
fn the_compiled_engine_is_right_where_the_general_engine_is_wrong() {
    let mut complaints = Vec::new();
    for defect in DEFECTS {
        let focus = Some(RESOURCE.to_owned());
        let event =
            Event { release: FhirRelease::R4, interaction: Interaction::Update, focus, previous: None, is_sound: true };
        let by_compiled = compiled(defect.criterion, &event, "Observation");
        let by_general = general(defect.criterion, &event);
        if (by_compiled, by_general) != (Some(defect.right), Some(defect.wrong)) {
            complaints.push(format!("{}: compiled {by_compiled:?}, general {by_general:?}", defect.criterion));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
