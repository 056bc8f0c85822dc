//! What the FHIRPath engine says about criteria, placed in the file. These hold only with the real engine behind
//! [`FhirPath::compile`](crate::domain::fhirpath::FhirPath::compile) and `is_resource_type`.

use super::tests::Sample;
use crate::config::diagnostic::{Diagnostic, Severity};

/// The one problem of the minimal configuration with this in its trigger.
fn only_problem(trigger: &str) -> Diagnostic {
    let (_, problems) = Sample::minimal_but("[{ resource: Patient }]", &format!("\n      - {trigger}")).load();
    let mut errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    let first = errors.next().expect("a problem");
    assert_eq!(errors.next(), None);
    first
}

#[test]
fn a_criterion_that_does_not_parse_is_placed_inside_of_the_expression() {
    let problem = only_problem("{ resource: Patient, fhirPathCriteria: \"active = = true\" }");
    assert_eq!((problem.line, problem.path.as_str()), (Some(10), "topics[0].trigger[0].fhirPathCriteria"));
    assert!(problem.message.contains("of the expression)"), "{problem}");
    let before = "      - { resource: Patient, fhirPathCriteria: \"active = ".len();
    assert_eq!(problem.column, Some(before + 1), "{problem}");
}

#[test]
fn positions_reach_into_block_scalars() {
    let problem =
        only_problem("resource: Patient\n        fhirPathCriteria: |\n          active\n          and nosuch()\n");
    assert_eq!(problem.line, Some(13), "{problem}");
    let problem = only_problem(
        "resource: Patient\n        fhirPathCriteria: >-\n          active\n          and %nosuch.exists()\n",
    );
    assert_eq!(problem.line, Some(13), "{problem}");
}

#[test]
fn unknown_functions_and_variables_are_errors() {
    for criterion in ["name.exist()", "%nosuch = 1", "%previus.active"] {
        let problem = only_problem(&format!("{{ resource: Patient, fhirPathCriteria: '{criterion}' }}"));
        assert_eq!(problem.severity, Severity::Error);
        assert_eq!(problem.path, "topics[0].trigger[0].fhirPathCriteria");
    }
}

#[test]
fn an_unknown_resource_type_is_an_error_with_the_nearest_name() {
    for written in ["QuestionnaireRespons", "http://hl7.org/fhir/StructureDefinition/QuestionnaireRespons"] {
        let problem = only_problem(&format!("{{ resource: '{written}' }}"));
        assert_eq!(problem.message, format!("unknown resource type `{written}`"));
        assert_eq!(problem.hint.as_deref(), Some("did you mean `QuestionnaireResponse`?"));
    }
    let problem = only_problem("{ resource: DomainResource }");
    assert_eq!(problem.message, "unknown resource type `DomainResource`");
}

#[test]
fn resource_types_of_all_releases_are_known() {
    for name in ["Patient", "EvidenceReport", "DeviceUseStatement", "InventoryItem"] {
        let trigger = format!("\n      - {{ resource: {name} }}");
        assert!(Sample::minimal_but("[{ resource: Patient }]", &trigger).load().1.is_empty(), "{name}");
    }
}

#[test]
fn the_expression_is_shown_with_the_caret_at_its_fault() {
    let shown =
        |trigger: &str| Sample::minimal_but("[{ resource: Patient }]", &format!("\n      - {trigger}")).problems();
    insta::assert_snapshot!(
        [
            shown("{ resource: Patient, fhirPathCriteria: \"name.given = '\\u00e9' and nosuch()\" }"),
            shown("{ resource: Patient, fhirPathCriteria: 'name.exist()' }"),
            shown("resource: Patient\n        fhirPathCriteria: active and name.exist() # comment"),
            shown("resource: Patient\n        fhirPathCriteria: |\n          active\n          and %nosuch.exists()\n          and true"),
            shown("resource: Patient\n        fhirPathCriteria: 'active and (''a'"),
        ]
        .join("\n\n")
    );
}

#[test]
fn a_variable_in_a_criterion_is_not_shown() {
    let trigger = "{ resource: Patient, fhirPathCriteria: '${SECRET}' }";
    let text = Sample::minimal_but("{ resource: Patient }", trigger).problems();
    assert!(text.contains("with its variables substituted, the criterion cannot run"), "{text}");
    assert!(!text.contains("hunter") && !text.contains("`2`"), "{text}");
}

#[test]
fn positions_reach_into_json() {
    let topic = "{ \"resourceType\": \"AidboxSubscriptionTopic\", \"id\": \"t\", \"url\": \"http://example.org/u\", \"status\": \"active\",\n\
        \"trigger\": [{ \"resource\": \"Patient\",\n\
        \"fhirPathCriteria\": \"name.given = '\\u00e9\\ud83d\\ude00' and nosuch()\" }] }";
    let sample = Sample::minimal_but("topics:", "resources: [topic.json]\ntopics:").file("topic.json", topic);
    let (_, problems) = sample.load();
    let problem = problems.iter().find(|problem| problem.severity == Severity::Error).expect("a problem");
    let line = topic.lines().nth(2).expect("three lines");
    assert_eq!((problem.file.as_str(), problem.line), ("topic.json", Some(3)));
    assert_eq!(problem.column, line.find("nosuch").map(|offset| offset + 1), "{problem}");
}
