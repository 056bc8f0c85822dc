//! One engine per FHIR release, and how an expression is run in it.
//!
//! Engines are made at their first use and shared by the whole process, so that compiled expressions fit every
//! [`FhirPath`](super::FhirPath). There is no terminology, server, validation or trace provider: nothing in the engine
//! can wait or do I/O. Its futures only yield, which is how the engine leaves room to others; they are polled on until the
//! evaluation's budget is used up.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use octofhir_fhir_model::provider::{ModelProvider, TypeInfo};
use octofhir_fhirpath::evaluator::create_standard_operator_registry;
use octofhir_fhirpath::{
    Collection, CompiledPlan, EvaluationContext, FhirPathEngine, FhirPathValue, FunctionRegistry,
    create_function_registry,
};
use serde_json::Value;

use super::budget::{self, Budget, Shape, Terms};
use super::model::{self, Provider};
use super::node::Namesakes;
use super::{functions, metered, operators};
use crate::domain::event::FhirRelease;

/// What an engine needs per event, and what all events share.
pub(super) struct Engine {
    engine: FhirPathEngine,
    provider: Arc<dyn ModelProvider>,
    /// Type information by resource type, so that none is made per event.
    resource_types: HashMap<&'static str, Arc<TypeInfo>>,
    namesakes: Namesakes,
    /// Types of (parent type, element), which `children()` and `descendants()` ask for by the thousand.
    element_types: Arc<ElementTypes>,
}

type ElementTypes = papaya::HashMap<String, Option<Arc<TypeInfo>>>;

/// The longest element name, in bytes, whose type is kept.
const MAX_KEPT_NAME: usize = 64;

/// How many element types are kept; FHIR has some 10,000 in each release.
const MAX_KEPT_TYPES: usize = 50_000;

static R4: LazyLock<Engine> = LazyLock::new(|| Engine::new(FhirRelease::R4));
static R4B: LazyLock<Engine> = LazyLock::new(|| Engine::new(FhirRelease::R4B));
static R5: LazyLock<Engine> = LazyLock::new(|| Engine::new(FhirRelease::R5));

/// The functions of all engines: the same for every release.
static FUNCTIONS: LazyLock<Arc<FunctionRegistry>> = LazyLock::new(|| {
    let mut registry = create_function_registry();
    functions::replace(&mut registry);
    metered::meter(&mut registry);
    Arc::new(registry)
});

/// The engine of a release.
pub(super) fn engine(release: FhirRelease) -> &'static Engine {
    match release {
        FhirRelease::R4 => &R4,
        FhirRelease::R4B => &R4B,
        FhirRelease::R5 => &R5,
    }
}

/// The functions that the engines know.
pub(super) fn functions() -> &'static FunctionRegistry {
    &FUNCTIONS
}

/// The engine gave no result: an error of its own, a panic, or a future that waits. Its text is dropped: it quotes
/// values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EngineFailed;

impl Engine {
    fn new(release: FhirRelease) -> Self {
        let model = model::model(release);
        let paying: Arc<dyn ModelProvider> = Arc::new(Provider::new(model, true));
        let provider: Arc<dyn ModelProvider> = Arc::new(Provider::new(model, false));
        let operators = operators::exact(create_standard_operator_registry());
        let making = FhirPathEngine::new_with_registries(Arc::new(operators), FUNCTIONS.clone(), paying);
        let engine = poll_once(making)
            .expect("making an engine waits for nothing")
            .expect("making an engine from registries has no way to fail");
        let resource_types =
            model.names(model::Kind::Resource).map(|name| (name, Arc::new(model::fhir_type(name, true)))).collect();
        let namesakes = Namesakes::of(model);
        Self { engine, provider, resource_types, namesakes, element_types: Arc::default() }
    }

    /// Compiles an expression for [`Engine::run`].
    pub(super) fn compile(&self, text: &str) -> Result<Arc<CompiledPlan>, EngineFailed> {
        let compiled = catch_unwind(AssertUnwindSafe(|| self.engine.compile_plan(text)));
        compiled.map_err(|_panic| EngineFailed)?.map_err(|_quotes_values| EngineFailed)
    }

    /// A resource as the engine sees it.
    pub(super) fn value(&self, resource: &Value, shape: &mut Shape) -> FhirPathValue {
        let type_name = resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
        let type_info = self.resource_types.get(type_name).cloned();
        let type_info = type_info.unwrap_or_else(|| Arc::new(model::fhir_type("Resource", true)));
        FhirPathValue::Resource(self.namesakes.tree(resource, shape), type_info, None)
    }

    /// A context with this focus; `None` is the empty focus. The shape is that of all of the event's trees.
    pub(super) fn context(&self, focus: Option<FhirPathValue>, shape: &Shape) -> EvaluationContext {
        let focus = focus.map_or_else(Collection::empty, Collection::single);
        let types = self.types_for(shape);
        EvaluationContext::new_with_server_and_element_type_cache(
            focus,
            self.provider.clone(),
            None,
            None,
            None,
            None,
            types,
        )
    }

    /// The shared element types, or an event's own where its names are too long to be kept: FHIR has none such, and
    /// publishers' own names must not fill the memory.
    fn types_for(&self, shape: &Shape) -> Arc<ElementTypes> {
        if shape.longest_name > MAX_KEPT_NAME {
            return Arc::default();
        }
        if self.element_types.len() > MAX_KEPT_TYPES {
            self.element_types.pin().clear();
        }
        Arc::clone(&self.element_types)
    }

    /// Runs a compiled expression, inside of [`budget::metered`](super::budget::metered).
    pub(super) fn run(&self, plan: &CompiledPlan, context: &EvaluationContext) -> Result<Collection, EngineFailed> {
        // Nothing of the engine's state outlives a panic: what it caches is inserted whole.
        let outcome = catch_unwind(AssertUnwindSafe(|| poll_paid(self.engine.evaluate_plan(plan, context))));
        let result = outcome.map_err(|_panic| EngineFailed)?.ok_or(EngineFailed)?;
        result.map(|result| result.value).map_err(|_quotes_values| EngineFailed)
    }
}

impl Engine {
    /// How many element types are kept.
    #[cfg(test)]
    pub(super) fn kept_types(&self) -> usize {
        self.element_types.len()
    }

    /// Runs a compiled expression on nothing.
    pub(super) fn run_alone(&self, plan: &CompiledPlan) -> Result<Collection, EngineFailed> {
        let shape = Arc::new(Shape::default());
        let context = self.context(None, &shape);
        let terms = Terms { toll: 1, shape: &shape, trees: 0 };
        let result = budget::metered(&mut Budget::of_evaluation(), &terms, || self.run(plan, &context));
        result.map_err(|_| EngineFailed)?
    }
}

/// The steps that the engine takes before it yields, and that each poll costs.
const STEPS_PER_POLL: u64 = 4096;

/// The result of an evaluation. It waits for nothing, but yields from time to time; `None` when it cannot go on paying.
fn poll_paid<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(output);
        }
        budget::spend(STEPS_PER_POLL).ok()?;
    }
}

/// The result of a future that never waits.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
