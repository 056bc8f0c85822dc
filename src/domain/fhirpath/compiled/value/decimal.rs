//! Decimals that are exact at any length.
//!
//! A number of up to 28 digits is a `rust_decimal`; a longer one, or one with a far exponent, keeps its text and still
//! compares exactly: only digits are read, never a power of ten built. There is no binary floating point anywhere.

use std::cmp::Ordering;

use rust_decimal::Decimal as Short;

pub(super) mod digits;

use self::digits::Digits;

/// The most digits of a number that is held in place.
const MAX_DIGITS: u32 = 28;

/// The largest exponent that a number may be written with; no event is long enough to write more digits.
const MAX_EXPONENT: i64 = 1_000_000_000_000_000;

/// The longest text that a number is written out in.
const MAX_WRITTEN: i64 = 16 * 1024;

/// A FHIRPath `Decimal`. It keeps the digits that it was written with (`6.50`); all comparisons are by value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal<'t>(Form<'t>);

#[derive(Clone, Copy, Debug)]
enum Form<'t> {
    Short(Short),
    /// A number as JSON writes it that does not fit; [`Digits::of_text`] reads it.
    Long(&'t str),
}

/// A number as it was written: [`Parts::read`].
struct Parts {
    negative: bool,
    /// The value of all digits; `None` when there are more than fit.
    mantissa: Option<u128>,
    /// Digits after the point.
    fraction: i64,
    exponent: i64,
}

impl<'t> Decimal<'t> {
    pub(crate) const ONE: Self = Self(Form::Short(Short::ONE));

    /// Reads a number as JSON writes it, or with a plus sign or leading zeros. `None` if it is none, or if its exponent
    /// has more than 15 digits.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let parts = Parts::read(text)?;
        Some(parts.short().map_or(Self(Form::Long(text)), Self::from))
    }

    /// The value as a decimal of up to 28 digits, if it is one.
    pub(crate) fn short(self) -> Option<Short> {
        match self.0 {
            Form::Short(value) => Some(value),
            Form::Long(_) => self.digits().short(),
        }
    }

    /// Significant digits and their place: what comparisons work on.
    pub(crate) fn digits(&self) -> Digits<'t> {
        match self.0 {
            Form::Short(value) => Digits::of_short(value),
            Form::Long(text) => Digits::of_text(text),
        }
    }

    /// By value: `6.50` equals `6.5`.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self.0, other.0) {
            (Form::Short(left), Form::Short(right)) => left.cmp(&right),
            _ => self.digits().compare(&other.digits()),
        }
    }

    /// Equal when rounded to the precision of the less precise one; zeros at the end do not count.
    pub(crate) fn equivalent(self, other: Self) -> bool {
        digits::equivalent(&self.digits(), &other.digits())
    }

    /// With the sign turned around, if it has at most 28 digits.
    pub(crate) fn negated(self) -> Option<Self> {
        self.short().map(|value| Self::from(-value))
    }

    /// Writes the number without exponent; false when that were too long a text.
    pub(crate) fn write(self, out: &mut impl std::fmt::Write) -> bool {
        match self.0 {
            Form::Short(value) => write!(out, "{value}").is_ok(),
            Form::Long(_) => {
                let digits = self.digits();
                digits.written_length() <= MAX_WRITTEN && digits.write(out).is_ok()
            }
        }
    }
}

impl From<Short> for Decimal<'_> {
    fn from(value: Short) -> Self {
        Self(Form::Short(value))
    }
}

impl From<i64> for Decimal<'_> {
    fn from(value: i64) -> Self {
        Self(Form::Short(value.into()))
    }
}

impl Parts {
    fn read(text: &str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (number, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], read_exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (number, ""),
        };
        if whole.is_empty() {
            return None;
        }
        let mantissa = if number.len() <= 19 {
            let digits = |mantissa: u64, text: &str| {
                let mut bytes = text.bytes();
                bytes.try_fold(mantissa, |mantissa, byte| Some(mantissa * 10 + u64::from(digit(byte)?)))
            };
            Some(digits(digits(0, whole)?, fraction)?.into())
        } else {
            long_mantissa(whole, fraction)?
        };
        Some(Self { negative, mantissa, fraction: i64::try_from(fraction.len()).ok()?, exponent })
    }

    fn short(&self) -> Option<Short> {
        let mantissa = self.mantissa?;
        let scale = self.fraction - self.exponent;
        if mantissa == 0 {
            return Some(Short::new(0, u32::try_from(scale.clamp(0, i64::from(MAX_DIGITS))).ok()?));
        }
        let (mantissa, scale) = match u32::try_from(scale) {
            Ok(scale) => (mantissa, scale),
            Err(_) => {
                let zeros = u32::try_from(scale.unsigned_abs()).ok().filter(|zeros| *zeros <= MAX_DIGITS)?;
                (mantissa.checked_mul(10_u128.pow(zeros))?, 0)
            }
        };
        let mantissa = i128::try_from(mantissa).ok()?;
        if scale > MAX_DIGITS || mantissa >= 10_i128.pow(MAX_DIGITS) {
            return None;
        }
        Short::try_from_i128_with_scale(if self.negative { -mantissa } else { mantissa }, scale).ok()
    }
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

/// The value of all digits, if they fit; `None` if one of them is none.
fn long_mantissa(whole: &str, fraction: &str) -> Option<Option<u128>> {
    whole.bytes().chain(fraction.bytes()).try_fold(Some(0_u128), |mantissa, byte| {
        let digit = digit(byte)?;
        let next = mantissa.map(|mantissa| mantissa * 10 + u128::from(digit));
        Some(next.filter(|mantissa| *mantissa < 10_u128.pow(MAX_DIGITS)))
    })
}

fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = match digits.trim_start_matches('0') {
        "" => 0,
        digits => digits.parse::<i64>().ok().filter(|exponent| *exponent < MAX_EXPONENT)?,
    };
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

#[cfg(test)]
#[path = "decimal_tests.rs"]
mod tests;
