//! Mistakes in topics.yaml, as a user reads about them. None of these depends on the FHIRPath engine.

use super::tests::{MINIMAL, Sample};

/// Snapshots the problems of the minimal configuration with one text replaced.
macro_rules! mistakes {
    ($($name:ident: $from:literal => $to:literal,)+) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(Sample::minimal_but($from, $to).problems());
        }
    )+

    /// The same with their names, for who looks at all of them.
    pub(super) const MISTAKES: &[(&str, &str, &str)] = &[$((stringify!($name), $from, $to),)+];
    };
}

mistakes! {
    unknown_field: "deadLetter:" => "deadletters:",
    unknown_field_without_neighbour: "ingest:" => "webhook: http://user:password@x/\ningest:",
    unknown_field_of_a_topic: "trigger:" => "triggers:",
    unknown_field_of_a_trigger: "{ resource: Patient }" => "{ resource: Patient, queryCriteria: { current: x } }",
    field_given_twice: "format: change" => "format: change\n    kafkaTopic: in2",
    missing_base_url: "fhirBaseUrl: http://fhir.example.org/fhir/" => "",
    relative_base_url: "http://fhir.example.org/fhir/" => "/fhir",
    missing_ingest: "ingest:\n  - kafkaTopic: in\n    format: change" => "",
    empty_ingest: "ingest:\n  - kafkaTopic: in\n    format: change" => "ingest: []",
    ingest_without_its_kafka_topic: "- kafkaTopic: in\n    format" => "- format",
    unknown_format: "format: change" => "format: changes",
    start_without_zone: "format: change" => "format: change\n    startFrom: 2026-01-31 06:00",
    two_ingests_with_one_kafka_topic: "deadLetter:" => "  - { kafkaTopic: in, format: fhir }\ndeadLetter:",
    illegal_kafka_topic: "kafkaTopic: out" => "kafkaTopic: lab results",
    kafka_topic_of_kafka_itself: "kafkaTopic: out" => "kafkaTopic: __consumer_offsets",
    destination_that_is_an_ingest: "kafkaTopic: out" => "kafkaTopic: in",
    destination_that_is_the_dead_letters: "kafkaTopic: out" => "kafkaTopic: dead",
    dead_letters_into_the_ingest: "kafkaTopic: dead" => "kafkaTopic: in",
    destination_without_topic: "    topic: http://example.org/t\n" => "    topic: http://example.org/T\n",
    two_destinations_with_one_id: "destinations:" => "destinations:\n  - { id: d, topic: 'http://example.org/t', kafkaTopic: out2 }",
    destination_id_beyond_fhirs_rule: "id: d" => "id: lab_results",
    illegal_destination_id: "id: d" => "id: lab results",
    two_topics_with_one_url: "topics:" => "topics:\n  - { url: 'http://example.org/t', trigger: [{ resource: Encounter }] }",
    unknown_interaction: "resource: Patient" => "resource: Patient, supportedInteraction: [create, updated]",
    interaction_that_is_no_list: "resource: Patient" => "resource: Patient, supportedInteraction: create",
    no_interaction: "resource: Patient" => "resource: Patient, supportedInteraction: []",
    no_trigger: "[{ resource: Patient }]" => "[]",
    profile_as_resource: "resource: Patient" => "resource: http://example.org/StructureDefinition/my-patient",
    blank_criterion: "resource: Patient" => "resource: Patient, fhirPathCriteria: ' '",
    unknown_content: "kafkaTopic: out" => "kafkaTopic: out\n    content: full_resource",
    unknown_key: "kafkaTopic: out" => "kafkaTopic: out\n    key: subject",
    unknown_status: "trigger:" => "status: aktive\n    trigger:",
    boolean_where_text_was_meant: "id: d" => "id: yes",
    number_where_text_was_meant: "id: d" => "id: 0042",
    nothing_where_text_was_meant: "kafkaTopic: out" => "kafkaTopic: out\n    organization:",
    list_where_text_was_meant: "kafkaTopic: out" => "kafkaTopic: [out]",
    map_where_a_list_was_meant: "[{ resource: Patient }]" => "{ resource: Patient }",
    text_where_a_map_was_meant: "{ kafkaTopic: dead }" => "dead",
    nothing_where_a_list_was_meant: "[{ resource: Patient }]" => "",
    unset_variable: "kafkaTopic: out" => "kafkaTopic: ${OUT}",
    variable_in_braces: "{ kafkaTopic: dead }" => "{ kafkaTopic: ${DEAD} }",
    value_of_a_variable_is_never_shown: "kafkaTopic: out" => "kafkaTopic: ${SECRET}",
    no_yaml: "deadLetter: {" => "deadLetter: [",
    topic_without_destination: "topics:" => "topics:\n  - { url: 'http://example.org/u', trigger: [{ resource: Encounter }] }",
    destination_of_a_draft: "trigger:" => "status: draft\n    trigger:",
    glob_without_files: "topics:" => "resources: [fhir/*.json]\ntopics:",
    file_that_is_missing: "topics:" => "resources: [fhir/topic.json]\ntopics:",
    unknown_release: "topics:" => "fhirRelease: R6\ntopics:",
}

#[test]
fn no_topics_and_no_destinations() {
    let at = MINIMAL.find("topics:").expect("topics");
    insta::assert_snapshot!(Sample::new(&MINIMAL[..at]).problems());
}

#[test]
fn an_empty_file_and_a_list() {
    insta::assert_snapshot!([Sample::new("# nothing\n").problems(), Sample::new("- a\n").problems()].join("\n\n"));
}

#[test]
fn organizations_that_contradict_themselves() {
    let hierarchy = "organizations:
  hierarchy:
    Organization/a: Organization/b
    Organization/b: Organization/c
    Organization/c: Organization/a
    Organization/d: Organization/d
    Organization/e: Organization/a
    Organization/e/_history/2: Organization/d
    f: Organization/a
    Organization/g: Patient/1
    Organization/h:
";
    insta::assert_snapshot!(Sample::new(format!("{MINIMAL}{hierarchy}")).problems());
}

#[test]
fn an_organization_that_the_hierarchy_does_not_know() {
    let organizations = "    organization: Organization/x\norganizations: { hierarchy: { Organization/b: ~ } }\n";
    insta::assert_snapshot!(Sample::new(format!("{MINIMAL}{organizations}")).problems());
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = MINIMAL.replace("in\n", "i n\n").replace("Patient", "Patient, onError: x").replace("id: d", "id: d!");
    let (loaded, problems) = Sample::new(text).load();
    assert!(loaded.is_none());
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(4), Some(9), Some(11)]);
}

#[test]
fn no_problem_shows_what_a_variable_holds() {
    // every text of the sample in turn comes from a variable whose value is wrong everywhere
    let texts = [
        "http://fhir.example.org/fhir/",
        "in\n",
        "change",
        "dead",
        "http://example.org/t\n",
        "Patient",
        "d\n",
        "out\n",
    ];
    let mut seen = 0;
    for text in texts {
        let name = text.trim_end();
        let sample =
            MINIMAL.replace(&format!(" {name}\n"), " '${SECRET}'\n").replace(&format!(" {name} "), " '${SECRET}' ");
        let problems = Sample::new(sample).load().1;
        let shown = format!("{}\n{problems:?}", problems.render(crate::config::diagnostic::Colour::Always));
        assert!(!shown.contains("hunter"), "{shown}");
        seen += usize::from(shown.contains("${SECRET}"));
    }
    assert!(seen >= 7, "only {seen} of the values were at fault");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// A plan if and only if there is no error, and never a panic, whatever a file holds: the sample asserts it.
    #[test]
    fn any_damage_is_survived(at in 0..MINIMAL.len(), length in 0..20_usize, junk in "[ \\n:\\[\\]{},&*|>'\"$~éa1-]{0,6}") {
        let end = (at + length).min(MINIMAL.len());
        let damaged = format!("{}{junk}{}", &MINIMAL[..at], &MINIMAL[end..]);
        let (_, problems) = Sample::new(damaged).load();
        for problem in &problems {
            proptest::prop_assert!(!problem.message.is_empty() && problem.file == "topics.yaml");
        }
    }
}
