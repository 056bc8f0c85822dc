//! Functions that take values: texts, numbers, conversions, the clock.

use super::super::super::program::{
    Content, Conversion, Expr, MathFunction, Regex, Scalar, Test, TextFunction, TextRelation, TypeId,
};
use super::super::super::value::text::Pattern;
use super::super::shape::Shape;
use super::super::{Compiled, Compiler, Typed, scalar, test};
use super::Call;
use crate::domain::fhirpath::pattern::measure;

impl Compiler<'_> {
    /// A call of a function whose arguments are compiled.
    pub(super) fn value_call(&mut self, input: Typed, arguments: Vec<Typed>, call: &Call<'_>) -> Compiled {
        if let ("now" | "today" | "timeOfDay", [], false) = (call.name, &*arguments, call.has_receiver) {
            return Ok(match call.name {
                "now" => scalar(Scalar::Now, TypeId::DATE_TIME),
                "today" => scalar(Scalar::Today, TypeId::DATE),
                _ => scalar(Scalar::TimeOfDay, TypeId::TIME),
            });
        }
        if let ("hasValue" | "getValue", []) = (call.name, &*arguments) {
            return self.element_value(input, call);
        }
        if let ("precision", []) = (call.name, &*arguments) {
            return self.precision(input, call);
        }
        if arguments.is_empty()
            && let Some((to, converts)) = conversion(call.name)
        {
            return Ok(self.convert(input, to, converts));
        }
        if let Some((function, required)) = math(call.name, arguments.len()) {
            return self.math(input, function, required, arguments, call);
        }
        self.text_call(input, arguments, call)
    }

    fn element_value(&mut self, input: Typed, call: &Call<'_>) -> Compiled {
        if input.shape.any(TypeId::is_system) {
            return self.unsupported(call.location, "it asks for the value of an element");
        }
        if call.name == "hasValue" {
            return Ok(test(Test::HasValue(input.expr)));
        }
        let types = input.shape.0.iter().filter(|origin| self.is_primitive(origin.of));
        let types = types.filter_map(|origin| self.types.system_type(origin.of));
        let shape = types.fold(Shape::default(), |shape, of| shape.or(&Shape::system(of)));
        Ok(Typed { expr: Expr::Scalar(Box::new(Scalar::GetValue(input.expr))), shape })
    }

    fn precision(&mut self, input: Typed, call: &Call<'_>) -> Compiled {
        let takes = |of| [TypeId::DECIMAL, TypeId::DATE, TypeId::DATE_TIME, TypeId::TIME].contains(&of);
        if !input.shape.all(|of| self.types.system_type(of).is_some_and(takes)) {
            return self.unsupported(call.location, "it takes decimals, dates and times");
        }
        Ok(scalar(Scalar::Precision(input.expr), TypeId::INTEGER))
    }

    fn is_primitive(&self, of: TypeId) -> bool {
        matches!(self.types.content(of), Content::Primitive(_))
    }

    fn convert(&mut self, input: Typed, to: Conversion, converts: bool) -> Typed {
        self.require_values(&[&input]);
        let input = input.expr;
        if converts {
            return test(Test::Converts { input, to });
        }
        let of = match to {
            Conversion::Boolean => TypeId::BOOLEAN,
            Conversion::Integer => TypeId::INTEGER,
            Conversion::Decimal => TypeId::DECIMAL,
            Conversion::String => TypeId::STRING,
            Conversion::Date => TypeId::DATE,
            Conversion::DateTime => TypeId::DATE_TIME,
            Conversion::Time => TypeId::TIME,
            Conversion::Quantity => TypeId::QUANTITY,
        };
        scalar(Scalar::Convert { input, to }, of)
    }

    fn math(
        &mut self,
        input: Typed,
        function: MathFunction,
        required: Option<TypeId>,
        arguments: Vec<Typed>,
        call: &Call<'_>,
    ) -> Compiled {
        let is_number = |of| of == TypeId::INTEGER || of == TypeId::DECIMAL;
        let takes = |of| is_number(of) || (function == MathFunction::Abs && of == TypeId::QUANTITY);
        if !input.shape.0.is_empty() && !input.shape.any(|of| self.types.system_type(of).is_some_and(takes)) {
            return self.unsupported(call.location, "it takes numbers");
        }
        self.read_values(&input.shape);
        for argument in &arguments {
            match required {
                Some(of) => self.require(argument, of, call.location)?,
                None => return self.unsupported(call.location, "this function is not compiled"),
            }
        }
        let shape = match function {
            MathFunction::Abs => self.values_of(&input.shape),
            MathFunction::Ceiling | MathFunction::Floor | MathFunction::Truncate => Shape::system(TypeId::INTEGER),
            MathFunction::Power => Shape::system(TypeId::INTEGER).or(&Shape::system(TypeId::DECIMAL)),
            MathFunction::Round | MathFunction::Sqrt => Shape::system(TypeId::DECIMAL),
        };
        let argument = arguments.into_iter().next().map(|argument| argument.expr);
        let scalar = Scalar::Math { input: input.expr, function, argument };
        Ok(Typed { expr: Expr::Scalar(Box::new(scalar)), shape })
    }

    fn text_call(&mut self, input: Typed, arguments: Vec<Typed>, call: &Call<'_>) -> Compiled {
        let location = call.location;
        let takes: &[TypeId] = match (call.name, arguments.len()) {
            ("upper" | "lower" | "trim" | "length" | "join" | "toChars", 0) => &[],
            (
                "startsWith" | "endsWith" | "contains" | "indexOf" | "lastIndexOf" | "split" | "join" | "matches"
                | "matchesFull",
                1,
            ) => &[TypeId::STRING],
            ("replace" | "replaceMatches", 2) => &[TypeId::STRING, TypeId::STRING],
            ("substring", 1) => &[TypeId::INTEGER],
            ("substring", 2) => &[TypeId::INTEGER, TypeId::INTEGER],
            _ => return self.unsupported(location, "this function is not compiled"),
        };
        self.require(&input, TypeId::STRING, location)?;
        for (argument, of) in arguments.iter().zip(takes) {
            self.require(argument, *of, location)?;
        }
        let mut arguments: Vec<Expr> = arguments.into_iter().map(|argument| argument.expr).collect();
        let input = input.expr;
        if let Some((function, of)) = text_function(call.name) {
            return Ok(scalar(Scalar::Text { input, function, arguments }, of));
        }
        let first = if arguments.is_empty() { None } else { Some(arguments.remove(0)) };
        match (call.name, first) {
            ("join", separator) => Ok(scalar(Scalar::Join { input, separator }, TypeId::STRING)),
            ("toChars", None) => {
                Ok(Typed { expr: Expr::Characters(Box::new(input)), shape: Shape::system(TypeId::STRING) })
            }
            ("split", Some(separator)) => {
                let expr = Expr::Split { input: Box::new(input), separator: Box::new(separator) };
                Ok(Typed { expr, shape: Shape::system(TypeId::STRING) })
            }
            ("startsWith", Some(argument)) => Ok(relation(input, TextRelation::StartsWith, argument)),
            ("endsWith", Some(argument)) => Ok(relation(input, TextRelation::EndsWith, argument)),
            ("contains", Some(argument)) => Ok(relation(input, TextRelation::Contains, argument)),
            ("matches" | "matchesFull", Some(pattern)) => {
                let Some(pattern) = self.pattern(&pattern, call)? else {
                    return Ok(Typed { expr: Expr::Nothing, shape: Shape::system(TypeId::BOOLEAN) });
                };
                Ok(test(Test::Matches { input, pattern }))
            }
            ("replaceMatches", Some(pattern)) => {
                let (Some(pattern), Some(replacement)) = (self.pattern(&pattern, call)?, arguments.pop()) else {
                    return Ok(Typed { expr: Expr::Nothing, shape: Shape::system(TypeId::STRING) });
                };
                Ok(scalar(Scalar::ReplaceMatches { input, pattern, replacement }, TypeId::STRING))
            }
            _ => self.unsupported(location, "this function is not compiled"),
        }
    }

    /// A regular expression that is written as a literal; `None`: the empty collection.
    fn pattern(&self, argument: &Expr, call: &Call<'_>) -> Compiled<Option<Regex>> {
        let text = match argument {
            Expr::Nothing => return Ok(None),
            Expr::Constant(constant) => constant.text(),
            _ => None,
        };
        let Some(text) = text else {
            return self.unsupported(call.location, "the regular expression is computed");
        };
        let is_full = call.name == "matchesFull";
        let compiled = if is_full { Pattern::compile_full(text, "") } else { Pattern::compile(text, "") };
        match (compiled, measure(text)) {
            (Ok(pattern), Some(size)) => Ok(Some(Regex { pattern, size })),
            _ => self.unsupported(call.location, "the regular expression is none, or too large"),
        }
    }
}

fn relation(input: Expr, relation: TextRelation, argument: Expr) -> Typed {
    test(Test::Text { input, relation, argument })
}

/// The function of one text that gives one value, and the type of what it gives.
fn text_function(name: &str) -> Option<(TextFunction, TypeId)> {
    Some(match name {
        "upper" => (TextFunction::Upper, TypeId::STRING),
        "lower" => (TextFunction::Lower, TypeId::STRING),
        "trim" => (TextFunction::Trim, TypeId::STRING),
        "length" => (TextFunction::Length, TypeId::INTEGER),
        "lastIndexOf" => (TextFunction::LastIndexOf, TypeId::INTEGER),
        "indexOf" => (TextFunction::IndexOf, TypeId::INTEGER),
        "substring" => (TextFunction::Substring, TypeId::STRING),
        "replace" => (TextFunction::Replace, TypeId::STRING),
        _ => return None,
    })
}

/// The conversion that a function is, and whether it only asks for it.
fn conversion(name: &str) -> Option<(Conversion, bool)> {
    let (target, converts) = match name.strip_prefix("convertsTo") {
        Some(target) => (target, true),
        None => (name.strip_prefix("to")?, false),
    };
    let to = match target {
        "Boolean" => Conversion::Boolean,
        "Integer" => Conversion::Integer,
        "Decimal" => Conversion::Decimal,
        "String" => Conversion::String,
        "Date" => Conversion::Date,
        "DateTime" => Conversion::DateTime,
        "Time" => Conversion::Time,
        "Quantity" => Conversion::Quantity,
        _ => return None,
    };
    Some((to, converts))
}

/// The function of mathematics of this name and number of arguments, and what its argument must be if not any number.
fn math(name: &str, arguments: usize) -> Option<(MathFunction, Option<TypeId>)> {
    Some(match (name, arguments) {
        ("abs", 0) => (MathFunction::Abs, None),
        ("ceiling", 0) => (MathFunction::Ceiling, None),
        ("floor", 0) => (MathFunction::Floor, None),
        ("truncate", 0) => (MathFunction::Truncate, None),
        ("sqrt", 0) => (MathFunction::Sqrt, None),
        ("power", 1) => (MathFunction::Power, Some(TypeId::INTEGER)),
        ("round", 0 | 1) => (MathFunction::Round, Some(TypeId::INTEGER)),
        _ => return None,
    })
}
