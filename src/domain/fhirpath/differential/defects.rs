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
    "note": [{"text": "yes"}],
    "identifier": [{"value": "a-1"}, {"value": "b-2"}],
    "issued": "2024-05-01T10:00:00.1882432Z",
    "performer": [{"identifier": {"period": {"start": "2024-05-01"}}}],
    "effectiveDateTime": "2024-05-01T10:00:00Z",
    "valueQuantity": {"value": 6.5, "unit": "percent", "system": "http://unitsofmeasure.org", "code": "%"},
    "component": [
        {"valueQuantity": {"value": 5.5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}},
        {"valueQuantity": {"value": 2.5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}},
        {"valueQuantity": {"value": 5, "unit": "mg"}},
        {"valueQuantity": {"value": 0, "system": "http://unitsofmeasure.org", "code": "{score}"}}
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
    Defect {
        what: "A Quantity without a UCUM code is no value that compares (FHIR, Use of FHIR Quantity); the engine takes the displayed unit.",
        criterion: "component[2].value.ofType(Quantity) <= 6 'mg'",
        right: FALSE,
        wrong: TRUE,
    },
    Defect {
        what: "A `uri` is no `string` (FHIR, Data types): neither is derived from the other; the engine takes it for one.",
        criterion: "implicitRules.is(string)",
        right: FALSE,
        wrong: TRUE,
    },
    Defect {
        what: "`t`, `yes`, `1` and the like are booleans as texts (FHIRPath, toBoolean); the engine knows `true` and `false`.",
        criterion: "note[0].text.convertsToBoolean()",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "A text is an Integer if it is one of 32 bits (FHIRPath, Integer); the engine takes 64.",
        criterion: "component.exists() and '9999999999'.convertsToInteger()",
        right: FALSE,
        wrong: TRUE,
    },
    Defect {
        what: "Functions of sets go by equality (FHIRPath, subsetOf); to the engine no Quantity is in a set.",
        criterion: "component.value.ofType(Quantity).subsetOf(component.value.ofType(Quantity))",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "Times of the day compare by their parts, whatever their precision (FHIRPath, Comparison); the engine compares those of one precision.",
        criterion: "timeOfDay() > @T04:30",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "`getValue()` of several elements is nothing (FHIR, Additional functions); the engine gives all values.",
        criterion: "identifier.value.getValue().exists()",
        right: FALSE,
        wrong: TRUE,
    },
    Defect {
        what: "The precision of a time is the number of its digits (FHIRPath, precision); the engine counts other letters too.",
        criterion: "effective.ofType(dateTime).precision() = 14",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "`contains` takes one item and fails on several (FHIRPath, contains); the engine takes the first.",
        criterion: "('x' | 'y') contains identifier.value",
        right: FAILED,
        wrong: FALSE,
    },
    Defect {
        what: "A unit that is only an annotation is the unit 1 (UCUM, Curly braces); the engine compares it with nothing.",
        criterion: "component[3].value.ofType(Quantity) < 95 '%'",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "What has no power is nothing (FHIRPath, power); of the inverse of 0 the engine fails.",
        criterion: "component[3].value.value.power(-1) > 5",
        right: FALSE,
        wrong: FAILED,
    },
    Defect {
        what: "Texts have the order of their letters (FHIRPath, Comparison); the engine takes those that look like times for times.",
        criterion: "'2024' < '2024-05' and component.exists()",
        right: TRUE,
        wrong: FALSE,
    },
    Defect {
        what: "Values are not compared with elements that have elements (FHIRPath, Comparison: an error); the engine gives nothing.",
        criterion: "note[0].text < performer[0]",
        right: FAILED,
        wrong: FALSE,
    },
    Defect {
        what: "What is no value is converted to nothing (FHIRPath, Conversion); the engine fails.",
        criterion: "performer.first().toString().exists()",
        right: FALSE,
        wrong: FAILED,
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

#[test]
fn the_clock_goes_without_a_resource_but_not_in_the_general_engine() {
    let (release, interaction) = (FhirRelease::R4, Interaction::Delete);
    let event = Event { release, interaction, focus: None, previous: None, is_sound: true };
    for criterion in ["now() > @2026-01-01", "today().exists()", "timeOfDay() > @T08:00:00.000"] {
        assert_eq!(compiled(criterion, &event, "Observation"), Some(TRUE), "{criterion}");
        assert_eq!(general(criterion, &event), Some(FALSE), "{criterion}");
    }
}

#[test]
fn an_element_is_absent_beside_a_choice_that_its_name_begins_but_not_in_the_general_engine() {
    let recommendation =
        r#"{"resourceType": "ImmunizationRecommendation", "recommendation": [{"seriesDosesString": "3"}]}"#;
    let (release, interaction) = (FhirRelease::R4, Interaction::Create);
    let event = Event { release, interaction, focus: Some(recommendation.into()), previous: None, is_sound: true };
    let criterion = "recommendation.series.exists()";
    assert_eq!(compiled(criterion, &event, "ImmunizationRecommendation"), Some(FALSE));
    assert_eq!(general(criterion, &event), Some(TRUE));
}

#[test]
fn a_value_has_an_id_but_not_in_the_general_engine() {
    let (release, interaction) = (FhirRelease::R4, Interaction::Create);
    let focus = r#"{"resourceType": "Patient", "birthDate": "2017-09-05", "_birthDate": {"id": "2345-7"}}"#;
    let event = Event { release, interaction, focus: Some(focus.to_owned()), previous: None, is_sound: true };
    let criterion = "birthDate.id = '2345-7'";
    assert_eq!(compiled(criterion, &event, "Patient"), Some(TRUE));
    assert_eq!(general(criterion, &event), Some(FALSE));
}
