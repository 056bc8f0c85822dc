//! Indents JSON without reading it: members keep their order and numbers their digits, so that what is shown is what
//! was sent.

/// The same JSON with line breaks and two spaces a level; text that is no JSON comes back in some shape.
pub(super) fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut escaped, mut just_opened) = (0_usize, false, false, false);
    for character in json.chars() {
        if in_text {
            out.push(character);
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        if character.is_whitespace() {
            continue;
        }
        if just_opened && !matches!(character, '}' | ']') {
            break_line(&mut out, depth);
        }
        match character {
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !just_opened {
                    break_line(&mut out, depth);
                }
                out.push(character);
            }
            '{' | '[' => {
                depth += 1;
                out.push(character);
            }
            ',' => {
                out.push(character);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => {
                in_text = other == '"';
                out.push(other);
            }
        }
        just_opened = matches!(character, '{' | '[');
    }
    out
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::indent;

    #[test]
    fn order_digits_and_text_stay() {
        let shown = indent(r#"{"b":7.80,"a":["x:{\"y\\",{}],"e":[]}"#);
        assert_eq!(shown, "{\n  \"b\": 7.80,\n  \"a\": [\n    \"x:{\\\"y\\\\\",\n    {}\n  ],\n  \"e\": []\n}");
    }
}
