//! Criteria that are slow on purpose, and events that make harmless ones slow: all end within their budget.

#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use serde_json::{Value, json};

use super::tests::{observation, on, subject};
use super::*;

fn ends(text: &str, focus: &Arc<Value>) -> Result<bool, EvaluationError> {
    let (criterion, problems) = FhirPath::new().compile(text);
    let Some(criterion) = criterion else { panic!("{text}: {problems:?}") };
    FhirPath::new().evaluate(&criterion, &subject(Interaction::Update, Some(Value::clone(focus)), None))
}

fn bundle(entries: usize) -> Value {
    let entry = |number: usize| {
        json!({"fullUrl": format!("http://example.org/Observation/{number}"), "resource": {
            "resourceType": "Observation", "id": number.to_string(), "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
            "subject": {"reference": format!("Patient/{number}")}, "valueQuantity": {"value": 6.3, "unit": "mmol/L"}}})
    };
    json!({"resourceType": "Bundle", "id": "b", "type": "collection", "entry": (0..entries).map(entry).collect::<Vec<_>>()})
}

#[test]
fn what_doubles_or_multiplies_is_too_costly() {
    let bundle = Arc::new(bundle(400));
    let text = Arc::new(json!({"resourceType": "Basic", "id": "b", "description": "ab".repeat(200_000)}));
    for (focus, criterion) in [
        (&bundle, "descendants().select(%resource.descendants()).exists()"),
        (&bundle, "descendants().select(%rootResource.descendants()).exists()"),
        (&bundle, "descendants().where(descendants().where(%resource.descendants().exists()).exists()).count() = 7"),
        (&bundle, "descendants().intersect(descendants()).exists()"),
        (&bundle, "defineVariable('d', descendants()).select(descendants().select(%d)).exists()"),
        (&bundle, "descendants().aggregate(iif($this.exists(), $total, $total), %resource.descendants()).exists()"),
        (&text, "description.toChars().select(%resource.description).exists()"),
        (&text, "description.replace('', description).length() > 0"),
        (&text, "description.matches('(?:[ab]*a[ab]{900})+c')"),
        (&text, "description.split('').aggregate($total & $this, '').exists()"),
    ] {
        assert_eq!(ends(criterion, focus), Err(EvaluationError::TooCostly), "{criterion}");
        // The same answer again, whatever was cached.
        assert_eq!(ends(criterion, focus), Err(EvaluationError::TooCostly), "{criterion}");
    }
}

/// The engine yields every 4,096 steps: polled once, this was an error.
#[test]
fn many_rounds_of_a_nested_lambda_are_no_error() {
    let text = "entry.where(resource.code.coding.exists(code = '2345-7')).count() = 2000";
    assert_eq!(ends(text, &Arc::new(bundle(2_000))), Ok(true));
}

#[test]
fn the_criteria_of_a_record_share_its_budget() {
    let (criterion, _) = FhirPath::new().compile("descendants().select(%resource.descendants()).exists()");
    let criterion = criterion.unwrap();
    let (cheap, _) = FhirPath::new().compile("exists()");
    let cheap = cheap.unwrap();
    let subject = subject(Interaction::Create, Some(bundle(400)), None);
    let mut budget = Budget::of_record(EVALUATION_STEPS, 1000);
    let mut rounds = 0;
    while FhirPath::new().evaluate_within(&cheap, &subject, &mut budget) == Ok(true) {
        let answer = FhirPath::new().evaluate_within(&criterion, &subject, &mut budget);
        assert_eq!(answer, Err(EvaluationError::TooCostly));
        rounds += 1;
    }
    assert!((4..=5).contains(&rounds), "{rounds}");
    assert_eq!(FhirPath::new().evaluate(&cheap, &subject), Ok(true), "another record has its own");
}

#[test]
fn what_was_cached_before_changes_no_price() {
    let price = |text: &str, subject: &Subject| {
        let (criterion, _) = FhirPath::new().compile(text);
        let mut budget = Budget::of_evaluation();
        let _any = FhirPath::new().evaluate_within(&criterion.unwrap(), subject, &mut budget);
        EVALUATION_STEPS - budget.left()
    };
    let fresh = || subject(Interaction::Create, Some(bundle(20)), None);
    for text in
        ["descendants().exists()", "entry.resource.children().count() > 3", "descendants().where(id = '3').exists()"]
    {
        let warm = fresh();
        let first = price(text, &warm);
        assert_eq!((price(text, &warm), price(text, &fresh())), (first, first), "{text}");
    }
}

#[test]
fn names_that_fhir_does_not_have_do_not_fill_the_memory() {
    for round in 0..3 {
        let members = (0..30_000).map(|number| (format!("n{round}x{number}"), json!(1))).collect();
        let _any = on("descendants().exists()", Value::Object(members));
    }
    let long = Value::Object([("n".repeat(1_000), json!(1))].into_iter().collect());
    assert_eq!(on("descendants().exists()", long), Ok(true));
    let kept = engine::engine(FhirRelease::R4).kept_types();
    assert!(kept <= 50_000 + 30_000, "{kept}");
}

#[test]
fn ordinary_criteria_cost_little() {
    for (text, entries) in [
        ("status = 'final'", 0),
        ("code.coding.where(system = 'http://loinc.org' and code = '2345-7').exists()", 0),
        ("(value as Quantity).value > 6 and subject.reference.startsWith('Patient/')", 0),
        ("descendants().where($this is Reference).exists()", 0),
        ("entry.where(resource.status = 'final').count() = 5000", 5_000),
        ("entry.resource.where(status = 'final' and code.coding.code = '2345-7').exists()", 5_000),
        ("entry.resource.all(status.exists())", 5_000),
        ("entry.resource.subject.reference.distinct().count() = 5000", 5_000),
        ("entry.resource.descendants().count() > 10", 1_000),
    ] {
        let focus = Arc::new(if entries == 0 { observation() } else { bundle(entries) });
        assert!(ends(text, &focus).is_ok(), "{text}");
    }
}

#[test]
fn the_errors_of_the_bounds_name_their_settings() {
    assert!(EvaluationError::TooCostly.to_string().contains("evaluationSteps"));
    assert!(EvaluationError::TooLarge.to_string().contains("evaluationMemoryBytes"));
}
