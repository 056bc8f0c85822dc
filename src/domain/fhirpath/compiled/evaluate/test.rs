//! Parts that are true, false or empty.

use super::items::Few;
use super::scalar::Convertible;
use super::{Evaluation, Halt, Scope, enough};
use crate::domain::fhirpath::compiled::program::{Conversion, Expr, LogicOperator, Regex, Test, TextRelation, TypeId};
use crate::domain::fhirpath::compiled::value::{Value, convert, text};
use crate::domain::fhirpath::pattern;

impl<'e> Evaluation<'e> {
    /// True, false or empty.
    pub(super) fn test(&self, test: &'e Test, scope: &Scope<'e>) -> Result<Option<bool>, Halt> {
        if let Test::Shared(shared) = test {
            return self.shared(shared, scope);
        }
        self.spend(1)?;
        match test {
            Test::Constant(value) => Ok(*value),
            Test::Truth(expr) => self.truth(expr, scope),
            Test::Logic { first, rest } => self.logic(first, rest, scope),
            Test::Not(inner) => Ok(self.test(inner, scope)?.map(|value| !value)),
            Test::Exists(expr) => self.exists(expr, scope).map(Some),
            Test::Empty(expr) => self.exists(expr, scope).map(|exists| Some(!exists)),
            Test::Any { input, criterion } => self.any(input, criterion, true, scope).map(Some),
            Test::All { input, criterion } => self.any(input, criterion, false, scope).map(|found| Some(!found)),
            Test::Equal { left, right, negated } => {
                let equal = self.collections_equal(left, right, scope)?;
                Ok(equal.map(|equal| equal != *negated))
            }
            Test::Equivalent { left, right, negated } => {
                let equivalent = self.collections_equivalent(left, right, scope)?;
                Ok(Some(equivalent != *negated))
            }
            Test::Compare { left, operator, right } => self.compare(left, *operator, right, scope),
            Test::In { item, collection } => self.is_in(item, collection, scope),
            Test::Text { input, relation, argument } => self.relate(input, *relation, argument, scope),
            _ => self.other_test(test, scope),
        }
    }

    fn other_test(&self, test: &'e Test, scope: &Scope<'e>) -> Result<Option<bool>, Halt> {
        match test {
            Test::Booleans { input, all, expected } => self.booleans(input, *all, *expected, scope).map(Some),
            Test::Strict(expr) => match self.only(expr, scope)? {
                None => Ok(None),
                Some(item) => match self.value_of(item)? {
                    Some(Value::Boolean(value)) => Ok(Some(value)),
                    _ => Err(Halt::Failed),
                },
            },
            Test::IsDistinct(input) => self.is_distinct(input, scope).map(Some),
            Test::Subset(part, whole) => self.is_subset(part, whole, scope).map(Some),
            Test::Is { input, test } => {
                let item = self.only(input, scope)?;
                Ok(item.map(|item| self.narrowed(item, test).is_some()))
            }
            Test::HasValue(input) => Ok(Some(match self.few(input, scope)? {
                Few::One(item) => self.has_value(item),
                Few::None | Few::Many => false,
            })),
            Test::Matches { input, pattern } => match self.text(input, scope)? {
                Some(text) => self.matches(text, pattern).map(Some),
                None => Ok(None),
            },
            Test::Converts { input, to } => Ok(match self.convertible(input, scope)? {
                Convertible::None => None,
                Convertible::Value(value) => Some(converts(value, *to)),
                Convertible::Other => Some(false),
            }),
            _ => Err(Halt::Failed),
        }
    }

    /// A singleton as a boolean: its own value, or true if it is of another type.
    fn truth(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Option<bool>, Halt> {
        let Some(item) = self.only(expr, scope)? else { return Ok(None) };
        if self.system_type(item) != Some(TypeId::BOOLEAN) {
            return Ok(Some(true));
        }
        Ok(match self.value_of(item)? {
            Some(Value::Boolean(value)) => Some(value),
            _ => None,
        })
    }

    /// From left to right; what the left side decides is not asked of the right one.
    fn logic(
        &self,
        first: &'e Test,
        rest: &'e [(LogicOperator, Test)],
        scope: &Scope<'e>,
    ) -> Result<Option<bool>, Halt> {
        let mut left = self.test(first, scope)?;
        for (operator, right) in rest {
            left = match (operator, left) {
                (LogicOperator::And, Some(false)) => Some(false),
                (LogicOperator::Or, Some(true)) | (LogicOperator::Implies, Some(false)) => Some(true),
                (LogicOperator::And, Some(true)) | (LogicOperator::Or, Some(false)) => self.test(right, scope)?,
                (LogicOperator::Implies, Some(true)) => self.test(right, scope)?,
                (LogicOperator::And, None) => self.test(right, scope)?.filter(|right| !right),
                (LogicOperator::Or | LogicOperator::Implies, None) => self.test(right, scope)?.filter(|right| *right),
                (LogicOperator::Xor, left) => {
                    let right = self.test(right, scope)?;
                    left.zip(right).map(|(left, right)| left != right)
                }
            };
        }
        Ok(left)
    }

    fn exists(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<bool, Halt> {
        let mut exists = false;
        enough(self.each(expr, scope, &mut |_| {
            exists = true;
            Err(Halt::Done)
        }))?;
        Ok(exists)
    }

    /// Whether the criterion is true (or is not) of some item.
    fn any(&self, input: &'e Expr, criterion: &'e Test, sought: bool, scope: &Scope<'e>) -> Result<bool, Halt> {
        let mut found = false;
        enough(self.each_within(input, scope, &mut |_, inner| {
            found = (self.test(criterion, inner)? == Some(true)) == sought;
            if found { Err(Halt::Done) } else { Ok(()) }
        }))?;
        Ok(found)
    }

    /// Whether all items, or any, are what is expected.
    fn booleans(&self, input: &'e Expr, all: bool, expected: bool, scope: &Scope<'e>) -> Result<bool, Halt> {
        let mut stopped = false;
        enough(self.each(input, scope, &mut |item| {
            let is_expected = matches!(self.value_of(item)?, Some(Value::Boolean(value)) if value == expected);
            stopped = is_expected != all;
            if stopped { Err(Halt::Done) } else { Ok(()) }
        }))?;
        Ok(stopped != all)
    }

    fn is_distinct(&self, input: &'e Expr, scope: &Scope<'e>) -> Result<bool, Halt> {
        let items = self.collect(input, scope)?;
        for (index, item) in items.iter().enumerate() {
            if self.is_among(*item, &items[..index])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_subset(&self, part: &'e Expr, whole: &'e Expr, scope: &Scope<'e>) -> Result<bool, Halt> {
        let whole = self.collect(whole, scope)?;
        let mut is_subset = true;
        enough(self.each(part, scope, &mut |item| {
            is_subset = self.is_among(item, &whole)?;
            if is_subset { Ok(()) } else { Err(Halt::Done) }
        }))?;
        Ok(is_subset)
    }

    fn is_in(&self, item: &'e Expr, collection: &'e Expr, scope: &Scope<'e>) -> Result<Option<bool>, Halt> {
        let Some(item) = self.only(item, scope)? else { return Ok(None) };
        let mut found = false;
        enough(self.each(collection, scope, &mut |other| {
            found = self.items_equal(item, other)? == Some(true);
            if found { Err(Halt::Done) } else { Ok(()) }
        }))?;
        Ok(Some(found))
    }

    fn relate(
        &self,
        input: &'e Expr,
        relation: TextRelation,
        argument: &'e Expr,
        scope: &Scope<'e>,
    ) -> Result<Option<bool>, Halt> {
        let (Some(whole), Some(part)) = (self.text(input, scope)?, self.text(argument, scope)?) else {
            return Ok(None);
        };
        self.spend_text(whole.len())?;
        Ok(Some(match relation {
            TextRelation::StartsWith => text::starts_with(whole, part),
            TextRelation::EndsWith => text::ends_with(whole, part),
            TextRelation::Contains => text::contains(whole, part),
        }))
    }

    pub(super) fn matches(&self, text: &str, regex: &Regex) -> Result<bool, Halt> {
        self.spend(pattern::cost(regex.size, text.len() as u64))?;
        Ok(regex.pattern.is_match(text))
    }
}

fn converts(value: Value<'_>, to: Conversion) -> bool {
    match to {
        Conversion::Boolean => convert::converts_to_boolean(value),
        Conversion::Integer => convert::converts_to_integer(value),
        Conversion::Decimal => convert::converts_to_decimal(value),
        Conversion::String => convert::converts_to_string(value),
        Conversion::Date => convert::converts_to_date(value),
        Conversion::DateTime => convert::converts_to_date_time(value),
        Conversion::Time => convert::converts_to_time(value),
        Conversion::Quantity => convert::converts_to_quantity(value, None),
    }
}
