//! Programs on resources.

use super::testing::{Probe, ProbeEvent};
use crate::domain::event::FhirRelease;
use crate::domain::fhirpath::EvaluationError;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o1","status":"final","_status":{"id":"s"},
  "meta":{"versionId":"2","extension":[{"url":"https://example.org/tenant","valueReference":{"reference":"Organization/a"}}]},
  "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
  "code":{"coding":[{"system":"http://loinc.org","code":"4548-4","display":"H\u0062A1c"},{"system":"urn:local","code":"x"}],"text":"HbA1c"},
  "effectiveDateTime":"2026-02-03T10:11:12+01:00",
  "valueQuantity":{"value":6.50,"unit":"%","system":"http://unitsofmeasure.org","code":"%"},
  "contained":[{"resourceType":"Patient","id":"p","active":true},{"resourceType":"Device","id":"d"}],
  "component":[{"code":{"text":"a"},"valueInteger":1},{"code":{"text":"b"},"valueInteger":2},{"code":{"text":"c"},"valueString":"z"}]}"#;

const PREVIOUS: &str = r#"{"resourceType":"Observation","id":"o1","status":"preliminary",
  "code":{"coding":[{"system":"http://loinc.org","code":"4548-4","display":"HbA1c"},{"code":"x","system":"urn:local"}],"text":"HbA1c"},
  "valueQuantity":{"value":6.5,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}}"#;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p1","active":true,"birthDate":"1974-12-25",
  "_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1974-12-25T14:35:45-05:00"}]},
  "name":[{"use":"official","family":"Chalmers","given":["Peter","James"]},{"use":"usual","given":["Jim",null],"_given":[null,{"id":"g"}]}],
  "_gender":{"extension":[{"url":"urn:absent","valueCode":"unknown"}]},
  "multipleBirthInteger":2}"#;

fn event<'a>() -> ProbeEvent<'a> {
    ProbeEvent {
        focus: Some(OBSERVATION),
        has_current: true,
        previous: Some(PREVIOUS),
        time: "2026-02-03T10:00:00.123456Z",
    }
}

fn patient<'a>() -> ProbeEvent<'a> {
    ProbeEvent { focus: Some(PATIENT), has_current: true, previous: None, time: "2026-02-03T10:00:00Z" }
}

fn shown(text: &str, focus_type: &str, event: &ProbeEvent<'_>) -> Result<Vec<String>, EvaluationError> {
    let probe = Probe::compile(text, FhirRelease::R4, focus_type).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let values = probe.values(event)?;
    Ok(values.into_iter().map(|shown| shown.text.unwrap_or_else(|| "-".to_owned())).collect())
}

fn assert_all(focus_type: &str, event: &ProbeEvent<'_>, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        let found = shown(text, focus_type, event);
        let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(found, Ok(expected), "{text}");
    }
}

#[test]
fn paths_follow_the_model() {
    assert_all(
        "Observation",
        &event(),
        &[
            ("status", &["final"]),
            ("Observation.status", &["final"]),
            ("Resource.id", &["o1"]),
            ("value.unit", &["%"]),
            ("value.value", &["6.50"]),
            ("value", &["6.50 '%'"]),
            ("code.coding.display", &["HbA1c"]),
            ("code.coding[1].code", &["x"]),
            ("code.coding[2].code", &[]),
            ("component.value", &["1", "2", "z"]),
            ("component.value.ofType(integer)", &["1", "2"]),
            ("component.select(value as integer)", &["1", "2"]),
            ("component.where(value is string).code.text", &["c"]),
            ("effective", &["2026-02-03T10:11:12+01:00"]),
            ("meta.extension('https://example.org/tenant').value.reference", &["Organization/a"]),
            ("contained.id", &["p", "d"]),
            ("contained.ofType(Patient).active", &["true"]),
            ("contained.where($this is Device).id", &["d"]),
            ("contained[0] is Patient", &["true"]),
            ("%previous.status | %current.status | %resource.id", &["preliminary", "final", "o1"]),
            ("component.select($index)", &["0", "1", "2"]),
            ("component.where($index > 0).code.text", &["b", "c"]),
            ("bodySite.coding.code", &[]),
        ],
    );
    assert_all(
        "Patient",
        &patient(),
        &[
            ("name.given", &["Peter", "James", "Jim", "-"]),
            ("name.given.where($this.hasValue())", &["Peter", "James", "Jim"]),
            ("name.given.id", &["g"]),
            ("name.given.count()", &["4"]),
            ("name.given.sort()", &["-", "James", "Jim", "Peter"]),
            ("name.given.sort(-$this)", &["Peter", "Jim", "James", "-"]),
            ("gender.exists()", &["true"]),
            ("gender.hasValue()", &["false"]),
            ("gender = 'male'", &["false"]),
            ("gender.extension('urn:absent').value", &["unknown"]),
            ("birthDate.extension(%`ext-patient-birthTime`).value", &["1974-12-25T14:35:45-05:00"]),
            ("multipleBirth", &["2"]),
            ("deceased.exists()", &["false"]),
            ("gender = %resource.gender", &["true"]),
            ("(gender | %resource.gender).count()", &["1"]),
            ("name.given.where(hasValue().not()) = name.given.where(hasValue().not())", &["true"]),
            ("gender = name.given.where(hasValue().not())", &["false"]),
            ("gender ~ %resource.gender", &["true"]),
            ("Patient.is(System.Patient)", &["false"]),
            ("%previous.exists()", &["false"]),
            ("%previous.name.given", &[]),
        ],
    );
}

#[test]
fn criteria_decide_exactly() {
    for (text, fires) in [
        ("status = 'final' and category.coding.where(code = 'laboratory').exists()", true),
        ("value.value >= 6.5", true),
        ("value.value > 6.5", false),
        ("value >= 6.5 '%'", true),
        ("value = %previous.value", true),
        ("code = %previous.code", true),
        ("code.coding != %previous.code.coding", false),
        ("category = %previous.category", false),
        ("status != %previous.status", true),
        ("status in ('final' | 'amended')", true),
        ("('final' | 'amended') contains status", true),
        ("effective >= @2026-01-01", true),
        ("effective >= @2026-02-03", false),
        ("effective < now()", true),
        ("effective.toDate() = today()", true),
        ("today() = @2026-02-03", true),
        ("code.coding.exists(system = 'http://loinc.org' and code = '4548-4')", true),
        ("code.coding.all(code.exists())", true),
        ("code.coding.where(system = 'http://loinc.org').count() = 1", true),
        ("code.text.startsWith('Hb') and code.text.matches('^Hb[A-Z]1c$')", true),
        ("iif(status = 'final', value.value > 6, false)", true),
        ("(status & '-' & id) = 'final-o1'", true),
        ("component.value.ofType(integer).distinct().count() = 2", true),
        ("bodySite.exists().not()", true),
        ("bodySite.text = 'arm'", false),
        ("bodySite.text = 'arm' or status = 'final'", true),
        ("status", false),
        ("1 + 1 = 2 and 3 / 2 = 1.5 and 7 mod 4 = 3 and -2 < 1", true),
    ] {
        let probe = Probe::compile(text, FhirRelease::R4, "Observation");
        let found = probe.unwrap_or_else(|error| panic!("{text}: {error:?}")).test(&event());
        let expected = if text == "status" { Err(EvaluationError::NotBoolean) } else { Ok(fires) };
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn what_is_not_known_for_sure_is_left_to_the_general_engine() {
    for text in [
        "nothing.like.this = 1",
        "valueQuantity.value > 5",
        "Patient.active",
        "descendants().exists()",
        "children().exists()",
        "repeat(component).exists()",
        "contained.active",
        "contained.ofType(DomainResource).exists()",
        "code ~ code",
        "component.where(code).exists()",
        "code.coding.code.matches(status)",
        "status.matches('(a')",
        "42L = 42",
        "%unknown = 1",
        "$index = 1",
        "$total = 1",
        "value.ofType(Element)",
        "id is string",
        "id is System.String",
        "status.ofType(System.String) = 'final'",
        "meta.extension.url is uri",
    ] {
        assert!(Probe::compile(text, FhirRelease::R4, "Observation").is_err(), "{text}");
    }
}

#[test]
fn with_an_empty_operand_the_result_is_empty_whatever_the_other_is() {
    let empty = ["{}", "bodySite.text", "status.where(false)"];
    let others = ["code", "component", "component.value.ofType(integer)", "referenceRange", "status", "5"];
    for (nothing, other) in empty.iter().flat_map(|nothing| others.map(|other| (nothing, other))) {
        for operator in ["<", "<=", ">", ">=", "+"] {
            for text in [format!("{nothing} {operator} {other}"), format!("{other} {operator} {nothing}")] {
                assert_eq!(shown(&text, "Observation", &event()), Ok(Vec::new()), "{text}");
            }
        }
    }
}

#[test]
fn errors_of_the_specification_fail() {
    for text in [
        "component.single().exists()",
        "component.code.text > 'a'",
        "status > 5",
        "status > code",
        "code < component",
        "(component.code.text in ('a' | 'b'))",
        "(component.code as CodeableConcept).exists()",
        "component.code.text.startsWith('a')",
        "component.exists() and component",
        "iif(status, true, false)",
        "iif(1 | 2, true, false)",
        "-(status.exists())",
        "@2026-01-01 + 7 = @2026-01-08",
        "code.length() > 1",
        "status - 'a' = 'b'",
        "true < false",
    ] {
        let probe = Probe::compile(text, FhirRelease::R4, "Observation");
        let probe = probe.unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(probe.test(&event()), Err(EvaluationError::Failed), "{text}");
    }
}

/// Runs on a stack as small as a thread's may be.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(run).expect("there are threads");
    thread.join().expect("the stack is large enough");
}

#[test]
fn the_deepest_and_longest_expressions_run() {
    on_a_small_stack(|| {
        let deep = |step: &str, times: usize| format!("code.coding{}.exists()", step.repeat(times));
        for text in [
            deep(".first()", 190),
            deep(".where(code.exists())", 95),
            deep(".select($this)", 95),
            deep(".first().iif(true, $this)", 90),
            format!("{}status.exists()", "(".repeat(31)) + &")".repeat(31),
            "status = 'final'".to_owned() + &" or status = 'other'".repeat(780),
            "('a'".to_owned() + &" & 'b'".repeat(1000) + ").length() = 1001",
            "(1".to_owned() + &" + 1".repeat(1000) + ") = 1001",
            "('a'".to_owned() + &" | 'b'".repeat(1000) + ").count() = 2",
            "true".to_owned() + &" = true".repeat(100),
            "true".to_owned() + &" implies true".repeat(150),
        ] {
            let probe = Probe::compile(&text, FhirRelease::R4, "Observation");
            let probe = probe.unwrap_or_else(|error| panic!("{text:.60}: {error:?}"));
            assert_eq!(probe.test(&event()), Ok(true), "{text:.60}");
        }
        let extensions = "extension".to_owned() + &".value.extension".repeat(90) + ".exists()";
        for text in [extensions, deep(".first()", 250), "true".to_owned() + &" = true".repeat(101)] {
            assert!(Probe::compile(&text, FhirRelease::R4, "Observation").is_err(), "{text:.60}");
        }
    });
}

#[test]
fn work_is_paid_for() {
    let parts: Vec<String> = (0..3000).map(|index| format!(r#"{{"valueInteger":{index}}}"#)).collect();
    let large = format!(r#"{{"resourceType":"Observation","component":[{}]}}"#, parts.join(","));
    let event = ProbeEvent { focus: Some(&large), has_current: true, previous: None, time: "" };
    let test = |text: &str| Probe::compile(text, FhirRelease::R4, "Observation").expect("it compiles").test(&event);
    assert_eq!(test("component.value.ofType(integer).count() = 3000"), Ok(true));
    assert_eq!(test("component.value.ofType(integer).isDistinct()"), Ok(true));
    assert_eq!(test("component.all(%resource.component.count() > 0)"), Err(EvaluationError::TooCostly));
    let chars = "component.select('aaaaaaaaaa'.replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa')\
                 .replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa')).count() > 0";
    assert_eq!(test(chars), Err(EvaluationError::TooCostly));
    assert_eq!(test("now().exists() or today().exists()"), Ok(false));
}

#[test]
fn functions_give_what_the_specification_says() {
    assert_all(
        "Observation",
        &event(),
        &[
            ("component.code.text.sort(-$this)", &["c", "b", "a"]),
            ("component.value.ofType(integer).combine(0 | 5).sort()", &["0", "1", "2", "5"]),
            ("code.coding.code.union(code.text | 'x')", &["4548-4", "x", "HbA1c"]),
            ("code.coding.code.combine('x').exclude('4548-4')", &["x", "x"]),
            ("code.coding.code.combine('x').intersect('x')", &["x"]),
            ("component.code.text.skip(1).take(1)", &["b"]),
            ("component.code.text.tail().last()", &["c"]),
            ("component.code.text.take(-1)", &[]),
            ("component.code.text.skip(-1).first()", &["a"]),
            ("component.code.text.join('-')", &["a-b-c"]),
            ("'a,b'.split(',')", &["a", "b"]),
            ("code.text.replace('b', 'B').substring(1, 3).upper()", &["BA1"]),
            ("code.text.indexOf('A')", &["2"]),
            ("component.value.ofType(integer).select($this + $index)", &["1", "3"]),
            ("2.power(3) | 81.sqrt() | (-1.5).abs() | 1.5.round() | 1.55.round(1)", &["8", "9", "1.5", "2", "1.6"]),
            ("'12'.toInteger() + 1", &["13"]),
            ("'12'.convertsToInteger() and 'x'.convertsToDecimal().not()", &["true"]),
            ("code.convertsToString() | code.convertsToDateTime()", &["false"]),
            ("code.toString() | code.toQuantity()", &[]),
            ("status.type().name & status.type().namespace & 1.type().name", &["codeFHIRInteger"]),
            ("iif(component.empty(), 'none', 'some')", &["some"]),
            ("component.first().iif(value is integer, value as integer)", &["1"]),
            ("status.getValue() is System.String", &["true"]),
            ("(effective as dateTime).precision()", &["14"]),
            ("timeOfDay() | now()", &["10:00:00.123", "2026-02-03T10:00:00.123Z"]),
            ("@2026-01-31 + 1 month", &["2026-02-28"]),
            ("code.text.replaceMatches('[0-9]', 'x').trace('t')", &["HbAxc"]),
            ("{} & 'b' & {}", &["b"]),
            ("1 + {}", &[]),
            ("{} < (1 | 2)", &[]),
            ("component.code.subsetOf(component.code) and component.code.isDistinct()", &["true"]),
            ("code.coding.supersetOf(%previous.code.coding)", &["true"]),
            ("component.value.ofType(integer).select($this = 1).anyTrue()", &["true"]),
            ("component.value.ofType(integer).select($this = 1).allTrue()", &["false"]),
            ("component.value.ofType(integer).select($this > 5).allFalse()", &["true"]),
            ("bodySite.exists().select($this).anyFalse()", &["true"]),
        ],
    );
}

#[test]
fn states_that_an_event_lacks_are_empty() {
    let deleted = ProbeEvent { focus: Some(OBSERVATION), previous: Some(OBSERVATION), ..ProbeEvent::default() };
    let unknown = ProbeEvent::default();
    for (text, of_deleted, of_unknown) in [
        ("%current.exists()", false, false),
        ("%previous.exists()", true, false),
        ("%resource.exists() and %rootResource.exists() and %context.exists()", true, false),
        ("status = 'final'", true, false),
        ("status = %previous.status", true, false),
        ("%current.empty() and status.all($this = 'final')", true, true),
        ("{}.isDistinct() and code.coding.isDistinct()", true, true),
        ("%previous.code.coding.subsetOf(code.coding)", true, true),
        ("$this.exists()", true, false),
        ("iif(exists(), true, false)", true, false),
    ] {
        let probe =
            Probe::compile(text, FhirRelease::R4, "Observation").unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(probe.test(&deleted), Ok(of_deleted), "{text}");
        assert_eq!(probe.test(&unknown), Ok(of_unknown), "{text}");
    }
}

#[test]
fn quantities_without_a_known_unit_are_no_values() {
    let with = |quantity: &str| format!(r#"{{"resourceType":"Observation","valueQuantity":{quantity}}}"#);
    let local = with(r#"{"value":5,"unit":"Y"}"#);
    let below = with(r#"{"value":5,"comparator":"<","system":"http://unitsofmeasure.org","code":"mg"}"#);
    for focus in [&local, &below] {
        let event = ProbeEvent { focus: Some(focus), has_current: true, previous: Some(focus), time: "" };
        for (text, expected) in [
            ("value > 4 'mg'", vec![]),
            ("value = 5 'mg'", vec![]),
            ("value != 'mg'", vec!["true".to_owned()]),
            ("value = %previous.value", vec!["true".to_owned()]),
            ("value.value > 4", vec!["true".to_owned()]),
        ] {
            assert_eq!(shown(text, "Observation", &event), Ok(expected), "{text}");
        }
    }
}

#[test]
fn json_that_is_not_what_the_model_says_gives_no_value_and_no_panic() {
    let odd = r#"{"resourceType":"Observation","status":{"a":1},"code":"x","category":[null,[],{"coding":{"code":"c"}}],
        "valueQuantity":[{"value":"6"},7],"effectiveDateTime":"soon","issued":5,"component":[[{"code":{}}]],"_status":[null]}"#;
    let event = ProbeEvent { focus: Some(odd), has_current: true, previous: None, time: "never" };
    for text in [
        "status = 'final'",
        "status.exists()",
        "code.coding.exists()",
        "category.coding.code = 'c'",
        "value > 5",
        "value.value > 5",
        "effective > @2026-01-01",
        "issued < now()",
        "component.code.exists()",
        "status.extension.exists()",
        "code = code",
        "value ~ 5 'mg'",
        "category.coding | code | status | value",
        "component.count() + category.count()",
    ] {
        let probe =
            Probe::compile(text, FhirRelease::R4, "Observation").unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let _ = probe.values(&event);
        let _ = probe.test(&event);
    }
    assert_eq!(shown("category.coding.code", "Observation", &event), Ok(vec!["c".to_owned()]));
    assert_eq!(shown("effective > @2026-01-01", "Observation", &event), Ok(vec![]));
}

#[test]
fn nothing_is_quadratic_without_being_paid() {
    let list = |item: &dyn Fn(usize) -> String, count| (0..count).map(item).collect::<Vec<_>>().join(",");
    let extension = |index| format!(r#"{{"extension":[{{"url":"u","valueInteger":{index}}}]}}"#);
    let name = |index| format!(r#""{index:0200}""#);
    let escaped = |index| format!(r#""\u0041{index}""#);
    let patient = format!(
        r#"{{"resourceType":"Patient","name":[{{"given":[{}],"_given":[{}],"prefix":[{}]}}]}}"#,
        list(&name, 50_000),
        list(&extension, 50_000),
        list(&escaped, 20_000),
    );
    let event = ProbeEvent { focus: Some(&patient), has_current: true, previous: Some(&patient), time: "" };
    for (text, expected) in [
        ("name.given.extension('u').value.where($this = 49999).exists()", Ok(true)),
        ("name.given.isDistinct()", Err(EvaluationError::TooCostly)),
        ("name.given.distinct().exists()", Ok(true)),
        ("name.given.distinct().count() = 50000", Err(EvaluationError::TooCostly)),
        ("name.prefix.distinct().count() > 1", Err(EvaluationError::TooCostly)),
        ("name.given.subsetOf(%previous.name.given)", Err(EvaluationError::TooCostly)),
        ("name.prefix.exclude(%previous.name.prefix).exists()", Err(EvaluationError::TooCostly)),
        ("name.prefix.intersect(%previous.name.prefix).count() > 1", Err(EvaluationError::TooCostly)),
        ("(name.prefix | %previous.name.prefix).count() > 1", Err(EvaluationError::TooCostly)),
        ("name.prefix ~ %previous.name.prefix", Err(EvaluationError::TooCostly)),
        ("name.given.all($this in %previous.name.given)", Err(EvaluationError::TooCostly)),
        ("name.given.join('-').split('-').count() = 50000", Err(EvaluationError::TooCostly)),
        ("name = %previous.name", Ok(true)),
    ] {
        let probe =
            Probe::compile(text, FhirRelease::R4, "Patient").unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(probe.test(&event), expected, "{text}");
    }
}

#[test]
fn a_quantity_with_a_comparator_is_a_range() {
    let with = |comparator: &str| {
        let system = "http://unitsofmeasure.org";
        format!(
            r#"{{"resourceType":"Observation","valueQuantity":{{"value":5,"comparator":"{comparator}","system":"{system}","code":"mg"}}}}"#
        )
    };
    let (above, below, enough) = (with(">"), with("<"), with("ad"));
    for (focus, text, expected) in [
        (&above, "value > 4 'mg'", vec!["true"]),
        (&above, "value > 0.004 'g'", vec!["true"]),
        (&above, "4 'mg' < value", vec!["true"]),
        (&above, "value > 5 'mg'", vec!["true"]),
        (&above, "value <= 5 'mg'", vec!["false"]),
        (&above, "value > 6 'mg'", vec![]),
        (&above, "value > %previous.value", vec![]),
        (&below, "value < 5 'mg'", vec!["true"]),
        (&below, "value > 5 'mg'", vec!["false"]),
        (&below, "value > 4 'mg'", vec![]),
        (&below, "5 'mg' > value", vec!["true"]),
        (&enough, "value > 4 'mg'", vec![]),
    ] {
        let event = ProbeEvent { focus: Some(focus), has_current: true, previous: Some(focus), time: "" };
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(shown(text, "Observation", &event), Ok(expected), "{text}");
    }
}
