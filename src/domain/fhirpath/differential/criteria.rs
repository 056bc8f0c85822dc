//! Criteria about a sample, made at random from what the model has.

use fastrand::Rng;
use serde_json::Value;

use super::super::model::{Kind, Model};
use super::literals::{self, Family};
use super::marks::{self, Reason};
use super::paths::{Path, Walker};

/// Makes criteria for one resource.
pub(super) struct Criteria<'m, 'v> {
    pub(super) rng: &'m mut Rng,
    pub(super) model: &'m Model,
    pub(super) root: &'static str,
    pub(super) resource: &'v Value,
}

pub(super) const RELATIONS: [&str; 8] = ["=", "!=", "<", "<=", ">", ">=", "~", "!~"];

const TYPES: [&str; 8] = ["string", "Quantity", "dateTime", "code", "System.String", "FHIR.uri", "Coding", "instant"];

impl<'v> Criteria<'_, 'v> {
    /// One criterion, with its [`marks`](super::marks).
    pub(super) fn criterion(&mut self) -> String {
        // Most are about one thing, so that a disagreement tells about what.
        let depth = if self.chance(75) { 0 } else { 2 };
        self.boolean(depth)
    }

    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    pub(super) fn one_of<'t>(&mut self, among: &[&'t str]) -> &'t str {
        self.rng.choice(among).unwrap_or(&"")
    }

    fn boolean(&mut self, depth: u8) -> String {
        if depth == 0 || self.chance(55) {
            return self.about_a_path();
        }
        let (left, next) = (self.boolean(depth - 1), depth - 1);
        match self.rng.u8(..100) {
            0..45 => {
                let operator = self.one_of(&["and", "or", "xor", "implies", "and", "or"]);
                format!("({left}) {operator} ({})", self.boolean(next))
            }
            45..60 => format!("({left}).not()"),
            60..67 => format!("({left}).empty()"),
            67..74 => format!("({left}).exists()"),
            74..80 => format!("({left}) = {}", self.one_of(&["true", "false", "{}"])),
            80..85 => format!("iif({left}, {}, {})", self.boolean(next), self.one_of(&["true", "false", "{}"])),
            85 => format!("iif({left}, {})", self.boolean(next)),
            86..92 => {
                let both = format!("(({left}) | ({}))", self.boolean(next));
                let function = self.one_of(&["allTrue", "anyTrue", "allFalse", "anyFalse"]);
                of_nothing(&both, function)
            }
            _ => format!("{left} and {}", self.about_a_path()),
        }
    }

    /// A path from the focus or from one of the states.
    fn path(&mut self) -> Path<'v> {
        let start = match self.rng.u8(..100) {
            0..62 => "",
            62..76 => "%previous",
            76..86 => "%current",
            86..90 => "%resource",
            90..92 => "%context",
            92..93 => "%rootResource",
            93..94 => "$this",
            _ => self.root,
        };
        let walker = Walker { model: self.model, root: self.root };
        walker.walk(self.rng, start, self.resource)
    }

    fn about_a_path(&mut self) -> String {
        let path = self.path();
        self.about(&path)
    }

    /// Something that is true or false of what the path leads to.
    fn about(&mut self, path: &Path<'v>) -> String {
        if self.chance(16) {
            return self.about_any(path);
        }
        match (path.kind, path.type_name) {
            (Kind::Primitive, name) => self.about_primitive(path, Family::of(name)),
            (_, "Quantity" | "Age" | "Duration" | "Count" | "Distance" | "SimpleQuantity" | "MoneyQuantity") => {
                self.about_quantity(path)
            }
            _ => self.about_items(path),
        }
    }

    fn about_any(&mut self, path: &Path<'v>) -> String {
        let text = &path.text;
        match self.rng.u8(..100) {
            0..20 => format!("{text}.exists()"),
            20..32 => format!("{text}.empty()"),
            32..42 => format!("{text}.count() {} {}", self.one_of(&RELATIONS[..6]), self.rng.u8(..4)),
            42..52 => {
                let other = if self.chance(50) { path.type_name } else { self.one_of(&TYPES) };
                self.about_type(path, other)
            }
            52..58 => {
                let asked = format!("{text}.hasValue()");
                marks::mark(Reason::HasValue, &asked, &format!("({text}.exists() and {asked})"))
            }
            58..63 => default_true(text, &format!("{text}.isDistinct()")),
            63..70 => {
                let relation = self.one_of(&["=", "!=", "~", "!~"]);
                let twin = self.twin(text);
                let asked = format!("{text} {relation} {twin}");
                // Quantities of a choice; of others, what is in the place is the same.
                let parts = [text, &twin].map(|side| format!("{side}.ofType(Quantity)"));
                let known = format!(
                    "iif({0}.exists() and {1}.exists(), iif({0}.code = {1}.code, {asked}, {{}}), {asked})",
                    parts[0], parts[1]
                );
                let is_open = relation == "!=" && marks::reasons(text).contains(&Reason::OpenChoice);
                if is_open { marks::mark(Reason::Dimension, &asked, &known) } else { asked }
            }
            70..76 => {
                let twin = self.twin(text);
                if self.chance(50) {
                    let each = format!("{text}.all($this in {twin})");
                    among(&twin, &default_true(text, &format!("{text}.subsetOf({twin})")), &each)
                } else {
                    let each = format!("{twin}.select($this in {text}).allTrue()");
                    among(text, &default_true(&twin, &format!("{text}.supersetOf({twin})")), &each)
                }
            }
            76..84 => {
                let twin = self.twin(text);
                let both = match self.rng.u8(..4) {
                    0 => marks::mark(
                        Reason::UnionWithNothing,
                        &format!("{text}.union({twin})"),
                        &format!("({text} | {twin})"),
                    ),
                    1 => marks::mark(
                        Reason::UnionWithNothing,
                        &format!("{text}.combine({twin})"),
                        &format!("iif({text}.exists(), {text}.combine({twin}), {twin})"),
                    ),
                    2 => {
                        let each = format!("{text}.distinct().where($this in {twin})");
                        among(&twin, &format!("{text}.intersect({twin})"), &each)
                    }
                    _ => {
                        let each = format!("{text}.where(({twin}.exists() and $this in {twin}).not())");
                        among(&twin, &format!("{text}.exclude({twin})"), &each)
                    }
                };
                format!("{both}.count() = {}", self.rng.u8(..3))
            }
            84..88 => format!("({text} | {}).count() = {}", self.twin(text), self.rng.u8(..3)),
            88..92 => {
                let url = literals::text(
                    self.one_of(&["http://hl7.org/fhir/StructureDefinition/data-absent-reason", "urn:x"]),
                );
                format!("{text}.extension({url}).exists()")
            }
            92..95 => format!("{text}.id.exists()"),
            95..97 => format!("{text}.extension.exists()"),
            97 => {
                let trace = self.one_of(&["trace('x')", "trace('x', $this)"]);
                format!("{text}.{trace}.count() > {}", self.rng.u8(..2))
            }
            _ => self.about_type_name(path),
        }
    }

    fn about_type_name(&mut self, path: &Path<'v>) -> String {
        let text = &path.text;
        let (part, expected) = match self.rng.u8(..3) {
            0 => ("namespace", "FHIR"),
            1 => ("name", self.one_of(&TYPES)),
            _ => ("name", path.type_name),
        };
        let asked = format!("{text}.first().type().{part} = {}", literals::text(expected));
        let is_it = part == "namespace" || expected == path.type_name;
        if marks::reasons(text).contains(&Reason::OpenChoice) {
            return marks::flag(Reason::DerivedPrimitive, &asked);
        }
        marks::mark(Reason::DerivedPrimitive, &asked, &format!("iif({text}.exists(), {is_it}, {{}})"))
    }

    /// What a type says is known from the model, unless the path leads to several types.
    fn about_type(&mut self, path: &Path<'v>, other: &str) -> String {
        let text = &path.text;
        if self.model.find(other).is_some_and(|(_, kind)| kind == Kind::Backbone) {
            // The type of an element with elements of its own has no name in FHIRPath.
            return format!("{text}.exists()");
        }
        let single = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        let kind = self.rng.u8(..3);
        let asked = match kind {
            0 => format!("{single} is {other}"),
            1 => format!("{single}.is({other})"),
            _ => format!("{text}.ofType({other}).exists()"),
        };
        if marks::reasons(text).contains(&Reason::OpenChoice) {
            return marks::flag(Reason::DerivedPrimitive, &asked);
        }
        let bare = other.strip_prefix("FHIR.").unwrap_or(other);
        let is_it = bare == path.type_name || (kind < 2 && self.model.is_derived(path.type_name, bare));
        let known = if kind < 2 {
            format!("iif({text}.single().exists(), {is_it}, {{}})")
        } else {
            format!("({text}.exists() and {is_it})")
        };
        marks::mark(Reason::DerivedPrimitive, &asked, &known)
    }

    /// The same path from another state.
    pub(super) fn twin(&mut self, text: &str) -> String {
        let states = ["%previous.", "%current.", "%resource."];
        let (asked, other) = (marks::asked(text), self.one_of(&states));
        if let Some(state) = states.iter().find(|state| asked.starts_with(**state)) {
            return text.replace(state, other);
        }
        if asked.starts_with(['(', '%', '$']) || asked.starts_with(self.root) {
            return text.to_owned();
        }
        format!("{other}{text}")
    }

    pub(super) fn about_items(&mut self, path: &Path<'v>) -> String {
        let item = Path { text: String::new(), ..path.clone() };
        let walker = Walker { model: self.model, root: self.root };
        let Some(inner) = walker.step(self.rng, &item).map(|inner| walker.onwards(self.rng, inner)) else {
            return self.about_any(path);
        };
        let mut condition = self.about(&inner);
        if self.chance(45)
            && let Some(other) = walker.step(self.rng, &item)
        {
            let operator = self.one_of(&["and", "and", "and", "or"]);
            condition = format!("{condition} {operator} {}", self.about(&other));
        }
        let text = &path.text;
        match self.rng.u8(..100) {
            0..50 => format!("{text}.where({condition}).exists()"),
            50..70 => format!("{text}.exists({condition})"),
            70..80 => default_true(text, &format!("{text}.all({condition})")),
            80..84 => format!("{text}.where({condition}).count() = {}", self.rng.u8(..3)),
            84..88 => format!("{text}.where({condition}).empty()"),
            88..92 => of_nothing(&format!("{text}.select({condition})"), "anyTrue"),
            92..96 => format!("{}.exists()", after(&format!("{text}.where({condition})"), &inner.text)),
            _ => format!("{}.empty()", after(&format!("{text}.where({condition}).first()"), &inner.text)),
        }
    }
}

/// A path that goes on from a collection; what is no step by itself is a projection.
fn after(start: &str, path: &str) -> String {
    if marks::asked(path).starts_with('(') { format!("{start}.select({path})") } else { format!("{start}.{path}") }
}

/// One of the functions that look at all booleans; what it says of nothing is marked for the general engine.
fn of_nothing(booleans: &str, function: &str) -> String {
    let asked = format!("{booleans}.{function}()");
    if function.starts_with("all") {
        return default_true(booleans, &asked);
    }
    marks::mark(Reason::TrueOfNothing, &asked, &format!("({booleans}.exists() and {asked})"))
}

/// What is true of nothing (FHIRPath, 5.1), marked for the general engine.
fn default_true(empty: &str, asked: &str) -> String {
    marks::mark(Reason::TrueOfNothing, asked, &format!("({empty}.empty() or {asked})"))
}

/// A function of sets, with an equivalent that asks for each item; `set` is evaluated there, so that it must not be
/// relative.
fn among(set: &str, asked: &str, each: &str) -> String {
    if marks::asked(set).starts_with('%') { marks::mark(Reason::Sets, asked, each) } else { asked.to_owned() }
}
