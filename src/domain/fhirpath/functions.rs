//! The engine's functions, replaced where they would make a result depend on more than the event, or show it.
//!
//! - `now()`, `today()` and `timeOfDay()` are the event's own time in UTC, from a variable of the context.
//! - `trace()` gives its input and prints nothing: content is patient data.
//! - Functions that show the digits of a decimal see it without the dust of binary floating point; see
//!   [`operators`](super::operators).
//! - Regular expressions are in single-line mode, as FHIRPath says: `.` matches line breaks. matchesFull() matches the
//!   whole text with every alternative of its pattern.

use std::sync::Arc;

use async_trait::async_trait;
use octofhir_fhirpath::ast::ExpressionNode;
use octofhir_fhirpath::core::Result;
use octofhir_fhirpath::evaluator::function_registry::{
    FunctionEvaluatorWrapper, FunctionMetadata, FunctionRegistry, LazyFunctionEvaluator, ProviderPureFunctionEvaluator,
    PureFunctionEvaluator,
};
use octofhir_fhirpath::evaluator::{AsyncNodeEvaluator, EvaluationContext, EvaluationResult};
use octofhir_fhirpath::{Collection, FhirPathValue};

use super::metered::Toll;
use super::operators::shortest;

/// The functions of time, and the variables that hold their results. No expression can name the variables: their
/// names are refused as unknown.
pub(super) const CLOCK: [(&str, &str); 3] =
    [("now", "fhir-fanout now"), ("today", "fhir-fanout today"), ("timeOfDay", "fhir-fanout timeOfDay")];

/// Functions whose result shows how many digits a decimal has.
const SHOW_DIGITS: [&str; 5] = ["toString", "round", "precision", "lowBoundary", "highBoundary"];

/// Functions that take a regular expression.
pub(super) const TAKE_PATTERN: [&str; 3] = ["matches", "matchesFull", "replaceMatches"];

/// The function that pays for a variable's value; put behind variables when a criterion is compiled, refused elsewhere.
pub(super) const TOLL: &str = "fhirFanoutToll";

/// Replaces the functions in the engine's registry.
pub(super) fn replace(registry: &mut FunctionRegistry) {
    if let Some(metadata) = registry.get_metadata("count").cloned() {
        let metadata = FunctionMetadata { name: TOLL.to_owned(), ..metadata };
        registry.register_pure_function(Arc::new(Toll { metadata }));
    }
    for (name, variable) in CLOCK {
        if let Some(metadata) = registry.get_metadata(name).cloned() {
            registry.register_provider_pure_function(Arc::new(Clock { metadata, variable }));
        }
    }
    if let Some(metadata) = registry.get_metadata("trace").cloned() {
        registry.register_lazy_function(Arc::new(SilentTrace { metadata }));
    }
    for name in SHOW_DIGITS {
        if let Some(FunctionEvaluatorWrapper::Pure(inner)) = registry.get_function_wrapper(name).cloned() {
            registry.register_pure_function(Arc::new(Shortest { inner }));
        }
    }
    for name in TAKE_PATTERN {
        if let Some(FunctionEvaluatorWrapper::Pure(inner)) = registry.get_function_wrapper(name).cloned() {
            registry.register_pure_function(Arc::new(SingleLine { inner, is_full: name == "matchesFull" }));
        }
    }
}

struct Clock {
    metadata: FunctionMetadata,
    variable: &'static str,
}

#[async_trait]
impl ProviderPureFunctionEvaluator for Clock {
    async fn evaluate(
        &self,
        _input: Collection,
        _arguments: Vec<Collection>,
        context: &EvaluationContext,
    ) -> Result<EvaluationResult> {
        let time = context.get_variable(self.variable);
        Ok(EvaluationResult { value: time.map_or_else(Collection::empty, Collection::single) })
    }

    fn metadata(&self) -> &FunctionMetadata {
        &self.metadata
    }
}

struct SilentTrace {
    metadata: FunctionMetadata,
}

#[async_trait]
impl LazyFunctionEvaluator for SilentTrace {
    async fn evaluate(
        &self,
        input: Collection,
        _context: &EvaluationContext,
        _arguments: Vec<ExpressionNode>,
        _evaluator: AsyncNodeEvaluator<'_>,
    ) -> Result<EvaluationResult> {
        Ok(EvaluationResult { value: input })
    }

    fn metadata(&self) -> &FunctionMetadata {
        &self.metadata
    }
}

struct Shortest {
    inner: Arc<dyn PureFunctionEvaluator>,
}

#[async_trait]
impl PureFunctionEvaluator for Shortest {
    fn supports_sync(&self) -> bool {
        self.inner.supports_sync()
    }

    fn evaluate_sync(&self, input: Collection, arguments: Vec<Collection>) -> Result<EvaluationResult> {
        self.inner.evaluate_sync(shortest(input), arguments)
    }

    async fn evaluate(&self, input: Collection, arguments: Vec<Collection>) -> Result<EvaluationResult> {
        self.inner.evaluate(shortest(input), arguments).await
    }

    fn metadata(&self) -> &FunctionMetadata {
        self.inner.metadata()
    }
}

struct SingleLine {
    inner: Arc<dyn PureFunctionEvaluator>,
    is_full: bool,
}

impl SingleLine {
    fn adapt(&self, arguments: &[Collection]) -> Vec<Collection> {
        let mut arguments = arguments.to_vec();
        if let Some(pattern) = arguments.first_mut()
            && let [FhirPathValue::String(text, ..)] = pattern.values()
            && !text.is_empty()
        {
            let adapted = if self.is_full { format!("^(?s:{text})$") } else { format!("(?s){text}") };
            *pattern = Collection::single(FhirPathValue::string(adapted));
        }
        arguments
    }
}

#[async_trait]
impl PureFunctionEvaluator for SingleLine {
    /// A constant pattern is compiled once. The result is wrapped again: it compares the pattern that it is given.
    fn prepare(&self, arguments: &[Collection]) -> Option<Arc<dyn PureFunctionEvaluator>> {
        let inner = self.inner.prepare(&self.adapt(arguments))?;
        Some(Arc::new(Self { inner, is_full: self.is_full }))
    }

    fn supports_sync(&self) -> bool {
        self.inner.supports_sync()
    }

    fn evaluate_sync(&self, input: Collection, arguments: Vec<Collection>) -> Result<EvaluationResult> {
        self.inner.evaluate_sync(input, self.adapt(&arguments))
    }

    async fn evaluate(&self, input: Collection, arguments: Vec<Collection>) -> Result<EvaluationResult> {
        self.inner.evaluate(input, self.adapt(&arguments)).await
    }

    fn metadata(&self) -> &FunctionMetadata {
        self.inner.metadata()
    }
}

/// The results of the functions of time for an event at this instant, given as UTC in RFC 3339 with milliseconds.
pub(super) fn clock_variables(instant: &str) -> Option<[(&'static str, FhirPathValue); 3]> {
    use octofhir_fhirpath::core::{PrecisionDate, PrecisionDateTime, PrecisionTime};
    let (date, time) = instant.strip_suffix('Z')?.split_once('T')?;
    Some([
        (CLOCK[0].1, FhirPathValue::datetime(PrecisionDateTime::parse(instant)?)),
        (CLOCK[1].1, FhirPathValue::date(PrecisionDate::parse(date)?)),
        (CLOCK[2].1, FhirPathValue::time(PrecisionTime::parse(time)?)),
    ])
}
