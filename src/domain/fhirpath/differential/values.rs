//! Criteria about values: what a path leads to, compared, calculated with, converted.

use serde_json::Value;

use super::criteria::{Criteria, RELATIONS};
use super::literals::{self, Family, literal};
use super::marks::{self, Reason};
use super::paths::{Path, joined};

/// Texts that are a boolean, as a regular expression (FHIRPath, toBoolean).
const WORDS: &str = "'^(?i:true|t|yes|y|1|1[.]0|false|f|no|n|0|0[.]0)$'";

/// Texts that are a day, a month or a year (FHIRPath, toDate).
const DATE: &str = "[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?";

/// Texts that are a time of the day (FHIRPath, toTime).
const TIME: &str = "([01][0-9]|2[0-3])(:[0-5][0-9](:([0-5][0-9]|60)([.][0-9]+)?)?)?";

impl<'v> Criteria<'_, 'v> {
    pub(super) fn about_primitive(&mut self, path: &Path<'v>, family: Family) -> String {
        let text = &path.text;
        let bound = literal(self.rng, family, &path.values);
        let text = &match path.type_name {
            "integer64" => marks::imitated(Reason::Integer64, text, &format!("{text}.toString()")),
            _ if marks::reasons(text).contains(&Reason::NestedResource) => in_nested(family, text),
            _ => text.clone(),
        };
        match (family, self.rng.u8(..100)) {
            (Family::Boolean, 0..40) => truth(text),
            (Family::Boolean, 40..60) => format!("{}.not()", truth(text)),
            (Family::Text, 0..40) => self.about_text(text, &bound),
            (Family::Integer | Family::Decimal, 0..30) => self.about_number(text, &bound, family == Family::Decimal),
            (Family::Date | Family::DateTime, 0..22) => self.about_moment(text, &bound),
            (_, 22..30) => {
                let other = literal(self.rng, family, &path.values);
                of_days(family, text, &[&bound, &other], |item| format!("{item} in ({bound} | {other})"))
            }
            (_, 30..34) => {
                let other = literal(self.rng, family, &path.values);
                of_days(family, text, &[&bound, &other], |item| format!("({bound} | {other}) contains {item}"))
            }
            (_, 34..38) => {
                let relation = self.one_of(&RELATIONS);
                related(family, &bound, relation, text)
            }
            (_, 38..42) => {
                let from = path.text.clone();
                self.against_twin(&from)
            }
            (_, 42..46) => {
                let relation = self.one_of(&RELATIONS);
                format!("{text}.where({}).exists()", related(family, "$this", relation, &bound))
            }
            (Family::DateTime | Family::Time, 46..49) => {
                let written = literals::text(marks::asked(&bound).trim_matches(['@', 'T']));
                let relation = self.one_of(&RELATIONS);
                let shown = if family == Family::Time { "select('T' & $this)" } else { "replace('Z', '+00:00')" };
                let asked = format!("{text}.toString() {relation} {written}");
                // It compares texts that look like times as times.
                let known = format!("{text}.toString().select('_' & $this) {relation} ('_' & {written})");
                let imitation = format!("{text}.toString().{shown} {relation} {written}");
                marks::marked(Reason::TimeText, [&asked, &known, &imitation])
            }
            (_, 46..49) => format!(
                "{}.toString() {} {}",
                marks::mark(Reason::SeveralItems, text, &format!("{text}.single()")),
                self.one_of(&RELATIONS),
                literals::text(bound.trim_matches(['\'', '@', 'T']))
            ),
            _ => {
                let relation = self.one_of(&RELATIONS);
                related(family, text, relation, &bound)
            }
        }
    }

    fn about_text(&mut self, text: &str, bound: &str) -> String {
        let number = self.rng.i32(-1..8);
        let several = text;
        let text = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        match self.rng.u8(..32) {
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
            15 => format!("{several}.join({}) = {bound}", self.one_of(&["','", "''", ""])),
            16 => format!("{text}.lastIndexOf({bound}) {} {number}", self.one_of(&RELATIONS[..6])),
            17 => format!("{text}.matchesFull({})", self.one_of(&["'[a-z]+'", "'[0-9-]*'", "'a|b'", "'http:.*'"])),
            18 => format!("{text}.replaceMatches({}, 'x') = 'x'", self.one_of(&["'[a-z]+'", "'[^/]+/'", "'.+'"])),
            19 => format!("{text}.toChars().count() > {number}"),
            20 => format!("{several}.sort().{}() = {bound}", self.one_of(&["first", "last"])),
            21 => format!("{several}.sort(-$this).first() = {bound}"),
            22 => format!("{text}.toString() = {bound}.toString()"),
            23 => format!("{text} = {}", self.one_of(&["%loinc", "%sct", "%ucum", "%`vs-x`", "%`ext-x`"])),
            24 => {
                let known = format!("iif({several}.count() = 1, {several}.getValue(), {{}})");
                let value = marks::mark(Reason::GetValue, &format!("{several}.getValue()"), &known);
                format!("{value} = {bound}")
            }
            _ => self.converted(text),
        }
    }

    /// A text converted to something else.
    fn converted(&mut self, text: &str) -> String {
        let kinds = ["Integer", "Decimal", "Boolean", "Date", "DateTime", "Time", "Quantity", "String"];
        let kind = self.one_of(&kinds);
        let asks = self.chance(50);
        let asked = if asks { format!("{text}.convertsTo{kind}()") } else { format!("{text}.to{kind}().exists()") };
        let (reason, pattern) = match kind {
            "Boolean" => (Reason::Words, WORDS.to_owned()),
            "Date" => (Reason::TextToTime, format!("'^{DATE}$'")),
            "DateTime" => (Reason::TextToTime, format!("'^{DATE}(T({TIME}(Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?)?$'")),
            "Time" => (Reason::TextToTime, format!("'^{TIME}$'")),
            "Integer" => {
                let number = format!("{text}.toDecimal()");
                let known = format!("({asked} and {number} >= -2147483648 and {number} <= 2147483647)");
                return marks::mark(Reason::LongInteger, &asked, &known);
            }
            _ => return asked,
        };
        let matches = format!("{text}.matches({pattern})");
        let known = if asks { matches } else { format!("({text}.exists() and {matches})") };
        marks::mark(reason, &asked, &known)
    }

    fn about_number(&mut self, text: &str, bound: &str, is_decimal: bool) -> String {
        let asked = self.calculated(text, bound, is_decimal);
        if asked.contains('~') { marks::flag(Reason::Rounding, &asked) } else { asked }
    }

    fn calculated(&mut self, text: &str, bound: &str, is_decimal: bool) -> String {
        let several = text;
        let text = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        let relation = self.one_of(&RELATIONS);
        match self.rng.u8(..16) {
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
                let (places, times) = *self.rng.choice(&[(0, "1"), (1, "10"), (2, "100")]).unwrap_or(&(0, "1"));
                let half = |sign: &str| format!("{sign}(({sign}{text} * {times} + 0.5).floor()) / {times}.0");
                let rounded = format!("iif({text} < 0, {}, {})", half("-"), half(""));
                let argument = if places == 0 && self.chance(50) { String::new() } else { places.to_string() };
                let asked = format!("{text}.round({argument}) {relation} {bound}");
                marks::mark(Reason::Rounding, &asked, &format!("{rounded} {relation} {bound}"))
            }
            9 if is_decimal => {
                let asked = format!("{text}.toInteger() {relation} {bound}");
                let known = format!("{text}.where(false).toInteger() {relation} {bound}");
                marks::mark(Reason::DecimalToInteger, &asked, &known)
            }
            9 => format!("{text}.toInteger() {relation} {bound}"),
            10 => format!("{text} / {} {relation} {bound}", self.one_of(&["0", "0.0", "3", "1.5"])),
            11 => format!("{text}.toDecimal() {relation} {bound}"),
            12 => match self.one_of(&["sqrt()", "power(2)", "power(0)", "power(-1)"]) {
                "power(-1)" => {
                    let asked = format!("{text}.power(-1) {relation} {bound}");
                    marks::mark(Reason::Power, &asked, &format!("iif({text}.single() = 0, {{}}, {asked})"))
                }
                function => format!("{text}.{function} {relation} {bound}"),
            },
            13 if is_decimal => {
                let asked = format!("{text}.precision() {relation} {}", self.rng.u8(..4));
                marks::flag(Reason::Digits, &asked)
            }
            13 => format!("{text} - (+1) {relation} {bound}"),
            14 => {
                let kind = self.one_of(&["Integer", "Decimal", "Boolean", "Quantity", "String"]);
                let asked = format!("{text}.convertsTo{kind}()");
                if is_decimal && kind == "Integer" {
                    let known = format!("{text}.where(false).convertsToInteger()");
                    marks::mark(Reason::DecimalToInteger, &asked, &format!("iif({text}.exists(), false, {known})"))
                } else {
                    asked
                }
            }
            _ => format!("{several}.sort().first() {relation} {bound}"),
        }
    }

    /// The same path of another state on the other side.
    fn against_twin(&mut self, text: &str) -> String {
        let (relation, twin) = (self.one_of(&RELATIONS), self.twin(text));
        let asked = format!("{text} {relation} {twin}");
        if !["<", "<=", ">", ">="].contains(&relation) {
            return asked;
        }
        let asked = marks::flag(Reason::Incomparable, &asked);
        let known = format!("iif({text}.exists() and {twin}.exists(), {asked}, {{}})");
        marks::mark(Reason::SeveralAndNothing, &asked, &known)
    }

    fn about_moment(&mut self, text: &str, bound: &str) -> String {
        let text = &marks::mark(Reason::SeveralItems, text, &format!("{text}.single()"));
        let relation = self.one_of(&RELATIONS[..6]);
        let unit = self
            .one_of(&["year", "months", "weeks", "days", "day", "hours", "minutes", "seconds", "'d'", "'h'", "'wk'"]);
        let many = self.rng.u8(..40);
        match self.rng.u8(..12) {
            kind @ 0..5 => {
                let sign = if kind < 3 { '+' } else { '-' };
                let asked = format!("{text} {sign} {many} {unit} {relation} {bound}");
                let days = if unit.contains('h') && !unit.contains("month") { many / 24 } else { 0 };
                let is_fine = ["hour", "minute", "second", "'h'"].iter().any(|fine| unit.contains(fine));
                if !is_fine {
                    return asked;
                }
                let digits = format!("{text}.toString().length()");
                let partial = format!("iif({digits} = 10, {text} {sign} {days} days, {text})");
                let known = format!("iif({digits} > 10, {text} {sign} {many} {unit}, {partial}) {relation} {bound}");
                marks::mark(Reason::PartialTime, &asked, &known)
            }
            5 => format!("{text} {relation} today()"),
            6 => format!("{text} {relation} now()"),
            7 => format!("{text} {relation} today() - {many} {unit}"),
            8 => format!("{text} {relation} now() - {many} {unit}"),
            9 => {
                let (number, digits) = (format!("{text}.precision()"), self.one_of(&["4", "6", "8", "14", "17"]));
                let known = format!("iif({number} = 17, 17, {number} - ({number} - 4) div 3)");
                format!("{} {relation} {digits}", marks::mark(Reason::Precision, &number, &known))
            }
            10 => {
                let hour = format!("@T{:02}:30", self.rng.u8(..24));
                // The time of the events is within this minute.
                let known = if hour == "@T08:30" { "{}".to_owned() } else { format!("{hour}:00.000") };
                let hour = marks::mark(Reason::TimePrecision, &hour, &known);
                format!("timeOfDay() {relation} {hour}")
            }
            _ => format!("{text}.{}() {relation} {bound}", self.one_of(&["toDate", "toDateTime"])),
        }
    }

    pub(super) fn about_quantity(&mut self, path: &Path<'v>) -> String {
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
            80..84 => {
                let twin = self.twin(text);
                let asked = format!("{text} {relation} {twin}");
                marks::mark(Reason::Dimension, &asked, &format!("iif({text}.code = {twin}.code, {asked}, {{}})"))
            }
            84..88 => {
                let asked = format!("{text} + {bound} {unit} {relation} {bound} {unit}");
                if relation.contains('~') { marks::flag(Reason::Rounding, &asked) } else { asked }
            }
            88..91 => format!("{text} in ({bound} {unit} | 1 'kg')"),
            _ => self.about_items(path),
        }
    }
}

/// Membership, of one item: marked for several, and among times.
fn of_days(family: Family, text: &str, among: &[&str], asked: impl Fn(&str) -> String) -> String {
    if family != Family::DateTime {
        return asked(&marks::mark(Reason::SeveralItems, text, &format!("{text}.single()")));
    }
    let each: Vec<String> = among.iter().map(|bound| format!("(({text}.single() = {bound}) ~ true)")).collect();
    marks::mark(Reason::DayAsTime, &asked(text), &format!("iif({text}.exists(), {}, {{}})", each.join(" or ")))
}

/// An item where a boolean is expected: true, whatever it is, unless it is a boolean.
fn truth(text: &str) -> String {
    let known = format!("{text}.single().select(iif($this is boolean, $this, true))");
    marks::mark(Reason::Truth, text, &known)
}

/// A comparison, marked for the general engine: the equivalence of times, and the order of texts that look like times.
fn related(family: Family, left: &str, relation: &str, right: &str) -> String {
    let asked = format!("{left} {relation} {right}");
    match family {
        Family::DateTime if relation.contains('~') => {
            marks::mark(Reason::DayAsTime, &asked, &format!("(({left} = {right}) {relation} true)"))
        }
        Family::Text if relation.contains(['<', '>']) => {
            let shown = |text: &str| format!("{text}.select('_' & $this)");
            marks::mark(Reason::TextOrder, &asked, &format!("{} {relation} {}", shown(left), shown(right)))
        }
        _ => asked,
    }
}

/// A value of a contained resource, whose type the general engine does not know: dates and times are texts to it.
fn in_nested(family: Family, text: &str) -> String {
    let conversion = match family {
        Family::Date => "toDate()",
        Family::DateTime => "toDateTime()",
        Family::Time => "toTime()",
        _ => return text.to_owned(),
    };
    marks::mark(Reason::NestedResource, text, &format!("{text}.select($this.toString().{conversion})"))
}
