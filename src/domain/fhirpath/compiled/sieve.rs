//! Which criteria an event cannot fire, found together: one walk along a path for all criteria that compare it with
//! literals.
//!
//! ```text
//! code.coding.where(system = 's' and code = 'a').exists()  --.   code.coding.system | "s" -> 1st, 2nd
//! code.coding.where(system = 's' and code = 'b').exists()  --'-> code.coding.code   | "a" -> 1st, "b" -> 2nd
//!                                              event: the walk meets "b" -> only the 2nd is evaluated
//! ```
//!
//! Of several comparisons the one is taken whose literals the fewest criteria share. A criterion *needs* literals if it cannot be true, and cannot fail, on an event that has none of them at their paths.
//! It is left out then, as if it had been evaluated to false. All others are evaluated by their own programs, so that
//! nothing here decides that one fires. Without `exists` around it (an empty path makes `=` empty, not false), what
//! stands beside the comparison must not be able to fail either.

use std::collections::HashMap;

use super::program::{Content, Expr, LogicOperator, Path, Program, Root, State, Step, Target, Test};
use super::symbols::Symbol;
use super::tree::{KEPT_TEXT, Kind, NodeId, Tree};
use super::value::Primitive;

/// The literals that criteria need, by path.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    members: Vec<u32>,
    paths: Vec<PathIndex>,
}

#[derive(Debug)]
struct PathIndex {
    steps: Vec<Names>,
    /// Whether a criterion fails where several items stand at the end of the path.
    single: bool,
    companion: Option<Symbol>,
    /// The criteria that need a literal.
    literals: HashMap<Box<str>, Vec<u32>>,
}

/// The members that a step may lead to.
type Names = Vec<Symbol>;

/// Something may fail on this event that the sieve leaves out: everything must be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsure;

/// What a part needs to be true.
#[derive(Debug, Clone)]
struct Need<'p> {
    /// One of these.
    literals: Vec<Literal<'p>>,
    /// Whether it is false without them, not empty.
    definite: bool,
}

#[derive(Debug, Clone)]
struct Literal<'p> {
    path: Vec<Names>,
    single: bool,
    companion: Option<Symbol>,
    text: &'p str,
}

/// The ways to tell that a part is not true; any will do.
type Needs<'p> = Vec<Need<'p>>;

/// How many ways are weighed against each other.
const MAX_WAYS: usize = 8;

/// How many literals of an `or` are one way.
const MAX_LITERALS: usize = 64;

impl Sieve {
    /// Takes up the criteria that need literals.
    pub(super) fn of(programs: &[(u32, &Program)]) -> Self {
        let needs: Vec<_> = programs.iter().map(|(position, program)| (*position, needs_of(program))).collect();
        let mut shared = HashMap::new();
        for literal in needs.iter().flat_map(|(_, needs)| needs).flat_map(|need| &need.literals) {
            *shared.entry((&literal.path, literal.text)).or_insert(0_usize) += 1;
        }
        let mut sieve = Self::default();
        let mut by_path = HashMap::new();
        for (position, needs) in &needs {
            let weight = |need: &&Need<'_>| -> usize {
                need.literals.iter().map(|literal| shared[&(&literal.path, literal.text)]).sum()
            };
            if let Some(need) = needs.iter().min_by_key(weight) {
                need.literals.iter().for_each(|literal| sieve.add(*position, literal, &mut by_path));
                sieve.members.push(*position);
            }
        }
        sieve
    }

    /// The criteria that need literals, in their order.
    pub(super) fn members(&self) -> &[u32] {
        &self.members
    }

    fn add(&mut self, position: u32, literal: &Literal<'_>, by_path: &mut HashMap<Vec<Names>, usize>) {
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
        let positions = index.literals.entry(literal.text.into()).or_default();
        if positions.last() != Some(&position) {
            positions.push(position);
        }
    }

    /// Finds the criteria whose literals the focus has, in their order. It takes at most the steps that are left.
    ///
    /// # Errors
    /// [`Unsure`]: nothing may be left out.
    pub(super) fn sift(&self, focus: Tree<'_, '_>, finds: &mut Finds, left: &mut u64) -> Result<(), Unsure> {
        finds.positions.clear();
        finds.settled = 0;
        for index in &self.paths {
            let mut walk = Walk { tree: focus, index, finds, left };
            walk.along(focus.root(), &index.steps)?;
        }
        finds.sort();
        Ok(())
    }
}

/// What an event has; keeps its memory.
#[derive(Debug, Default)]
pub(super) struct Finds {
    /// The criteria whose literals were found.
    pub(super) positions: Vec<u32>,
    /// How many there were when last none stood twice.
    settled: usize,
    text: String,
}

/// So many criteria are taken up for a step.
const POSITIONS_PER_STEP: u64 = 16;

/// Room for more criteria than that is not kept.
const KEPT_POSITIONS: usize = 1 << 14;

impl Finds {
    /// Gives back memory that one event in many needs.
    pub(super) fn trim(&mut self) {
        if self.positions.capacity() > KEPT_POSITIONS || self.text.capacity() > KEPT_TEXT {
            *self = Self::default();
        }
    }

    /// Lets no list of one literal many times grow without end.
    fn settle(&mut self) {
        if self.positions.len() > 2 * self.settled + KEPT_POSITIONS {
            self.sort();
            self.settled = self.positions.len();
        }
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
                let Finds { positions, text, .. } = &mut *self.finds;
                let known = self.tree.string_into(node, text).and_then(|text| self.index.literals.get(text));
                let known = known.map_or(&[][..], Vec::as_slice);
                *self.left = self.left.checked_sub(known.len() as u64 / POSITIONS_PER_STEP).ok_or(Unsure)?;
                positions.extend_from_slice(known);
                self.finds.settle();
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

fn needs_of(program: &Program) -> Needs<'_> {
    match &program.root {
        Root::Test(test) => (Analysis { program }).test(test, &[]),
        Root::Collection(_) => Vec::new(),
    }
}

struct Analysis<'p> {
    program: &'p Program,
}

impl<'p> Analysis<'p> {
    /// What a part needs; `this` is the path of `$this`.
    fn test(&self, test: &'p Test, this: &[Names]) -> Needs<'p> {
        match test {
            Test::Exists(expr) => definite(self.items(expr, this)),
            Test::Any { input, criterion } => definite(self.chosen(input, criterion, this)),
            Test::Equal { left, right, negated: false } => {
                let literal = self.literal(left, right, this).or_else(|| self.literal(right, left, this));
                literal.map(|literal| Need { literals: vec![literal], definite: false }).into_iter().collect()
            }
            Test::In { item, collection } => self.membership(item, collection, this).into_iter().collect(),
            Test::Logic { first, rest } => self.logic(first, rest, this),
            _ => Vec::new(),
        }
    }

    fn logic(&self, first: &'p Test, rest: &'p [(LogicOperator, Test)], this: &[Names]) -> Needs<'p> {
        let (mut left, mut is_safe) = (self.test(first, this), cannot_fail(first));
        for (operator, test) in rest {
            let (mut right, right_is_safe) = (self.test(test, this), cannot_fail(test));
            left = match operator {
                LogicOperator::And => {
                    let both = either(&left, &right);
                    // After what is false for sure, the right side is not asked.
                    left.retain(|need| need.definite || right_is_safe);
                    right.retain(|_| is_safe);
                    left.append(&mut right);
                    if left.is_empty() { both } else { left }
                }
                LogicOperator::Or => either(&left, &right),
                LogicOperator::Xor | LogicOperator::Implies => Vec::new(),
            };
            left.truncate(MAX_WAYS);
            is_safe &= right_is_safe;
        }
        left
    }

    /// What an expression needs to have items.
    fn items(&self, expr: &'p Expr, this: &[Names]) -> Needs<'p> {
        match expr {
            Expr::Where { input, criterion } => self.chosen(input, criterion, this),
            Expr::Path(path) => self.items(&path.from, this),
            Expr::OfType { input, .. } | Expr::First(input) | Expr::Last(input) => self.items(input, this),
            _ => Vec::new(),
        }
    }

    /// What is needed that a criterion is true of some item.
    fn chosen(&self, input: &'p Expr, criterion: &'p Test, this: &[Names]) -> Needs<'p> {
        let mut needs = self.items(input, this);
        if let Some(path) = path_of(input, this).filter(|_| gives_without_failing(input)) {
            needs.append(&mut self.test(criterion, &path));
        }
        needs
    }

    /// A path of strings and the literal that it is compared with.
    fn literal(&self, path: &'p Expr, literal: &'p Expr, this: &[Names]) -> Option<Literal<'p>> {
        let (Expr::Path(last), Expr::Constant(constant)) = (path, literal) else { return None };
        let text = constant.text().filter(|_| gives_without_failing(path))?;
        let is_text = |target: &Target| {
            let entry = self.program.types.get(usize::from(target.to.0));
            entry.is_some_and(|entry| entry.content == Content::Primitive(Primitive::String))
        };
        if !last.steps.last()?.arms.iter().flat_map(|arm| &arm.targets).all(is_text) {
            return None;
        }
        Some(Literal { path: path_of(path, this)?, single: false, companion: None, text })
    }

    /// A member of `$this` or of the resource in a list of literals. More than one item would be an error.
    fn membership(&self, item: &'p Expr, collection: &'p Expr, this: &[Names]) -> Option<Need<'p>> {
        let Expr::Path(path) = item else { return None };
        let Path { from: Expr::This | Expr::State(_), steps } = &**path else { return None };
        let [Step { arms }] = &**steps else { return None };
        let [arm] = &**arms else { return None };
        let [target] = &*arm.targets else { return None };
        let single = std::slice::from_ref(collection);
        let parts = if let Expr::Union(parts) = collection { parts } else { single };
        let literal = |part| {
            let literal = self.literal(item, part, this)?;
            Some(Literal { single: true, companion: target.companion, ..literal })
        };
        Some(Need { literals: parts.iter().map(literal).collect::<Option<_>>()?, definite: false })
    }
}

fn definite(mut needs: Needs<'_>) -> Needs<'_> {
    needs.iter_mut().for_each(|need| need.definite = true);
    needs
}

/// What either of two parts needs.
fn either<'p>(left: &Needs<'p>, right: &Needs<'p>) -> Needs<'p> {
    let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
    let few = pairs.filter(|(left, right)| left.literals.len() + right.literals.len() <= MAX_LITERALS);
    let joined = few.take(MAX_WAYS).map(|(left, right)| Need {
        literals: left.literals.iter().chain(&right.literals).cloned().collect(),
        definite: left.definite && right.definite,
    });
    joined.collect()
}

/// Where all items of an expression stand in the focus; `None` when that is not known.
fn path_of(expr: &Expr, this: &[Names]) -> Option<Vec<Names>> {
    match expr {
        Expr::This => Some(this.to_vec()),
        Expr::State(State::Focus | State::Current) => Some(Vec::new()),
        Expr::Path(path) => {
            let mut names = path_of(&path.from, this)?;
            for step in &path.steps {
                // The members of a primitive stand elsewhere.
                if step.arms.iter().any(|arm| arm.from_primitive) {
                    return None;
                }
                let targets = step.arms.iter().flat_map(|arm| &arm.targets);
                let mut members: Names = targets.map(|target| target.member).collect();
                members.sort_unstable();
                members.dedup();
                names.push(members);
            }
            Some(names)
        }
        Expr::Where { input, .. } | Expr::OfType { input, .. } | Expr::First(input) | Expr::Last(input) => {
            path_of(input, this)
        }
        _ => None,
    }
}

/// Whether an expression gives its items on any event without an error.
fn gives_without_failing(expr: &Expr) -> bool {
    match expr {
        Expr::Nothing | Expr::Constant(_) | Expr::This | Expr::Index | Expr::State(_) => true,
        Expr::Path(path) => gives_without_failing(&path.from),
        Expr::Where { input, criterion } => gives_without_failing(input) && cannot_fail(criterion),
        Expr::OfType { input, .. } | Expr::First(input) | Expr::Last(input) => gives_without_failing(input),
        Expr::Test(test) => cannot_fail(test),
        _ => false,
    }
}

/// Whether a part is true, false or empty on any event, without an error.
fn cannot_fail(test: &Test) -> bool {
    match test {
        Test::Constant(_) => true,
        Test::Exists(expr) | Test::Empty(expr) | Test::HasValue(expr) => gives_without_failing(expr),
        Test::Any { input, criterion } | Test::All { input, criterion } => {
            gives_without_failing(input) && cannot_fail(criterion)
        }
        Test::Equal { left, right, .. } => gives_without_failing(left) && gives_without_failing(right),
        Test::Not(inner) => cannot_fail(inner),
        Test::Logic { first, rest } => cannot_fail(first) && rest.iter().all(|(_, test)| cannot_fail(test)),
        _ => false,
    }
}
