//! Where a part of an expression is written.
//!
//! The parser tells of a member only its name, and of brackets nothing, so that a part's text has to be put together: from
//! its first part to its last, and on to the brackets that are open then.

use std::ops::Range;

use octofhir_fhirpath::ast::ExpressionNode;

use crate::domain::fhirpath::tree::{call, children};

/// The bytes of the normalized text that this part is, brackets around it left out.
pub(super) fn written(text: &str, node: &ExpressionNode) -> Option<Range<usize>> {
    if let ExpressionNode::Parenthesized(inner) = node {
        return bracketed(text, written(text, inner)?);
    }
    let mut whole = node.location().map(|location| location.offset..location.offset + location.length);
    let below = children(node);
    // Of many parts the first and the last are enough: they stand in their order.
    for child in [below.first(), below.last()].into_iter().flatten().filter_map(|child| written(text, child)) {
        let seen = whole.get_or_insert(child.clone());
        *seen = seen.start.min(child.start)..seen.end.max(child.end);
    }
    let mut whole = trimmed(text, whole?);
    whole.end = closed(text, &whole)?;
    let behind = text.get(whole.end..)?;
    if call(node).is_some() && behind.trim_start().starts_with('(') {
        whole.end += behind.len() - behind.trim_start().len() + 1;
        whole.end = closed(text, &whole)?;
    }
    Some(whole)
}

/// With the brackets around it.
fn bracketed(text: &str, inner: Range<usize>) -> Option<Range<usize>> {
    let before = text.get(..inner.start)?.trim_end();
    let behind = text.get(inner.end..)?;
    let blanks = behind.len() - behind.trim_start().len();
    let is_bracketed = before.ends_with('(') && behind.trim_start().starts_with(')');
    is_bracketed.then(|| before.len() - 1..inner.end + blanks + 1)
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// The end of what is open at the end of this range: a name goes on to the brackets of its call.
fn closed(text: &str, range: &Range<usize>) -> Option<usize> {
    let inside = text.get(range.clone())?;
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    let mut step = |letter: char| {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if matches!(letter, '\'' | '"' | '`') => quote = Some(letter),
            None if matches!(letter, '(' | '[' | '{') => depth += 1,
            None if matches!(letter, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            None => {}
        }
        depth
    };
    let open = inside.chars().fold(0, |_, letter| step(letter));
    let behind = &text[range.end..];
    if open == 0 {
        return Some(range.end);
    }
    behind.char_indices().find(|(_, letter)| step(*letter) == 0).map(|(at, letter)| range.end + at + letter.len_utf8())
}
