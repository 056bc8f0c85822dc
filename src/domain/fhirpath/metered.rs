//! The engine's functions, each paying for its work; see [`budget`](super::budget).
//!
//! A function pays for its input before it works and for its result afterwards; what may be much more than both (trees
//! that are walked, items that are compared with one another, texts that are multiplied) before. So with memory: what the
//! result may take at the most must fit before it is made.

use std::sync::Arc;

use async_trait::async_trait;
use octofhir_fhirpath::ast::ExpressionNode;
use octofhir_fhirpath::core::Result;
use octofhir_fhirpath::evaluator::function_registry::{
    FunctionEvaluatorWrapper, FunctionMetadata, FunctionRegistry, LazyFunctionEvaluator, NullPropagationStrategy,
    ProviderPureFunctionEvaluator, PureFunctionEvaluator,
};
use octofhir_fhirpath::evaluator::lambda_hoisting::{hoist_into, invariant_subexpressions};
use octofhir_fhirpath::evaluator::{AsyncNodeEvaluator, EvaluationContext, EvaluationResult};
use octofhir_fhirpath::{Collection, FhirPathValue};

use super::budget::{self, fit, hold, spend, spend_rounds};
use super::functions::TAKE_PATTERN;
use super::pattern;
use super::tree::call;

/// Makes every function of the registry pay.
pub(super) fn meter(registry: &mut FunctionRegistry) {
    let names: Vec<String> = registry.list_functions().into_iter().cloned().collect();
    for name in names {
        match registry.get_function_wrapper(&name).cloned() {
            Some(FunctionEvaluatorWrapper::Pure(inner)) => {
                let (metadata, work) = (on_nothing(inner.metadata()), Work::of(&name));
                registry.register_pure_function(Arc::new(Pure { metadata, work, pattern: None, inner }));
            }
            Some(FunctionEvaluatorWrapper::ProviderPure(inner)) => {
                let (metadata, work) = (on_nothing(inner.metadata()), Work::of(&name));
                registry.register_provider_pure_function(Arc::new(Metered { metadata, work, inner }));
            }
            Some(FunctionEvaluatorWrapper::Lazy(inner)) => {
                let (metadata, work) = (on_nothing(inner.metadata()), Work::of(&name));
                registry.register_lazy_function(Arc::new(Metered { metadata, work, inner }));
            }
            Some(FunctionEvaluatorWrapper::Standard(_)) | None => {}
        }
    }
}

/// What the engine knows of a function, repaired: it answers for these without calling them when their input is empty,
/// and gives empty, where FHIRPath has an answer (`{}.all(...)` is true, `{}.anyTrue()` is false, `{}.union(x)` is x).
fn on_nothing(metadata: &FunctionMetadata) -> FunctionMetadata {
    const ANSWERED: [&str; 8] =
        ["all", "allTrue", "anyTrue", "hasValue", "isDistinct", "subsetOf", "supersetOf", "union"];
    let mut metadata = metadata.clone();
    if ANSWERED.contains(&metadata.name.as_str()) {
        metadata.null_propagation = NullPropagationStrategy::None;
    }
    metadata
}

/// What a function's work grows with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// The items of its input and arguments.
    Items,
    /// Everything below them.
    Tree,
    /// One level below them.
    Level,
    /// Its expression is evaluated for each item of the input.
    Rounds,
    /// As `Rounds`, and the results are gathered.
    Select,
    /// Its expression is evaluated for each item, and for each of the results, down the tree.
    RoundsDown,
    /// All items are compared with one another in the end.
    Sort,
    /// Items that are equal are found by their hash, as far as they have one.
    Distinct,
    /// Each item of the input is compared with each of the argument.
    Pairs,
    /// The text becomes an item for each letter.
    Letters,
    /// The argument may stand in each place of the text.
    Replace,
    /// The argument stands between the items.
    Join,
    /// A regular expression runs over the text.
    Pattern,
}

impl Work {
    fn of(function: &str) -> Self {
        match function {
            "descendants" => Self::Tree,
            "children" => Self::Level,
            "where" | "all" | "exists" | "aggregate" => Self::Rounds,
            "select" => Self::Select,
            "repeat" | "repeatAll" => Self::RoundsDown,
            "sort" => Self::Sort,
            "distinct" | "isDistinct" | "union" => Self::Distinct,
            "intersect" | "exclude" | "subsetOf" | "supersetOf" => Self::Pairs,
            "toChars" | "split" => Self::Letters,
            "replace" => Self::Replace,
            "join" => Self::Join,
            _ if TAKE_PATTERN.contains(&function) => Self::Pattern,
            _ => Self::Items,
        }
    }

    /// What is paid before the work.
    fn cost(self, input: &Collection, arguments: &[Collection]) -> u64 {
        let given: u64 = arguments.iter().map(budget::items).sum();
        let items = 1 + budget::items(input) + given;
        match self {
            Self::Items | Self::Rounds | Self::Select | Self::RoundsDown | Self::Pattern => items,
            Self::Tree => items + budget::deep(input),
            Self::Level => items + budget::level(input),
            Self::Sort => items + 16 * budget::deep(input),
            Self::Distinct => {
                let all = budget::deep(input) + arguments.iter().map(budget::deep).sum::<u64>();
                let count = input.len() + arguments.iter().map(Collection::len).sum::<usize>();
                let without_hash = unhashable(input) + arguments.iter().map(unhashable).sum::<u64>();
                items + all + without_hash.saturating_mul(count as u64)
            }
            Self::Pairs => items + arguments.iter().map(|other| pairs(input, other)).sum::<u64>(),
            Self::Letters => items + text_length(input),
            Self::Replace | Self::Join => {
                let longest = arguments.iter().map(text_length).max().unwrap_or_default();
                let times = text_length(input) + input.len() as u64;
                items + times.saturating_mul(longest) / 64
            }
        }
    }
}

impl Work {
    /// The memory that a result may take at the most, in bytes.
    fn result(self, input: &Collection, arguments: &[Collection]) -> u64 {
        match self {
            Self::Tree => budget::size_below(input),
            Self::Level => budget::size_of_texts(budget::level(input), 0),
            Self::Letters => split(input, arguments),
            Self::Replace => replaced(input, arguments),
            Self::Join => {
                let separator = text_of(arguments.first()).map_or(0, |text| text.len() as u64);
                text_length(input).saturating_add(separator.saturating_mul(input.len() as u64))
            }
            Self::Pattern => match arguments.get(1) {
                // In each place, and each reference to a group gives a part of the text.
                Some(substitution) => {
                    let references = text_of(Some(substitution)).map_or(0, |text| text.matches('$').count() as u64);
                    let text = text_length(input);
                    let places = text.saturating_add(1).saturating_mul(text_length(substitution));
                    places.saturating_add(text.saturating_mul(references + 1))
                }
                None => 0,
            },
            _ => budget::size(input) + arguments.iter().map(budget::size).sum::<u64>(),
        }
    }
}

/// The parts of a text: as many as there are separators, or letters.
fn split(input: &Collection, arguments: &[Collection]) -> u64 {
    let Some(text) = text_of(Some(input)) else { return 0 };
    let parts = match text_of(arguments.first()) {
        Some(separator) if !separator.is_empty() => text.matches(separator).count() + 1,
        _ => text.len(),
    };
    budget::size_of_texts(parts as u64, text.len() as u64)
}

fn replaced(input: &Collection, arguments: &[Collection]) -> u64 {
    let (Some(text), Some(part), Some(substitution)) =
        (text_of(Some(input)), text_of(arguments.first()), text_of(arguments.get(1)))
    else {
        return 0;
    };
    let places = if substitution.len() > part.len() { text.matches(part).count() } else { 0 };
    (text.len() as u64).saturating_add((places as u64).saturating_mul(substitution.len() as u64))
}

/// The only text of a collection.
fn text_of(collection: Option<&Collection>) -> Option<&str> {
    match collection?.values() {
        [FhirPathValue::String(text, ..)] => Some(text),
        _ => None,
    }
}

/// The steps of comparing each item with each other one, everything below them included.
pub(super) fn pairs(left: &Collection, right: &Collection) -> u64 {
    let deep = |one: &Collection, other: &Collection| (one.len() as u64).saturating_mul(budget::deep(other));
    deep(left, right).max(deep(right, left)) / 4 + 1
}

fn text_length(collection: &Collection) -> u64 {
    let length = |value: &FhirPathValue| match value {
        FhirPathValue::String(text, ..) => text.len() as u64,
        _ => 32,
    };
    collection.iter().map(length).sum()
}

/// How many items the engine has no hash for.
fn unhashable(collection: &Collection) -> u64 {
    let has_hash = |value: &&FhirPathValue| match value {
        FhirPathValue::Integer(..)
        | FhirPathValue::Decimal(..)
        | FhirPathValue::Boolean(..)
        | FhirPathValue::String(..) => false,
        FhirPathValue::Resource(_, info, _) => info.type_name == "Quantity",
        _ => true,
    };
    collection.iter().filter(has_hash).count() as u64
}

/// Pays for what came out.
fn paid(result: EvaluationResult) -> Result<EvaluationResult> {
    spend(budget::items(&result.value))?;
    hold(budget::size(&result.value))?;
    Ok(result)
}

struct Pure {
    metadata: FunctionMetadata,
    inner: Arc<dyn PureFunctionEvaluator>,
    work: Work,
    /// A constant pattern and its size.
    pattern: Option<(String, u64)>,
}

impl Pure {
    fn pay(&self, input: &Collection, arguments: &[Collection]) -> Result<()> {
        spend(self.work.cost(input, arguments))?;
        fit(self.work.result(input, arguments))?;
        if self.work != Work::Pattern {
            return Ok(());
        }
        let Some(text) = text_of(arguments.first()) else { return Ok(()) };
        let size = match &self.pattern {
            Some((known, size)) if known == text => *size,
            _ => pattern::size(text)?,
        };
        let written = arguments.get(1).map_or(0, text_length);
        spend(pattern::cost(size, text_length(input)) + (text_length(input) + 1).saturating_mul(written) / 64)
    }
}

#[async_trait]
impl PureFunctionEvaluator for Pure {
    fn prepare(&self, arguments: &[Collection]) -> Option<Arc<dyn PureFunctionEvaluator>> {
        let pattern = text_of(arguments.first()).filter(|_| self.work == Work::Pattern);
        let pattern = pattern.and_then(|text| Some((text.to_owned(), pattern::measure(text)?)));
        if self.work == Work::Pattern && pattern.is_none() {
            // Not compiled before it was found too large.
            return None;
        }
        let inner = self.inner.prepare(arguments).unwrap_or_else(|| Arc::clone(&self.inner));
        Some(Arc::new(Self { metadata: self.metadata.clone(), inner, work: self.work, pattern }))
    }

    fn supports_sync(&self) -> bool {
        self.inner.supports_sync()
    }

    fn evaluate_sync(&self, input: Collection, arguments: Vec<Collection>) -> Result<EvaluationResult> {
        self.pay(&input, &arguments)?;
        paid(self.inner.evaluate_sync(input, arguments)?)
    }

    fn evaluate_sync_borrowed(&self, input: Collection, arguments: &[Collection]) -> Result<EvaluationResult> {
        self.pay(&input, arguments)?;
        paid(self.inner.evaluate_sync_borrowed(input, arguments)?)
    }

    async fn evaluate(&self, input: Collection, arguments: Vec<Collection>) -> Result<EvaluationResult> {
        self.pay(&input, &arguments)?;
        paid(self.inner.evaluate(input, arguments).await?)
    }

    fn metadata(&self) -> &FunctionMetadata {
        &self.metadata
    }
}

struct Metered<F: ?Sized> {
    metadata: FunctionMetadata,
    work: Work,
    inner: Arc<F>,
}

#[async_trait]
impl ProviderPureFunctionEvaluator for Metered<dyn ProviderPureFunctionEvaluator> {
    async fn evaluate(
        &self,
        input: Collection,
        arguments: Vec<Collection>,
        context: &EvaluationContext,
    ) -> Result<EvaluationResult> {
        spend(self.work.cost(&input, &arguments))?;
        fit(self.work.result(&input, &arguments))?;
        paid(self.inner.evaluate(input, arguments, context).await?)
    }

    fn metadata(&self) -> &FunctionMetadata {
        &self.metadata
    }
}

impl Metered<dyn LazyFunctionEvaluator> {
    /// How often the expression may be evaluated.
    fn rounds(&self, input: &Collection, arguments: &[ExpressionNode]) -> u64 {
        match self.work {
            Work::Rounds | Work::Select | Work::Sort => input.len() as u64,
            // Every result is turned into text to know it again, with everything below it.
            Work::RoundsDown if arguments.iter().any(walks) => budget::by_depth(input, 2),
            Work::RoundsDown => budget::by_depth(input, 1),
            _ => 0,
        }
    }

    /// Pays for the rounds, and for what the engine evaluates once before them and hands out in each.
    async fn pay_rounds(
        &self,
        input: &Collection,
        context: &EvaluationContext,
        arguments: &[ExpressionNode],
        evaluator: &AsyncNodeEvaluator<'_>,
    ) -> Result<EvaluationContext> {
        let rounds = self.rounds(input, arguments);
        if rounds == 0 || arguments.is_empty() {
            return Ok(context.clone());
        }
        spend_rounds(rounds)?;
        let at_once = usize::try_from(rounds).unwrap_or(usize::MAX);
        let context = hoist_into(context, arguments, at_once, evaluator).await?;
        for candidate in arguments.iter().flat_map(invariant_subexpressions) {
            if let Some(value) = context.hoisted_value(std::ptr::from_ref(candidate) as usize) {
                spend(rounds.saturating_mul(budget::items(&value)))?;
            }
        }
        Ok(context)
    }
}

/// Whether a step of repeat() goes down more than one level.
fn walks(node: &ExpressionNode) -> bool {
    call(node).is_some_and(|(name, ..)| name == "descendants") || super::tree::children(node).into_iter().any(walks)
}

#[async_trait]
impl LazyFunctionEvaluator for Metered<dyn LazyFunctionEvaluator> {
    fn prepare_no_args(&self) -> Option<Arc<dyn PureFunctionEvaluator>> {
        let inner = self.inner.prepare_no_args()?;
        Some(Arc::new(Pure { metadata: self.metadata.clone(), inner, work: self.work, pattern: None }))
    }

    async fn evaluate(
        &self,
        input: Collection,
        context: &EvaluationContext,
        arguments: Vec<ExpressionNode>,
        evaluator: AsyncNodeEvaluator<'_>,
    ) -> Result<EvaluationResult> {
        self.evaluate_borrowed(input, context, &arguments, evaluator).await
    }

    async fn evaluate_borrowed(
        &self,
        input: Collection,
        context: &EvaluationContext,
        arguments: &[ExpressionNode],
        evaluator: AsyncNodeEvaluator<'_>,
    ) -> Result<EvaluationResult> {
        spend(self.work.cost(&input, &[]))?;
        let context = self.pay_rounds(&input, context, arguments, &evaluator).await?;
        match self.work {
            Work::Select => select(&input, &context, arguments, &evaluator).await,
            Work::RoundsDown => {
                // By its JSON text the engine knows again what it has met.
                fit(BYTES_OF_VALUE.saturating_mul(budget::by_depth(&input, 1)))?;
                let small = budget::hold_from(0);
                let result = self.inner.evaluate_borrowed(input, &context, arguments, evaluator).await;
                budget::hold_from(small);
                paid(result?)
            }
            _ => paid(self.inner.evaluate_borrowed(input, &context, arguments, evaluator).await?),
        }
    }

    fn metadata(&self) -> &FunctionMetadata {
        &self.metadata
    }
}

/// The JSON text of a value without its own text, as long as it usually is at the most.
const BYTES_OF_VALUE: u64 = 64;

/// select() as the engine has it, but each round pays for what it adds.
async fn select(
    input: &Collection,
    context: &EvaluationContext,
    arguments: &[ExpressionNode],
    evaluator: &AsyncNodeEvaluator<'_>,
) -> Result<EvaluationResult> {
    let Some(projection) = arguments.first() else { return Err(budget::exhausted()) };
    let mut results = Vec::new();
    for (index, item) in input.iter().enumerate() {
        let round = context.create_child_context(Collection::single(item.clone()));
        round.set_this(item.clone());
        round.set_index(index);
        let projected = evaluator.evaluate(projection, &round).await?.value;
        spend(budget::items(&projected))?;
        let small = budget::hold_from(0);
        let held = hold(budget::size(&projected));
        budget::hold_from(small);
        held?;
        results.extend(projected.iter().cloned());
    }
    spend(results.len() as u64)?;
    Ok(EvaluationResult { value: Collection::from(results) })
}

/// Gives back its input and pays for it: stands behind variables, which the engine hands out whatever their size.
pub(super) struct Toll {
    pub(super) metadata: FunctionMetadata,
}

#[async_trait]
impl PureFunctionEvaluator for Toll {
    fn supports_sync(&self) -> bool {
        true
    }

    fn evaluate_sync(&self, input: Collection, _arguments: Vec<Collection>) -> Result<EvaluationResult> {
        Ok(EvaluationResult { value: input })
    }

    async fn evaluate(&self, input: Collection, arguments: Vec<Collection>) -> Result<EvaluationResult> {
        self.evaluate_sync(input, arguments)
    }

    fn metadata(&self) -> &FunctionMetadata {
        &self.metadata
    }
}
