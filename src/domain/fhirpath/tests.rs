//! Criteria as their authors see them: what compiles, what is reported, and what fires for which event.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

const TIME: &str = "2024-05-02T08:30:00.123456+02:00";

fn compile(text: &str) -> Criterion {
    let (criterion, problems) = FhirPath::new().compile(text);
    criterion.unwrap_or_else(|| panic!("{text}: {problems:?}"))
}

pub(super) fn subject(interaction: Interaction, focus: Option<Value>, previous: Option<Value>) -> Subject {
    FhirPath::new().subject(FhirRelease::R4, interaction, focus.map(Arc::new), previous.map(Arc::new), TIME)
}

pub(super) fn on(text: &str, focus: Value) -> Result<bool, EvaluationError> {
    FhirPath::new().evaluate(&compile(text), &subject(Interaction::Update, Some(focus), None))
}

pub(super) fn observation() -> Value {
    json!({
        "resourceType": "Observation", "id": "o1", "status": "final", "note": [{"text": "ok"}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}], "text": "it's  two // spaces"},
        "subject": {"reference": "#p"}, "contained": [{"resourceType": "Patient", "id": "p", "active": true}],
        "effectiveDateTime": "2024-05-01", "issued": "2024-05-01T10:00:00Z",
        "valueQuantity": {"value": 6.3, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
    })
}

/// The problems of a criterion for an Observation: severity, the text that is marked, the message and the hint.
fn report(text: &str) -> String {
    let (criterion, problems) = FhirPath::new().compile_for(text, &["Observation"], &[]);
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(criterion.is_none(), failed, "{text}");
    let lines = problems.into_iter().map(|problem| {
        let marked = problem.span.map_or("-", |span| &text[span]);
        let hint = problem.hint.map_or_else(String::new, |hint| format!(" ({hint})"));
        format!("{:?} at [{marked}]: {}{hint}", problem.severity, problem.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn reports(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("{text}\n    {}\n", report(text).replace('\n', "\n    "))).collect()
}

#[test]
fn true_fires_and_false_and_empty_do_not() {
    for (text, expected) in [
        ("status = 'final'", Ok(true)),
        ("status = 'amended'", Ok(false)),
        ("true", Ok(true)),
        ("{}", Ok(false)),
        ("method.coding.code = 'x'", Ok(false)),
        ("contained.active", Ok(true)),
        ("iif(status = 'final', status, true)", Err(EvaluationError::NotBoolean)),
        ("select(true | false)", Err(EvaluationError::NotBoolean)),
        ("code.coding.code.single() = '2345-7'", Ok(true)),
        ("(1 | 2).single() = 1", Err(EvaluationError::Failed)),
    ] {
        assert_eq!(on(text, observation()), expected, "{text}");
    }
}

#[test]
fn each_interaction_has_its_states() {
    let before = || json!({"resourceType": "Patient", "id": "p", "active": true});
    let after = || json!({"resourceType": "Patient", "id": "p", "active": false});
    let create = subject(Interaction::Create, Some(after()), Some(before()));
    let update = subject(Interaction::Update, Some(after()), Some(before()));
    let blind_update = subject(Interaction::Update, Some(after()), None);
    let delete = subject(Interaction::Delete, Some(after()), None);
    let delete_of_previous = subject(Interaction::Delete, None, Some(after()));
    let blind_delete = subject(Interaction::Delete, None, None);
    let all = [&create, &update, &blind_update, &delete, &delete_of_previous, &blind_delete];
    for (text, expected) in [
        ("%previous.exists()", [false, true, false, true, true, false]),
        ("%previous.empty()", [true, false, true, false, false, true]),
        ("%previous.count() = 1", [false, true, false, true, true, false]),
        ("%current.exists()", [true, true, true, false, false, false]),
        ("%current.count() = 0", [false, false, false, true, true, true]),
        ("exists()", [true, true, true, true, true, false]),
        ("active.not()", [true, true, true, true, true, false]),
        ("%previous.active", [false, true, false, false, false, false]),
        ("%previous.active and %current.active.not()", [false, true, false, false, false, false]),
        ("%resource.id = id", [true, true, true, true, true, false]),
        ("%context.active = false", [true, true, true, true, true, false]),
        ("%rootResource.active = false", [true, true, true, true, true, false]),
        ("%resource.empty() and %context.empty() and %rootResource.empty()", [false, false, false, false, false, true]),
        ("(%previous.active | active).count() = 2", [false, true, false, false, false, false]),
        ("iif(%previous.exists(), %previous.active, true)", [true, true, true, false, false, true]),
        ("$this.exists()", [true, true, true, true, true, false]),
        ("%`previous`.exists()", [false, true, false, true, true, false]),
        ("where(%previous.active).exists()", [false, true, false, false, false, false]),
    ] {
        let criterion = compile(text);
        let fired = all.map(|subject| FhirPath::new().evaluate(&criterion, subject));
        assert_eq!(fired, expected.map(Ok), "{text}");
    }
}

#[test]
fn decimals_of_a_quantity_compare_exactly() {
    for value in ["6.3", "0.1", "7", "7.0", "1234567.891", "0.00012", "-2.675", "98765432101.3"] {
        let mut focus = observation();
        focus["valueQuantity"]["value"] = serde_json::from_str(value).expect("a number");
        for (operator, expected) in [("=", true), (">=", true), ("<=", true), (">", false), ("<", false), ("!=", false)]
        {
            for text in [
                format!("value {operator} {value} 'mmol/L'"),
                format!("(value as Quantity).value {operator} {value}"),
                format!("value.ofType(Quantity).where(value {operator} {value}).exists()"),
                format!("{value} 'mmol/L' {operator} value"),
            ] {
                assert_eq!(on(&text, focus.clone()), Ok(expected), "{text}");
            }
        }
    }
    assert_eq!(on("value.value in (6.3 | 7)", observation()), Ok(true));
    assert_eq!(on("value.value + 0.1 = 6.4", observation()), Ok(true));
    assert_eq!(on("value.value.toString() = '6.3'", observation()), Ok(true));
    assert_eq!(on("value > 0.0062 'mol/L'", observation()), Ok(true));
    assert_eq!(on("value > 6.2 'kg'", observation()), Ok(false));
}

#[test]
fn a_plain_decimal_compares_exactly() {
    let focus = json!({"resourceType": "RiskAssessment", "id": "r", "prediction": [{"probabilityDecimal": 0.1}]});
    assert_eq!(on("prediction.probability = 0.1", focus.clone()), Ok(true));
    assert_eq!(on("prediction.where(probability >= 0.1 and probability <= 0.1).exists()", focus), Ok(true));
}

#[test]
fn dates_and_times_compare_across_precisions() {
    for (text, expected) in [
        ("issued >= @2024-05-02", false),
        ("issued >= @2024-04-30", true),
        ("issued <= @2024-05-02", true),
        ("issued > @2024-04-30T10:00:00Z", true),
        ("issued = @2024-05-01T12:00:00+02:00", true),
        ("issued >= @2024-05-01T10:00:00Z", true),
        ("effective > @2024-04-30T10:00:00Z", true),
        ("effective >= @2024-05-01", true),
        ("effective = @2024-05-01", true),
        ("effective < @2024-05-01T10:00:00Z", false),
        ("(effective < @2024-05-01T10:00:00Z).empty()", true),
        ("(issued > @2024-05-01).empty()", true),
    ] {
        assert_eq!(on(text, observation()), Ok(expected), "{text}");
    }
}

#[test]
fn now_is_the_time_of_the_event_in_utc() {
    for text in [
        "now() = @2024-05-02T06:30:00.123Z",
        "today() = @2024-05-02",
        "timeOfDay() = @T06:30:00.123",
        "issued < now()",
        "issued > now() - 1 day",
        "where(issued < now()).exists()",
        "(1 | 2).all(now() > @2024-05-01)",
        "issued.select(now()) = now()",
        "(now() | today()).count() = 2",
    ] {
        assert_eq!(on(text, observation()), Ok(true), "{text}");
    }
    let without_time = FhirPath::new().subject(FhirRelease::R4, Interaction::Create, None, None, "yesterday");
    assert_eq!(FhirPath::new().evaluate(&compile("now().empty() and today().empty()"), &without_time), Ok(true));
}

#[test]
fn an_engine_that_panics_gives_an_error() {
    let text = "9999999999999999.0 * 9999999999999999.0 * 9999999999999999.0 > 1 or status = 'final'";
    assert_eq!(on(text, observation()), Err(EvaluationError::Failed));
    assert_eq!(on("status = 'final'", observation()), Ok(true));
}

#[test]
fn element_types_are_those_of_the_release() {
    for (text, expected) in [
        ("value is Quantity", true),
        ("value is string", false),
        ("(value as Quantity).unit = 'mmol/L'", true),
        ("value.ofType(FHIR.Quantity).exists()", true),
        ("effective is dateTime", true),
        ("status is code", true),
        ("status is string", true),
        ("$this is Observation", true),
        ("$this is DomainResource", true),
        ("contained.ofType(Patient).active", true),
        ("subject.resolve().ofType(Patient).active", true),
        ("Observation.status = 'final'", true),
        ("Patient.exists()", false),
    ] {
        assert_eq!(on(text, observation()), Ok(expected), "{text}");
    }
    let encounter = json!({"resourceType": "Encounter", "id": "e", "status": "planned", "class": [{"text": "x"}]});
    let subject =
        |release| FhirPath::new().subject(release, Interaction::Create, Some(Arc::new(encounter.clone())), None, TIME);
    let criterion = compile("class.first() is CodeableConcept");
    assert_eq!(FhirPath::new().evaluate(&criterion, &subject(FhirRelease::R5)), Ok(true));
    assert_eq!(FhirPath::new().evaluate(&criterion, &subject(FhirRelease::R4)), Ok(false));
}

#[test]
fn names_and_strings_are_read_as_they_are_written() {
    for text in [
        "note.exists()",
        "status = 'final' and note.exists()",
        "notGiven.empty() and trueish.empty() and falsePositive.empty()",
        "code.text = 'it\\'s  two // spaces'",
        "code . text = 'it\\'s  two // spaces' // a comment with 'quotes'",
        "/* a comment */ status\n\t=\r\n'final'",
        "'a\tb' = 'a\\tb'",
        "'a  b'.length() = 4",
        "'&lt;'.length() = 4",
        "%`vs-administrative-gender` = 'http://hl7.org/fhir/ValueSet/administrative-gender'",
        "%'ext-patient-birthTime' = 'http://hl7.org/fhir/StructureDefinition/patient-birthTime'",
        "%loinc = 'http://loinc.org'",
    ] {
        assert_eq!(on(text, observation()), Ok(true), "{text}");
    }
}

#[test]
fn patterns_are_in_single_line_mode_and_whole() {
    for (text, expected) in [
        ("'a\nb'.matches('a.b')", true),
        ("'a\nb'.replaceMatches('a.b', 'c') = 'c'", true),
        ("'ax'.matchesFull('a|b')", false),
        ("'b'.matchesFull('a|b')", true),
        ("code.text.matches('^it')", true),
        ("code.text.matches('^' & 'two')", false),
    ] {
        assert_eq!(on(text, observation()), Ok(expected), "{text}");
    }
}

#[test]
fn several_items_cannot_be_ordered() {
    let mut focus = observation();
    focus["code"]["coding"] = json!([{"code": "8"}, {"code": "9"}]);
    assert_eq!(on("code.coding.code > '1'", focus.clone()), Err(EvaluationError::Failed));
    assert_eq!(on("code.coding.all(code > '1')", focus), Ok(true));
}

#[test]
fn an_absent_element_is_not_its_namesake() {
    let report = json!({"resourceType": "DiagnosticReport", "id": "d", "conclusionCode": [{"text": "x"}]});
    let encounter = json!({"resourceType": "Encounter", "id": "e", "statusHistory": [{"status": "planned"}]});
    for (text, focus, expected) in [
        ("conclusion.exists()", &report, false),
        ("conclusionCode.exists()", &report, true),
        ("children().count() = 2", &report, true),
        ("status.empty()", &encounter, true),
        ("statusHistory.status = 'planned'", &encounter, true),
    ] {
        assert_eq!(on(text, focus.clone()), Ok(expected), "{text}");
    }
    assert_eq!(on("value.exists() and effective.exists()", observation()), Ok(true));
}

#[test]
fn trace_and_variables_stay_inside_a_criterion() {
    assert_eq!(on("status.trace('status') = 'final'", observation()), Ok(true));
    let subject = subject(Interaction::Create, Some(observation()), None);
    let engine = FhirPath::new();
    let defines = compile("defineVariable('code', 'final').where(status = %code).exists()");
    assert_eq!(engine.evaluate(&defines, &subject), Ok(true));
    assert_eq!(engine.evaluate(&defines, &subject), Ok(true), "the variable of the first time is gone");
}

#[test]
fn what_is_read_is_known() {
    for (text, content, previous) in [
        ("true", false, false),
        ("now() > @2024-01-01", false, false),
        ("iif(true, today() > @2024-01-01, false)", false, false),
        ("('a' | 'b').where($this = 'a').exists()", false, false),
        ("'abc'.matches('b')", false, false),
        ("('a').select(length()) = 1", false, false),
        ("status = 'final'", true, false),
        ("exists()", true, false),
        ("$this is Patient", true, false),
        ("%current.exists()", true, false),
        ("%resource.exists()", true, false),
        ("('a' | 'b').where($this = %context.status).exists()", true, false),
        ("'a'.replace('a', status) = 'b'", true, false),
        ("iif(true, status = 'final')", true, false),
        ("%previous.exists()", true, true),
        ("%`previous`.status != status", true, true),
        ("status = '%previous'", true, false),
        ("true // %previous", false, false),
    ] {
        let criterion = compile(text);
        assert_eq!((criterion.reads_content(), criterion.reads_previous()), (content, previous), "{text}");
    }
}

#[test]
fn mistakes_are_reported_at_their_place() {
    insta::assert_snapshot!(reports(&[
        "",
        "status = = 'final'",
        "status = 'final' and",
        "status = 'final",
        "(status = 'final'",
        "status..exists()",
        "/* a comment */  status = ?",
        "status = 'final' /* not closed",
        "code.coding.exist()",
        "%previus.exists()",
        "%this.exists()",
        "$foo = 1",
        "%`fhir-fanout now` = 1",
        "code.memberOf('http://example.org/vs')",
        "%terminologies.expand('x').exists()",
        "%server.read('Patient', '1').exists()",
        "%factory.Coding('s', 'c').exists()",
        "value is Quantty",
        "value.ofType(Pateint).exists()",
        "code.where()",
        "status.startsWith('a', 'b')",
        "not status.exists()",
        "code.repeat($this & 'x').exists()",
        "contained.repeatAll($this).exists()",
        "(1 | 2).aggregate($total & $total, 'a') = 'a'",
        "status.matches('(final')",
        "status.matches('(\\\\w{99} ){99}')",
        "extension.sort(%resource.extension).exists()",
    ]));
}

#[test]
fn questions_about_nothing_have_the_answers_of_fhirpath() {
    for text in [
        "hasMember.all(reference = 'x')",
        "hasMember.reference.exists().not()",
        "contained.select(generalPractitioner).all($this is Reference)",
        "hasMember.select(false).allTrue()",
        "hasMember.select(false).allFalse()",
        "hasMember.select(false).anyTrue().not()",
        "hasMember.select(false).anyFalse().not()",
        "method.coding.code.hasValue().not()",
        "hasMember.isDistinct()",
        "hasMember.subsetOf(note)",
        "hasMember.supersetOf(note).not()",
        "note.supersetOf(hasMember)",
        "hasMember.union(note).exists()",
        "hasMember.combine(note).exists()",
    ] {
        assert_eq!(on(text, observation()), Ok(true), "{text}");
        assert_eq!(on(&format!("({text}).exists()"), observation()), Ok(true), "{text}");
    }
}

#[test]
fn what_is_never_a_boolean_is_an_error() {
    insta::assert_snapshot!(reports(&[
        "'final'",
        "1 + 1",
        "status",
        "status & 'x'",
        "code.coding.code",
        "value.ofType(Quantity).value",
        "now()",
        "%previous.status",
        "code.coding.where(code = 'x').first()",
        "status | 'x'",
    ]));
    for text in [
        "true",
        "value",
        "value.ofType(boolean)",
        "value as boolean",
        "contained.active",
        "extension.value",
        "iif(status = 'final', true, false)",
        "status | true",
        "{}",
        "unknownElement",
        "component.value",
        "select(status = 'final')",
        "children().first()",
    ] {
        let (criterion, problems) = FhirPath::new().compile_for(text, &["Observation"], &[]);
        assert!(criterion.is_some(), "{text}: {problems:?}");
    }
    assert!(FhirPath::new().compile("status").0.is_some(), "the resource type is not known");
    assert!(FhirPath::new().compile_for("status", &["Observation", "Resource"], &[]).0.is_some());
    assert!(FhirPath::new().compile_for("active", &["Observation", "Patient"], &[]).0.is_some());
}

#[test]
fn what_may_surprise_is_a_warning() {
    insta::assert_snapshot!(reports(&[
        "issued >= @2024-05-01",
        "issued > @2024-05-01T00:00:00Z",
        "effective >= @2024-05-01",
        "issued < today()",
        "contained.ofType(Patient).birthDate < now()",
        "stauts = 'final'",
        "code.coding.where(cod = 'x').exists()",
        "Patient.active",
        "status.trace('x') = 'final'",
        "subject.resolve().exists()",
        "value > 6.1234567890123456 'mg'",
        "value > 6.3 'mg'",
        "value > 0.00000000000000010 'mg'",
    ]));
}

#[test]
fn long_and_deep_expressions_are_refused_or_run() {
    let codes = (0..900).map(|code| format!("'c{code}'")).collect::<Vec<_>>().join(" | ");
    assert_eq!(on(&format!("status in ({codes} | 'final')"), observation()), Ok(true));
    let terms = vec!["status = 'x'"; 500].join(" or ");
    assert_eq!(on(&format!("{terms} or status = 'final'"), observation()), Ok(true));
    let deepest = format!("{}true{}", "(".repeat(lexical::MAX_NESTING), ")".repeat(lexical::MAX_NESTING));
    assert_eq!(on(&deepest, observation()), Ok(true));
    for text in [
        format!("({deepest})"),
        format!("status = '{}'", "x".repeat(lexical::MAX_BYTES)),
        vec!["true"; 2_000].join(" or "),
        format!("status{}", ".x".repeat(1_000)),
    ] {
        let (criterion, problems) = FhirPath::new().compile(&text);
        assert!(criterion.is_none() && !problems.is_empty());
    }
}

#[test]
fn criteria_and_subjects_go_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<FhirPath>();
    shared::<Criterion>();
    shared::<Subject>();
}

#[test]
fn resource_types_of_all_releases_are_known() {
    for name in ["Patient", "Observation", "MedicationStatement", "MedicationUsage", "SubscriptionTopic", "Binary"] {
        assert_eq!(is_resource_type(name), name != "MedicationUsage", "{name}");
    }
    for name in ["Resource", "DomainResource", "HumanName", "patient", ""] {
        assert!(!is_resource_type(name), "{name}");
    }
    assert!(resource_types().is_sorted());
    assert!(resource_types().len() > 160);
}
