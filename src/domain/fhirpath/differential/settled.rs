//! What is known of a disagreement: whether one of the general engine's defects explains it.
//!
//! A defect explains a disagreement only if both engines agree once it is out of the way, in one of three ways:
//! - **Avoided**: the general engine gives the compiled answer to an equivalent criterion ([`marks`](super::marks)), about
//!   the same event written so that the defect does not show ([`rewrites`](super::rewrites)), or both.
//! - **Imitated**: the compiled engine gives the general answer to a criterion, or about an event, that says what the
//!   general engine takes it for.
//! - **Both**: what can be avoided is avoided, the rest is imitated, and both then give one answer.

use super::marks::{self, Reason, Side};
use super::rewrites::{AVOIDING, IMITATING, Rewrite, TOGETHER, padded, rewritten, with_one_item, with_padding};
use super::{Event, Outcome, compiled, general};

/// How it is known that a defect explains a disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    Avoided,
    Imitated,
    Both,
    /// The general engine is wrong in a way that nothing avoids or imitates; fhirpath.js decides where it is there.
    Shape,
}

/// Why the general engine gives another answer.
pub(super) struct Explanation {
    pub(super) reasons: Vec<Reason>,
    pub(super) proof: Proof,
}

/// A criterion about an event on which the engines differ.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    /// The criterion, with its marks.
    pub(super) marked: &'c str,
    /// The type that it is compiled for.
    pub(super) root: &'c str,
    pub(super) event: &'c Event,
    pub(super) by_compiled: Outcome,
    pub(super) by_general: Outcome,
}

/// What explains that the general engine does not give the compiled answer; `None` where nothing does.
pub(super) fn explain(case: Case<'_>) -> Option<Explanation> {
    let explanation = |proof| move |reasons| Explanation { reasons, proof };
    avoided(case)
        .map(explanation(Proof::Avoided))
        .or_else(|| imitated(case).map(explanation(Proof::Imitated)))
        .or_else(|| both(case).map(explanation(Proof::Both)))
        .or_else(|| shape(case).map(|reason| Explanation { reasons: vec![reason], proof: Proof::Shape }))
}

/// The criterion with one side of the marks that are chosen; `None` where that is what is asked.
fn other_side(marked: &str, side: Side, is_chosen: impl Fn(Reason) -> bool) -> Option<String> {
    let text = marks::resolved(marked, &|reason| if is_chosen(reason) { side } else { Side::Asked });
    (text != marks::asked(marked)).then_some(text)
}

/// The marks and rewrites with which an engine gives the wanted answer: one mark, all of them, one rewrite, or that and all
/// marks.
fn found(
    case: Case<'_>,
    side: Side,
    rewrites: &[(Reason, Rewrite)],
    gives: &impl Fn(&str, &Event) -> bool,
) -> Option<Vec<Reason>> {
    let Case { marked, event, .. } = case;
    let marks: Vec<Reason> = marks::reasons(marked).into_iter().collect();
    for mark in &marks {
        let alone = other_side(marked, side, |reason| reason == *mark);
        if alone.is_some_and(|criterion| gives(&criterion, event)) {
            return Some(vec![*mark]);
        }
    }
    let (asked, all) = (marks::asked(marked), other_side(marked, side, |_| true));
    if all.as_ref().is_some_and(|all| gives(all, event)) {
        return Some(marks);
    }
    for (reason, rewrite) in rewrites {
        let Some(changed) = rewritten(event, rewrite) else { continue };
        if gives(&asked, &changed) {
            return Some(vec![*reason]);
        }
        if all.as_ref().is_some_and(|all| gives(all, &changed)) {
            return Some([&*marks, &[*reason]].concat());
        }
    }
    None
}

/// The defects without which the general engine gives the compiled answer.
fn avoided(case: Case<'_>) -> Option<Vec<Reason>> {
    let Case { marked, event, by_compiled, .. } = case;
    let gives = |criterion: &str, event: &Event| general(criterion, event) == Some(by_compiled);
    if let Some(reasons) = found(case, Side::Equivalent, &AVOIDING, &gives) {
        return Some(reasons);
    }
    let marks: Vec<Reason> = marks::reasons(marked).into_iter().collect();
    let equivalent = marks::resolved(marked, &|_| Side::Equivalent);
    let changed = rewritten(event, |state| TOGETHER.iter().for_each(|(_, rewrite)| rewrite(state)));
    if changed.as_ref().is_some_and(|changed| gives(&equivalent, changed)) {
        return Some(marks.into_iter().chain(TOGETHER.iter().map(|(reason, _)| *reason)).collect());
    }
    if event.focus.is_none() {
        let focus = Some(format!(r#"{{"resourceType":"{}"}}"#, case.root));
        if gives(&equivalent, &Event { focus, previous: event.previous.clone(), ..*event }) {
            return Some([&*marks, &[Reason::Clock]].concat());
        }
    }
    let shown = padded(&equivalent);
    let may_pad = ["~", ".to", ".convertsTo"].iter().any(|word| shown.contains(word));
    if may_pad && gives(&shown, rewritten(event, with_padding).as_ref().unwrap_or(event)) {
        return Some([&*marks, &[Reason::Padding]].concat());
    }
    // Nothing fails where one of several is taken: what failed was a part that the compiled engine passes over.
    let is_lazy = case.by_general == Outcome::Failed && equivalent.contains(".single()");
    if is_lazy && gives(&equivalent.replace(".single()", ".first()"), event) {
        return Some(vec![Reason::Lazy]);
    }
    let passes_over = [" and ", " or ", " implies ", "iif(", "True()", "False()", ".where("];
    let may_pass_over = case.by_general == Outcome::Failed && passes_over.iter().any(|word| equivalent.contains(word));
    let short = rewritten(event, with_one_item).filter(|_| may_pass_over)?;
    let is_settled =
        gives(&equivalent, &short) && compiled(&marks::asked(marked), &short, case.root) == Some(by_compiled);
    is_settled.then(|| vec![Reason::Lazy])
}

/// The defects with which the compiled engine gives the general answer.
fn imitated(case: Case<'_>) -> Option<Vec<Reason>> {
    let Case { marked, root, event, by_general, .. } = case;
    let gives = |criterion: &str, event: &Event| compiled(criterion, event, root) == Some(by_general);
    if let Some(reasons) = found(case, Side::Imitation, &IMITATING, &gives) {
        return Some(reasons);
    }
    let asked = marks::asked(marked);
    // The general engine passes over the part that fails, where the compiled engine evaluates it.
    let is_lazy = case.by_compiled == Outcome::Failed && asked.contains(".single()");
    (is_lazy && gives(&asked.replace(".single()", ".first()"), event)).then(|| vec![Reason::Lazy])
}

/// Whether one answer comes out where the general engine avoids what can be avoided, and the compiled engine imitates the
/// rest.
fn both(case: Case<'_>) -> Option<Vec<Reason>> {
    let Case { marked, root, event, .. } = case;
    let side = |side| marks::resolved(marked, &|_| side);
    let avoiding = rewritten(event, |state| TOGETHER.iter().for_each(|(_, rewrite)| rewrite(state)));
    let imitating = rewritten(event, |state| IMITATING.iter().for_each(|(_, rewrite)| rewrite(state)));
    let by_general = general(&side(Side::Equivalent), avoiding.as_ref().unwrap_or(event));
    let by_compiled = compiled(&side(Side::Imitation), imitating.as_ref().unwrap_or(event), root);
    let changed = [avoiding.map(|_| TOGETHER), imitating.map(|_| &IMITATING[..])];
    let rewrites = changed.into_iter().flatten().flatten().map(|(reason, _)| *reason);
    let reasons: Vec<Reason> = marks::reasons(marked).into_iter().chain(rewrites).collect();
    (!reasons.is_empty() && by_general.is_some() && by_general == by_compiled).then_some(reasons)
}

/// Defects that nothing avoids or imitates, each with what it predicts of the answers.
fn shape(case: Case<'_>) -> Option<Reason> {
    let marks = marks::reasons(case.marked);
    let is_answer = |outcome: Outcome| matches!(outcome, Outcome::Answer(_));
    let is_error = case.by_compiled == Outcome::Failed && is_answer(case.by_general);
    let is_other_answer = is_answer(case.by_compiled) && is_answer(case.by_general);
    [
        // What the specification calls an error goes by without one.
        (Reason::Incomparable, is_error),
        (Reason::OpenChoice, is_error),
        // Another type, and so another answer.
        (Reason::DerivedPrimitive, is_other_answer),
        // More digits than it counts.
        (Reason::Precision, case.by_general == Outcome::Failed),
        // Other digits, and so another answer.
        (Reason::Rounding, is_other_answer),
        (Reason::Digits, is_other_answer),
        // What it knows no type of is a text to it, of which some functions fail.
        (Reason::NestedResource, true),
    ]
    .into_iter()
    .find_map(|(reason, is_predicted)| (is_predicted && marks.contains(&reason)).then_some(reason))
}
