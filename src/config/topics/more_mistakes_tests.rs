//! More mistakes in topics.yaml: of YAML itself, of other tools' habits, and of words that people try first.

use super::tests::Sample;

/// Snapshots the problems of the minimal configuration with one text replaced; each with its line, column and excerpt.
macro_rules! mistakes {
    ($($name:ident: $from:literal => $to:literal,)+) => {$(
        #[test]
        fn $name() {
            let sample = Sample::minimal_but($from, $to);
            for problem in &sample.load().1 {
                assert!(problem.line.is_some() && problem.column.is_some() && problem.excerpt.is_some(), "{problem}");
                assert!(problem.hint.is_some(), "{problem}");
            }
            insta::assert_snapshot!(sample.problems());
        }
    )+

    /// The same with their names, for who looks at all of them.
    pub(super) const MISTAKES: &[(&str, &str, &str)] = &[$((stringify!($name), $from, $to),)+];
    };
}

mistakes! {
    tab_as_indentation: "    format: change" => "\tformat: change",
    tab_in_the_indentation: "    topic: http" => "  \ttopic: http",
    indented_too_deep: "    format: change" => "      format: change",
    indented_too_little: "    kafkaTopic: out" => "   kafkaTopic: out",
    not_indented_at_all: "    kafkaTopic: out" => "kafkaTopic: out",
    no_blank_after_the_colon: "kafkaTopic: out" => "kafkaTopic:out",
    no_colon: "format: change" => "format change",
    quote_that_is_not_closed: "kafkaTopic: out" => "kafkaTopic: 'out",
    bracket_that_is_not_closed: "deadLetter: { kafkaTopic: dead }" => "deadLetter: { kafkaTopic: dead",
    criterion_that_begins_with_percent: "[{ resource: Patient }]" => "\n      - resource: Patient\n        fhirPathCriteria: %previous.exists()",
    criterion_that_begins_with_at: "[{ resource: Patient }]" => "\n      - resource: Patient\n        fhirPathCriteria: @2024-01-01 < birthDate",
    criterion_that_begins_with_a_quote: "[{ resource: Patient }]" => "\n      - resource: Patient\n        fhirPathCriteria: 'male' = gender",
    criterion_with_a_colon: "[{ resource: Patient }]" => "\n      - resource: Patient\n        fhirPathCriteria: name.text = 'a: b'",
    criterion_cut_by_a_comment: "[{ resource: Patient }]" => "\n      - resource: Patient\n        fhirPathCriteria: name.text = 'ward #3' and active",
    criterion_in_braces: "{ resource: Patient }" => "{ resource: Patient, fhirPathCriteria: name.exists(use = 'usual', text = 'x') }",
    glob_that_is_an_alias: "topics:" => "resources: [*.json]\ntopics:",
    template_that_was_not_filled_in: "kafkaTopic: out" => "kafkaTopic: {{ .Values.kafkaTopic }}",
    second_document: "topics:" => "---\ntopics:",
    list_without_its_dash: "  - kafkaTopic: in" => "    kafkaTopic: in",
    list_of_names_where_maps_are_meant: "ingest:\n  - kafkaTopic: in\n    format: change" => "ingest: [fhir.changes]",
    one_name_where_a_list_is_meant: "ingest:\n  - kafkaTopic: in\n    format: change" => "ingest: fhir.changes",
    section_given_twice: "destinations:" => "topics:\n  - { url: 'http://example.org/u', trigger: [{ resource: Encounter }] }\ndestinations:",
    setting_in_the_wrong_file: "ingest:" => "kafka: { bootstrapServers: 'kafka:9092' }\ningest:",
    setting_with_its_path: "ingest:" => "batch.maxRecords: 100\ningest:",
    variable_without_braces: "kafkaTopic: out" => "kafkaTopic: $OUT",
    variable_with_the_default_of_a_shell: "kafkaTopic: out" => "kafkaTopic: ${OUT-results}",
    variable_that_is_not_closed: "kafkaTopic: out" => "kafkaTopic: ${OUT",
    base_url_without_its_scheme: "http://fhir.example.org/fhir/" => "fhir.example.org/fhir",
    base_url_with_a_query: "http://fhir.example.org/fhir/" => "http://fhir.example.org/fhir?tenant=a",
    base_url_with_a_password: "http://fhir.example.org/fhir/" => "http://user:secret@fhir.example.org/fhir",
    topic_url_with_a_blank: "url: http://example.org/t" => "url: http://example.org/final results",
    topic_by_its_name: "    topic: http://example.org/t" => "    topic: results",
    destination_without_its_topic: "    topic: http://example.org/t\n" => "",
    destination_without_its_kafka_topic: "    kafkaTopic: out\n" => "",
    several_kafka_topics: "kafkaTopic: out" => "kafkaTopic: out1, out2",
    kafka_topic_with_its_broker: "kafkaTopic: out" => "kafkaTopic: kafka:9092/out",
    format_of_another_tool: "format: change" => "format: json",
    start_as_another_tool_has_it: "format: change" => "format: change\n    startFrom: beginning",
    start_without_its_time: "format: change" => "format: change\n    startFrom: 2026-01-31",
    start_as_a_number: "format: change" => "format: change\n    startFrom: 1769839200000",
    error_policy_of_another_tool: "topics:" => "onError: retry\ntopics:",
    boolean_as_a_policy: "topics:" => "onMissingState: false\ntopics:",
    release_as_a_version: "topics:" => "fhirRelease: 4.0.1\ntopics:",
    release_as_a_number: "topics:" => "fhirRelease: 4\ntopics:",
    interaction_as_a_method: "resource: Patient" => "resource: Patient, supportedInteraction: [POST, PUT]",
    interaction_in_capitals: "resource: Patient" => "resource: Patient, supportedInteraction: [CREATE]",
    interactions_as_one_text: "resource: Patient" => "resource: Patient, supportedInteraction: 'create, update'",
    resource_in_lower_case: "resource: Patient" => "resource: patient",
    resource_in_the_plural: "resource: Patient" => "resource: Observations",
    any_resource_as_a_star: "resource: Patient" => "resource: '*'",
    several_resources: "resource: Patient" => "resource: [Patient, Encounter]",
    criterion_by_another_name: "resource: Patient" => "resource: Patient, criteria: active",
    status_in_capitals: "trigger:" => "status: ACTIVE\n    trigger:",
    status_as_a_boolean: "trigger:" => "active: true\n    trigger:",
    status_that_is_a_boolean: "trigger:" => "status: true\n    trigger:",
    key_that_is_nothing: "kafkaTopic: out" => "kafkaTopic: out\n    key: null",
    organization_as_a_reference: "kafkaTopic: out" => "kafkaTopic: out\n    organization: { reference: Organization/a }",
    organization_without_its_type: "kafkaTopic: out" => "kafkaTopic: out\n    organization: hospital-a",
    hierarchy_as_a_tree: "topics:" => "organizations: { hierarchy: { Organization/a: { Organization/b: ~ } } }\ntopics:",
    hierarchy_as_a_list: "topics:" => "organizations: { hierarchy: [Organization/a] }\ntopics:",
    hierarchy_from_parent_to_children: "topics:" => "organizations: { hierarchy: { Organization/a: [Organization/b, Organization/c] } }\ntopics:",
    parent_without_its_type: "topics:" => "organizations: { hierarchy: { Organization/b: a } }\ntopics:",
    hierarchy_one_level_too_high: "topics:" => "organizations: { Organization/b: Organization/a }\ntopics:",
}
