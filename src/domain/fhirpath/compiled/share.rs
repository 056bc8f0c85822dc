//! Parts that several criteria have in common: found when the criteria of a resource type are prepared, evaluated once
//! per event.
//!
//! ```text
//! code.coding.where(system = 's').exists() and value > 5  --.   slot 0: code.coding.where(system = 's').exists()
//! value < 3 and code.coding.where(system = 's').exists()  --'-> its answer (true, false, empty, failed) and its steps
//! ```
//!
//! From the leaves up, parts that are equal get the same number; a test of which there are several gets a slot, in which
//! its first evaluation leaves the answer. Only what says the same wherever it stands is shared: what depends on the item
//! of a lambda around it (`$this`, `$index`) does not. What does not, but stands in a lambda, is the same for all items.
//!
//! No answer depends on it: a criterion pays for a shared part as for its own, whoever evaluated it, so that it reaches
//! its limit of steps just when it would alone; only the record pays once. One that reached the limit leaves no answer.

use std::collections::HashMap;
use std::fmt::Debug;

use super::program::{
    Arm, Expr, If, Path, Program, Root, Scalar, Shared, State, Step, Test, TypeEntry, TypeId, TypeTest,
};

/// Parts of fewer numbers are as cheap to evaluate as to look up.
const LEAST_WEIGHT: usize = 3;

/// Lets these programs share their tests. Gives the number of slots that they need.
pub(super) fn share(programs: &mut [Option<Program>]) -> usize {
    let mut parts = Parts::default();
    for program in programs.iter_mut().flatten() {
        parts.walk(&mut program.root, &program.types, &[]);
    }
    let (slots, count) = parts.slots();
    for program in programs.iter_mut().flatten() {
        parts.walk(&mut program.root, &program.types, &slots);
    }
    count
}

/// Numbers of parts; of programs that have their symbols in common.
#[derive(Debug, Default)]
pub(super) struct Parts {
    numbers: HashMap<Key, u32>,
    parts: Vec<Part>,
}

/// What makes parts equal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    what: &'static str,
    detail: String,
    below: Vec<u32>,
}

#[derive(Debug)]
struct Part {
    weight: usize,
    /// Of how many different parts it is one.
    uses: usize,
    /// Whether it is a test, and says the same wherever it stands.
    is_shareable: bool,
}

/// A part that has a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) number: u32,
    /// Whether it depends on the item of a lambda around it.
    of_item: bool,
    pub(super) reads_previous: bool,
}

impl Parts {
    /// The number of a part of a program; `in_lambda`: whether it stands inside of one.
    pub(super) fn number(&mut self, expr: &Expr, types: &[TypeEntry], in_lambda: bool) -> Known {
        Walk { parts: self, types, slots: &[], in_lambda }.expr(&mut expr.clone())
    }

    fn walk(&mut self, root: &mut Root, types: &[TypeEntry], slots: &[Option<u32>]) {
        let mut walk = Walk { parts: self, types, slots, in_lambda: false };
        let known = match root {
            Root::Test(test) => walk.test(test),
            Root::Collection(expr) => walk.expr(expr),
        };
        if slots.is_empty() {
            self.parts[known.number as usize].uses += 1;
        }
    }

    /// A slot for each part that is to be shared.
    fn slots(&self) -> (Vec<Option<u32>>, usize) {
        let mut next = 0..u32::MAX;
        let slot = |part: &Part| {
            let is_shared = part.is_shareable && part.uses > 1 && part.weight >= LEAST_WEIGHT;
            if is_shared { next.next() } else { None }
        };
        let slots: Vec<_> = self.parts.iter().map(slot).collect();
        (slots, next.start as usize)
    }

    fn put(&mut self, key: Key, below: &[Known], is_shareable: bool) -> u32 {
        let next = self.parts.len() as u32;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            let weights = below.iter().map(|known| self.parts[known.number as usize].weight);
            let weight = weights.fold(1, usize::saturating_add);
            self.parts.push(Part { weight, uses: 0, is_shareable });
            below.iter().for_each(|known| self.parts[known.number as usize].uses += 1);
        }
        number
    }
}

struct Walk<'w> {
    parts: &'w mut Parts,
    types: &'w [TypeEntry],
    /// By number; empty while parts get their numbers.
    slots: &'w [Option<u32>],
    in_lambda: bool,
}

impl Walk<'_> {
    fn put(&mut self, what: &'static str, detail: impl Debug, below: &[Known]) -> Known {
        self.put_part(what, format!("{detail:?}"), below, false)
    }

    fn put_part(&mut self, what: &'static str, detail: String, below: &[Known], is_test: bool) -> Known {
        let of_item = below.iter().any(|known| known.of_item);
        let reads_previous = below.iter().any(|known| known.reads_previous);
        let key = Key { what, detail, below: below.iter().map(|known| known.number).collect() };
        let is_shareable = is_test && !of_item;
        let number = self.parts.put(key, below, is_shareable);
        if is_shareable && self.in_lambda {
            // Each item asks for it.
            let uses = &mut self.parts.parts[number as usize].uses;
            *uses = (*uses).max(2);
        }
        Known { number, of_item, reads_previous }
    }

    /// A part of a lambda: its `$this` and `$index` are nobody else's.
    fn inside(&mut self, visit: impl FnOnce(&mut Self) -> Known) -> Known {
        let around = std::mem::replace(&mut self.in_lambda, true);
        let known = visit(self);
        self.in_lambda = around;
        Known { of_item: false, ..known }
    }

    fn criterion(&mut self, criterion: &mut Test) -> Known {
        self.inside(|walk| walk.test(criterion))
    }

    fn expr(&mut self, expr: &mut Expr) -> Known {
        match expr {
            Expr::Nothing => self.put("nothing", (), &[]),
            Expr::Constant(constant) => self.put("constant", constant, &[]),
            Expr::This if !self.in_lambda => self.state(State::Focus),
            Expr::This => Known { of_item: true, ..self.put("this", (), &[]) },
            Expr::Index => Known { of_item: true, ..self.put("index", (), &[]) },
            Expr::State(state) => self.state(*state),
            Expr::Path(path) => self.path(path),
            Expr::Where { input, criterion } => {
                let below = [self.expr(input), self.criterion(criterion)];
                self.put("where", (), &below)
            }
            Expr::Select { input, projection } => {
                let below = [self.expr(input), self.inside(|walk| walk.expr(projection))];
                self.put("select", (), &below)
            }
            Expr::If(choice) => self.choice(choice),
            Expr::Test(test) => self.test(test),
            Expr::Scalar(scalar) => self.scalar(scalar),
            Expr::Union(parts) => {
                let below: Vec<_> = parts.iter_mut().map(|part| self.expr(part)).collect();
                self.put("union", (), &below)
            }
            _ => self.other_expr(expr),
        }
    }

    fn state(&mut self, state: State) -> Known {
        Known { reads_previous: state == State::Previous, ..self.put("state", state, &[]) }
    }

    fn other_expr(&mut self, expr: &mut Expr) -> Known {
        match expr {
            Expr::OfType { input, test } => self.typed("of type", input, test),
            Expr::As { input, test } => self.typed("as", input, test),
            Expr::First(input) => self.one("first", input),
            Expr::Last(input) => self.one("last", input),
            Expr::Single(input) => self.one("single", input),
            Expr::Distinct(input) => self.one("distinct", input),
            Expr::Characters(input) => self.one("characters", input),
            Expr::Skip { input, count } => self.two("skip", (), input, count),
            Expr::Take { input, count } => self.two("take", (), input, count),
            Expr::At { input, index } => self.two("at", (), input, index),
            Expr::Combine(left, right) => self.two("combine", (), left, right),
            Expr::Intersect(left, right) => self.two("intersect", (), left, right),
            Expr::Exclude(left, right) => self.two("exclude", (), left, right),
            Expr::Split { input, separator } => self.two("split", (), input, separator),
            Expr::Sort { input, descending } => {
                let below = self.expr(input);
                self.put("sort", descending, &[below])
            }
            Expr::TypeOf { input, part } => {
                let below = self.expr(input);
                self.put("type of", part, &[below])
            }
            Expr::Nothing
            | Expr::Constant(_)
            | Expr::This
            | Expr::Index
            | Expr::State(_)
            | Expr::Path(_)
            | Expr::Where { .. }
            | Expr::Select { .. }
            | Expr::Union(_)
            | Expr::If(_)
            | Expr::Test(_)
            | Expr::Scalar(_) => self.expr(expr),
        }
    }

    fn one(&mut self, what: &'static str, input: &mut Expr) -> Known {
        let below = self.expr(input);
        self.put(what, (), &[below])
    }

    fn two(&mut self, what: &'static str, detail: impl Debug, left: &mut Expr, right: &mut Expr) -> Known {
        let below = [self.expr(left), self.expr(right)];
        self.put(what, detail, &below)
    }

    fn typed(&mut self, what: &'static str, input: &mut Expr, test: &TypeTest) -> Known {
        let (below, detail) = (self.expr(input), self.accepted(test));
        self.put(what, detail, &[below])
    }

    fn path(&mut self, path: &mut Path) -> Known {
        let below = self.expr(&mut path.from);
        let detail: Vec<_> = path.steps.iter().map(|step| self.step(step)).collect();
        self.put("path", detail, &[below])
    }

    /// Types have numbers of their own in each program.
    fn step(&self, step: &Step) -> String {
        let arm = |arm: &Arm| {
            let targets = arm.targets.iter().map(|target| (target.member, target.companion, self.type_of(target.to)));
            format!("{:?} {:?} {:?}", self.type_of(arm.from), arm.from_primitive, targets.collect::<Vec<_>>())
        };
        step.arms.iter().map(arm).collect()
    }

    fn accepted(&self, test: &TypeTest) -> String {
        let accepts: Vec<_> = test.accepts.iter().map(|of| self.type_of(*of)).collect();
        format!("{accepts:?} {:?}", test.resource.map(|(name, of)| (name, self.type_of(of))))
    }

    fn type_of(&self, of: TypeId) -> Option<&TypeEntry> {
        self.types.get(usize::from(of.0))
    }

    fn choice(&mut self, choice: &mut If) -> Known {
        let If { input, criterion, then, otherwise } = choice;
        let Some(input) = input else {
            let below = [self.test(criterion), self.expr(then), self.expr(otherwise)];
            return self.put("if", (), &below);
        };
        // `$index` is still that of the lambda around it: whatever depends on an item is taken to depend on that one.
        let input = self.expr(input);
        let around = std::mem::replace(&mut self.in_lambda, true);
        let below = [input, self.test(criterion), self.expr(then), self.expr(otherwise)];
        self.in_lambda = around;
        self.put("if of", (), &below)
    }

    fn test(&mut self, test: &mut Test) -> Known {
        if let Test::Shared(shared) = test {
            return self.test(&mut shared.test);
        }
        let (what, detail, below) = self.test_parts(test);
        let known = self.put_part(what, detail, &below, true);
        if let Some(Some(slot)) = self.slots.get(known.number as usize) {
            let own = std::mem::replace(test, Test::Constant(None));
            *test = Test::Shared(Box::new(Shared { slot: *slot, test: own }));
        }
        known
    }

    fn test_parts(&mut self, test: &mut Test) -> (&'static str, String, Vec<Known>) {
        let plain = String::new;
        match test {
            Test::Constant(value) => ("truth value", format!("{value:?}"), Vec::new()),
            Test::Truth(expr) => ("truth", plain(), vec![self.expr(expr)]),
            Test::Strict(expr) => ("strict", plain(), vec![self.expr(expr)]),
            Test::Logic { first, rest } => {
                let operators: Vec<_> = rest.iter().map(|(operator, _)| *operator).collect();
                let mut below = vec![self.test(first)];
                below.extend(rest.iter_mut().map(|(_, test)| self.test(test)));
                ("logic", format!("{operators:?}"), below)
            }
            Test::Not(inner) => ("not", plain(), vec![self.test(inner)]),
            Test::Exists(expr) => ("exists", plain(), vec![self.expr(expr)]),
            Test::Empty(expr) => ("empty", plain(), vec![self.expr(expr)]),
            Test::Any { input, criterion } => ("any", plain(), vec![self.expr(input), self.criterion(criterion)]),
            Test::All { input, criterion } => ("all", plain(), vec![self.expr(input), self.criterion(criterion)]),
            Test::Equal { left, right, negated } => {
                ("equal", format!("{negated}"), vec![self.expr(left), self.expr(right)])
            }
            Test::Equivalent { left, right, negated } => {
                ("equivalent", format!("{negated}"), vec![self.expr(left), self.expr(right)])
            }
            Test::Compare { left, operator, right } => {
                ("compare", format!("{operator:?}"), vec![self.expr(left), self.expr(right)])
            }
            Test::In { item, collection } => ("in", plain(), vec![self.expr(item), self.expr(collection)]),
            Test::Text { input, relation, argument } => {
                ("text", format!("{relation:?}"), vec![self.expr(input), self.expr(argument)])
            }
            _ => self.other_test(test),
        }
    }

    fn other_test(&mut self, test: &mut Test) -> (&'static str, String, Vec<Known>) {
        match test {
            Test::Booleans { input, all, expected } => {
                ("booleans", format!("{all} {expected}"), vec![self.expr(input)])
            }
            Test::IsDistinct(input) => ("is distinct", String::new(), vec![self.expr(input)]),
            Test::Subset(part, whole) => ("subset", String::new(), vec![self.expr(part), self.expr(whole)]),
            Test::Is { input, test } => ("is", self.accepted(test), vec![self.expr(input)]),
            Test::HasValue(input) => ("has value", String::new(), vec![self.expr(input)]),
            Test::Matches { input, pattern } => ("matches", format!("{:?}", pattern.pattern), vec![self.expr(input)]),
            Test::Converts { input, to } => ("converts", format!("{to:?}"), vec![self.expr(input)]),
            Test::Constant(_)
            | Test::Truth(_)
            | Test::Strict(_)
            | Test::Logic { .. }
            | Test::Not(_)
            | Test::Exists(_)
            | Test::Any { .. }
            | Test::Empty(_)
            | Test::All { .. }
            | Test::Equal { .. }
            | Test::Equivalent { .. }
            | Test::Compare { .. }
            | Test::In { .. }
            | Test::Text { .. }
            | Test::Shared(_) => self.test_parts(test),
        }
    }

    fn scalar(&mut self, scalar: &mut Scalar) -> Known {
        match scalar {
            Scalar::Count(input) => self.one("count", input),
            Scalar::Now => self.put("now", (), &[]),
            Scalar::Today => self.put("today", (), &[]),
            Scalar::TimeOfDay => self.put("time of day", (), &[]),
            Scalar::Chain { first, rest } => {
                let operators: Vec<_> = rest.iter().map(|(operator, _)| *operator).collect();
                let mut below = vec![self.expr(first)];
                below.extend(rest.iter_mut().map(|(_, operand)| self.expr(operand)));
                self.put("chain", operators, &below)
            }
            Scalar::Negate(input) => self.one("negate", input),
            Scalar::Plus(input) => self.one("plus", input),
            Scalar::GetValue(input) => self.one("value", input),
            Scalar::Precision(input) => self.one("precision", input),
            Scalar::Convert { input, to } => {
                let below = self.expr(input);
                self.put("convert", to, &[below])
            }
            Scalar::Text { input, function, arguments } => {
                let mut below = vec![self.expr(input)];
                below.extend(arguments.iter_mut().map(|argument| self.expr(argument)));
                self.put("text function", function, &below)
            }
            Scalar::Join { input, separator: None } => self.one("join", input),
            Scalar::Join { input, separator: Some(separator) } => self.two("join with", (), input, separator),
            Scalar::ReplaceMatches { input, pattern, replacement } => {
                let detail = format!("{:?}", pattern.pattern);
                self.two("replace matches", detail, input, replacement)
            }
            Scalar::Math { input, function, argument: None } => {
                let below = self.expr(input);
                self.put("math", function, &[below])
            }
            Scalar::Math { input, function, argument: Some(argument) } => {
                self.two("math with", function, input, argument)
            }
        }
    }
}
