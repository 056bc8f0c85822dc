//! The criterion as a whole: whether it can be a boolean, whether it can fire, and on which interactions.

use std::ops::Range;

use octofhir_fhirpath::ast::ExpressionNode;

use super::outcomes::{EMPTY, OTHER, TRUE};
use super::{Checker, Known, Slot};
use crate::domain::event::Interaction;
use crate::domain::fhirpath::Severity;
use crate::domain::fhirpath::tree::literal;

impl Checker<'_> {
    /// Reports what the whole comes to. A criterion that never fires is a warning: it harms no other trigger, and what
    /// runs with an answer is not refused.
    pub(super) fn judge(&mut self, tree: &ExpressionNode, known: &Known, interactions: &[Interaction]) {
        let whole = Some(0..self.source.text().len());
        if known.types.never_boolean() {
            let what = known.types.first().unwrap_or_default();
            let message = format!("the result is never a boolean, but of type {what}");
            return self.error(whole, message, Some("compare it, or ask with exists() or empty()".into()));
        }
        let is_other = |interaction: &Interaction| known.outcomes.of(*interaction) & !EMPTY == OTHER;
        if interactions.iter().all(is_other) {
            let hint = "compare it, or ask with exists() or empty()".to_owned();
            return self.error(whole, "the result is never a boolean".into(), Some(hint));
        }
        let silent: Vec<Interaction> =
            interactions.iter().copied().filter(|interaction| known.outcomes.of(*interaction) & TRUE == 0).collect();
        let fires_on_some = silent.len() < interactions.len();
        let mut explained = false;
        for interaction in &silent {
            let Some((variable, span)) = self.missing_state(*interaction) else { continue };
            explained = true;
            let code = interaction.code();
            let (message, hint) = if fires_on_some {
                (
                    format!("this is never true on {code}: `{variable}` is empty there"),
                    format!("leave {code} out of supportedInteraction, or allow it: `{variable}.empty() or ...`"),
                )
            } else {
                (
                    format!("the trigger never fires: `{variable}` is empty on {code}"),
                    format!("name other interactions in supportedInteraction, or ask `{variable}.empty()`"),
                )
            };
            self.problem(Severity::Warning, Some(span), message, Some(hint));
        }
        let is_silent_for_another_reason = !fires_on_some && !explained;
        if is_silent_for_another_reason && self.found.problems.is_empty() {
            let hint = "a topic of status draft does not run; a trigger without a criterion fires for every event";
            self.problem(Severity::Warning, whole, "this is never true, for no event".into(), Some(hint.into()));
        } else if interactions.iter().all(|interaction| known.outcomes.of(*interaction) == TRUE)
            && literal(tree).is_none()
            && self.found.problems.is_empty()
        {
            let hint = "leave the criterion out if every event is meant".to_owned();
            self.problem(Severity::Warning, whole, "this is always true, for every event".into(), Some(hint));
        }
    }

    /// The state that an interaction does not have, and where the criterion first reads it.
    fn missing_state(&self, interaction: Interaction) -> Option<(&'static str, Range<usize>)> {
        let (slot, variable) = match interaction {
            Interaction::Create => (Slot::Previous, "%previous"),
            Interaction::Delete => (Slot::Current, "%current"),
            Interaction::Update => return None,
        };
        let mut spans = self.found.slots.iter().filter(|(_, found)| *found == slot).map(|(span, _)| span);
        let first = spans.next()?.clone();
        Some((variable, first))
    }

    /// Text in double quotes, which older drafts of FHIRPath had for names.
    pub(super) fn check_quotes(&mut self) {
        let text = self.source.text();
        let Some(start) = outside_of_single_quotes(text).find(|at| text[*at..].starts_with('"')) else { return };
        let end = text[start + 1..].find('"').map_or(text.len(), |length| start + length + 2);
        let hint = "write it in single quotes".to_owned();
        let message = "FHIRPath has text in single quotes only; other engines refuse this".to_owned();
        self.problem(Severity::Warning, Some(start..end), message, Some(hint));
    }
}

/// The positions of a text that are in no string of single quotes; quotes in strings are escaped.
fn outside_of_single_quotes(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut inside = false;
    text.char_indices().filter_map(move |(at, letter)| {
        inside ^= letter == '\'';
        (!inside).then_some(at)
    })
}
