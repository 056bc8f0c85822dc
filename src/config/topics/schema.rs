//! The JSON Schema (draft 7) of topics.yaml, which editors complete and check with.
//!
//! It refuses nothing that the reader takes: text may be `${VAR}` wherever a rule asks for more. It cannot know what
//! `validate` knows: what criteria mean, which ids are used, whether an organization exists.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::shape::fields::ROOT;
use super::shape::{Described, Kind, Presence, Rule, Shape};

/// Any text with a variable in it; what it stands for is known to the service alone.
const VARIABLE: &str = r"\$\{";

/// A time with its zone, and nothing that a time could not be.
const TIME: &str = r"^([+-]\d\d)?\d{4}-?\d\d-?\d\d[Tt ]\d\d.*([Zz]|[+-]\d\d(:?\d\d){0,2})(\[.*\])*$";

/// The schema as JSON, with a line break at its end.
#[must_use]
pub fn text() -> String {
    let mut root = map(&ROOT);
    root.schema = Some("http://json-schema.org/draft-07/schema#");
    root.title = Some("topics.yaml of fhir-fanout");
    let text = serde_json::to_string_pretty(&root).expect("plain data without maps that have other keys than text");
    text + "\n"
}

/// A schema: its members in the order in which people read them.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    schema: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty", serialize_with = "one_or_many")]
    types: Vec<&'static str>,
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    words: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    any_of: Vec<Schema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_items: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_names: Option<Box<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_properties: Option<Additional>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "in_order")]
    properties: Vec<(&'static str, Schema)>,
}

/// What may stand beside the properties.
#[derive(Serialize)]
#[serde(untagged)]
enum Additional {
    Nothing(bool),
    Like(Box<Schema>),
}

fn one_or_many<S: Serializer>(types: &[&'static str], serializer: S) -> Result<S::Ok, S::Error> {
    match types {
        [only] => serializer.serialize_str(only),
        many => many.serialize(serializer),
    }
}

fn in_order<S: Serializer>(properties: &[(&'static str, Schema)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(properties.len()))?;
    for (name, schema) in properties {
        map.serialize_entry(name, schema)?;
    }
    map.end()
}

fn map(shape: &Shape) -> Schema {
    let is_required = |field: &&&dyn Described| matches!(field.presence(), Presence::Required(_));
    Schema {
        description: Some(shape.about.to_owned()),
        types: vec!["object"],
        required: shape.fields.iter().filter(is_required).map(|field| field.name()).collect(),
        additional_properties: Some(Additional::Nothing(false)),
        properties: shape.fields.iter().map(|field| (field.name(), property(*field))).collect(),
        ..Schema::default()
    }
}

fn property(field: &dyn Described) -> Schema {
    let mut schema = of(&field.kind());
    let meanings = match field.kind() {
        Kind::Words(words) => words.iter().map(|(word, meaning)| format!("\n- `{word}`: {meaning}")).collect(),
        _ => String::new(),
    };
    let absent = match field.presence() {
        Presence::Optional(meaning) => format!("\n\nLeft out: {meaning}."),
        Presence::Required(_) | Presence::Default => String::new(),
    };
    let blank = if meanings.is_empty() { "" } else { "\n" };
    schema.description = Some(format!("{}{blank}{meanings}{absent}", field.about()));
    schema.default = field.default();
    schema
}

fn of(kind: &Kind) -> Schema {
    match kind {
        Kind::Text(rule) => rule_text(*rule),
        Kind::Words(words) => one_of(words.iter().map(|(word, _)| *word).collect(), VARIABLE.to_owned()),
        Kind::Start => one_of(vec!["earliest", "latest"], format!("{TIME}|{VARIABLE}")),
        Kind::Anything => Schema::default(),
        Kind::List(items, may_be_empty) => Schema {
            types: vec!["array"],
            min_items: (!may_be_empty).then_some(1),
            items: Some(Box::new(of(items))),
            ..Schema::default()
        },
        Kind::Map(shape) => map(shape),
        Kind::Hierarchy => Schema {
            types: vec!["object"],
            property_names: Some(Box::new(rule_text(Rule::Organization))),
            additional_properties: Some(Additional::Like(Box::new(Schema {
                types: vec!["string", "null"],
                ..rule_text(Rule::Organization)
            }))),
            ..Schema::default()
        },
    }
}

fn rule_text(rule: Rule) -> Schema {
    let pattern = format!("{}|{VARIABLE}", rule.pattern());
    match rule.offered() {
        words if words.is_empty() => {
            // any text that is not blank is one with a variable, too
            let pattern = if rule.pattern() == r"\S" { rule.pattern().to_owned() } else { pattern };
            Schema { types: vec!["string"], pattern: Some(pattern), ..Schema::default() }
        }
        words => one_of(words, pattern),
    }
}

/// Words that an editor offers, and what else may stand there.
fn one_of(words: Vec<&'static str>, pattern: String) -> Schema {
    let other = Schema { types: vec!["string"], pattern: Some(pattern), ..Schema::default() };
    Schema { any_of: vec![Schema { words: Some(words), ..Schema::default() }, other], ..Schema::default() }
}
