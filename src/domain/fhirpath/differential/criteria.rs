//! Criteria about a sample, made at random from what the model has.

use fastrand::Rng;
use serde_json::Value;

use super::super::model::{Kind, Model};
use super::literals::{self, Family, literal};
use super::marks::{self, Reason};
use super::paths::{Path, Walker, joined};

/// Makes criteria for one resource.
pub(super) struct Criteria<'m, 'v> {
    pub(super) rng: &'m mut Rng,
    pub(super) model: &'m Model,
    pub(super) root: &'static str,
    pub(super) resource: &'v Value,
}

const RELATIONS: [&str; 8] = ["=", "!=", "<", "<=", ">", ">=", "~", "!~"];

const TYPES: [&str; 8] = ["string", "Quantity", "dateTime", "code", "System.String", "FHIR.uri", "Coding", "instant"];

/// Primitives that the general engine takes for the types that they are derived from, or like.
const DERIVED: [&str; 4] = ["instant", "positiveInt", "unsignedInt", "integer64"];

impl<'v> Criteria<'_, 'v> {
    /// One criterion, with its [`marks`](super::marks).
    pub(super) fn criterion(&mut self) -> String {
        // Most are about one thing, so that a disagreement tells about what.
        let depth = if self.chance(75) { 0 } else { 2 };
        self.boolean(depth)
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    fn one_of<'t>(&mut self, among: &[&'t str]) -> &'t str {
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
            80..86 => format!("iif({left}, {}, {})", self.boolean(next), self.one_of(&["true", "false", "{}"])),
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
                let asked = self.about_type(text, other);
                match (path.type_name, other) {
                    (name, other) if DERIVED.contains(&name) || DERIVED.contains(&other) => {
                        marks::flag(Reason::DerivedPrimitive, &asked)
                    }
                    _ => asked,
                }
            }
            52..58 => {
                let asked = format!("{text}.hasValue()");
                marks::mark(Reason::HasValue, &asked, &format!("({text}.exists() and {asked})"))
            }
            58..63 => default_true(text, &format!("{text}.isDistinct()")),
            63..70 => {
                let relation = self.one_of(&["=", "!=", "~", "!~"]);
                format!("{text} {relation} {}", self.twin(text))
            }
            70..76 => {
                let twin = self.twin(text);
                if self.chance(50) {
                    default_true(text, &format!("{text}.subsetOf({twin})"))
                } else {
                    default_true(&twin, &format!("{text}.supersetOf({twin})"))
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
                    2 => format!("{text}.intersect({twin})"),
                    _ => format!("{text}.exclude({twin})"),
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
            92..96 => format!("{text}.id.exists()"),
            _ => format!("{text}.extension.exists()"),
        }
    }

    fn about_type(&mut self, text: &str, other: &str) -> String {
        if self.model.find(other).is_some_and(|(_, kind)| kind == Kind::Backbone) {
            // The type of an element with elements of its own has no name in FHIRPath.
            return format!("{text}.exists()");
        }
        let single = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        match self.rng.u8(..3) {
            0 => format!("{single} is {other}"),
            1 => format!("{single}.is({other})"),
            _ => format!("{text}.ofType({other}).exists()"),
        }
    }

    /// The same path from another state.
    fn twin(&mut self, text: &str) -> String {
        let states = ["%previous.", "%current.", "%resource."];
        let bare = states.iter().find_map(|state| text.strip_prefix(state)).unwrap_or(text);
        if bare.starts_with(['(', '%', '$']) || bare.starts_with(self.root) {
            return text.to_owned();
        }
        format!("{}{bare}", self.one_of(&states))
    }

    fn about_items(&mut self, path: &Path<'v>) -> String {
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
            92..96 => format!("{text}.where({condition}).{}.exists()", inner.text),
            _ => format!("{text}.where({condition}).first().{}.empty()", inner.text),
        }
    }

    fn about_primitive(&mut self, path: &Path<'v>, family: Family) -> String {
        let text = &path.text;
        let bound = literal(self.rng, family, &path.values);
        let text = &if path.type_name == "integer64" { marks::flag(Reason::Integer64, text) } else { text.clone() };
        match (family, self.rng.u8(..100)) {
            (Family::Boolean, 0..40) => marks::flag(Reason::Truth, text),
            (Family::Boolean, 40..60) => format!("{}.not()", marks::flag(Reason::Truth, text)),
            (Family::Text, 0..40) => self.about_text(text, &bound),
            (Family::Integer | Family::Decimal, 0..30) => self.about_number(text, &bound),
            (Family::Date | Family::DateTime, 0..22) => self.about_moment(text, &bound),
            (_, 22..30) => {
                let other = literal(self.rng, family, &path.values);
                of_days(family, text, &[&bound, &other], &format!("{text} in ({bound} | {other})"))
            }
            (_, 30..34) => {
                let other = literal(self.rng, family, &path.values);
                of_days(family, text, &[&bound, &other], &format!("({bound} | {other}) contains {text}"))
            }
            (_, 34..38) => format!("{bound} {} {text}", self.one_of(&RELATIONS)),
            (_, 38..42) => {
                let from = path.text.clone();
                format!("{from} {} {}", self.one_of(&RELATIONS), self.twin(&from))
            }
            (_, 42..46) => format!("{text}.where($this {} {bound}).exists()", self.one_of(&RELATIONS)),
            (Family::Date | Family::DateTime | Family::Time, 46..49) => {
                let written = literals::text(marks::asked(&bound).trim_matches(['@', 'T']));
                marks::flag(Reason::TimeText, &format!("{text}.toString() {} {written}", self.one_of(&RELATIONS)))
            }
            (Family::Decimal, 46..49) => {
                let asked = format!("{text}.toString() {} {}", self.one_of(&RELATIONS), literals::text(&bound));
                marks::flag(Reason::Digits, &asked)
            }
            (_, 46..49) => format!(
                "{}.toString() {} {}",
                marks::mark(Reason::SeveralItems, text, &format!("{text}.single()")),
                self.one_of(&RELATIONS),
                literals::text(bound.trim_matches(['\'', '@', 'T']))
            ),
            _ => match self.one_of(&RELATIONS) {
                relation @ ("~" | "!~") if family == Family::DateTime => {
                    let equal = format!("(({text} = {bound}) {relation} true)");
                    marks::mark(Reason::DayAsTime, &format!("{text} {relation} {bound}"), &equal)
                }
                relation => format!("{text} {relation} {bound}"),
            },
        }
    }

    fn about_text(&mut self, text: &str, bound: &str) -> String {
        let number = self.rng.i32(-1..8);
        let several = text;
        let text = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        match self.rng.u8(..17) {
            0 => format!("{text}.startsWith({bound})"),
            1 => format!("{text}.endsWith({bound})"),
            2 => format!("{text}.contains({bound})"),
            3 => format!(
                "{text}.matches({})",
                self.one_of(&["'^[a-z]+$'", "'[0-9]{2}'", "'.*'", "'a|b'", "'^http'", "'\\\\d+'"])
            ),
            4 => format!("{text}.lower() = {bound}.lower()"),
            5 => format!("{text}.upper() = {bound}"),
            6 => format!("{text}.trim() = {bound}.trim()"),
            7 => format!("{text}.length() {} {number}", self.one_of(&RELATIONS[..6])),
            8 => format!("{text}.substring({number}) = {bound}"),
            9 => format!("{text}.substring({number}, {}).length() = {number}", self.rng.i32(-1..5)),
            10 => format!("{text}.indexOf({bound}) {} {number}", self.one_of(&RELATIONS[..6])),
            11 => format!("{text}.replace({bound}, 'x') = 'x'"),
            12 => format!("{text}.split({}).count() > {number}", self.one_of(&["' '", "'/'", "'-'", "''"])),
            13 => format!("({text} & 'x') = {bound} & 'x'"),
            14 => format!("({text} + 'x') = {bound} + 'x'"),
            15 => format!("{several}.join({}) = {bound}", self.one_of(&["','", "''"])),
            _ => {
                let kind = self.one_of(&["Integer", "Decimal", "Boolean", "Date", "DateTime", "Time", "Quantity"]);
                let asked = if self.chance(50) {
                    format!("{text}.convertsTo{kind}()")
                } else {
                    format!("{text}.to{kind}().exists()")
                };
                if kind.contains("ate") || kind == "Time" { marks::flag(Reason::TextToTime, &asked) } else { asked }
            }
        }
    }

    fn about_number(&mut self, text: &str, bound: &str) -> String {
        let asked = self.calculated(text, bound);
        if asked.contains('~') { marks::flag(Reason::Rounding, &asked) } else { asked }
    }

    fn calculated(&mut self, text: &str, bound: &str) -> String {
        let text = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        let relation = self.one_of(&RELATIONS);
        match self.rng.u8(..12) {
            0 => format!("{text} + {bound} {relation} {bound}"),
            1 => format!("{text} - {bound} {relation} 0"),
            2 => format!("{text} * 2 {relation} {bound}"),
            3 => format!("{text} / 2 {relation} {bound}"),
            4 => format!("{text} div 2 {relation} {}", self.rng.u8(..9)),
            5 => {
                let by_parts = format!("({text} - ({text} / 2).truncate() * 2)");
                format!(
                    "{} {relation} {}",
                    marks::mark(Reason::Modulo, &format!("{text} mod 2"), &by_parts),
                    self.rng.u8(..2)
                )
            }
            6 => format!("-{text} {relation} {bound}"),
            7 => format!("{text}.{}() {relation} {bound}", self.one_of(&["abs", "ceiling", "floor", "truncate"])),
            8 => {
                let asked = format!("{text}.round({}) {relation} {bound}", self.rng.u8(..3));
                marks::flag(Reason::Rounding, &asked)
            }
            9 => marks::flag(Reason::DecimalToInteger, &format!("{text}.toInteger() {relation} {bound}")),
            10 => format!("{text} / {} {relation} {bound}", self.one_of(&["0", "0.0", "3", "1.5"])),
            _ => format!("{text}.toDecimal() {relation} {bound}"),
        }
    }

    fn about_moment(&mut self, text: &str, bound: &str) -> String {
        let text = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        let relation = self.one_of(&RELATIONS[..6]);
        let unit = self
            .one_of(&["year", "months", "weeks", "days", "day", "hours", "minutes", "seconds", "'d'", "'h'", "'wk'"]);
        let many = self.rng.u8(..40);
        match self.rng.u8(..10) {
            kind @ 0..5 => {
                let sign = if kind < 3 { '+' } else { '-' };
                let asked = format!("{text} {sign} {many} {unit} {relation} {bound}");
                let is_fine = ["hour", "minute", "second", "'h'"].iter().any(|fine| unit.contains(fine));
                if is_fine { marks::flag(Reason::PartialTime, &asked) } else { asked }
            }
            5 => format!("{text} {relation} today()"),
            6 => format!("{text} {relation} now()"),
            7 => format!("{text} {relation} today() - {many} {unit}"),
            8 => format!("{text} {relation} now() - {many} {unit}"),
            _ => format!("{text}.{}() {relation} {bound}", self.one_of(&["toDate", "toDateTime"])),
        }
    }

    fn about_quantity(&mut self, path: &Path<'v>) -> String {
        let values: Vec<&Value> = path.values.iter().filter_map(|quantity| quantity.get("value")).collect();
        let bound = literal(self.rng, Family::Decimal, &values);
        let unit = literals::unit(self.rng, &path.values);
        let (text, relation) = (&path.text, self.one_of(&RELATIONS));
        let of_dimension =
            |asked: &str| marks::mark(Reason::Dimension, asked, &format!("iif({text}.code = {unit}, {asked}, {{}})"));
        match self.rng.u8(..100) {
            0..40 => of_dimension(&format!("{text} {relation} {bound} {unit}")),
            40..65 => format!("{} {relation} {bound}", joined(text, "value")),
            65..70 => of_dimension(&format!("{bound} {unit} {relation} {text}")),
            70..76 => format!("{text}.where(value {relation} {bound} and code = {unit}).exists()"),
            76..80 => format!("{text}.value + {bound} {relation} {bound}"),
            80..84 => format!("{text} {relation} {}", self.twin(text)),
            84..88 => format!("{text} + {bound} {unit} {relation} {bound} {unit}"),
            88..91 => format!("{text} in ({bound} {unit} | 1 'kg')"),
            _ => self.about_items(path),
        }
    }
}

/// Membership among times, marked for the general engine.
fn of_days(family: Family, text: &str, among: &[&str], asked: &str) -> String {
    if family != Family::DateTime {
        return asked.to_owned();
    }
    let each: Vec<String> = among.iter().map(|bound| format!("(({text}.single() = {bound}) ~ true)")).collect();
    marks::mark(Reason::DayAsTime, asked, &format!("iif({text}.exists(), {}, {{}})", each.join(" or ")))
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
