//! Mistakes in criteria, as a user reads about them: each with its line, column, excerpt and hint; and criteria of every
//! day, which are told nothing about.

use super::tests::Sample;
use crate::config::diagnostic::Diagnostics;
use crate::domain::fhirpath::FhirPath;

/// The problems of a trigger with this criterion.
fn problems_of(trigger: &str, criterion: &str) -> Diagnostics {
    let quoted = serde_json::to_string(criterion).expect("a string is JSON");
    Sample::minimal_but("{ resource: Patient }", &format!("{{ {trigger}, fhirPathCriteria: {quoted} }}")).load().1
}

fn shown(trigger: &str, criterion: &str) -> String {
    let problems = problems_of(trigger, criterion);
    for problem in &problems {
        assert!(problem.line.is_some() && problem.column.is_some() && problem.excerpt.is_some(), "{problem}");
        assert!(problem.hint.is_some(), "{problem}");
    }
    problems.render(crate::config::diagnostic::Colour::Never)
}

/// Snapshots what is said about criteria of a trigger.
macro_rules! mistakes {
    ($($name:ident: $trigger:literal, $criterion:literal,)+) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(shown($trigger, $criterion));
        }
    )+};
}

mistakes! {
    misspelt_element: "resource: Observation", "stauts = 'final'",
    misspelt_element_of_a_backbone: "resource: Patient", "contact.where(relationship.exists()).nam.exists()",
    misspelt_inherited_element: "resource: Patient", "meta.lastUpdate.exists()",
    element_that_resembles_none: "resource: Observation", "active = true",
    element_of_another_resource: "resource: Observation", "Patient.active",
    element_that_no_resource_has: "resource: Resource", "stauts.exists()",
    json_name_of_a_choice: "resource: Observation", "valueQuantity.value > 6.5",
    misspelt_json_name_of_a_choice: "resource: Patient", "deceasedBolean = true",
    json_name_of_an_extension: "resource: Patient", "_birthDate.extension.exists()",
    type_asked_as_an_element: "resource: Patient", "resourceType = 'Patient'",
    variable_without_its_sign: "resource: Observation", "previous.status = 'preliminary'",
    variable_of_another_language: "resource: Observation", "%old.status != %new.status",
    function_without_brackets: "resource: Patient", "name.exists",
    function_of_another_language: "resource: Patient", "name.isEmpty()",
    function_called_on_nothing: "resource: Observation", "contains(status, 'fin')",
    too_few_arguments: "resource: Observation", "status.startsWith()",
    argument_of_the_wrong_type: "resource: Observation", "status.startsWith(5)",
    number_in_quotes_as_argument: "resource: Patient", "name.skip('1').exists()",
    type_in_quotes: "resource: Observation", "value.ofType('Quantity').exists()",
    function_on_a_date: "resource: Patient", "birthDate.startsWith('1990')",
    function_on_the_resource: "resource: Patient", "length() > 5",
    several_where_a_boolean_must_stand: "resource: Observation", "status = 'final' or ('amended' | 'corrected')",
    function_on_a_concept: "resource: Observation", "code.startsWith('2345')",
    date_against_a_number: "resource: Patient", "birthDate > 5",
    date_in_quotes: "resource: Patient", "birthDate > '1990-01-01'",
    date_without_its_sign: "resource: Patient", "birthDate > 1990-01-01",
    date_plus_a_number: "resource: Patient", "birthDate + 18 <= today()",
    date_that_is_none: "resource: Patient", "birthDate > @1990-13-01",
    code_against_a_number: "resource: Observation", "status = 1",
    boolean_in_quotes: "resource: Patient", "active = 'true'",
    concept_against_a_code: "resource: Observation", "code = '2345-7'",
    reference_against_text: "resource: Observation", "subject = 'Patient/1'",
    quantity_against_a_number: "resource: Observation", "value > 6.5",
    quantity_against_text: "resource: Observation", "value > 'x'",
    number_against_text: "resource: Observation", "value.ofType(Quantity).value > '6.5'",
    unit_without_quotes: "resource: Observation", "value > 5 mg",
    type_that_an_element_never_has: "resource: Observation", "value.ofType(Coding).exists()",
    type_of_fhirpath_itself: "resource: Observation", "value is String",
    type_of_the_wrong_namespace: "resource: Observation", "subject.resolve() is System.Patient",
    first_of_what_has_no_order: "resource: Patient", "children().first().exists()",
    comparison_with_null: "resource: Patient", "deceased != null",
    comparison_with_nothing: "resource: Patient", "deceased = {}",
    double_equals: "resource: Observation", "status == 'final'",
    double_ampersand: "resource: Observation", "status = 'final' && value.exists()",
    double_bar: "resource: Observation", "status = 'final' || status = 'amended'",
    exclamation_mark: "resource: Patient", "!active",
    operator_in_capitals: "resource: Observation", "status = 'final' AND value.exists()",
    less_and_greater: "resource: Observation", "status <> 'final'",
    list_with_commas: "resource: Observation", "status in ('final', 'amended')",
    word_not: "resource: Patient", "not active",
    double_quotes: "resource: Observation", "status = \"final\"",
    list_where_or_is_meant: "resource: Encounter", "(%previous.empty() | (%previous.status != 'finished')) and (%current.status = 'finished')",
    text_without_quotes: "resource: Patient", "gender = male",
    typographic_quotes: "resource: Observation", "status = ‘final’",
    decimal_comma: "resource: Observation", "value.value > 6,5",
    comment_of_another_language: "resource: Observation", "status = 'final' # only these",
    type_as_an_element: "resource: Observation", "value.quantity.value > 6.5",
    is_with_a_value: "resource: Patient", "active is true",
    index_that_filters: "resource: Patient", "identifier[use = 'official'].value = '1'",
    difference_of_dates: "resource: Patient", "today() - birthDate > 18 years",
    membership_of_several: "resource: Patient", "name.given contains ('Peter' | 'Paul')",
    sum_of_what_is_not_known: "resource: Patient", "extension.value + 1",
    or_that_lacks_its_comparison: "resource: Observation", "status = 'final' or 'amended'",
    equal_to_several: "resource: Observation", "status = 'final' | 'amended'",
    path_equal_to_several: "resource: Observation", "category.coding.code = ('laboratory' | 'imaging')",
    equal_to_both: "resource: Observation", "status = 'final' and status = 'amended'",
    unequal_to_one_or_the_other: "resource: Observation", "status != 'final' or status != 'amended'",
    both_sides_the_same: "resource: Observation", "%current.status != %current.status",
    no_boolean_where_one_is_asked: "resource: Patient", "name and active",
    condition_that_is_none: "resource: Observation", "note.exists(text)",
    branches_that_are_no_booleans: "resource: Observation", "iif(status = 'final', 1, 0)",
    result_that_is_a_resource: "resource: Resource", "%previous",
    never_on_create: "resource: Observation, supportedInteraction: [create, update]", "%current.status != %previous.status",
    never_on_create_and_delete: "resource: Observation", "%current.status != %previous.status",
    never_at_all: "resource: Observation, supportedInteraction: [create]", "%previous.status = 'final'",
    never_on_delete: "resource: Observation, supportedInteraction: [delete]", "%current.exists() and status = 'final'",
    never_true: "resource: Observation", "false",
    always_true: "resource: Observation", "status = 'final' or true",
    quoted_string_that_ends_too_early: "resource: Observation", "status = 'final",
    bracket_that_is_not_closed: "resource: Observation", "(status = 'final'",
}

#[test]
fn criteria_of_every_day_are_told_nothing_about() {
    let of_type = [
        ("Observation", "status = 'final' or status = 'amended'"),
        ("Observation", "status in ('final' | 'amended' | 'corrected')"),
        ("Observation", "code.coding.where(system = 'http://loinc.org' and code = '4548-4').exists()"),
        ("Observation", "code.coding.exists(system = 'http://loinc.org' and code = '4548-4') and value.value >= 6.5"),
        ("Observation", "value.ofType(Quantity).value > 6.5"),
        ("Observation", "(value as Quantity).value > 6.5"),
        ("Observation", "value > 6.5 'mmol/L'"),
        ("Observation", "value.exists() and value is Quantity and value.unit = 'mg'"),
        ("Observation", "interpretation.coding.code in ('H' | 'HH')"),
        ("Observation", "component.where(code.coding.code = '8480-6').value.value > 180"),
        ("Observation", "referenceRange.first().high.value < value.value"),
        ("Observation", "effective > @2024-01-01T00:00:00Z and issued > now() - 1 day"),
        ("Observation", "effective.start >= @2024-01-01T00:00:00Z"),
        ("Observation", "subject.reference.startsWith('Patient/')"),
        ("Observation", "category.coding.code contains 'laboratory'"),
        ("Observation", "Observation.status = 'final'"),
        ("Observation", "extension('http://example.org/x').value = 'x'"),
        ("Observation", "extension.where(url = 'http://example.org/x').value.ofType(boolean) = true"),
        ("Observation", "contained.ofType(Patient).birthDate > @1990-01-01"),
        ("Observation", "meta.tag.exists(code = 'x') and meta.lastUpdated > @2024-01-01T00:00:00Z"),
        ("Observation", "note.text.lower().contains('urgent')"),
        ("Observation", "%resource.status = 'final' and %context.value.exists()"),
        ("Patient", "active"),
        ("Patient", "active.not()"),
        ("Patient", "deceased = true"),
        ("Patient", "deceased.ofType(boolean) or deceased.ofType(dateTime).exists()"),
        ("Patient", "birthDate <= today() - 18 years"),
        ("Patient", "name.where(use = 'official').given.first() = 'Peter'"),
        ("Patient", "name.exists(family ~ 'müller')"),
        ("Patient", "telecom.where(system = 'phone').value.matches('^[+][0-9]+$')"),
        ("Patient", "identifier.where(system = 'http://example.org/mrn').value.exists()"),
        ("Patient", "contact.relationship.coding.code = 'N' and contact.count() > 1"),
        ("Patient", "name.all(given.exists() and family.exists())"),
        ("Patient", "iif(active.exists(), active, true)"),
        ("Encounter", "class.code = 'IMP'"),
        ("Encounter", "period.end.exists() and length.value > 5"),
        ("MedicationRequest", "medication.ofType(CodeableConcept).coding.exists(code = 'x')"),
        ("MedicationRequest", "dosageInstruction.doseAndRate.dose.ofType(Quantity).value > 5"),
        ("QuestionnaireResponse", "item.answer.value.ofType(string) = 'x'"),
        ("QuestionnaireResponse", "repeat(item).where(linkId = 'a').answer.value.exists()"),
        ("Bundle", "entry.resource.ofType(Patient).active"),
        ("Bundle", "entry.resource.status = 'final'"),
        ("Task", "status = 'completed' and output.exists(type.coding.code = 'x')"),
        ("Patient", "extension.value.ofType(dateTime) > now() - 1 day"),
        ("Patient", "now() - 1 day < extension.value"),
        ("Observation", "value * 2 > 5 'mg' and value / 2 < 5 'mg'"),
        ("Observation", "(value.value + 1) * 2 > referenceRange.high.value.first()"),
        ("Observation", "component[0].value.exists() and component[component.count() - 1].exists()"),
        ("Patient", "name.given.where(startsWith('P')).exists()"),
        ("Patient", "identifier[0].value = '1'"),
        ("Resource", "meta.security.exists(code = 'R')"),
        ("Resource", "status = 'active'"),
        ("Resource", "$this is Patient and active = true"),
    ];
    for (resource, criterion) in of_type {
        let problems = problems_of(&format!("resource: {resource}"), criterion);
        assert!(problems.is_empty(), "{criterion}\n{problems:?}");
    }
    let on_update = [
        "%previous.status != 'finished' and %current.status = 'finished'",
        "%current.status != %previous.status",
        "%previous.exists() and status = 'final'",
        "%previous.empty() or %previous.status != status",
        "(%previous.id.empty() or (%previous.status != 'finished')) and (%current.status = 'finished')",
        "%previous.status!='in-progress' and %current.status='in-progress'",
    ];
    for criterion in on_update {
        let problems = problems_of("resource: Encounter, supportedInteraction: [update]", criterion);
        assert!(problems.is_empty(), "{criterion}\n{problems:?}");
    }
    let on_any = [
        "%previous.empty() or %previous.status != status",
        "(%previous.status = 'x').not() or status = 'y'",
        "status = 'final' or %previous.exists() or %current.exists()",
        "iif(%previous.exists(), %previous.status != 'x', true)",
        "(%current | %previous).status = 'x'",
        "%previous.where(status = 'x').empty()",
        "%previous.all(status = 'x')",
        "%previous.status.exists() implies status = 'x'",
        "%previous.status ~ %current.status",
        "(%previous.status | 'x').count() = 1",
    ];
    for criterion in on_any {
        let problems = problems_of("resource: Encounter", criterion);
        assert!(problems.is_empty(), "{criterion}\n{problems:?}");
    }
}

/// What is told about the engines of these criteria: how many are compiled, and where the others leave off.
fn engines(triggers: &[(&str, &str)]) -> (usize, Vec<String>, Vec<String>) {
    let triggers: Vec<String> = triggers
        .iter()
        .map(|(resource, criterion)| format!("{{ resource: {resource}, fhirPathCriteria: \"{criterion}\" }}"))
        .collect();
    let sample = Sample::minimal_but("[{ resource: Patient }]", &format!("[{}]", triggers.join(",\n      ")));
    let (loaded, problems) = sample.load();
    let engines = loaded.unwrap_or_else(|| panic!("{problems:?}")).engines.engines(&FhirPath::new());
    let place = |place: String| place.split_once("topics.yaml:").map(|(_, at)| at.to_owned()).unwrap_or_default();
    let general = engines.general.iter().map(|one| format!("{} {}", place(one.place.short()), one.reason)).collect();
    (engines.compiled, general, problems.into_iter().map(|problem| problem.message).collect())
}

#[test]
fn the_engine_of_each_criterion_is_known_with_the_place_that_is_not_compiled() {
    let (compiled, general, problems) = engines(&[
        ("Observation", "status = 'final'"),
        ("Observation", "status = 'final'"),
        ("QuestionnaireResponse", "status = 'final'"),
        ("Observation", "status = 'final' and descendants().exists()"),
        ("Resource", "meta.tag.exists()"),
        ("Resource", "gender = 'male'"),
    ]);
    assert_eq!((compiled, problems), (3, vec![]), "one text is counted once for each resource type");
    assert_eq!(
        general,
        ["12:72 this function is not compiled", "14:48 for 142 of 146 resource types: there is no such element"],
        "the place is that of the part"
    );
}

#[test]
fn defects_of_the_general_engine_are_told_only_where_it_runs() {
    let long = "value.ofType(Quantity).value > 6.1234567890123456";
    let (compiled, general, problems) = engines(&[("Observation", long)]);
    assert_eq!((compiled, general.len(), problems), (1, 0, vec![]));
    let walks = format!("descendants().exists() and {long}");
    let (compiled, general, problems) = engines(&[("Observation", &walks)]);
    assert_eq!((compiled, general.len(), problems.len()), (0, 1, 1));
    assert!(problems[0].contains("15 digits only (character 59 of the expression)"), "{problems:?}");
    let (.., problems) = engines(&[("Observation", "note.aggregate($total + 1, 0) = 0")]);
    assert!(problems.iter().any(|message| message.contains("`aggregate` on nothing")), "{problems:?}");
}

#[test]
fn the_engine_of_a_criterion_with_a_variable_is_told_without_its_place() {
    let sample = Sample::minimal_but(
        "{ resource: Patient }",
        "{ resource: Patient, fhirPathCriteria: \"name.exists(family = '${SECRET}') and descendants().exists()\" }",
    );
    let (loaded, problems) = sample.load();
    let engines = loaded.unwrap_or_else(|| panic!("{problems:?}")).engines.engines(&FhirPath::new());
    assert_eq!((engines.compiled, engines.general.len()), (0, 1));
    assert!(engines.general[0].place.short().ends_with("topics.yaml:9:54"), "{}", engines.general[0].place.short());
}
