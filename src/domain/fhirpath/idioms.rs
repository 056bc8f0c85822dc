//! What other languages write where FHIRPath writes something else, for hints.

use std::ops::Range;

/// Whether this word is how another language writes that there is nothing.
pub(super) fn is_null(name: &str) -> bool {
    ["null", "nil", "none", "undefined", "nothing"].contains(&name.to_ascii_lowercase().as_str())
}

/// What to write for a variable that only looks different here.
pub(super) fn variable(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "old" | "prev" | "before" | "prior" | "last" | "original" => "%previous",
        "new" | "after" | "latest" | "now" => "%current",
        "focus" | "self" | "root" | "event" => "%resource",
        "this" | "it" | "item" => "$this",
        "i" | "position" => "$index",
        _ => return None,
    })
}

/// What to write for a function of another language.
pub(super) fn function(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "equals" | "eq" | "equal" | "is_equal" => "write the operator: `a = b`",
        "notequals" | "ne" | "neq" => "write the operator: `a != b`",
        "gt" | "lt" | "ge" | "le" | "gte" | "lte" => "write the operator: `a > b`, `a >= b`, `a < b`, `a <= b`",
        "equalsignorecase" => "write `a ~ b`, or compare `lower()` of both",
        "isempty" | "isnull" | "isblank" | "isnullorempty" | "missing" | "absent" => "write `empty()`",
        "isnotempty" | "notempty" | "isnotnull" | "isdefined" | "present" | "ispresent" | "has" => "write `exists()`",
        "any" | "some" | "anymatch" => "write `exists(...)` with the condition",
        "every" | "allmatch" => "write `all(...)` with the condition",
        "filter" | "findall" | "find" => "write `where(...)`",
        "map" | "foreach" | "collect" => "write `select(...)`",
        "if" | "case" | "when" | "ifelse" => "write `iif(condition, then, otherwise)`",
        "size" | "len" | "cardinality" => "write `count()` for items, `length()` for text",
        "tolowercase" | "lcase" | "lowercase" | "tolower" => "write `lower()`",
        "touppercase" | "ucase" | "uppercase" | "toupper" => "write `upper()`",
        "substr" | "mid" | "slice" => "write `substring(start, length)`; the first letter is 0",
        "includes" | "in" => "write `contains('...')` for text, `'...' in list` for a list",
        "like" | "regex" | "test" | "match" | "rlike" => {
            "write `matches('...')`, `contains('...')` or `startsWith('...')`"
        }
        "and" | "or" | "xor" | "implies" => "write the operator between its operands: `a and b`",
        "changed" | "haschanged" => "compare the versions: `%previous.status != %current.status`",
        "age" | "years" | "yearsbetween" | "datediff" => "compare dates: `birthDate <= today() - 18 years`",
        "date" | "datetime" => "write a literal, as in `@2024-05-01`, or `toDate()`",
        "cast" | "instanceof" | "typeof" => "write `value.ofType(Quantity)`, `value is Quantity`",
        _ => return None,
    })
}

/// The first idiom of another language in a text that is no FHIRPath: where, and what to write.
pub(super) fn syntax(text: &str) -> Option<(Range<usize>, &'static str)> {
    let code = without_strings(text);
    let symbols = SYMBOLS.iter().filter_map(|(symbol, hint)| {
        let at = code.find(symbol)?;
        Some((at..at + symbol.len(), *hint))
    });
    let found = symbols.chain(negation(&code)).chain(words(&code)).chain(list(&code)).chain(number_with_word(&code));
    let found = found.chain(date(&code)).chain(decimal_comma(&code));
    found.min_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)))
}

/// Operators as the parser gets them: a space stands behind `&`.
const SYMBOLS: [(&str, &str); 15] = [
    ("‘", "write straight quotes: 'text'"),
    ("’", "write straight quotes: 'text'"),
    ("“", "write straight single quotes: 'text'"),
    ("”", "write straight single quotes: 'text'"),
    ("#", "a comment begins with `//`, or stands in `/* */`"),
    ("$.", "a path begins at the resource itself: `status`, or `%resource.status`"),
    ("==", "FHIRPath writes one `=` for equal"),
    ("& &", "FHIRPath writes `and`"),
    ("||", "FHIRPath writes `or`"),
    ("<>", "FHIRPath writes `!=` for unequal"),
    ("=<", "FHIRPath writes `<=`"),
    ("=>", "FHIRPath writes `>=`"),
    (";", "a criterion is one expression: leave the `;` out"),
    ("?", "FHIRPath writes `iif(condition, then, otherwise)`"),
    ("${", "`${NAME}` is replaced from the environment; a part of an expression is written in `(...)`"),
];

/// `!x`.
fn negation(code: &str) -> Option<(Range<usize>, &'static str)> {
    let found = code.char_indices().find(|(at, letter)| *letter == '!' && !code[at + 1..].starts_with(['=', '~']));
    found.map(|(at, _)| (at..at + 1, "FHIRPath writes the function `not()`, as in `active.not()`"))
}

/// Words that are no operators, or only in lower case.
fn words(code: &str) -> impl Iterator<Item = (Range<usize>, &'static str)> {
    tokens(code).filter_map(|span| {
        let hint = match &code[span.clone()] {
            "AND" | "OR" | "XOR" | "IMPLIES" | "IN" | "CONTAINS" | "IS" | "AS" | "DIV" | "MOD" | "And" | "Or" => {
                "FHIRPath writes operators in lower case"
            }
            "NOT" | "Not" => "FHIRPath writes the function `not()`, as in `active.not()`",
            "like" | "LIKE" => "FHIRPath writes `x.startsWith('...')`, `x.contains('...')` or `x.matches('...')`",
            "matches" | "startsWith" | "endsWith" if !is_call(code, &span) => {
                "a function is called on a value: `x.matches('...')`, `x.startsWith('...')`"
            }
            "exists" | "empty" | "where" | "select" if !is_call(code, &span) => {
                "a function is called on a value: `x.exists()`, `x.where(...)`"
            }
            "between" | "BETWEEN" => "write both bounds: `x >= 1 and x <= 5`",
            "WHERE" | "SELECT" => "a function is called on a value: `x.where(...)`, `x.select(...)`",
            "eq" => "FHIRPath writes `=` for equal",
            "ne" => "FHIRPath writes `!=` for unequal",
            "gt" | "lt" | "ge" | "le" => "FHIRPath writes `>`, `<`, `>=`, `<=`",
            "case" | "when" | "then" | "else" => "FHIRPath writes `iif(condition, then, otherwise)`",
            _ => return None,
        };
        Some((span, hint))
    })
}

/// Whether a word is followed by brackets, or stands behind a dot.
fn is_call(code: &str, word: &Range<usize>) -> bool {
    code[word.end..].trim_start().starts_with('(') || code[..word.start].trim_end().ends_with('.')
}

/// `in ('a', 'b')`, `in ['a', 'b']`.
fn list(code: &str) -> Option<(Range<usize>, &'static str)> {
    const HINT: &str = "FHIRPath writes a list as `('a' | 'b')`";
    let opened = tokens(code).find_map(|span| {
        let behind = code[span.end..].trim_start();
        (code[span].eq_ignore_ascii_case("in") && behind.starts_with(['(', '['])).then(|| code.len() - behind.len())
    })?;
    if code[opened..].starts_with('[') {
        return Some((opened..opened + 1, HINT));
    }
    let comma = opened + code[opened..].find(',')?;
    Some((comma..comma + 1, HINT))
}

/// `6,5`.
fn decimal_comma(code: &str) -> Option<(Range<usize>, &'static str)> {
    let is_digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    let mut commas = code.match_indices(',').map(|(at, _)| at);
    let found =
        commas.find(|at| is_digit(code[..*at].chars().next_back()) && is_digit(code[at + 1..].chars().next()))?;
    Some((found..found + 1, "a decimal is written with a point: `6.5`"))
}

/// `@2024-13-01`, `@01.05.2024`.
fn date(code: &str) -> Option<(Range<usize>, &'static str)> {
    let starts = code.match_indices('@').map(|(at, _)| at);
    let mut dates = starts.map(|start| {
        let rest = &code[start + 1..];
        let length = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-:.+/".contains(letter));
        start..start + 1 + length.unwrap_or(rest.len())
    });
    let wrong = dates.find(|span| !is_date(&code[span.start + 1..span.end]))?;
    Some((wrong, "a date is @2024-05-01, a time @2024-05-01T10:30:00Z, a time of day @T10:30"))
}

/// Whether the date of this literal has the form and the months that a date has; its time is not looked at.
pub(super) fn is_date(text: &str) -> bool {
    let date = text.split('T').next().unwrap_or_default();
    let mut parts = date.split('-');
    let mut number = |digits: usize, range: std::ops::RangeInclusive<u32>| {
        parts.next().map(|part| part.len() == digits && part.parse().is_ok_and(|number| range.contains(&number)))
    };
    let year = number(4, 0..=9999);
    let rest = [number(2, 1..=12), number(2, 1..=31)];
    text.starts_with('T') || (year == Some(true) && rest.into_iter().all(|part| part != Some(false)))
}

/// `5 mg`.
fn number_with_word(code: &str) -> Option<(Range<usize>, &'static str)> {
    /// Operators, and what is a unit without quotes.
    const WORDS: [&str; 27] = [
        "and",
        "or",
        "xor",
        "implies",
        "in",
        "contains",
        "is",
        "as",
        "div",
        "mod",
        "between",
        "year",
        "years",
        "month",
        "months",
        "week",
        "weeks",
        "day",
        "days",
        "hour",
        "hours",
        "minute",
        "minutes",
        "second",
        "seconds",
        "millisecond",
        "milliseconds",
    ];
    tokens(code).find_map(|span| {
        let before = code[..span.start].trim_end();
        let number = before.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        let is_number =
            number.len() < before.len() && !number.ends_with(|letter: char| is_word(letter) || letter == '@');
        let word = &code[span.clone()];
        let is_unit = !word.starts_with(|letter: char| letter.is_ascii_digit())
            && !WORDS.contains(&word.to_ascii_lowercase().as_str());
        (is_number && is_unit)
            .then_some((span, "a unit is text: `5 'mg'`, by UCUM; only times are words, as in `3 days`"))
    })
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

/// The words of a text.
fn tokens(code: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + code[from..].find(is_word)?;
        let length = code[start..].find(|letter| !is_word(letter)).unwrap_or(code.len() - start);
        from = start + length;
        Some(start..from)
    })
}

/// The text with the inside of its strings blanked out, byte for byte.
fn without_strings(text: &str) -> String {
    let mut quote = None;
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {
                out.extend(std::iter::repeat_n(' ', letter.len_utf8()));
                continue;
            }
            None if matches!(letter, '\'' | '"' | '`') => quote = Some(letter),
            None => {}
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(&str, &str)> {
        syntax(text).map(|(span, hint)| (&text[span], hint))
    }

    #[test]
    fn idioms_are_found_outside_of_strings_only() {
        for (text, part) in [
            ("status == 'a'", "=="),
            ("a & & b", "& &"),
            ("a || b", "||"),
            ("!active", "!"),
            ("a <> b", "<>"),
            ("a AND b", "AND"),
            ("status in ('a', 'b')", ","),
            ("value > 5 mg", "mg"),
            ("code like 'x%'", "like"),
            ("a ? b : c", "?"),
            ("a = ‘b’", "‘"),
            ("a = 1 # why", "#"),
            ("$.a = 1", "$."),
            ("a > 6,5", ","),
            ("a in ['b', 'c']", "["),
            ("issued > @2024-13-01", "@2024-13-01"),
            ("issued > @01.05.2024 and", "@01.05.2024"),
        ] {
            assert_eq!(found(text).map(|(found, _)| found), Some(part), "{text}");
        }
        for text in [
            "status = '== && !x AND'",
            "a != b",
            "a !~ b",
            "1 and 2",
            "@2024-05-01 and x",
            "a.exists() and a..b",
            "@2024 or @T10:30 or @2024-05T",
            "x in ('a' | 'b')",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn blanking_keeps_every_offset() {
        let text = "a = 'ä\\'' and \"ö\" or `ü`";
        assert_eq!(without_strings(text).len(), text.len());
    }
}
