//! Words of other tools, and of people's first guess, with those that are meant here.

/// In lower case, without `_`, `-` and blanks.
const HABITS: &[(&str, &str)] = &[
    // interactions
    ("post", "create"),
    ("insert", "create"),
    ("added", "create"),
    ("put", "update"),
    ("patch", "update"),
    ("change", "update"),
    ("modify", "update"),
    ("remove", "delete"),
    // policies
    ("dlq", "dead-letter"),
    ("wait", "block"),
    ("retry", "block"),
    ("pause", "block"),
    ("ignore", "skip"),
    ("drop", "skip"),
    ("continue", "skip"),
    ("fail", "stop"),
    ("exit", "stop"),
    // starts
    ("beginning", "earliest"),
    ("start", "earliest"),
    ("smallest", "earliest"),
    ("end", "latest"),
    ("now", "latest"),
    ("largest", "latest"),
    // releases
    ("4", "R4"),
    ("4.0", "R4"),
    ("4.0.1", "R4"),
    ("4.3", "R4B"),
    ("4.3.0", "R4B"),
    ("5", "R5"),
    ("5.0", "R5"),
    ("5.0.0", "R5"),
    // formats, contents and keys
    ("envelope", "change"),
    ("resource", "fhir"),
    ("history", "bundle"),
    ("full", "full-resource"),
    ("id", "id-only"),
    ("none", "empty"),
    ("null", "none"),
    ("subject", "patient"),
    // fields
    ("active", "status"),
    ("enabled", "status"),
    ("filter", "fhirPathCriteria"),
    ("condition", "fhirPathCriteria"),
    ("expression", "fhirPathCriteria"),
    ("fhirpath", "fhirPathCriteria"),
    ("query", "fhirPathCriteria"),
    ("payload", "content"),
    ("resourcetype", "resource"),
    ("type", "resource"),
    ("sources", "ingest"),
    ("inputs", "ingest"),
    ("sinks", "destinations"),
    ("outputs", "destinations"),
    ("subscriptions", "topics"),
    ("dlq", "deadLetter"),
    ("offset", "startFrom"),
    ("autooffsetreset", "startFrom"),
];

/// The known word that somebody means who is used to another one.
pub(super) fn meant<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let given = super::cursor::normal(given);
    let is_meant = |word: &&&str| HABITS.iter().any(|(habit, meant)| *habit == given && meant == *word);
    known.iter().find(is_meant).copied()
}
