//! Putting the members of an object in order once all of them are read: of duplicates the last one stays, and where
//! there are many members those that programs know by name stand first.
//!
//! Most objects never come here.

use std::cmp::Ordering;

use super::{Flags, Node, TreeBuffer};
use crate::domain::fhirpath::compiled::symbols::Symbol;

/// From so many members on, an object of which everything is read is put in order for look-ups by name.
pub(super) const WIDE: u32 = 32;

/// Settles the object at this position, whose nodes are the last ones.
pub(super) fn settle(text: &str, buffer: &mut TreeBuffer, object: usize, is_wide: bool) {
    let TreeBuffer { nodes, order, spare, .. } = buffer;
    order.clear();
    let mut child = object + 1;
    while let Some(node) = nodes.get(child) {
        order.push(child as u32);
        child += node.span as usize;
    }
    // Equal names side by side, the last one of each first.
    order.sort_unstable_by(|one, other| by_name(text, nodes, *one, *other).then(other.cmp(one)));
    order.dedup_by(|later, kept| by_name(text, nodes, *later, *kept).is_eq());
    let is_known = |child: &u32| is_wide && nodes[*child as usize].name != Symbol::UNKNOWN;
    order.sort_unstable_by_key(|child| (!is_known(child), *child));

    spare.clear();
    for child in &*order {
        let first = *child as usize;
        spare.extend_from_slice(&nodes[first..first + nodes[first].span as usize]);
    }
    nodes.truncate(object + 1);
    nodes.extend_from_slice(spare);
    nodes[object].span = (spare.len() + 1) as u32;
    if is_wide {
        nodes[object].flags = Flags::KNOWN_FIRST;
    }
}

fn by_name(text: &str, nodes: &[Node], one: u32, other: u32) -> Ordering {
    let [one, other] = [one, other].map(|child| &nodes[child as usize]);
    one.name.cmp(&other.name).then_with(|| {
        if one.name == Symbol::UNKNOWN { one.name_in(text).cmp(&other.name_in(text)) } else { Ordering::Equal }
    })
}
