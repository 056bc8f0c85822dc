//! Steps of paths through the tree.

use super::items::{Companion, Item, Node};
use super::{Evaluation, Flow, Scope, Sink};
use crate::domain::fhirpath::compiled::program::{Expr, Path, Step};
use crate::domain::fhirpath::compiled::symbols::Symbol;
use crate::domain::fhirpath::compiled::tree::{Kind, NodeId, Tree};

/// So many look-ups of members are a step.
const TARGETS_PER_STEP: u64 = 8;

impl<'e> Evaluation<'e> {
    pub(super) fn path(&self, path: &'e Path, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        match &path.from {
            Expr::This => self.go_on(scope.this, &path.steps, sink),
            Expr::State(state) => self.go_on(self.state(*state), &path.steps, sink),
            from => self.each(from, scope, &mut |item| self.go_on(Some(item), &path.steps, sink)),
        }
    }

    fn go_on(&self, from: Option<Item<'e>>, steps: &'e [Step], sink: Sink<'_, 'e>) -> Flow {
        match from {
            Some(Item::Node(node)) => self.walk(node, steps, sink),
            _ => Ok(()),
        }
    }

    fn walk(&self, node: Node, steps: &'e [Step], sink: Sink<'_, 'e>) -> Flow {
        let Some((step, rest)) = steps.split_first() else { return sink(Item::Node(node)) };
        let Some(arm) = step.arms.iter().find(|arm| arm.from == node.of) else { return Ok(()) };
        self.spend(1 + arm.targets.len() as u64 / TARGETS_PER_STEP)?;
        let Some(tree) = self.tree(node.side) else { return Ok(()) };
        let object = if arm.from_primitive { self.companion(tree, node) } else { node.value };
        let Some(object) = object else { return Ok(()) };
        for target in &arm.targets {
            let found = tree.member(object, target.member);
            let node = Node { of: target.to, side: node.side, value: found, companion: None };
            if let Some(companion) = target.companion {
                self.primitives(tree, (object, companion), node, rest, sink)?;
            } else if let Some(found) = found {
                self.objects(tree, found, node, rest, sink)?;
            }
        }
        Ok(())
    }

    fn objects(&self, tree: Tree<'e, 'e>, found: NodeId, node: Node, rest: &'e [Step], sink: Sink<'_, 'e>) -> Flow {
        if tree.kind(found) != Kind::Array {
            return self.walk(node, rest, sink);
        }
        for element in tree.elements(found) {
            self.spend(1)?;
            if tree.kind(element) != Kind::Null {
                self.walk(Node { value: Some(element), ..node }, rest, sink)?;
            }
        }
        Ok(())
    }

    /// Primitives, whose extensions stand in `_name`: an element may have a value, extensions or both.
    fn primitives(
        &self,
        tree: Tree<'e, 'e>,
        (object, name): (NodeId, Symbol),
        node: Node,
        rest: &'e [Step],
        sink: Sink<'_, 'e>,
    ) -> Flow {
        let companion = Some(Companion::Member { object, name });
        if let Some(value) = node.value
            && tree.kind(value) != Kind::Array
        {
            return self.walk(Node { companion, ..node }, rest, sink);
        }
        let beside = tree.member(object, name);
        if node.value.is_none() && beside.is_none_or(|beside| tree.kind(beside) != Kind::Array) {
            let node = Node { companion, ..node };
            return if beside.is_some() { self.walk(node, rest, sink) } else { Ok(()) };
        }
        let mut values = node.value.into_iter().flat_map(|array| tree.elements(array));
        let mut others = beside.into_iter().flat_map(|array| tree.elements(array));
        loop {
            let (value, other) = (values.next(), others.next());
            if value.is_none() && other.is_none() {
                return Ok(());
            }
            self.spend(1)?;
            let present = |at: &NodeId| tree.kind(*at) != Kind::Null;
            let (value, other) = (value.filter(present), other.filter(present));
            if value.is_some() || other.is_some() {
                self.walk(Node { value, companion: other.map(Companion::Found), ..node }, rest, sink)?;
            }
        }
    }

    /// The object that holds a primitive's id and extensions.
    pub(super) fn companion(&self, tree: Tree<'e, 'e>, node: Node) -> Option<NodeId> {
        match node.companion? {
            Companion::Member { object, name } => tree.member(object, name),
            Companion::Found(companion) => Some(companion),
        }
    }
}
