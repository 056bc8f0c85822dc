//! The reference page of topics.yaml, in Markdown.

use super::shape::fields::ROOT;
use super::shape::{Described, Kind, Presence, Shape};

/// The shortest file that does something.
pub(super) const SHORTEST: &str = "\
fhirBaseUrl: http://fhir.example.org/fhir
ingest:
  - kafkaTopic: fhir.changes
    format: change
deadLetter: { kafkaTopic: fhir.dead-letters }
topics:
  - url: http://example.org/topics/final-results
    trigger:
      - resource: Observation
        supportedInteraction: [create, update]
        fhirPathCriteria: status = 'final'
destinations:
  - id: results
    topic: http://example.org/topics/final-results
    kafkaTopic: notify.results
";

const INTRODUCTION: &str = "\
# topics.yaml, field by field

<!-- Made from the code: UPDATE_REFERENCE=1 cargo test --test reference -->

What fhir-fanout sends where. The shortest file that does something:

```yaml
";

const RULES: &str = "\
```

- `fhir-fanout validate --topics topics.yaml` finds every mistake, with its line, column and what to do about it.
- Unknown fields are errors; so are fields that are given twice.
- `${NAME}` in a value is replaced from the environment, `${NAME:-default}` has a default, `$${` is a literal `${`. Inside of `[ ]`
  and `{ }` put such a value in quotes.
- Editors complete and check the file with its JSON Schema, where they have YAML's language server: `fhir-fanout schema >
  topics.schema.json`, and `# yaml-language-server: $schema=topics.schema.json` as the first line. The schema knows fields and words;
  `validate` knows the rest.
- A running service takes over every change but one: another set of ingest Kafka topics needs a restart. `fhir-fanout diff OLD NEW`
  tells what is different.
";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut page = format!("{INTRODUCTION}{SHORTEST}{RULES}");
    section(&ROOT, &mut page);
    page
}

/// A map's own table, then those of the maps in it.
fn section(shape: &Shape, page: &mut String) {
    *page += &format!("\n## {}\n\n{}\n\n", shape.title, shape.about);
    *page += "| field | value | left out | meaning |\n|---|---|---|---|\n";
    for field in shape.fields {
        *page +=
            &format!("| `{}` | {} | {} | {} |\n", field.name(), value(&field.kind()), absent(*field), field.about());
    }
    let meanings: Vec<String> = shape.fields.iter().filter_map(|field| meanings(*field)).collect();
    if !meanings.is_empty() {
        *page += &format!("\n{}\n", meanings.join("\n"));
    }
    for inner in shape.fields.iter().filter_map(|field| inner(&field.kind())) {
        section(inner, page);
    }
}

fn value(kind: &Kind) -> String {
    match kind {
        Kind::Text(rule) => rule.told().to_owned(),
        Kind::Words(words) => words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Start => "`earliest`, `latest` or a time".to_owned(),
        Kind::Anything => "text".to_owned(),
        Kind::List(items, _) => format!("list: {}", value(items)),
        Kind::Map(shape) => format!("[{}](#{})", shape.title, anchor(shape.title)),
        Kind::Hierarchy => "map of `Organization/id`".to_owned(),
    }
}

/// As GitHub makes it of a heading.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase();
    kept.chars().filter(|character| character.is_alphanumeric() || *character == '-').collect()
}

fn absent(field: &dyn Described) -> String {
    match field.presence() {
        Presence::Required(_) => "an error".to_owned(),
        Presence::Default => field.default().map(|default| format!("`{default}`")).unwrap_or_default(),
        Presence::Optional(meaning) => meaning.to_owned(),
    }
}

fn meanings(field: &dyn Described) -> Option<String> {
    let Kind::Words(words) = field.kind() else { return None };
    let told: Vec<String> = words.iter().map(|(word, meaning)| format!("`{word}`: {meaning}")).collect();
    Some(format!("- **{}.** {}.", field.name(), told.join("; ")))
}

fn inner(kind: &Kind) -> Option<&'static Shape> {
    match kind {
        Kind::Map(shape) => Some(shape),
        Kind::List(items, _) => inner(items),
        _ => None,
    }
}
