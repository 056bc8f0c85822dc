//! A document with positions: YAML and JSON become the same tree, and every problem can say where it stands.
//!
//! ```text
//! YAML text -> yaml  \
//!                      Node (spans in bytes) -> substitute (${VAR}) -> Cursor: typed reading, problems to the sink
//! JSON text -> json  /
//! ```
//!
//! Reading never stops at the first problem: a part that cannot be read is reported and left out.

mod cursor;
mod habits;
mod json;
mod locate;
mod source;
mod substitute;
mod yaml;

pub(crate) use cursor::nearest;
pub(super) use cursor::{Cursor, Fields, Located, Sink, unknown};
pub use source::Place;
pub(super) use source::{SourceFile, Span, unreadable};
pub(super) use substitute::substitute;

/// One value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The whole value.
    pub(super) span: Span,
    /// What a problem with the value points at: a scalar itself; of a list or map only its beginning.
    pub(super) mark: Span,
    /// The value.
    pub(super) value: Value,
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Text, number, boolean or nothing.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file; keys may repeat.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: Scalar,
    /// Where the key stands.
    pub(super) key_span: Span,
    /// The value.
    pub(super) value: Node,
}

/// A scalar as text.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    /// The text, with variables substituted.
    pub(super) text: String,
    /// The text as the file has it, where a variable was substituted; shown in place of `text`.
    pub(super) written: Option<String>,
    /// What the file's syntax makes of it.
    pub(super) kind: Kind,
    /// How it was written.
    pub(super) style: Style,
    /// Whether a problem with it is reported already; readers then pass over it.
    pub(super) is_reported: bool,
}

/// What the syntax makes of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// Nothing.
    Null,
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes.
    Plain,
    /// In single quotes (YAML).
    Single,
    /// In double quotes.
    Double,
    /// As a block (YAML `|` and `>`).
    Block,
}

impl Scalar {
    /// The text that a message may show: never the value of a variable.
    pub(super) fn shown(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.text)
    }
}

impl Node {
    /// What a message calls this value.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Text => "text".to_owned(),
                Kind::Number => format!("the number {}", scalar.shown()),
                Kind::Boolean => format!("the boolean {}", scalar.shown()),
                Kind::Null => "nothing".to_owned(),
            },
        }
    }
}

/// Deeper documents are refused, so that no recursion over the tree can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Larger documents (aliases expanded) are refused: aliases of aliases grow exponentially.
const MAX_NODES: usize = 200_000;

/// The file's tree, or nothing where it does not parse (the sink says why).
pub(super) fn parse_yaml(file: &std::sync::Arc<SourceFile>, sink: &Sink) -> Option<Node> {
    yaml::parse(file, sink)
}

/// The file's tree, or nothing where it does not parse (the sink says why).
pub(super) fn parse_json(file: &std::sync::Arc<SourceFile>, sink: &Sink) -> Option<Node> {
    json::parse(file, sink)
}
