//! Items: values and elements, and what is equal of them.

use super::{Evaluation, Flow, Halt, Side};
use crate::domain::fhirpath::compiled::compile::system_type;
use crate::domain::fhirpath::compiled::program::{Content, TypeId};
use crate::domain::fhirpath::compiled::symbols::Symbol;
use crate::domain::fhirpath::compiled::tree::{Kind, NodeId, Tree};
use crate::domain::fhirpath::compiled::value::{self, Quantity, Scalar, Value};

/// An item of a collection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'e> {
    Value(Value<'e>),
    Node(Node),
}

/// An element of a resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) of: TypeId,
    pub(super) side: Side,
    /// `None` of a primitive that has only an id or extensions.
    pub(super) value: Option<NodeId>,
    /// Of a primitive: where its id and extensions stand, if it may have them.
    pub(super) companion: Option<Companion>,
}

/// Where a primitive's id and extensions stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Companion {
    /// In the member `_name` of an object, if there is one.
    Member { object: NodeId, name: Symbol },
    /// Of an element of a list: here.
    Found(NodeId),
}

/// A collection as far as a singleton is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Few<'e> {
    None,
    One(Item<'e>),
    Many,
}

/// Text is read for so many bytes a step, and made for so many.
const BYTES_READ_PER_STEP: usize = 64;
const BYTES_MADE_PER_STEP: usize = 16;

impl<'e> Evaluation<'e> {
    pub(super) fn content(&self, node: Node) -> Content {
        self.program.types.get(usize::from(node.of.0)).map_or(Content::Complex, |entry| entry.content)
    }

    /// The type of an item as FHIRPath's own, if it is a value.
    pub(super) fn system_type(&self, item: Item<'e>) -> Option<TypeId> {
        match item {
            Item::Value(value) => Some(system_type::of_value(value)),
            Item::Node(node) => match self.content(node) {
                Content::Primitive(primitive) => Some(system_type::of_primitive(primitive)),
                Content::Quantity => Some(TypeId::QUANTITY),
                Content::System | Content::Complex | Content::AnyResource => None,
            },
        }
    }

    pub(super) fn type_of(&self, item: Item<'e>) -> TypeId {
        match item {
            Item::Value(value) => system_type::of_value(value),
            Item::Node(node) => node.of,
        }
    }

    /// The value of an item: none, if the element has none or it cannot be read.
    ///
    /// # Errors
    /// When it is an element with elements of its own.
    pub(super) fn value_of(&self, item: Item<'e>) -> Result<Option<Value<'e>>, Halt> {
        let node = match item {
            Item::Value(value) => return Ok(Some(value)),
            Item::Node(node) => node,
        };
        let (Some(tree), Some(at)) = (self.tree(node.side), node.value) else { return Ok(None) };
        match self.content(node) {
            Content::Primitive(primitive) => {
                Ok(self.scalar_at(tree, at)?.and_then(|scalar| value::read(primitive, scalar)))
            }
            Content::Quantity => Ok(self.quantity(tree, at)?.map(Value::Quantity)),
            Content::System | Content::Complex | Content::AnyResource => Err(Halt::Failed),
        }
    }

    /// Whether an element is a primitive with a value.
    pub(super) fn has_value(&self, item: Item<'e>) -> bool {
        let Item::Node(node) = item else { return true };
        let (Some(tree), Some(at)) = (self.tree(node.side), node.value) else { return false };
        matches!(self.content(node), Content::Primitive(_)) && !matches!(tree.kind(at), Kind::Object | Kind::Array)
    }

    fn scalar_at(&self, tree: Tree<'e, 'e>, at: NodeId) -> Result<Option<Scalar<'e>>, Halt> {
        Ok(Some(match tree.kind(at) {
            Kind::String => match self.text_at(tree, at)? {
                Some(text) => Scalar::Text(text),
                None => return Ok(None),
            },
            Kind::Number => Scalar::Number(tree.text(at)),
            Kind::True => Scalar::Boolean(true),
            Kind::False => Scalar::Boolean(false),
            Kind::Object | Kind::Array | Kind::Null => return Ok(None),
        }))
    }

    /// A string; one with escapes is put into the arena.
    fn text_at(&self, tree: Tree<'e, 'e>, at: NodeId) -> Result<Option<&'e str>, Halt> {
        if let Some(text) = tree.plain_string(at) {
            return Ok(Some(text));
        }
        self.spend_made(tree.text(at).len())?;
        Ok(tree.string_in(at, self.arena))
    }

    /// The text of a string element that has no escapes.
    pub(super) fn string_of(&self, item: Item<'e>) -> Option<&'e str> {
        let Item::Node(node) = item else { return None };
        let (tree, at) = (self.tree(node.side)?, node.value?);
        if self.content(node) != Content::Primitive(value::Primitive::String) {
            return None;
        }
        tree.plain_string(at)
    }

    /// A FHIR Quantity as FHIRPath's: with a UCUM code, and no comparator, which would make it a range.
    fn quantity(&self, tree: Tree<'e, 'e>, at: NodeId) -> Result<Option<Quantity<'e>>, Halt> {
        if tree.member(at, self.program.members.comparator).is_some() {
            return Ok(None);
        }
        self.quantity_without_comparator(tree, at)
    }

    pub(super) fn quantity_without_comparator(
        &self,
        tree: Tree<'e, 'e>,
        at: NodeId,
    ) -> Result<Option<Quantity<'e>>, Halt> {
        let members = &self.program.members;
        let number = tree.member(at, members.value).filter(|value| tree.kind(*value) == Kind::Number);
        let Some(Value::Decimal(number)) =
            number.and_then(|number| value::read(value::Primitive::Decimal, Scalar::Number(tree.text(number))))
        else {
            return Ok(None);
        };
        let text = |name| tree.member(at, name).map_or(Ok(None), |member| self.text_at(tree, member));
        let (system, code) = (text(members.system)?, text(members.code)?);
        Ok(Quantity::of_fhir(number, system, code))
    }

    /// Whether two items are equal (`=`); empty where that is not known.
    pub(super) fn items_equal(&self, left: Item<'e>, right: Item<'e>) -> Result<Option<bool>, Halt> {
        if let (Item::Value(left), Item::Value(right)) = (left, right) {
            self.spend_compared(left, right)?;
            return Ok(value::equal(left, right));
        }
        match (self.system_type(left), self.system_type(right)) {
            (None, None) => self.objects_equal(left, right).map(Some),
            (None, Some(_)) | (Some(_), None) => Ok(Some(false)),
            (Some(of_left), Some(of_right)) => match (self.value_of(left)?, self.value_of(right)?) {
                (Some(left), Some(right)) => {
                    self.spend_compared(left, right)?;
                    Ok(value::equal(left, right))
                }
                (None, None) => match (left, right) {
                    (Item::Node(left), Item::Node(right)) => self.valueless_equal(left, right),
                    _ => Ok(Some(false)),
                },
                // A Quantity whose unit FHIRPath does not know may still be one that it could compare.
                _ if is_measure(of_left) && is_measure(of_right) => match (left, right) {
                    (Item::Node(_), Item::Node(_)) if of_left == of_right && of_left == TypeId::QUANTITY => {
                        self.objects_equal(left, right).map(Some)
                    }
                    _ if of_left == TypeId::QUANTITY || of_right == TypeId::QUANTITY => Ok(None),
                    _ => Ok(Some(false)),
                },
                _ => Ok(Some(false)),
            },
        }
    }

    /// Elements without a value: quantities of no known unit by all that they are, primitives by their extensions.
    fn valueless_equal(&self, left: Node, right: Node) -> Result<Option<bool>, Halt> {
        if let (Content::Quantity, Content::Quantity) = (self.content(left), self.content(right)) {
            return self.objects_equal(Item::Node(left), Item::Node(right)).map(Some);
        }
        let beside = |node: Node| {
            let tree = self.tree(node.side)?;
            // One that has a value which cannot be read is equal to nothing.
            let companion = if node.value.is_none() { self.companion(tree, node) } else { None };
            companion.map(|companion| (tree, companion))
        };
        match (beside(left), beside(right)) {
            (Some(one), Some(other)) => self.trees_equal(one, other).map(Some),
            _ => Ok(Some(false)),
        }
    }

    /// Whether two elements with elements of their own are equal.
    fn objects_equal(&self, left: Item<'e>, right: Item<'e>) -> Result<bool, Halt> {
        let (Item::Node(left), Item::Node(right)) = (left, right) else { return Ok(false) };
        let place = |node: Node| self.tree(node.side).zip(node.value);
        let (Some(one), Some(other)) = (place(left), place(right)) else { return Ok(false) };
        self.trees_equal(one, other)
    }

    fn trees_equal(&self, one: (Tree<'e, 'e>, NodeId), other: (Tree<'e, 'e>, NodeId)) -> Result<bool, Halt> {
        self.spend_text(one.0.text(one.1).len())?;
        self.spend_text(other.0.text(other.1).len())?;
        Ok(Tree::deep_equal(one, other))
    }

    /// Whether two items are equivalent (`~`).
    pub(super) fn items_equivalent(&self, left: Item<'e>, right: Item<'e>) -> Result<bool, Halt> {
        if self.system_type(left).is_none() || self.system_type(right).is_none() {
            return Ok(false);
        }
        Ok(match (self.value_of(left)?, self.value_of(right)?) {
            (Some(left), Some(right)) => {
                if let (Value::String(left), Value::String(right)) = (left, right) {
                    self.spend_text(left.len() + right.len())?;
                }
                value::equivalent(left, right)
            }
            (None, None) => self.items_equal(left, right)? == Some(true),
            _ => false,
        })
    }

    /// Pays for reading a text.
    pub(super) fn spend_text(&self, bytes: usize) -> Flow {
        self.spend((bytes / BYTES_READ_PER_STEP) as u64)
    }

    /// Pays for a text that is put into the arena.
    pub(super) fn spend_made(&self, bytes: usize) -> Flow {
        self.spend(1 + (bytes / BYTES_MADE_PER_STEP) as u64)
    }

    /// Pays for comparing two values: texts of one length are read.
    pub(super) fn spend_compared(&self, left: Value<'_>, right: Value<'_>) -> Flow {
        match (left, right) {
            (Value::String(left), Value::String(right)) if left.len() == right.len() => self.spend_text(left.len()),
            _ => Ok(()),
        }
    }
}

/// Whether a value of this type may be taken for a Quantity.
fn is_measure(of: TypeId) -> bool {
    [TypeId::QUANTITY, TypeId::INTEGER, TypeId::DECIMAL].contains(&of)
}
