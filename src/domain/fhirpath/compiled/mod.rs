//! Criteria as small typed programs over the text of the event.
//!
//! ```text
//! criterion -> engine's syntax tree -> compile -> Program     (once, for a resource type of a release)
//! event's text -> TreeBuffer::read (what programs read) -> View -> Program::test -> fires or not
//! ```
//!
//! Programs are exact where the general engine is not, and cost about as much as reading their members. What they cannot
//! express goes whole to the general engine ([`Unsupported`](compile::Unsupported)).
//!
//! Where the specification leaves it open:
//! - An item is named by the type that the model gives it; elements that the model does not have are not compiled.
//! - Arguments of functions are evaluated where the call stands, criteria and projections on the items, `iif()` on its
//!   input.
//! - A criterion of `where`, `exists` and `all` that may be something else than a boolean is not compiled; one of `iif`
//!   fails then. Operands of boolean operators follow the rule of singleton evaluation; a boolean element without a value
//!   is empty.
//! - Operands are asked for emptiness before anything else: `{} < (1 | 2)` and `{} < code` are empty, `1 < (1 | 2)` fails.
//! - An element with elements of its own is converted to nothing, and `convertsTo...()` is false of it.
//! - What is not needed is not evaluated, and does not fail.
//! - `as` and `ofType` take a primitive for its own type only; `is` for its bases as well.
//! - A FHIR Quantity is a value only with a UCUM code and without comparator; two that are not are compared as elements.
//!   One with a comparator is a range for `<`, `<=`, `>` and `>=`.
//! - An element without a value is equal to one that has the same id and extensions and no value, and to nothing else.
//! - A code like `month`, which UCUM does not have, is the calendar duration that a literal of that word is.
//! - `&` takes texts only, `sort()` texts or numbers by themselves; elements without a value are less than all values.
//! - Fractions of a second are added to dates and times in R5 only, where the official suites agree with the text.

mod arena;
#[cfg(test)]
mod arena_tests;
mod compile;
mod constant;
mod evaluate;
#[cfg(test)]
mod limits_tests;
mod prepared;
#[cfg(test)]
mod prepared_tests;
mod program;
mod projection;
mod refusal;
mod share;
#[cfg(test)]
mod share_tests;
mod sieve;
#[cfg(test)]
mod sieve_tests;
mod symbols;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod tree;
#[cfg(test)]
mod twofold_tests;
mod value;

pub use self::prepared::{EventSubject, EventText, Prepared, Workspace};
pub use self::refusal::NotCompiled;
