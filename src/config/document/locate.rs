//! From a position in a scalar's text back to the position in the file, through quotes, escapes, indentation and folding.

use super::Style;

/// The byte in `written` (the file from the scalar's first character on) that byte `wanted` of `text` came from.
pub(super) fn locate(written: &str, style: Style, text: &str, wanted: usize) -> Option<usize> {
    let mut at = match style {
        Style::Plain => 0,
        Style::Single | Style::Double => 1,
        Style::Block if written.starts_with(['|', '>']) => written.find('\n')? + 1,
        Style::Block => 0,
    };
    for (offset, character) in text.char_indices() {
        let (start, next) = step(written, at, style, character)?;
        if offset >= wanted {
            return Some(start);
        }
        at = next;
    }
    Some(at)
}

/// Where a character of the text stands at or after `at`, and where the next may begin.
fn step(written: &str, mut at: usize, style: Style, character: char) -> Option<(usize, usize)> {
    loop {
        let rest = written.get(at..)?;
        let here = rest.chars().next()?;
        if style == Style::Double && here == '\\' {
            let escape = escape_length(rest, character)?;
            if !escape.is_line_fold {
                return Some((at, at + escape.length));
            }
            at += escape.length;
            continue;
        }
        if style == Style::Single && rest.starts_with("''") {
            return (character == '\'').then_some((at, at + 2));
        }
        if here == character {
            return Some((at, at + here.len_utf8()));
        }
        let blanks = rest.len() - rest.trim_start().len();
        if blanks == 0 {
            return None;
        }
        if character.is_whitespace() {
            // a fold: many blanks of the file are one of the text
            return Some((at, at + blanks));
        }
        // indentation, which is no part of the text
        at += blanks;
    }
}

struct Escape {
    length: usize,
    is_line_fold: bool,
}

fn escape_length(rest: &str, character: char) -> Option<Escape> {
    let kind = rest.chars().nth(1)?;
    let length = match kind {
        'x' => 4,
        // a character beyond the basic plane is a surrogate pair in JSON
        'u' if character > '\u{ffff}' => 12,
        'u' => 6,
        'U' => 10,
        _ => 1 + kind.len_utf8(),
    };
    Some(Escape { length, is_line_fold: kind == '\n' || kind == '\r' })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(written: &str, style: Style, text: &str, part: &str) -> String {
        let offset = text.find(part).expect("the text has the part");
        written[locate(written, style, text, offset).expect("found")..].chars().take(4).collect()
    }

    #[test]
    fn finds_a_part_in_every_style() {
        assert_eq!(found("status = 'x' and y", Style::Plain, "status = 'x' and y", "and"), "and ");
        assert_eq!(found("status\n    and yes", Style::Plain, "status and yes", "yes"), "yes");
        assert_eq!(found("'status = ''x'' and y'", Style::Single, "status = 'x' and y", "and"), "and ");
        assert_eq!(found(r#""a = \"x\" \u00e9 and y""#, Style::Double, "a = \"x\" é and y", "and"), "and ");
        assert_eq!(found(r#""\ud83d\ude00 and y""#, Style::Double, "😀 and y", "and"), "and ");
        assert_eq!(found("\"one \\\n   two and\"", Style::Double, "one two and", "and"), "and\"");
        assert_eq!(found("|\n      one\n      two and\n", Style::Block, "one\ntwo and\n", "and"), "and\n");
        assert_eq!(found(">-\n      one\n      two and\n", Style::Block, "one two and", "and"), "and\n");
    }

    #[test]
    fn gives_up_where_the_text_differs() {
        assert_eq!(locate("${CRITERION}", Style::Plain, "status = 'x'", 9), None);
        assert_eq!(locate("", Style::Plain, "status", 2), None);
    }

    #[test]
    fn the_end_of_the_text_is_the_end_of_the_scalar() {
        assert_eq!(locate("status", Style::Plain, "status", 6), Some(6));
    }
}
