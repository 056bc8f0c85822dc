//! Rights, as far as the brokers tell them without anything being tried.

use super::super::rights::{GroupRights, Operation};
use super::super::start_check::{Role, roles};
use super::{Case, Finding, Severity, Verdict};

pub(super) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    let mut not_told = Vec::new();
    for (name, role) in roles(case.plan) {
        if !case.facts.start.layouts.contains_key(name) {
            continue;
        }
        let needed = if role == Role::Ingest { Operation::Read } else { Operation::Write };
        match case.facts.rights.get(name) {
            Some(rights) if rights.allow(needed) => {}
            Some(_) => {
                let what = format!("the service has not the right {} on this {role} Kafka topic", needed.name());
                let remedy = case.commands.allow(needed.name(), "topic", name);
                verdict.findings.push(Finding::new(Severity::Error, "rights", what).about(name).remedy(remedy));
            }
            None => not_told.push(name),
        }
    }
    if !not_told.is_empty() {
        verdict.not_checked.push(format!("the rights on {}: the brokers do not tell them", not_told.join(", ")));
    }
    let group = &case.settings.application_id;
    match case.facts.group {
        GroupRights::Told(rights) if rights.allow(Operation::Read) => {}
        GroupRights::Told(_) | GroupRights::Forbidden => {
            let what = format!("the service has not the right Read on its group `{group}`");
            let remedy = case.commands.allow("Read", "group", group);
            verdict.findings.push(Finding::new(Severity::Error, "rights", what).remedy(remedy));
        }
        GroupRights::Unknown => {
            verdict.not_checked.push(format!("the right Read on the group `{group}`: the brokers do not tell it"));
        }
    }
    verdict.not_checked.push(format!(
        "the rights Write and Describe on transactional ids that begin with `{group}-`: brokers tell them only to who begins a \
         transaction"
    ));
}
