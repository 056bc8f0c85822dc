//! UCUM codes as exact factors: what a unit is in base units, if all of it is in the [`table`].
//!
//! ```text
//! code      = ["/"] component { ("." | "/") component }
//! component = ( [prefix] atom | "10*" | "10^" ) [exponent] [annotation] | number | annotation | "(" code ")"
//! ```
//!
//! Total and bounded: a code that is too long, too deep, too large or not known is `None`.

use std::cmp::Ordering;

use super::super::Decimal;
use super::table::{self, DIMENSIONS, Dimensions};

/// The longest code that is read, in bytes.
const MAX_CODE: usize = 128;

/// The deepest nesting of brackets.
const MAX_DEPTH: u8 = 8;

/// What a unit is in base units: `numerator / denominator × 10^exponent` of these dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) numerator: u64,
    pub(crate) denominator: u64,
    pub(crate) exponent: i32,
    /// What is added to a value before it is multiplied, in hundredths; only for temperatures.
    pub(crate) offset: i64,
    pub(crate) dimensions: Dimensions,
}

impl Scale {
    const ONE: Self = Self { numerator: 1, denominator: 1, exponent: 0, offset: 0, dimensions: [0; DIMENSIONS] };

    /// A duration of so many seconds.
    pub(crate) fn seconds(numerator: u64) -> Self {
        Self { numerator, dimensions: table::TIME, ..Self::ONE }
    }

    /// Which unit is the larger; of units of the same dimensions.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let side = |own: &Self, other: &Self| {
            Decimal::ONE.digits().times(own.numerator).times(other.denominator).shifted(own.exponent)
        };
        side(self, other).compare(&side(other, self))
    }

    fn times(self, other: Self) -> Option<Self> {
        let mut dimensions = self.dimensions;
        for (own, added) in dimensions.iter_mut().zip(other.dimensions) {
            *own = own.checked_add(added)?;
        }
        // Across first: the two numbers of a fraction have no common part.
        let (left, right) = (gcd(self.numerator, other.denominator), gcd(other.numerator, self.denominator));
        let scale = Self {
            numerator: (self.numerator / left).checked_mul(other.numerator / right)?,
            denominator: (self.denominator / right).checked_mul(other.denominator / left)?,
            exponent: self.exponent.checked_add(other.exponent)?,
            offset: 0,
            dimensions,
        };
        Some(scale.without_tens())
    }

    fn without_tens(mut self) -> Self {
        while self.numerator.is_multiple_of(10) && self.numerator != 0 {
            self.numerator /= 10;
            self.exponent = self.exponent.saturating_add(1);
        }
        while self.denominator.is_multiple_of(10) && self.denominator != 0 {
            self.denominator /= 10;
            self.exponent = self.exponent.saturating_sub(1);
        }
        self
    }

    fn inverse(self) -> Option<Self> {
        let mut dimensions = self.dimensions;
        for dimension in &mut dimensions {
            *dimension = dimension.checked_neg()?;
        }
        (self.numerator != 0).then_some(Self {
            numerator: self.denominator,
            denominator: self.numerator,
            exponent: -self.exponent,
            offset: 0,
            dimensions,
        })
    }

    fn power(self, exponent: i8) -> Option<Self> {
        let base = if exponent < 0 { self.inverse()? } else { self };
        (0..exponent.unsigned_abs()).try_fold(Self::ONE, |power, _| power.times(base))
    }
}

pub(super) fn gcd(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left.max(1)
}

/// Reads a code.
pub(crate) fn parse(code: &str) -> Option<Scale> {
    // Their zero is not that of the base unit: alone only, no part of another unit.
    if let Some(scale) = table::temperature(code) {
        return Some(scale);
    }
    if code.is_empty() || code.len() > MAX_CODE {
        return None;
    }
    let mut reader = Reader { rest: code, depth: 0 };
    reader.term().filter(|_| reader.rest.is_empty())
}

struct Reader<'a> {
    rest: &'a str,
    depth: u8,
}

impl<'a> Reader<'a> {
    fn take(&mut self, letter: char) -> bool {
        match self.rest.strip_prefix(letter) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes what is before the first letter that is none of it.
    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn term(&mut self) -> Option<Scale> {
        let mut scale = if self.take('/') { self.component()?.inverse()? } else { self.component()? };
        loop {
            if self.take('.') {
                scale = scale.times(self.component()?)?;
            } else if self.take('/') {
                scale = scale.times(self.component()?.inverse()?)?;
            } else {
                return Some(scale);
            }
        }
    }

    fn component(&mut self) -> Option<Scale> {
        if self.take('(') {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return None;
            }
            let scale = self.term()?;
            self.depth -= 1;
            return self.take(')').then_some(scale);
        }
        if self.rest.starts_with('{') {
            return self.annotation().then_some(Scale::ONE);
        }
        let scale = self.unit()?;
        if self.rest.starts_with('{') && !self.annotation() {
            return None;
        }
        Some(scale)
    }

    /// `{anything}`: says what is counted, and changes nothing.
    fn annotation(&mut self) -> bool {
        self.take('{') && {
            let _ = self.take_while(|letter| !matches!(letter, '{' | '}'));
            self.take('}')
        }
    }

    fn unit(&mut self) -> Option<Scale> {
        if let Some(rest) = self.rest.strip_prefix("10*").or_else(|| self.rest.strip_prefix("10^")) {
            self.rest = rest;
            let exponent = self.exponent()?;
            return Some(Scale { exponent: exponent.into(), ..Scale::ONE });
        }
        if self.rest.starts_with(|letter: char| letter.is_ascii_digit()) {
            let numerator =
                self.take_while(|letter| letter.is_ascii_digit()).parse().ok().filter(|number| *number > 0)?;
            // `1.73` is 1 times 73 to UCUM, and never what is meant.
            let fraction =
                self.rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
            return (!fraction).then_some(Scale { numerator, ..Scale::ONE }.without_tens());
        }
        let atom = self.atom()?;
        table::find(atom)?.power(self.exponent()?)
    }

    /// An atom with its prefix; brackets are part of it, with all that is in them.
    fn atom(&mut self) -> Option<&'a str> {
        let mut bracket = false;
        let end = self.rest.find(|letter| {
            bracket = if bracket { letter != ']' } else { letter == '[' };
            let inside = bracket || letter == ']';
            !inside && matches!(letter, '.' | '/' | '(' | ')' | '{' | '}' | '+' | '-' | '0'..='9')
        });
        let (atom, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!atom.is_empty()).then_some(atom)
    }

    /// 1 if there is none.
    fn exponent(&mut self) -> Option<i8> {
        let sign = if self.rest.starts_with(['+', '-']) { &self.rest[..1] } else { "" };
        self.rest = &self.rest[sign.len()..];
        match self.take_while(|letter| letter.is_ascii_digit()) {
            "" if sign.is_empty() => Some(1),
            digits if digits.len() <= 2 => {
                let exponent = digits.parse::<i8>().ok()?;
                Some(if sign == "-" { -exponent } else { exponent })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "ucum_tests.rs"]
mod tests;
