//! What a criterion needs to be true, read from its program.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::Names;
use crate::domain::fhirpath::compiled::constant::Constant;
use crate::domain::fhirpath::compiled::evaluate::Kind;
use crate::domain::fhirpath::compiled::program::{
    Comparison, Content, Expr, LogicOperator, Path, Program, Root, State, Step, Target, Test,
};
use crate::domain::fhirpath::compiled::share::Parts;
use crate::domain::fhirpath::compiled::symbols::Symbol;
use crate::domain::fhirpath::compiled::value::Primitive;

/// How many criteria name a literal, or compare an operand with one: what the fewest share tells the most.
#[derive(Debug, Default)]
pub(super) struct Popularity<'p> {
    literals: HashMap<Vec<Names>, HashMap<&'p str, usize>>,
    /// How many criteria compare it, and with how many literals.
    operands: HashMap<Vec<u32>, (usize, usize)>,
}

/// Of fewer criteria that compare one operand with literals, each is evaluated as soon as they are looked up together.
const LEAST_LIMITS: usize = 4;

impl<'p> Popularity<'p> {
    /// Takes up what the criterion of this program names.
    pub(super) fn add(&mut self, program: &'p Program, parts: &mut Parts) {
        let popularity = &Self::default();
        let mut analysis = Analysis { program, parts, popularity, literals: Vec::new(), thresholds: Vec::new() };
        analysis.criterion();
        let Analysis { mut literals, thresholds, .. } = analysis;
        literals.sort_unstable_by(|one, other| (one.text, &one.path).cmp(&(other.text, &other.path)));
        literals.dedup_by(|one, other| one.text == other.text && one.path == other.path);
        for Literal { path, text, .. } in literals {
            *self.literals.entry(path).or_default().entry(text).or_default() += 1;
        }
        for (position, threshold) in thresholds.iter().enumerate() {
            let is_first = thresholds[..position].iter().all(|other| other.number != threshold.number);
            let (criteria, limits) = self.operands.entry(threshold.number.clone()).or_default();
            *criteria += usize::from(is_first);
            *limits += 1;
        }
    }

    fn of_literal(&self, literal: &Literal<'_>) -> usize {
        self.literals.get(&literal.path).and_then(|texts| texts.get(literal.text)).copied().unwrap_or(1)
    }

    /// How many criteria may be found where a need is met.
    pub(super) fn weight(&self, need: &Need<'_>) -> usize {
        let literals = need.literals.iter().map(|literal| self.of_literal(literal));
        // A value is beyond half of its limits.
        let limits = |threshold: &Threshold<'_>| self.operands.get(&threshold.number).map_or(1, |(_, limits)| *limits);
        let thresholds = need.thresholds.iter().map(|threshold| limits(threshold).div_ceil(2));
        literals.chain(thresholds).sum()
    }

    /// Whether looking it up costs less than asking the criteria.
    pub(super) fn is_worth(&self, need: &Need<'_>) -> bool {
        let criteria = |threshold: &Threshold<'_>| self.operands.get(&threshold.number).map_or(0, |(count, _)| *count);
        need.thresholds.iter().all(|threshold| criteria(threshold) >= LEAST_LIMITS)
    }
}

/// What a part needs to be true.
#[derive(Debug, Clone)]
pub(super) struct Need<'p> {
    /// One of these, or of `thresholds`.
    pub(super) literals: Vec<Literal<'p>>,
    pub(super) thresholds: Vec<Threshold<'p>>,
    /// Whether it is false without them, not empty.
    definite: bool,
}

/// A text at a path.
#[derive(Debug, Clone)]
pub(super) struct Literal<'p> {
    pub(super) path: Vec<Names>,
    pub(super) single: bool,
    pub(super) companion: Option<Symbol>,
    pub(super) text: &'p str,
}

/// A value beyond a literal.
#[derive(Debug, Clone)]
pub(super) struct Threshold<'p> {
    /// What is compared: its number behind those of the lambdas around it.
    pub(super) number: Vec<u32>,
    pub(super) inputs: Vec<&'p Expr>,
    pub(super) operand: &'p Expr,
    /// With the operand on the left.
    pub(super) operator: Comparison,
    pub(super) limit: &'p Constant,
    pub(super) kind: Kind,
}

/// The ways to tell that a part is not true; any will do.
pub(super) type Needs<'p> = Vec<Need<'p>>;

/// How many ways are weighed against each other.
const MAX_WAYS: usize = 8;

/// How many literals of an `or` are one way.
const MAX_LITERALS: usize = 64;

/// What the criterion of this program needs.
pub(super) fn needs_of<'p>(program: &'p Program, parts: &mut Parts, popularity: &Popularity<'_>) -> Needs<'p> {
    Analysis { program, parts, popularity, literals: Vec::new(), thresholds: Vec::new() }.criterion()
}

struct Analysis<'p, 'n> {
    program: &'p Program,
    parts: &'n mut Parts,
    popularity: &'n Popularity<'n>,
    /// All that were met, also those that are no way to tell anything.
    literals: Vec<Literal<'p>>,
    thresholds: Vec<Threshold<'p>>,
}

/// What `$this` is.
#[derive(Clone)]
struct Scope<'p> {
    /// Where it stands in the focus, if that is known.
    path: Option<Vec<Names>>,
    /// The lambdas of which it is the item, the outermost first, and their numbers.
    inputs: Vec<&'p Expr>,
    number: Vec<u32>,
    /// Whether one of these reads %previous.
    reads_previous: bool,
}

impl<'p> Analysis<'p, '_> {
    fn criterion(&mut self) -> Needs<'p> {
        let scope = Scope { path: Some(Vec::new()), inputs: Vec::new(), number: Vec::new(), reads_previous: false };
        match &self.program.root {
            Root::Test(test) => self.test(test, &scope),
            Root::Collection(_) => Vec::new(),
        }
    }

    /// What a part needs.
    fn test(&mut self, test: &'p Test, scope: &Scope<'p>) -> Needs<'p> {
        match test {
            Test::Shared(shared) => self.test(&shared.test, scope),
            Test::Exists(expr) => definite(self.items(expr, scope)),
            Test::Any { input, criterion } => definite(self.chosen(input, criterion, scope)),
            Test::Equal { left, right, negated: false } => {
                let literal = self.literal(left, right, scope).or_else(|| self.literal(right, left, scope));
                literal.map(|literal| Need::one(vec![literal], Vec::new())).into_iter().collect()
            }
            Test::In { item, collection } => self.membership(item, collection, scope).into_iter().collect(),
            Test::Compare { left, operator, right } => {
                let threshold = match (left, right) {
                    (operand, Expr::Constant(limit)) => self.threshold(operand, *operator, limit, scope),
                    (Expr::Constant(limit), operand) => self.threshold(operand, operator.turned(), limit, scope),
                    _ => None,
                };
                threshold.map(|threshold| Need::one(Vec::new(), vec![threshold])).into_iter().collect()
            }
            Test::Logic { first, rest } => self.logic(first, rest, scope),
            _ => Vec::new(),
        }
    }

    fn logic(&mut self, first: &'p Test, rest: &'p [(LogicOperator, Test)], scope: &Scope<'p>) -> Needs<'p> {
        let (mut left, mut is_safe) = (self.test(first, scope), cannot_fail(first));
        // Of a comparison alone.
        let mut bare = if is_comparison(first) { left.first().cloned() } else { None };
        for (operator, test) in rest {
            let (mut right, right_is_safe) = (self.test(test, scope), cannot_fail(test));
            left = match operator {
                LogicOperator::And => {
                    let both = self.either(&left, &right);
                    let bare_right = if is_comparison(test) { right.first().cloned() } else { None };
                    // After what is false for sure, the right side is not asked.
                    left.retain(|need| need.definite || right_is_safe || need.covers(bare_right.as_ref()));
                    right.retain(|need| is_safe || need.covers(bare.as_ref()));
                    left.append(&mut right);
                    if left.is_empty() { both } else { left }
                }
                LogicOperator::Or => self.either(&left, &right),
                LogicOperator::Xor | LogicOperator::Implies => Vec::new(),
            };
            left = self.most_telling(left);
            is_safe &= right_is_safe;
            bare = None;
        }
        left
    }

    /// What an expression needs to have items.
    fn items(&mut self, expr: &'p Expr, scope: &Scope<'p>) -> Needs<'p> {
        match expr {
            Expr::Where { input, criterion } => self.chosen(input, criterion, scope),
            Expr::Path(path) => self.items(&path.from, scope),
            Expr::OfType { input, .. } | Expr::First(input) | Expr::Last(input) => self.items(input, scope),
            _ => Vec::new(),
        }
    }

    /// What is needed that a criterion is true of some item.
    fn chosen(&mut self, input: &'p Expr, criterion: &'p Test, scope: &Scope<'p>) -> Needs<'p> {
        let mut needs = self.items(input, scope);
        if gives_without_failing(input) {
            let known = self.parts.number(input, &self.program.types, !scope.inputs.is_empty());
            let mut inner = Scope { path: path_of(input, scope), ..scope.clone() };
            inner.inputs.push(input);
            inner.number.push(known.number);
            inner.reads_previous |= known.reads_previous;
            needs.append(&mut self.test(criterion, &inner));
        }
        needs
    }

    /// A path of strings and the literal that it is compared with.
    fn literal(&mut self, path: &'p Expr, literal: &'p Expr, scope: &Scope<'p>) -> Option<Literal<'p>> {
        let (Expr::Path(last), Expr::Constant(constant)) = (path, literal) else { return None };
        let text = constant.text().filter(|_| gives_without_failing(path))?;
        let is_text = |target: &Target| {
            let entry = self.program.types.get(usize::from(target.to.0));
            entry.is_some_and(|entry| entry.content == Content::Primitive(Primitive::String))
        };
        if !last.steps.last()?.arms.iter().flat_map(|arm| &arm.targets).all(is_text) {
            return None;
        }
        let literal = Literal { path: path_of(path, scope)?, single: false, companion: None, text };
        self.literals.push(literal.clone());
        Some(literal)
    }

    /// A member of `$this` or of the resource in a list of literals. More than one item would be an error.
    fn membership(&mut self, item: &'p Expr, collection: &'p Expr, scope: &Scope<'p>) -> Option<Need<'p>> {
        let Expr::Path(path) = item else { return None };
        let Path { from: Expr::This | Expr::State(_), steps } = &**path else { return None };
        let [Step { arms }] = &**steps else { return None };
        let [arm] = &**arms else { return None };
        let [target] = &*arm.targets else { return None };
        let single = std::slice::from_ref(collection);
        let parts = if let Expr::Union(parts) = collection { parts } else { single };
        let literal = |part| {
            let literal = self.literal(item, part, scope)?;
            Some(Literal { single: true, companion: target.companion, ..literal })
        };
        Some(Need::one(parts.iter().map(literal).collect::<Option<_>>()?, Vec::new()))
    }

    /// An operand and the literal that it must be beyond. The operand may fail: the criterion is found then.
    fn threshold(
        &mut self,
        operand: &'p Expr,
        operator: Comparison,
        limit: &'p Constant,
        scope: &Scope<'p>,
    ) -> Option<Threshold<'p>> {
        if matches!(operand, Expr::Constant(_)) {
            return None;
        }
        let kind = Kind::of(limit)?;
        let in_lambda = !scope.inputs.is_empty();
        let known = self.parts.number(operand, &self.program.types, in_lambda);
        // Only the focus is looked at.
        if known.reads_previous || scope.reads_previous {
            return None;
        }
        let mut number = scope.number.clone();
        number.push(known.number);
        let threshold = Threshold { number, inputs: scope.inputs.clone(), operand, operator, limit, kind };
        self.thresholds.push(threshold.clone());
        Some(threshold)
    }

    /// What either of two parts needs.
    fn either(&self, left: &Needs<'p>, right: &Needs<'p>) -> Needs<'p> {
        let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
        let few = pairs.filter(|(left, right)| left.size() + right.size() <= MAX_LITERALS);
        let joined = few.map(|(left, right)| Need {
            literals: left.literals.iter().chain(&right.literals).cloned().collect(),
            thresholds: left.thresholds.iter().chain(&right.thresholds).cloned().collect(),
            definite: left.definite && right.definite,
        });
        self.most_telling(joined.collect())
    }

    /// Of many ways those that the fewest criteria share, these last; of each sort some, since what stands beside them may
    /// rule out a sort.
    fn most_telling(&self, mut needs: Needs<'p>) -> Needs<'p> {
        if needs.len() <= MAX_WAYS {
            return needs;
        }
        needs.sort_by_cached_key(|need| Reverse(self.popularity.weight(need)));
        needs.reverse();
        let mut left = [MAX_WAYS / 4; 4];
        needs.retain(|need| {
            let of_sort = &mut left[2 * usize::from(need.literals.is_empty()) + usize::from(need.definite)];
            let is_taken = *of_sort > 0;
            *of_sort = of_sort.saturating_sub(1);
            is_taken
        });
        needs.reverse();
        needs
    }
}

impl<'p> Need<'p> {
    fn one(literals: Vec<Literal<'p>>, thresholds: Vec<Threshold<'p>>) -> Self {
        Self { literals, thresholds, definite: false }
    }

    /// Whether the other, a comparison, cannot fail where this need is not met: it compares the same operand, which did
    /// not fail, with a literal of the same family.
    fn covers(&self, comparison: Option<&Self>) -> bool {
        let Some(Self { thresholds, .. }) = comparison else { return false };
        let is_alike = |one: &Threshold<'_>, other: &Threshold<'_>| {
            one.number == other.number && one.kind.family() == other.kind.family()
        };
        self.literals.is_empty()
            && self.thresholds.first().is_some_and(|one| thresholds.iter().all(|other| is_alike(one, other)))
    }
}

fn is_comparison(test: &Test) -> bool {
    match test {
        Test::Shared(shared) => is_comparison(&shared.test),
        Test::Compare { .. } => true,
        _ => false,
    }
}

fn definite(mut needs: Needs<'_>) -> Needs<'_> {
    needs.iter_mut().for_each(|need| need.definite = true);
    needs
}

impl Need<'_> {
    fn size(&self) -> usize {
        self.literals.len() + self.thresholds.len()
    }
}

/// Where all items of an expression stand in the focus; `None` when that is not known.
fn path_of(expr: &Expr, scope: &Scope<'_>) -> Option<Vec<Names>> {
    match expr {
        Expr::This => scope.path.clone(),
        Expr::State(State::Focus | State::Current) => Some(Vec::new()),
        Expr::Path(path) => {
            let mut names = path_of(&path.from, scope)?;
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
            path_of(input, scope)
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
        Test::Shared(shared) => cannot_fail(&shared.test),
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
