//! The organization filter: an event passes where its organization equals the one required or is under it.
//!
//! Where no organization is required, organizations are ignored. Everything unclear fails closed: an event without
//! organization, one above or beside, and one that the hierarchy does not know do not pass, each with its own reason.
//! An organization that the hierarchy does not know equals itself only.

use std::collections::HashMap;
use std::ops::Range;

use super::plan::OrganizationHierarchy;
use super::reference;
use super::resource::ClaimedOrganization;
use super::tally::FilterReason;

/// An organization of the hierarchy or of a topic or destination, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrganizationNode(usize);

/// Where an event stands in the hierarchy; looked up once per event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to no organization.
    Missing,
    /// It belongs to one that neither the hierarchy nor a topic or destination names.
    Unknown,
    /// It belongs to this one.
    Known(OrganizationNode),
}

/// The hierarchy, made for walking upwards.
#[derive(Debug, Default)]
pub struct Organizations {
    nodes: HashMap<String, OrganizationNode>,
    parents: Vec<Option<OrganizationNode>>,
    in_hierarchy: Vec<bool>,
    /// Where an organization and all under it stand, in an order in which these stand together; none for what is in a
    /// cycle or under one.
    spans: Vec<Option<Range<usize>>>,
}

impl Organizations {
    /// Numbers the organizations of the hierarchy. References may be absolute or versioned.
    #[must_use]
    pub fn new(hierarchy: &OrganizationHierarchy) -> Self {
        let mut organizations = Self::default();
        for (child, parent) in &hierarchy.parents {
            let (child, parent) = (organizations.node(child), organizations.node(parent));
            organizations.parents[child.0] = Some(parent);
            organizations.in_hierarchy[child.0] = true;
            organizations.in_hierarchy[parent.0] = true;
        }
        organizations.set_spans();
        organizations
    }

    /// Numbers each tree from its root down, so that one look tells whether something is under something.
    fn set_spans(&mut self) {
        let mut children = vec![Vec::new(); self.parents.len()];
        let mut open = Vec::new();
        for (node, parent) in self.parents.iter().enumerate() {
            match parent {
                Some(parent) => children[parent.0].push(node),
                None => open.push((node, false)),
            }
        }
        self.spans = vec![None; self.parents.len()];
        let mut next = 0;
        while let Some((node, is_done)) = open.pop() {
            if is_done {
                self.spans[node] = self.spans[node].take().map(|span| span.start..next);
                continue;
            }
            self.spans[node] = Some(next..next);
            next += 1;
            open.push((node, true));
            open.extend(children[node].iter().map(|child| (*child, false)));
        }
    }

    /// The number of an organization that a topic or destination requires; made where there is none yet.
    pub fn node(&mut self, reference: &str) -> OrganizationNode {
        let reduced = reference::reduce(reference).unwrap_or(reference);
        if let Some(node) = self.nodes.get(reduced) {
            return *node;
        }
        let node = OrganizationNode(self.parents.len());
        self.nodes.insert(reduced.to_owned(), node);
        self.parents.push(None);
        self.in_hierarchy.push(false);
        // It has nothing under it; numbers behind those of the trees are free.
        self.spans.push(Some(node.0..node.0 + 1));
        node
    }

    /// Where an event with this organization stands.
    #[must_use]
    pub fn standing(&self, claimed: Option<&ClaimedOrganization<'_>>) -> Standing {
        match claimed {
            None => Standing::Missing,
            Some(ClaimedOrganization::Unreadable) => Standing::Unknown,
            Some(ClaimedOrganization::Reference(reference)) => {
                self.nodes.get(reference.as_ref()).map_or(Standing::Unknown, |node| Standing::Known(*node))
            }
        }
    }

    /// Lets an event pass whose organization equals `required` or is under it.
    ///
    /// # Errors
    /// Why it does not pass.
    pub fn check(&self, standing: Standing, required: OrganizationNode) -> Result<(), FilterReason> {
        match standing {
            Standing::Missing => Err(FilterReason::OrganizationMissing),
            Standing::Unknown => Err(FilterReason::OrganizationUnknown),
            Standing::Known(node) if self.is_under(node, required) => Ok(()),
            Standing::Known(node) if self.in_hierarchy[node.0] => Err(FilterReason::OrganizationUnrelated),
            Standing::Known(_) => Err(FilterReason::OrganizationUnknown),
        }
    }

    /// Whether `node` equals `ancestor` or is under it. `config` refuses cycles; should one come in all the same, the walk
    /// ends after as many steps as there are organizations.
    fn is_under(&self, node: OrganizationNode, ancestor: OrganizationNode) -> bool {
        if let (Some(own), Some(all)) = (&self.spans[node.0], &self.spans[ancestor.0]) {
            return all.contains(&own.start);
        }
        let upwards = std::iter::successors(Some(node), |node| self.parents[node.0]);
        upwards.take(self.parents.len()).any(|node| node == ancestor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn hierarchy(parents: &[(&str, &str)]) -> OrganizationHierarchy {
        let parents = parents.iter().map(|(child, parent)| ((*child).to_owned(), (*parent).to_owned())).collect();
        OrganizationHierarchy { extension_url: String::new(), parents }
    }

    fn check(parents: &[(&str, &str)], event: &str, required: &str) -> Result<(), FilterReason> {
        let mut organizations = Organizations::new(&hierarchy(parents));
        let required = organizations.node(required);
        let claimed = ClaimedOrganization::Reference(event.into());
        organizations.check(organizations.standing(Some(&claimed)), required)
    }

    #[test]
    fn equal_or_under_passes_and_everything_else_tells_its_reason() {
        let parents = [
            ("Organization/b", "Organization/a"),
            ("Organization/c", "Organization/b"),
            ("Organization/y", "Organization/x"),
        ];
        assert_eq!(check(&parents, "Organization/a", "Organization/a"), Ok(()));
        assert_eq!(check(&parents, "Organization/c", "Organization/a"), Ok(()));
        assert_eq!(check(&parents, "Organization/a", "Organization/b"), Err(FilterReason::OrganizationUnrelated));
        assert_eq!(check(&parents, "Organization/y", "Organization/a"), Err(FilterReason::OrganizationUnrelated));
        assert_eq!(check(&parents, "Organization/z", "Organization/a"), Err(FilterReason::OrganizationUnknown));
    }

    #[test]
    fn an_organization_outside_of_the_hierarchy_equals_itself_only() {
        assert_eq!(check(&[], "Organization/z", "Organization/z"), Ok(()));
        let mut organizations = Organizations::new(&hierarchy(&[("Organization/b", "Organization/a")]));
        let (a, z) = (organizations.node("Organization/a"), organizations.node("Organization/z"));
        assert_eq!(organizations.check(Standing::Known(z), a), Err(FilterReason::OrganizationUnknown));
        assert_eq!(organizations.check(Standing::Known(a), z), Err(FilterReason::OrganizationUnrelated));
    }

    #[test]
    fn no_organization_and_an_unreadable_one_fail_closed() {
        let mut organizations = Organizations::new(&hierarchy(&[("Organization/b", "Organization/a")]));
        let a = organizations.node("Organization/a");
        assert_eq!(organizations.check(organizations.standing(None), a), Err(FilterReason::OrganizationMissing));
        let unreadable = organizations.standing(Some(&ClaimedOrganization::Unreadable));
        assert_eq!(organizations.check(unreadable, a), Err(FilterReason::OrganizationUnknown));
    }

    #[test]
    fn configured_references_are_reduced() {
        let parents = [("http://h/fhir/Organization/b", "Organization/a/_history/1")];
        assert_eq!(check(&parents, "Organization/b", "http://h/fhir/Organization/a"), Ok(()));
    }

    #[test]
    fn a_cycle_ends() {
        let parents = [
            ("Organization/a", "Organization/b"),
            ("Organization/b", "Organization/a"),
            ("Organization/y", "Organization/x"),
        ];
        assert_eq!(check(&parents, "Organization/a", "Organization/b"), Ok(()));
        assert_eq!(check(&parents, "Organization/a", "Organization/x"), Err(FilterReason::OrganizationUnrelated));
    }

    /// Ancestors by the definition: the organization itself and everything reachable over parents.
    fn reachable(parents: &BTreeMap<String, String>, from: &str) -> Vec<String> {
        let mut seen = vec![from.to_owned()];
        while let Some(parent) = seen.last().and_then(|last| parents.get(last)) {
            if seen.contains(parent) {
                break;
            }
            seen.push(parent.clone());
        }
        seen
    }

    proptest! {
        #[test]
        fn agrees_with_reachability(
            links in proptest::collection::btree_map(0_u8..8, 0_u8..8, 0..8), event in 0_u8..10, required in 0_u8..10,
        ) {
            let name = |number: u8| format!("Organization/{number}");
            let parents: BTreeMap<_, _> = links.into_iter().map(|(child, parent)| (name(child), name(parent))).collect();
            let mut organizations =
                Organizations::new(&OrganizationHierarchy { extension_url: String::new(), parents: parents.clone() });
            let required_node = organizations.node(&name(required));
            let claimed = ClaimedOrganization::Reference(name(event).into());
            let verdict = organizations.check(organizations.standing(Some(&claimed)), required_node);

            let known = parents.contains_key(&name(event)) || parents.values().any(|parent| *parent == name(event));
            let expected = if reachable(&parents, &name(event)).contains(&name(required)) {
                Ok(())
            } else if known {
                Err(FilterReason::OrganizationUnrelated)
            } else {
                Err(FilterReason::OrganizationUnknown)
            };
            prop_assert_eq!(verdict, expected);
        }
    }
}
