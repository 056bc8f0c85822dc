//! What comes of whole records.

#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

mod dead_letters;
mod engine_tests;
mod filters;
mod notifications;
mod poison;
mod shortlist_tests;

/// A task owns its pipeline on its own thread; the plan is shared by all of them.
#[test]
fn pipelines_move_between_threads_and_plans_are_shared() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<crate::domain::pipeline::Pipeline>();
    is_shared::<crate::domain::plan::Plan>();
}
