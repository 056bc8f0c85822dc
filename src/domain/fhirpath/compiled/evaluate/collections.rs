//! Expressions that filter, cut, join and compare collections.

use std::cmp::Ordering;

use super::items::{Few, Item, Node};
use super::{Evaluation, Flow, Halt, Scope, Sink, enough};
use crate::domain::fhirpath::compiled::arena::List;
use crate::domain::fhirpath::compiled::constant::Constant;
use crate::domain::fhirpath::compiled::program::{Content, Expr, If, TypePart, TypeTest};
use crate::domain::fhirpath::compiled::tree::Kind;
use crate::domain::fhirpath::compiled::value::{self, Value, text};

/// So many comparisons of items are a step.
const COMPARISONS_PER_STEP: usize = 8;

/// The steps of an item that is held in the arena.
const HELD: u64 = 4;

impl<'e> Evaluation<'e> {
    pub(super) fn each_of_collection(&self, expr: &'e Expr, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        match expr {
            Expr::Where { input, criterion } => self.each_within(input, scope, &mut |item, inner| {
                if self.test(criterion, inner)? == Some(true) { sink(item) } else { Ok(()) }
            }),
            Expr::Select { input, projection } => {
                self.each_within(input, scope, &mut |_, inner| self.each(projection, inner, sink))
            }
            Expr::OfType { input, test } => {
                self.each(input, scope, &mut |item| self.narrowed(item, test).map_or(Ok(()), &mut *sink))
            }
            Expr::As { input, test } => {
                let item = self.only(input, scope)?;
                item.and_then(|item| self.narrowed(item, test)).map_or(Ok(()), sink)
            }
            Expr::First(input) => self.cut(input, scope, 0, 1, sink),
            Expr::Last(input) => self.last(input, scope)?.map_or(Ok(()), sink),
            Expr::Single(input) => self.only(input, scope)?.map_or(Ok(()), sink),
            Expr::Skip { input, count } => match self.integer(count, scope)? {
                Some(count) => self.cut(input, scope, count.max(0), i64::MAX, sink),
                None => Ok(()),
            },
            Expr::Take { input, count } => match self.integer(count, scope)? {
                Some(count) => self.cut(input, scope, 0, count, sink),
                None => Ok(()),
            },
            Expr::At { input, index } => match self.integer(index, scope)? {
                Some(index) if index >= 0 => self.cut(input, scope, index, 1, sink),
                _ => Ok(()),
            },
            Expr::Combine(left, right) => {
                self.each(left, scope, sink)?;
                self.each(right, scope, sink)
            }
            Expr::Distinct(input) => self.distinct(std::slice::from_ref(&**input), scope, sink),
            Expr::Union(parts) => self.distinct(parts, scope, sink),
            Expr::Intersect(left, right) => self.intersect(left, right, scope, sink),
            Expr::Exclude(left, right) => self.exclude(left, right, scope, sink),
            Expr::If(choice) => self.choose(choice, scope, sink),
            Expr::Split { input, separator } => self.split(input, separator, scope, sink),
            Expr::Characters(input) => match self.text(input, scope)? {
                Some(whole) => {
                    self.spend(whole.len() as u64)?;
                    self.strings(text::to_chars(whole, self.arena)?, sink)
                }
                None => Ok(()),
            },
            Expr::Sort { input, descending } => self.sort(input, *descending, scope, sink),
            Expr::TypeOf { input, part } => self.each(input, scope, &mut |item| {
                let of = self.type_of(item);
                let name = self.program.types.get(usize::from(of.0)).map_or("", |entry| entry.name);
                sink(Item::Value(Value::String(match part {
                    TypePart::Name => name,
                    TypePart::Namespace if of.is_system() => "System",
                    TypePart::Namespace => "FHIR",
                })))
            }),
            Expr::Nothing
            | Expr::Constant(_)
            | Expr::This
            | Expr::Index
            | Expr::State(_)
            | Expr::Path(_)
            | Expr::Test(_)
            | Expr::Scalar(_) => self.each(expr, scope, sink),
        }
    }

    /// Each item, and the scope in which it is `$this`.
    pub(super) fn each_within(
        &self,
        input: &'e Expr,
        scope: &Scope<'e>,
        visit: &mut dyn FnMut(Item<'e>, &Scope<'e>) -> Flow,
    ) -> Flow {
        let mut index = 0;
        self.each(input, scope, &mut |item| {
            let inner = Scope { this: Some(item), index };
            index += 1;
            visit(item, &inner)
        })
    }

    /// The items from a position on, so many of them.
    fn cut(&self, input: &'e Expr, scope: &Scope<'e>, skip: i64, take: i64, sink: Sink<'_, 'e>) -> Flow {
        if take <= 0 {
            return Ok(());
        }
        let (mut skipped, mut taken) = (0, 0);
        // What the sink says is told apart from that there are enough items.
        let mut said = Ok(());
        enough(self.each(input, scope, &mut |item| {
            if skipped < skip {
                skipped += 1;
                return Ok(());
            }
            said = sink(item);
            taken += 1;
            if said.is_err() || taken == take { Err(Halt::Done) } else { Ok(()) }
        }))?;
        said
    }

    fn last(&self, input: &'e Expr, scope: &Scope<'e>) -> Result<Option<Item<'e>>, Halt> {
        let mut last = None;
        self.each(input, scope, &mut |item| {
            last = Some(item);
            Ok(())
        })?;
        Ok(last)
    }

    /// All items, held in the arena.
    pub(super) fn collect(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<List<'e, Item<'e>>, Halt> {
        let mut items = self.arena.list();
        self.each(expr, scope, &mut |item| {
            self.spend(HELD)?;
            Ok(items.push(item)?)
        })?;
        Ok(items)
    }

    /// Texts or numbers in their order, equal ones as they came. An element without a value is less than any value
    /// (FHIRPath, sort: so is an empty key).
    fn sort(&self, input: &'e Expr, descending: bool, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        let mut rows: List<'_, (Item<'e>, Option<Value<'e>>)> = self.arena.list();
        self.each(input, scope, &mut |item| {
            self.spend(HELD)?;
            Ok(rows.push((item, self.value_of(item)?))?)
        })?;
        let rows = rows.into_slice();
        let length = rows.len() as u64;
        self.spend(length * u64::from(length.checked_ilog2().unwrap_or_default()) / COMPARISONS_PER_STEP as u64)?;
        rows.sort_by(|(_, left), (_, right)| {
            let ordering = match (left, right) {
                // The compiler takes texts or numbers only: all of one kind have an order together.
                (Some(left), Some(right)) => value::compare(*left, *right).ok().flatten().unwrap_or(Ordering::Equal),
                _ => left.is_some().cmp(&right.is_some()),
            };
            if descending { ordering.reverse() } else { ordering }
        });
        rows.iter().try_for_each(|(item, _)| sink(*item))
    }

    /// Whether an item is among others.
    pub(super) fn is_among(&self, item: Item<'e>, others: &[Item<'e>]) -> Result<bool, Halt> {
        self.spend((others.len() / COMPARISONS_PER_STEP) as u64)?;
        for other in others {
            if self.items_equal(item, *other)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The items of all parts, none twice.
    fn distinct(&self, parts: &'e [Expr], scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        let mut seen = self.arena.list();
        for part in parts {
            self.each(part, scope, &mut |item| {
                if self.is_among(item, &seen)? {
                    return Ok(());
                }
                self.spend(HELD)?;
                seen.push(item)?;
                sink(item)
            })?;
        }
        Ok(())
    }

    fn intersect(&self, left: &'e Expr, right: &'e Expr, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        let others = self.collect(right, scope)?;
        let mut seen = self.arena.list();
        self.each(left, scope, &mut |item| {
            if !self.is_among(item, &others)? || self.is_among(item, &seen)? {
                return Ok(());
            }
            self.spend(HELD)?;
            seen.push(item)?;
            sink(item)
        })
    }

    fn exclude(&self, left: &'e Expr, right: &'e Expr, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        let others = self.collect(right, scope)?;
        self.each(left, scope, &mut |item| if self.is_among(item, &others)? { Ok(()) } else { sink(item) })
    }

    fn choose(&self, choice: &'e If, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        let inner = match &choice.input {
            None => *scope,
            Some(input) => Scope { this: self.only(input, scope)?, ..*scope },
        };
        let chosen = if self.test(&choice.criterion, &inner)? == Some(true) { &choice.then } else { &choice.otherwise };
        self.each(chosen, &inner, sink)
    }

    fn split(&self, input: &'e Expr, separator: &'e Expr, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        let (Some(whole), Some(separator)) = (self.text(input, scope)?, self.text(separator, scope)?) else {
            return Ok(());
        };
        // Each byte may become a part.
        self.spend(whole.len() as u64)?;
        self.strings(text::split(whole, separator, self.arena)?, sink)
    }

    fn strings(&self, parts: &'e [&'e str], sink: Sink<'_, 'e>) -> Flow {
        for part in parts {
            self.spend(1)?;
            sink(Item::Value(Value::String(part)))?;
        }
        Ok(())
    }

    /// The item, as the type that is asked for, if it is one.
    pub(super) fn narrowed(&self, item: Item<'e>, test: &TypeTest) -> Option<Item<'e>> {
        if test.accepts.contains(&self.type_of(item)) {
            return Some(item);
        }
        let ((name, of), Item::Node(node)) = (test.resource?, item) else { return None };
        let entry = self.program.types.get(usize::from(node.of.0))?;
        if entry.content != Content::AnyResource {
            return None;
        }
        let (tree, at) = (self.tree(node.side)?, node.value?);
        let written = tree.member(at, self.program.members.resource_type)?;
        let is_it = tree.kind(written) == Kind::String && tree.string(written).is_some_and(|written| written == name);
        is_it.then_some(Item::Node(Node { of, ..node }))
    }

    /// As [`Evaluation::collections_equal`], with a single text: most comparisons are.
    fn equals_text(&self, input: &'e Expr, text: &'e str, scope: &Scope<'e>) -> Result<Option<bool>, Halt> {
        let mut found: Option<Option<bool>> = None;
        enough(self.each(input, scope, &mut |item| {
            if found.is_some() {
                found = Some(Some(false));
                return Err(Halt::Done);
            }
            found = Some(match self.string_of(item) {
                Some(string) => {
                    self.spend_compared(Value::String(string), Value::String(text))?;
                    Some(string == text)
                }
                None => self.items_equal(item, Item::Value(Value::String(text)))?,
            });
            Ok(())
        }))?;
        Ok(found.flatten())
    }

    /// A collection of more than one item is compared with another item by item.
    pub(super) fn collections_equal(
        &self,
        left: &'e Expr,
        right: &'e Expr,
        scope: &Scope<'e>,
    ) -> Result<Option<bool>, Halt> {
        if let Expr::Constant(Constant::Text(text)) = right {
            return self.equals_text(left, text, scope);
        }
        let (left, right) = match (self.few(left, scope)?, self.few(right, scope)?) {
            (Few::None, _) | (_, Few::None) => return Ok(None),
            (Few::One(left), Few::One(right)) => return self.items_equal(left, right),
            (Few::One(_), Few::Many) | (Few::Many, Few::One(_)) => return Ok(Some(false)),
            (Few::Many, Few::Many) => (self.collect(left, scope)?, self.collect(right, scope)?),
        };
        if left.len() != right.len() {
            return Ok(Some(false));
        }
        let mut all = Some(true);
        for (left, right) in left.iter().zip(&*right) {
            match self.items_equal(*left, *right)? {
                Some(false) => return Ok(Some(false)),
                None => all = None,
                Some(true) => {}
            }
        }
        Ok(all)
    }

    /// Each item of one has an equivalent one of the other, in any order.
    pub(super) fn collections_equivalent(
        &self,
        left: &'e Expr,
        right: &'e Expr,
        scope: &Scope<'e>,
    ) -> Result<bool, Halt> {
        let (left, mut right) = match (self.few(left, scope)?, self.few(right, scope)?) {
            (Few::None, Few::None) => return Ok(true),
            (Few::One(left), Few::One(right)) => return self.items_equivalent(left, right),
            (Few::Many, Few::Many) => (self.collect(left, scope)?, self.collect(right, scope)?),
            _ => return Ok(false),
        };
        if left.len() != right.len() {
            return Ok(false);
        }
        for item in &*left {
            self.spend((right.len() / COMPARISONS_PER_STEP) as u64)?;
            let mut partner = None;
            for (index, other) in right.iter().enumerate() {
                if self.items_equivalent(*item, *other)? {
                    partner = Some(index);
                    break;
                }
            }
            match partner {
                Some(partner) => right.swap_remove(partner),
                None => return Ok(false),
            };
        }
        Ok(true)
    }
}
