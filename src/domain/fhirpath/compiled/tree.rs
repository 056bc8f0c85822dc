//! The JSON tree of a resource as programs see it: borrowed from the text, only as large as they look.
//!
//! ```text
//! text + Projection -> TreeBuffer::read: one pass; what nobody reads is skipped -> Tree: nodes in document order
//! ```
//!
//! Nodes are ranges of the text, so that nothing is copied and nothing is allocated once the buffer has its size. Of
//! duplicate members the last one wins. A member that is `null` is absent; in an array `null` keeps its place.
//!
//! The text is one that has passed `Resource::read`; with the places of its members, those that are not read are not
//! looked at again. On any other text the reader gives [`Unread::Malformed`] or some tree; it never recurses and never panics. It takes time in proportion to the text;
//! only the members of an object of which everything is read, and there are many, or one stands twice, are sorted.

use std::borrow::Cow;

use self::unescape::unescape;
use super::arena::Arena;
use super::projection::Projection;
use super::symbols::{Symbol, Symbols};
use crate::domain::json::{Malformed, ObjectText, Scanner};

mod equal;
mod read;
mod settle;
#[cfg(test)]
mod tests;
mod unescape;

/// A buffer that has grown beyond so many nodes is not kept. All else in it has at most one entry for each.
const KEPT_NODES: usize = 1 << 16;

/// One for text without escapes that has grown beyond so many bytes is not kept.
pub(super) const KEPT_TEXT: usize = 1 << 16;

/// Where the nodes of a tree are kept, from event to event.
#[derive(Debug, Default)]
pub(super) struct TreeBuffer {
    nodes: Vec<Node>,
    frames: Vec<read::Frame>,
    order: Vec<u32>,
    spare: Vec<Node>,
    /// A name without its escapes.
    text: String,
}

/// Why a text was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is no JSON, or has more than [`MAX_DEPTH`](crate::domain::json::MAX_DEPTH) levels or 4 GB.
    Malformed,
    /// The tree would take more memory than it may.
    TooLarge,
}

impl From<Malformed> for Unread {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// A tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree<'a, 'b> {
    text: &'a str,
    nodes: &'b [Node],
}

/// A value in a tree. Only of use with the tree that it is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeId(u32);

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    String,
    /// A number, as RFC 8259 writes it.
    Number,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`; only ever seen in arrays and as the root.
    Null,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    /// How many nodes it is, with all below it.
    span: u32,
    /// Where the name starts of which it is the member.
    name_start: u32,
    name: Symbol,
    kind: Kind,
    flags: Flags,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Flags(u8);

impl Flags {
    const NONE: Self = Self(0);
    /// A string with escapes.
    const ESCAPED: Self = Self(1);
    /// An object whose members with symbols stand before the others.
    const KNOWN_FIRST: Self = Self(2);
}

impl TreeBuffer {
    /// An empty buffer.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Reads a text into a tree of at most so many bytes (see [`Tree::bytes`]).
    ///
    /// # Errors
    /// See [`Unread`].
    pub(super) fn read<'a, 'b>(
        &'b mut self,
        text: ObjectText<'a>,
        projection: &Projection,
        symbols: &Symbols,
        limit: usize,
    ) -> Result<Tree<'a, 'b>, Unread> {
        self.nodes.clear();
        self.frames.clear();
        read::read(self, text, projection, symbols, limit / size_of::<Node>())?;
        Ok(self.last(text.text))
    }

    /// Gives back memory that one event in many needs. The tree is gone then.
    pub(super) fn trim(&mut self) {
        if self.nodes.capacity() > KEPT_NODES || self.text.capacity() > KEPT_TEXT {
            *self = Self::default();
        }
    }

    /// The tree that was read last, of this same text.
    pub(super) fn last<'a, 'b>(&'b self, text: &'a str) -> Tree<'a, 'b> {
        Tree { text, nodes: &self.nodes }
    }
}

impl<'a> Tree<'a, '_> {
    /// The resource.
    pub(super) fn root(self) -> NodeId {
        NodeId(0)
    }

    /// The memory that it takes.
    pub(super) fn bytes(self) -> usize {
        size_of_val(self.nodes)
    }

    /// How many values were read.
    #[cfg(test)]
    pub(super) fn len(self) -> usize {
        self.nodes.len()
    }

    /// What a value is.
    pub(super) fn kind(self, node: NodeId) -> Kind {
        self.node(node).kind
    }

    /// The member of this name: of duplicates the last one, and none if that is `null`.
    pub(super) fn member(self, object: NodeId, name: Symbol) -> Option<NodeId> {
        let parent = self.node(object);
        if parent.kind != Kind::Object || name == Symbol::UNKNOWN {
            return None;
        }
        for child in self.children(object) {
            let node = self.node(child);
            if node.name == name {
                return (node.kind != Kind::Null).then_some(child);
            }
            if node.name == Symbol::UNKNOWN && parent.flags == Flags::KNOWN_FIRST {
                return None;
            }
        }
        None
    }

    /// The elements of an array, `null` among them; of anything else the value itself.
    pub(super) fn elements(self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let parent = self.node(node);
        let is_array = parent.kind == Kind::Array;
        let first = if is_array { NodeId(node.0 + 1) } else { node };
        self.siblings(first, node.0 + parent.span)
    }

    /// The members of an object, at a place of which everything is read; none of anything else.
    pub(super) fn members(self, object: NodeId) -> impl Iterator<Item = (Cow<'a, str>, NodeId)> {
        let is_object = self.kind(object) == Kind::Object;
        let children = self.children(object).filter(move |child| is_object && self.kind(*child) != Kind::Null);
        children.map(move |child| (self.node(child).name_in(self.text), child))
    }

    /// The JSON text of a value.
    pub(super) fn text(self, node: NodeId) -> &'a str {
        let node = self.node(node);
        self.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// The text that a string stands for.
    pub(super) fn string(self, node: NodeId) -> Option<Cow<'a, str>> {
        let raw = self.text(node);
        let node = self.node(node);
        if node.kind == Kind::String { unescaped(raw, node.flags == Flags::ESCAPED) } else { None }
    }

    /// [`Tree::string`], in the arena where it has escapes.
    pub(super) fn string_in<'t>(self, node: NodeId, arena: &'t Arena) -> Option<&'t str>
    where
        'a: 't,
    {
        if self.kind(node) != Kind::String {
            return None;
        }
        self.plain_string(node).or_else(|| {
            let inner = unquoted(self.text(node))?;
            let mut text = arena.text(inner.len()).ok()?;
            // It is not longer than with its escapes.
            unescape(inner, |part| text.push_str(part).unwrap_or_default())?;
            Some(text.into_str())
        })
    }

    /// [`Tree::string`], in the buffer where it has escapes.
    pub(super) fn string_into<'t>(self, node: NodeId, buffer: &'t mut String) -> Option<&'t str>
    where
        'a: 't,
    {
        let Node { kind, flags, .. } = self.node(node);
        let raw = self.text(node);
        if kind == Kind::String { unescaped_into(raw, flags == Flags::ESCAPED, buffer) } else { None }
    }

    /// [`Tree::string`], of a string without escapes only.
    pub(super) fn plain_string(self, node: NodeId) -> Option<&'a str> {
        let Node { kind, flags, .. } = self.node(node);
        unquoted(self.text(node)).filter(|_| kind == Kind::String && flags == Flags::NONE)
    }

    /// Whether two values are equal: objects without order, numbers by their exact value. Both must stand at places of
    /// which everything is read.
    pub(super) fn deep_equal(one: (Tree<'_, '_>, NodeId), other: (Tree<'_, '_>, NodeId)) -> bool {
        equal::deep_equal(one, other)
    }

    fn children(self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.siblings(NodeId(node.0 + 1), node.0 + self.node(node).span)
    }

    fn siblings(self, first: NodeId, end: u32) -> impl Iterator<Item = NodeId> {
        let mut next = first.0;
        std::iter::from_fn(move || {
            let here = next;
            (here < end).then(|| {
                next += self.nodes[here as usize].span;
                NodeId(here)
            })
        })
    }

    fn node(self, node: NodeId) -> Node {
        self.nodes[node.0 as usize]
    }
}

impl Node {
    /// The name of which it is the member, in the text that it was read from.
    fn name_in<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let from_quote = text.get(self.name_start as usize..).unwrap_or_default();
        let mut scanner = Scanner::new(from_quote);
        // The reader has come to the end of it.
        let is_escaped = scanner.string().unwrap_or_default();
        unescaped(scanner.since(0), is_escaped).unwrap_or_default()
    }
}

/// What a JSON string stands for; `None` when its escapes are none.
fn unescaped(raw: &str, is_escaped: bool) -> Option<Cow<'_, str>> {
    let inner = unquoted(raw)?;
    if !is_escaped {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    unescape(inner, |part| text.push_str(part))?;
    Some(Cow::Owned(text))
}

/// [`unescaped`], written to a buffer if it has escapes.
fn unescaped_into<'t>(raw: &'t str, is_escaped: bool, buffer: &'t mut String) -> Option<&'t str> {
    let inner = unquoted(raw)?;
    if !is_escaped {
        return Some(inner);
    }
    buffer.clear();
    unescape(inner, |part| buffer.push_str(part))?;
    Some(buffer)
}

fn unquoted(raw: &str) -> Option<&str> {
    raw.get(1..raw.len().checked_sub(1)?)
}
