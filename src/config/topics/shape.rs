//! What a field of topics.yaml is: name, form, meaning, and what its absence means; said once, in [`fields`].
//!
//! ```text
//!          /--> read: the field's value from the tree, unknown and missing fields
//! fields --+--> schema: the JSON Schema that editors complete and check with
//!          \--> reference: the page for people
//! ```
//!
//! The reader reads by the fields themselves, so that none can be read that is not described.

mod elsewhere;
pub(super) mod fields;

use crate::config::document::{Cursor, Fields, Located, unknown};
use crate::domain::fhirpath::resource_types;
use crate::domain::plan::{ANY_RESOURCE, StartFrom};
use crate::domain::words::Word;

/// A map of topics.yaml.
pub(super) struct Shape {
    /// How the page calls it.
    pub(super) title: &'static str,
    /// What it is.
    pub(super) about: &'static str,
    /// All its fields, in the order in which people write them.
    pub(super) fields: &'static [&'static dyn Described],
}

impl Shape {
    /// The fields of a map of this shape; reports others.
    pub(super) fn read<'a>(&self, cursor: &Cursor<'a>) -> Option<Fields<'a>> {
        let names: Vec<&str> = self.fields.iter().map(|field| field.name()).collect();
        if !cursor.is_map() {
            let problem = cursor.place().error(format!("expected a map of fields, found {}", cursor.describe()));
            cursor.push(problem.hint(format!("its fields are: {}", names.join(", "))));
            return None;
        }
        let fields = cursor.map()?;
        for (key, _) in fields.iter().filter(|(key, _)| !names.contains(&key.value.as_str())) {
            let mut problem = unknown(&key.place, "field", &key.shown, names.clone());
            let is_guess = problem.hint.as_ref().is_some_and(|hint| hint.starts_with("did you mean"));
            if let Some(hint) = elsewhere::hint(self, &key.shown).filter(|_| !is_guess) {
                problem.hint = Some(hint);
            }
            cursor.push(problem);
        }
        Some(fields)
    }
}

/// A field.
pub(super) struct Field<F> {
    /// Its name.
    pub(super) name: &'static str,
    /// What its value is.
    pub(super) form: F,
    /// Whether it may be left out.
    pub(super) presence: Presence,
    /// What it means.
    pub(super) about: &'static str,
}

/// Whether a field may be left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Presence {
    /// It may not; this is what to do about it.
    Required(&'static str),
    /// It may, and the form has a default.
    Default,
    /// It may, and then this holds.
    Optional(&'static str),
}

/// What a value is.
pub(super) trait Form: Sync {
    /// For the schema and the page.
    fn kind(&self) -> Kind;

    /// What stands there when nothing does.
    fn default(&self) -> Option<String> {
        None
    }
}

/// A form without its Rust type.
pub(super) enum Kind {
    /// Text that follows a rule.
    Text(Rule),
    /// One of some words, with what they mean.
    Words(Vec<(&'static str, &'static str)>),
    /// One of some words or a time.
    Start,
    /// Whatever a reader likes.
    Anything,
    /// A list; whether it may be empty.
    List(Box<Kind>, bool),
    /// A map.
    Map(&'static Shape),
    /// A map of organizations to what they are part of.
    Hierarchy,
}

/// A field without its Rust type.
pub(super) trait Described: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// What its value is.
    fn kind(&self) -> Kind;
    /// Whether it may be left out.
    fn presence(&self) -> Presence;
    /// What stands there when nothing does.
    fn default(&self) -> Option<String>;
    /// What it means.
    fn about(&self) -> &'static str;
}

impl<F: Form> Described for Field<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> Kind {
        self.form.kind()
    }

    fn presence(&self) -> Presence {
        self.presence
    }

    fn default(&self) -> Option<String> {
        matches!(self.presence, Presence::Default).then(|| self.form.default()).flatten()
    }

    fn about(&self) -> &'static str {
        self.about
    }
}

/// Rules for text that a pattern can tell in part; `names` has them in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Not blank.
    Filled,
    /// An absolute http(s) URL.
    BaseUrl,
    /// A URL that is compared as it stands.
    Canonical,
    /// The name of a Kafka topic.
    KafkaTopic,
    /// A destination's id.
    Id,
    /// A reference to an Organization.
    Organization,
    /// A FHIR resource type.
    ResourceType,
    /// A FHIRPath expression.
    FhirPath,
    /// A file name or pattern.
    Glob,
}

impl Rule {
    /// What the page calls it.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Filled => "text",
            Self::BaseUrl => "http or https URL",
            Self::Canonical => "URL",
            Self::KafkaTopic => "Kafka topic",
            Self::Id => "id",
            Self::Organization => "`Organization/id`",
            Self::ResourceType => "resource type",
            Self::FhirPath => "FHIRPath",
            Self::Glob => "file name or pattern",
        }
    }

    /// A regular expression (ECMA 262) that all texts of the rule match; it may match others.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::Filled | Self::FhirPath | Self::Glob => r"\S",
            Self::BaseUrl => r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s?#@]+$",
            Self::Canonical => r"^\S+$",
            Self::KafkaTopic => r"^[A-Za-z0-9._-]{1,249}$",
            Self::Id => r#"^[^\s/#?|"\\]{1,255}$"#,
            Self::Organization => r"^([^\s]+://[^\s]+/)?Organization/[^\s/]+(/_history/.*)?$",
            Self::ResourceType => r"^http://hl7\.org/fhir/StructureDefinition/[A-Z][A-Za-z]+(\|.*)?$",
        }
    }

    /// Words that follow the rule and that an editor should offer.
    pub(super) fn offered(self) -> Vec<&'static str> {
        match self {
            Self::ResourceType => resource_types().iter().copied().chain([ANY_RESOURCE]).collect(),
            _ => Vec::new(),
        }
    }
}

/// Text.
pub(super) struct Text {
    pub(super) rule: Rule,
    /// Empty for none.
    pub(super) default: &'static str,
}

impl Text {
    pub(super) const fn of(rule: Rule) -> Self {
        Self { rule, default: "" }
    }
}

impl Form for Text {
    fn kind(&self) -> Kind {
        Kind::Text(self.rule)
    }

    fn default(&self) -> Option<String> {
        Some(self.default.to_owned())
    }
}

/// One of the words of a type.
pub(super) struct OneOf<T> {
    pub(super) default: T,
}

impl<T: Word + Sync> Form for OneOf<T> {
    fn kind(&self) -> Kind {
        Kind::Words(T::WORDS.iter().map(|(word, _, meaning)| (*word, *meaning)).collect())
    }

    fn default(&self) -> Option<String> {
        Some(self.default.word().to_owned())
    }
}

/// One of some words that stay text.
pub(super) struct Listed {
    pub(super) words: &'static [(&'static str, &'static str)],
    pub(super) default: &'static str,
}

impl Form for Listed {
    fn kind(&self) -> Kind {
        Kind::Words(self.words.to_vec())
    }

    fn default(&self) -> Option<String> {
        Some(self.default.to_owned())
    }
}

/// Where a new group begins.
pub(super) struct Start {
    pub(super) default: StartFrom,
}

impl Form for Start {
    fn kind(&self) -> Kind {
        Kind::Start
    }

    fn default(&self) -> Option<String> {
        Some(self.default.text())
    }
}

/// What nobody reads.
pub(super) struct Anything;

impl Form for Anything {
    fn kind(&self) -> Kind {
        Kind::Anything
    }
}

/// A list.
pub(super) struct List<F> {
    pub(super) of: F,
    /// What to do about an empty one; `None`: it may be empty.
    pub(super) filled: Option<&'static str>,
}

impl<F: Form> Form for List<F> {
    fn kind(&self) -> Kind {
        Kind::List(Box::new(self.of.kind()), self.filled.is_none())
    }
}

/// A map.
pub(super) struct Map(pub(super) &'static Shape);

impl Form for Map {
    fn kind(&self) -> Kind {
        Kind::Map(self.0)
    }
}

/// Organizations and what they are part of.
pub(super) struct Hierarchy;

impl Form for Hierarchy {
    fn kind(&self) -> Kind {
        Kind::Hierarchy
    }
}

impl<F: Form> Field<F> {
    /// The field's value as it stands; reports one that is missing and may not be.
    pub(super) fn value<'a>(&self, fields: &Fields<'a>) -> Option<Cursor<'a>> {
        match self.presence {
            Presence::Required(hint) => fields.require(self.name, hint),
            Presence::Default | Presence::Optional(_) => fields.get(self.name),
        }
    }
}

impl Field<Text> {
    /// Its text, which is not blank.
    pub(super) fn text(&self, fields: &Fields<'_>) -> Option<Located<String>> {
        self.value(fields)?.filled_text()
    }
}

impl Field<Listed> {
    /// Its word.
    pub(super) fn text(&self, fields: &Fields<'_>) -> Option<Located<String>> {
        let words: Vec<(&str, &str)> = self.form.words.iter().map(|(word, _)| (*word, *word)).collect();
        let Located { value, shown, style, place } = self.value(fields)?.choice(&words)?;
        Some(Located { value: value.to_owned(), shown, style, place })
    }
}

impl<T: Word + Sync> Field<OneOf<T>> {
    /// What its word stands for.
    pub(super) fn word(&self, fields: &Fields<'_>) -> Option<T> {
        word(&self.value(fields)?)
    }

    /// What is given, else the default.
    pub(super) fn or_default(&self, given: Option<T>) -> T {
        given.unwrap_or(self.form.default)
    }
}

impl<F: Form> Field<List<F>> {
    /// The items that can be read; reports a list that is empty and may not be.
    pub(super) fn list<'a, T>(&self, fields: &Fields<'a>, read: impl Fn(&Cursor<'a>) -> Option<T>) -> Vec<T> {
        self.value(fields).map(|value| self.items(&value, read)).unwrap_or_default()
    }

    /// The same of a value that is at hand.
    pub(super) fn items<'a, T>(&self, value: &Cursor<'a>, read: impl Fn(&Cursor<'a>) -> Option<T>) -> Vec<T> {
        if let Some(hint) = self.form.filled {
            refuse_empty(value, hint);
        }
        if let (Kind::Map(shape), Some(scalar)) = (self.form.of.kind(), value.scalar())
            && !scalar.text.is_empty()
        {
            let names: Vec<&str> = shape.fields.iter().map(|field| field.name()).collect();
            let problem = value.place().error(format!("expected a list, found {}", value.describe()));
            value.push(problem.hint(format!("begin each item with `- `; its fields are: {}", names.join(", "))));
            return Vec::new();
        }
        value.items().unwrap_or_default().iter().filter_map(read).collect()
    }
}

/// What a word stands for; reports others.
pub(super) fn word<T: Word>(value: &Cursor<'_>) -> Option<T> {
    let words: Vec<(&str, T)> = T::WORDS.iter().map(|(word, value, _)| (*word, *value)).collect();
    value.choice(&words).map(|found| found.value)
}

/// Reports a list without items.
pub(super) fn refuse_empty(value: &Cursor<'_>, hint: &str) {
    if value.is_list() && value.items().is_some_and(|items| items.is_empty()) {
        value.push(value.place().error("the list is empty").hint(hint));
    }
}
