//! Steps of paths: which JSON members they read, for each type that they may start from.

use octofhir_fhirpath::core::SourceLocation;

use super::super::program::{Arm, Content, Expr, Path, Step, Target, Test, TypeId};
use super::shape::{Origin, Place, Shape};
use super::{Compiled, Compiler, Context, MAX_ORIGINS, MAX_TARGETS, Symbol, Typed};
use crate::domain::fhirpath::model::Element;

impl Compiler<'_> {
    /// The start of a path: the name of the type that `$this` has, or an element of it.
    pub(super) fn start(&mut self, name: &str, location: Option<&SourceLocation>, context: &Context<'_>) -> Compiled {
        let this = Typed { expr: Expr::This, shape: context.this.clone() };
        let is_element = this.shape.any(|of| self.element(of, name).is_some());
        if is_element || self.types.model.find(name).is_none() {
            return self.step(this, name, location);
        }
        let is_this = |of: TypeId| {
            let entry = self.types.entry(of);
            entry.content == Content::Complex && self.types.model.is_derived(entry.name, name)
        };
        if this.shape.0.is_empty() || !this.shape.all(is_this) {
            return self.unsupported(location, "the type is not that of the items here");
        }
        Ok(this)
    }

    /// The element of this name, in FHIR's types.
    fn element(&self, of: TypeId, name: &str) -> Option<Element> {
        let entry = self.types.entry(of);
        if entry.content == Content::System {
            return None;
        }
        self.types.model.elements(entry.name).find(|element| element.name == name).copied()
    }

    /// Follows an element.
    pub(super) fn step(&mut self, input: Typed, name: &str, location: Option<&SourceLocation>) -> Compiled {
        if input.shape.0.is_empty() {
            return Ok(Typed { expr: Expr::Nothing, shape: Shape::default() });
        }
        let mut arms: Vec<Arm> = Vec::new();
        let mut shape = Shape::default();
        for origin in &input.shape.0 {
            let Some(element) = self.element(origin.of, name) else { continue };
            let targets = self.targets(*origin, &element, &mut shape, location)?;
            if !arms.iter().any(|arm| arm.from == origin.of) {
                let from_primitive = matches!(self.types.content(origin.of), Content::Primitive(_));
                arms.push(Arm { from: origin.of, from_primitive, targets });
            }
        }
        if arms.is_empty() {
            return self.unsupported(location, "there is no such element");
        }
        let mut expr = input.expr;
        narrow(&mut expr, |of| arms.iter().any(|arm| arm.from == of));
        Ok(Typed { expr: with_step(expr, Step { arms }), shape })
    }

    /// The JSON members of an element, which the projection and the shape learn.
    fn targets(
        &mut self,
        origin: Origin,
        element: &Element,
        shape: &mut Shape,
        location: Option<&SourceLocation>,
    ) -> Compiled<Vec<Target>> {
        let mut targets = Vec::new();
        for type_name in element.types() {
            let Some(to) = self.types.element_type(origin.of, element.name, type_name) else {
                return self.unsupported(location, "what the element holds is not known");
            };
            let json = if element.is_choice { chosen(element.name, type_name) } else { element.name.to_owned() };
            let member = self.names.intern(&json);
            let is_primitive = matches!(self.types.content(to), Content::Primitive(_));
            let companion = is_primitive.then(|| self.names.intern(&format!("_{json}")));
            let place = origin.place.and_then(|place| self.below(origin.of, place, member, companion));
            self.targets += 1;
            if self.targets > MAX_TARGETS || shape.0.len() >= MAX_ORIGINS {
                return self.unsupported(location, "there are too many possible elements");
            }
            shape.add(Origin { of: to, place });
            targets.push(Target { member, companion, to });
        }
        Ok(targets)
    }

    /// The place of a member, which from now on is read.
    fn below(&mut self, of: TypeId, place: Place, member: Symbol, companion: Option<Symbol>) -> Option<Place> {
        // The members of a primitive stand in its companion.
        let at = if matches!(self.types.content(of), Content::Primitive(_)) { place.companion? } else { place.branch };
        let projection = self.reads.of(place.side);
        let branch = projection.member(at, member);
        let companion = companion.map(|companion| projection.member(at, companion));
        Some(Place { side: place.side, branch, companion })
    }

    /// `extension(url)`.
    pub(super) fn extension(&mut self, input: Typed, url: Typed, location: Option<&SourceLocation>) -> Compiled {
        if !matches!(url.expr, Expr::Constant(_)) {
            return self.unsupported(location, "the URL of the extension is computed");
        }
        let extensions = self.step(input, "extension", location)?;
        let this = Typed { expr: Expr::This, shape: extensions.shape.clone() };
        let own = self.step(this, "url", location)?;
        let criterion = Test::Equal { left: own.expr, right: url.expr, negated: false };
        let input = Box::new(extensions.expr);
        Ok(Typed { expr: Expr::Where { input, criterion: Box::new(criterion) }, shape: extensions.shape })
    }
}

/// The expression, and this step behind it.
fn with_step(expr: Expr, step: Step) -> Expr {
    match expr {
        Expr::Path(mut path) => {
            path.steps.push(step);
            Expr::Path(path)
        }
        from => Expr::Path(Box::new(Path { from, steps: vec![step] })),
    }
}

/// Leaves out of an expression's last step what nothing goes on from.
pub(super) fn narrow(expr: &mut Expr, is_wanted: impl Fn(TypeId) -> bool) {
    if let Expr::Path(path) = expr
        && let Some(step) = path.steps.last_mut()
    {
        step.arms.iter_mut().for_each(|arm| arm.targets.retain(|target| is_wanted(target.to)));
    }
}

/// The JSON name of a choice for this type.
fn chosen(name: &str, type_name: &str) -> String {
    let mut json = String::with_capacity(name.len() + type_name.len());
    json.push_str(name);
    let mut letters = type_name.chars();
    json.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    json.push_str(letters.as_str());
    json
}
