//! Where an event belongs, and the way up from there.

use crate::domain::event::ResourceEvent;
use crate::domain::plan::Plan;
use crate::domain::resource::ClaimedOrganization;

/// The organization of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventOrganization {
    /// The event names none.
    None,
    /// What it names is no literal reference to an Organization.
    Unreadable(ClaimSource),
    /// It names one.
    Named {
        /// Where it is named.
        source: ClaimSource,
        /// The organization first, then what it is part of, to the top.
        upwards: Vec<String>,
        /// Whether the hierarchy knows it.
        in_hierarchy: bool,
    },
}

/// Where an event names its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimSource {
    /// In the change envelope.
    Envelope,
    /// In the extension of the resource's `meta`.
    Extension,
}

impl EventOrganization {
    pub(super) fn of(plan: &Plan, event: &ResourceEvent<'_>) -> Self {
        let source = if event.organization.is_some() { ClaimSource::Envelope } else { ClaimSource::Extension };
        match event.claimed_organization(&plan.organizations.extension_url) {
            None => Self::None,
            Some(ClaimedOrganization::Unreadable) => Self::Unreadable(source),
            Some(ClaimedOrganization::Reference(reference)) => {
                let parents = &plan.organizations.parents;
                let known = parents.iter().any(|(child, parent)| *child == *reference || *parent == *reference);
                let upwards = std::iter::successors(Some(&*reference), |child| parents.get(*child).map(String::as_str));
                // `config` refuses cycles; one that came in all the same ends here.
                let upwards = upwards.take(parents.len() + 1).map(str::to_owned).collect();
                Self::Named { source, upwards, in_hierarchy: known }
            }
        }
    }
}
