//! Which criteria an event cannot fire, found together: one walk along a path for all criteria that compare it with
//! texts, one ordered look-up for all that ask whether it is beyond a number, a quantity or a date.
//!
//! ```text
//! code.coding.where(system = 's' and code = 'a').exists()  --.   code.coding.system | "s" -> 1st, 2nd
//! code.coding.where(system = 's' and code = 'b').exists()  --'-> code.coding.code   | "a" -> 1st, "b" -> 2nd
//!                                              event: the walk meets "b" -> only the 2nd is evaluated
//! value > 5 '%' (3rd), value > 7 '%' (4th) ------------------->  value | beyond 5 -> 3rd, beyond 7 -> 4th
//! ```
//!
//! A criterion *needs* literals if it cannot be true, and cannot fail, on an event that has none of them at their paths,
//! or no value beyond them. It is left out then, as if it had been evaluated to false. All others are evaluated by their
//! own programs, so that nothing here decides that one fires. Without `exists` around it (an empty path makes `=` empty,
//! not false), what stands beside the comparison must not be able to fail either. Of several comparisons the one is taken
//! whose literals the fewest criteria share; where these are many all the same (a hundred limits for one code), literals
//! and limits are taken together, and both must be met. See [`needs`] and [`Limits`].

use std::collections::HashMap;

use self::needs::{Literal, Need, Popularity, Threshold, needs_of};
use super::evaluate::{Limits, OutOfSteps, Scratch, View};
use super::program::Program;
use super::share::Parts;
use super::symbols::Symbol;
use super::tree::{KEPT_TEXT, Kind, NodeId, Tree};

mod needs;

/// The literals that criteria need, by path.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    members: Vec<u32>,
    /// Those that need a literal and a value beyond a limit; in their order.
    twofold: Vec<u32>,
    paths: Vec<PathIndex>,
    operands: Vec<Limits>,
}

#[derive(Debug)]
struct PathIndex {
    steps: Vec<Names>,
    /// Whether a criterion fails where several items stand at the end of the path.
    single: bool,
    companion: Option<Symbol>,
    /// The criteria that need a literal.
    literals: HashMap<Box<str>, Needing>,
}

/// The criteria that need a literal, in their order.
#[derive(Debug, Default)]
struct Needing {
    alone: Vec<u32>,
    /// Those that need a value beyond a limit as well.
    twofold: Vec<u32>,
}

/// The members that a step may lead to.
type Names = Vec<Symbol>;

/// Something may fail on this event that the sieve leaves out: everything must be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsure;

/// A criterion that shares its literals with so many others is found by its limits as well, if it has any: where one of
/// both is missing, it is not true.
const TELLS_LITTLE: usize = 16;

impl Sieve {
    /// Takes up the criteria that need literals.
    pub(super) fn of(programs: &[(u32, &Program)]) -> Self {
        let mut parts = Parts::default();
        let mut popularity = Popularity::default();
        programs.iter().for_each(|(_, program)| popularity.add(program, &mut parts));
        let mut sieve = Self::default();
        let (mut by_path, mut by_operand) = (HashMap::new(), HashMap::new());
        for (position, program) in programs {
            let mut needs = needs_of(program, &mut parts, &popularity);
            needs.retain(|need| popularity.is_worth(need));
            let chosen = chosen(&needs, &popularity);
            let is_twofold = chosen.len() > 1;
            for need in &chosen {
                need.literals.iter().for_each(|literal| sieve.add(*position, literal, is_twofold, &mut by_path));
                let thresholds = need.thresholds.iter();
                thresholds.for_each(|threshold| sieve.add_limit(*position, program, threshold, &mut by_operand));
            }
            if !chosen.is_empty() {
                sieve.members.push(*position);
            }
            if is_twofold {
                sieve.twofold.push(*position);
            }
        }
        sieve.operands.iter_mut().for_each(Limits::settle);
        sieve
    }

    /// The criteria that need literals, in their order.
    pub(super) fn members(&self) -> &[u32] {
        &self.members
    }

    fn add_limit(
        &mut self,
        position: u32,
        program: &Program,
        threshold: &Threshold<'_>,
        by_operand: &mut HashMap<Vec<u32>, usize>,
    ) {
        let Threshold { number, inputs, operand, operator, limit, kind } = threshold;
        let known = by_operand.get(number).copied().unwrap_or(self.operands.len());
        if known == self.operands.len() {
            by_operand.insert(number.clone(), known);
            self.operands.push(Limits::new(program, inputs, operand));
        }
        self.operands[known].add(position, kind.clone(), *operator, limit);
    }

    fn add(
        &mut self,
        position: u32,
        literal: &Literal<'_>,
        is_twofold: bool,
        by_path: &mut HashMap<Vec<Names>, usize>,
    ) {
        let steps = &literal.path;
        let known = by_path.get(steps).copied().unwrap_or(self.paths.len());
        if known == self.paths.len() {
            by_path.insert(steps.clone(), known);
            let (steps, literals) = (steps.clone(), HashMap::new());
            self.paths.push(PathIndex { steps, single: false, companion: None, literals });
        }
        let index = &mut self.paths[known];
        index.single |= literal.single;
        index.companion = index.companion.or(literal.companion);
        let needing = index.literals.entry(literal.text.into()).or_default();
        let positions = if is_twofold { &mut needing.twofold } else { &mut needing.alone };
        if positions.last() != Some(&position) {
            positions.push(position);
        }
    }

    /// Finds the criteria whose literals the focus has, in their order. It takes at most the steps that are left, and
    /// as much memory as an evaluation.
    ///
    /// # Errors
    /// [`Unsure`]: nothing may be left out.
    pub(super) fn sift(
        &self,
        view: &View<'_>,
        memory: usize,
        scratch: &mut Scratch,
        finds: &mut Finds,
        left: &mut u64,
    ) -> Result<(), Unsure> {
        finds.clear();
        let focus = view.focus.ok_or(Unsure)?;
        for limits in &self.operands {
            limits.find(view, memory, scratch, left, &mut finds.beyond).map_err(|OutOfSteps| Unsure)?;
        }
        for index in &self.paths {
            let mut walk = Walk { tree: focus, index, finds, left };
            walk.along(focus.root(), &index.steps)?;
        }
        finds.join(&self.twofold);
        Ok(())
    }
}

/// The way to find a criterion that the fewest others share; where that are many, one by literals and one by limits.
fn chosen<'n, 'p>(needs: &'n [Need<'p>], popularity: &Popularity<'_>) -> Vec<&'n Need<'p>> {
    let weight = |need: &&Need<'_>| popularity.weight(need);
    // Of literals that as many share, the last: a code tells more than its system.
    let by_literals = needs.iter().rev().filter(|need| need.thresholds.is_empty()).min_by_key(weight);
    let by_limits = needs.iter().filter(|need| need.literals.is_empty()).min_by_key(weight);
    match (by_literals, by_limits) {
        (Some(literals), Some(limits)) if weight(&literals) > TELLS_LITTLE => vec![literals, limits],
        _ => by_literals.into_iter().chain(needs).min_by_key(weight).into_iter().collect(),
    }
}

/// What an event has; keeps its memory.
#[derive(Debug, Default)]
pub(super) struct Finds {
    /// The criteria whose literals were found.
    pub(super) positions: Vec<u32>,
    /// The criteria whose limits a value is beyond.
    beyond: Vec<u32>,
    /// The twofold criteria whose literals were found, if a value is beyond any limit.
    twofold: Vec<u32>,
    /// How many positions and twofold ones there were when last none stood twice.
    settled: usize,
    settled_twofold: usize,
    text: String,
}

/// So many criteria are taken up for a step.
const POSITIONS_PER_STEP: u64 = 16;

/// Room for more criteria than that is not kept.
const KEPT_POSITIONS: usize = 1 << 14;

impl Finds {
    /// Gives back memory that one event in many needs.
    pub(super) fn trim(&mut self) {
        let lists = [&self.positions, &self.beyond, &self.twofold];
        if lists.iter().any(|list| list.capacity() > KEPT_POSITIONS) || self.text.capacity() > KEPT_TEXT {
            *self = Self::default();
        }
    }

    /// Lets no list of one literal many times grow without end.
    fn settle(&mut self) {
        if self.twofold.len() > 2 * self.settled_twofold + KEPT_POSITIONS {
            self.twofold.sort_unstable();
            self.twofold.dedup();
            self.settled_twofold = self.twofold.len();
        }
        if self.positions.len() > 2 * self.settled + KEPT_POSITIONS {
            self.sort();
            self.settled = self.positions.len();
        }
    }

    fn clear(&mut self) {
        self.positions.clear();
        self.beyond.clear();
        self.twofold.clear();
        (self.settled, self.settled_twofold) = (0, 0);
    }

    /// Joins what was found by literals and by limits; the twofold criteria have to be found by both.
    fn join(&mut self, twofold: &[u32]) {
        let is_in = |ordered: &[u32], position: u32| ordered.binary_search(&position).is_ok();
        self.twofold.sort_unstable();
        self.beyond.retain(|position| !is_in(twofold, *position) || is_in(&self.twofold, *position));
        self.positions.append(&mut self.beyond);
        self.sort();
    }

    /// Brings the criteria into their order, none twice.
    pub(super) fn sort(&mut self) {
        self.positions.sort_unstable();
        self.positions.dedup();
    }
}

struct Walk<'s, 'a, 'b> {
    tree: Tree<'a, 'b>,
    index: &'s PathIndex,
    finds: &'s mut Finds,
    left: &'s mut u64,
}

impl Walk<'_, '_, '_> {
    /// As deep as the path is long and lists are nested.
    fn along(&mut self, node: NodeId, steps: &[Names]) -> Result<(), Unsure> {
        *self.left = self.left.checked_sub(1).ok_or(Unsure)?;
        match (self.tree.kind(node), steps.split_first()) {
            (Kind::Array, _) => {
                for element in self.tree.elements(node) {
                    self.along(element, steps)?;
                }
            }
            (Kind::Object, Some((names, rest))) => {
                if rest.is_empty() && self.index.single && self.has_several(node, names) {
                    return Err(Unsure);
                }
                for name in names {
                    if let Some(member) = self.tree.member(node, *name) {
                        self.along(member, rest)?;
                    }
                }
            }
            (Kind::String, None) => {
                let Finds { positions, beyond, twofold, text, .. } = &mut *self.finds;
                let known = self.tree.string_into(node, text).and_then(|text| self.index.literals.get(text));
                if let Some(needing) = known {
                    let also = if beyond.is_empty() { &[][..] } else { &needing.twofold };
                    let taken = (needing.alone.len() + also.len()) as u64;
                    *self.left = self.left.checked_sub(taken / POSITIONS_PER_STEP).ok_or(Unsure)?;
                    positions.extend_from_slice(&needing.alone);
                    twofold.extend_from_slice(also);
                    self.finds.settle();
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the last step may lead to several items.
    fn has_several(&self, object: NodeId, names: &[Symbol]) -> bool {
        names.iter().copied().chain(self.index.companion).any(|name| {
            let list = self.tree.member(object, name).filter(|member| self.tree.kind(*member) == Kind::Array);
            list.is_some_and(|list| self.tree.elements(list).nth(1).is_some())
        })
    }
}
