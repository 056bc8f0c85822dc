//! Typed reading of a tree: each wrong shape becomes one problem that says what was expected.

use std::cell::RefCell;
use std::sync::Arc;

use super::{Entry, Kind, Node, Place, Scalar, SourceFile, Style, Value};
use crate::config::diagnostic::Diagnostic;

/// Where problems are collected.
#[derive(Debug, Default)]
pub(in crate::config) struct Sink(RefCell<Vec<Diagnostic>>);

impl Sink {
    pub(in crate::config) fn push(&self, problem: Diagnostic) {
        self.0.borrow_mut().push(problem);
    }

    pub(in crate::config) fn into_inner(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(in crate::config) struct Located<T> {
    pub(in crate::config) value: T,
    /// The value as a message may show it: `${VAR}`, not what it stands for.
    pub(in crate::config) shown: String,
    pub(in crate::config) style: Style,
    pub(in crate::config) place: Place,
}

/// A node with its path, and where problems with it go.
#[derive(Clone)]
pub(in crate::config) struct Cursor<'a> {
    node: &'a Node,
    file: &'a Arc<SourceFile>,
    sink: &'a Sink,
    path: String,
}

/// The path of a field.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl<'a> Cursor<'a> {
    pub(in crate::config) fn new(node: &'a Node, file: &'a Arc<SourceFile>, sink: &'a Sink) -> Self {
        Self { node, file, sink, path: String::new() }
    }

    pub(in crate::config) fn place(&self) -> Place {
        Place::in_file(self.file, self.node.mark, self.path.clone())
    }

    pub(in crate::config) fn push(&self, problem: Diagnostic) {
        self.sink.push(problem);
    }

    /// The value itself.
    pub(in crate::config) fn node(&self) -> &'a Node {
        self.node
    }

    /// The place of a value inside of this one.
    pub(in crate::config) fn place_of(&self, inner: &Node) -> Place {
        Place::in_file(self.file, inner.mark, self.path.clone())
    }

    /// Whether the value is a scalar.
    pub(in crate::config) fn scalar(&self) -> Option<&'a Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Whether the value is a map.
    pub(in crate::config) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// What a message calls the value.
    pub(in crate::config) fn describe(&self) -> String {
        self.node.describe()
    }

    /// Whether the value is a list.
    pub(in crate::config) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// The text; reports anything else.
    pub(in crate::config) fn text(&self) -> Option<Located<String>> {
        let Some(scalar) = self.scalar() else {
            let problem = self.place().error(format!("expected text, found {}", self.node.describe()));
            self.push(match &self.node.value {
                Value::List(items) if items.len() == 1 => {
                    problem.hint("write the value alone, without a list around it")
                }
                Value::List(_) => problem.hint("one value stands here; for several, repeat the entry around it"),
                Value::Map(entries) if entries.iter().any(|entry| entry.key.text == "reference") => {
                    problem.hint("write the reference alone, as in Organization/a")
                }
                _ => problem.hint("write one value, in quotes if it has a colon or a brace"),
            });
            return None;
        };
        match scalar.kind {
            _ if scalar.is_reported => None,
            Kind::Text => Some(self.located(scalar, scalar.text.clone())),
            Kind::Null => {
                self.push(
                    self.place().error("expected text, found nothing").hint("give a value, or leave the field out"),
                );
                None
            }
            Kind::Number | Kind::Boolean => {
                let problem = self.place().error(format!("expected text, found {}", self.node.describe()));
                self.push(problem.hint(format!("put it in quotes: \"{}\"", scalar.shown())));
                None
            }
        }
    }

    /// The text, which is not blank.
    pub(in crate::config) fn filled_text(&self) -> Option<Located<String>> {
        let text = self.text()?;
        if text.value.trim().is_empty() {
            self.push(
                self.place().error("expected text, found only blanks").hint("give a value, or leave the field out"),
            );
            return None;
        }
        Some(text)
    }

    /// One of some words.
    pub(in crate::config) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<Located<T>> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        if let Some(scalar) = self.scalar()
            && let Some((_, value)) = choices.iter().find(|(word, _)| *word == scalar.text)
        {
            return Some(self.located(scalar, *value));
        }
        match self.scalar() {
            Some(scalar) if scalar.is_reported => {}
            Some(scalar) if scalar.kind == Kind::Text => {
                self.push(unknown(&self.place(), "value", scalar.shown(), words));
            }
            _ => {
                let message = format!("expected one of {}, found {}", words.join(", "), self.node.describe());
                let meant = self.scalar().and_then(|scalar| super::habits::meant(scalar.shown(), &words));
                let hint = match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("write one of these words, such as {}", words[0]),
                };
                self.push(self.place().error(message).hint(hint));
            }
        }
        None
    }

    /// The items of a list; reports anything else.
    pub(in crate::config) fn items(&self) -> Option<Vec<Self>> {
        let Value::List(items) = &self.node.value else {
            let hint = match &self.node.value {
                Value::Scalar(scalar) if scalar.kind == Kind::Null => "write `[]` for an empty list".to_owned(),
                Value::Scalar(scalar) => format!("write [{}]", scalar.shown()),
                _ => "begin each item with `- `".to_owned(),
            };
            self.push(self.place().error(format!("expected a list, found {}", self.node.describe())).hint(hint));
            return None;
        };
        let item = |(index, node)| Self { node, path: format!("{}[{index}]", self.path), ..self.clone() };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The fields of a map with any keys; reports anything else, and keys that repeat.
    pub(in crate::config) fn map(&self) -> Option<Fields<'a>> {
        let Value::Map(entries) = &self.node.value else {
            let message = format!("expected a map of fields, found {}", self.node.describe());
            self.push(self.place().error(message).hint("give it fields, as in `name: value`"));
            return None;
        };
        let mut kept: Vec<&Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            match kept.iter().find(|earlier| earlier.key.text == entry.key.text) {
                Some(earlier) => {
                    let first = Place::in_file(self.file, earlier.key_span, "");
                    let place = Place::in_file(self.file, entry.key_span, join(&self.path, entry.key.shown()));
                    let problem = place.error(format!("`{}` is given twice", entry.key.shown()));
                    self.push(problem.hint(format!("the first is at {}; keep one", first.short())));
                }
                None => kept.push(entry),
            }
        }
        Some(Fields { cursor: self.clone(), entries: kept })
    }

    /// The fields of a map whose keys are known; reports anything else.
    pub(in crate::config) fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        let fields = self.map()?;
        for (key, _) in fields.iter().filter(|(key, _)| !known.contains(&key.value.as_str())) {
            let problem = unknown(&key.place, "field", &key.shown, known.to_vec());
            self.push(problem);
        }
        Some(fields)
    }

    fn located<T>(&self, scalar: &Scalar, value: T) -> Located<T> {
        Located { value, shown: scalar.shown().to_owned(), style: scalar.style, place: self.place() }
    }
}

/// The fields of a map.
pub(in crate::config) struct Fields<'a> {
    cursor: Cursor<'a>,
    entries: Vec<&'a Entry>,
}

impl<'a> Fields<'a> {
    pub(in crate::config) fn push(&self, problem: Diagnostic) {
        self.cursor.push(problem);
    }

    /// The place of the map.
    pub(in crate::config) fn place(&self) -> Place {
        self.cursor.place()
    }

    /// A field's value, if the field is given.
    pub(in crate::config) fn get(&self, name: &str) -> Option<Cursor<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key.text == name)?;
        Some(self.value_of(entry))
    }

    /// A field's value; reports a field that is missing.
    pub(in crate::config) fn require(&self, name: &str, hint: &str) -> Option<Cursor<'a>> {
        let found = self.get(name);
        if found.is_none() {
            let place = self.cursor.place().below(name);
            self.cursor.push(place.error(format!("`{name}` is missing")).hint(hint));
        }
        found
    }

    /// All keys with their values.
    pub(in crate::config) fn iter(&self) -> impl Iterator<Item = (Located<String>, Cursor<'a>)> + '_ {
        self.entries.iter().map(|entry| {
            let path = join(&self.cursor.path, entry.key.shown());
            let key = Located {
                value: entry.key.text.clone(),
                shown: entry.key.shown().to_owned(),
                style: entry.key.style,
                place: Place::in_file(self.cursor.file, entry.key_span, path),
            };
            (key, self.value_of(entry))
        })
    }

    fn value_of(&self, entry: &'a Entry) -> Cursor<'a> {
        let path = join(&self.cursor.path, entry.key.shown());
        Cursor { node: &entry.value, path, ..self.cursor.clone() }
    }
}

/// A problem with a word that is none of the known ones.
pub(in crate::config) fn unknown(place: &Place, what: &str, given: &str, known: Vec<&str>) -> Diagnostic {
    let problem = place.error(format!("unknown {what} `{given}`"));
    let part = || {
        let mut around = known.iter().filter(|word| given.len() >= 4 && normal(word).contains(&normal(given)));
        around.next().filter(|_| around.next().is_none()).copied()
    };
    let meant = super::habits::meant(given, &known);
    match nearest(given, known.iter().copied()).or(meant).or_else(part) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None if known.len() <= 20 => problem.hint(format!("known are: {}", known.join(", "))),
        None => problem.hint(format!("none of the {} known is like it", known.len())),
    }
}

/// Without what people write in different ways.
pub(super) fn normal(word: &str) -> String {
    word.to_lowercase().replace(['_', '-', ' '], "")
}

/// The known word that the given one was probably meant to be.
pub(crate) fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let given = normal(given);
    let limit = |word: &str| word.chars().count().min(given.chars().count()) / 3;
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&given, &normal(word)), word))
        .filter(|(distance, word)| *distance <= limit(word))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
