//! Which criteria have no program, for those who wrote them.

use std::ops::Range;

use super::compile::{Reads, Unsupported, compile};
use super::symbols::Symbols;
use crate::domain::event::FhirRelease;
use crate::domain::fhirpath::model::{self, Kind};
use crate::domain::fhirpath::{Criterion, CriterionProblem, FhirPath};

/// Why a criterion is not compiled, so that the general engine runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompiled {
    /// Where in the expression, in bytes, if known.
    pub span: Option<Range<usize>>,
    /// What the compiler does not take; lower case, no full stop. Holds nothing of the expression.
    pub reason: &'static str,
    /// Of a criterion for resources of any type: for how many types it is not compiled, and how many there are.
    pub resource_types: Option<(usize, usize)>,
    /// Where a known defect of the general engine could bite.
    pub defects: Vec<CriterionProblem>,
}

impl FhirPath {
    /// Which engine runs a criterion on resources of this type in this release: `None` for its own program, else why the
    /// general one does. `Resource` stands for all types: the first is told that has no program.
    #[must_use]
    pub fn not_compiled(
        &self,
        criterion: &Criterion,
        release: FhirRelease,
        resource_type: &str,
    ) -> Option<NotCompiled> {
        let not_compiled = |Unsupported { span, reason }, resource_types| {
            let defects = criterion.0.findings.defects.clone();
            Some(NotCompiled { span, reason, resource_types, defects })
        };
        let (normalized, tree) = (&criterion.0.normalized, &criterion.0.tree);
        let refusal = |resource_type: &str| {
            let (mut names, mut reads) = (Symbols::new(), Reads::new());
            compile(normalized, tree, release, resource_type, &mut names, &mut reads).err()
        };
        if resource_type != "Resource" {
            return not_compiled(refusal(resource_type)?, None);
        }
        let mut names: Vec<&str> = model::model(release).names(Kind::Resource).collect();
        names.sort_unstable();
        let mut refused: Vec<Unsupported> = names.iter().filter_map(|name| refusal(name)).collect();
        let count = refused.len();
        not_compiled(refused.drain(..).next()?, Some((count, names.len())))
    }
}
