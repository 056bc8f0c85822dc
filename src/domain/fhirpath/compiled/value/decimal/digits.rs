//! A number as its significant digits and their place.
//!
//! `±0.d1 d2 d3 ... × 10^point` with `d1` not zero; zero has no digits. Comparison, equivalence and multiplication by a
//! whole number take time by the digits that are written, whatever the exponent.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal as Short;

/// Digits that are held in place: 29 of a short number, times three factors of up to 20.
const INLINE: usize = 96;

/// How many digits a quotient may have behind those of the dividend. Divided by a number of up to 36 digits, one that
/// ends does so within 120; 28 and some more is what rounding looks at.
const DIVISION_DIGITS: usize = 160;

/// The significant digits of a number.
#[derive(Clone)]
pub(crate) struct Digits<'t> {
    negative: bool,
    /// How many digits stand before the point; negative: how many zeros stand between the point and the first digit.
    point: i64,
    digits: Store<'t>,
}

/// Digits as ASCII, from the first that is not zero to the last that is not.
#[derive(Clone)]
enum Store<'t> {
    Inline([u8; INLINE], u8),
    Text(Cow<'t, [u8]>),
}

impl Store<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline(digits, length) => &digits[..usize::from(*length)],
            Self::Text(digits) => digits,
        }
    }
}

impl<'t> Digits<'t> {
    pub(super) fn of_short(value: Short) -> Self {
        let scale = i64::from(value.scale());
        let mut mantissa = value.mantissa().unsigned_abs();
        let mut reversed = [0_u8; INLINE];
        let mut length = 0_usize;
        while mantissa != 0 {
            reversed[length] = b'0' + u8::try_from(mantissa % 10).unwrap_or_default();
            mantissa /= 10;
            length += 1;
        }
        Self::of_reversed(value.is_sign_negative(), length as i64 - scale, &mut reversed[..length])
    }

    /// The digits of a text that [`super::Parts::read`] takes.
    pub(super) fn of_text(text: &'t str) -> Self {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (number, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], super::read_exponent(&unsigned[at + 1..]).unwrap_or_default()),
            None => (unsigned, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let (point, digits) = match (whole, fraction) {
            ("", fraction) => {
                let digits = fraction.trim_start_matches('0');
                (-((fraction.len() - digits.len()) as i64), Cow::Borrowed(digits.as_bytes()))
            }
            (whole, "") => (whole.len() as i64, Cow::Borrowed(whole.trim_end_matches('0').as_bytes())),
            (whole, fraction) => (whole.len() as i64, Cow::Owned([whole.as_bytes(), fraction.as_bytes()].concat())),
        };
        if digits.is_empty() {
            return Self { negative: false, point: 0, digits: Store::Text(digits) };
        }
        Self { negative, point: point + exponent, digits: Store::Text(digits) }
    }

    /// From digits in reversed order, of which `point` stand before the point.
    fn of_reversed(negative: bool, point: i64, reversed: &mut [u8]) -> Self {
        reversed.reverse();
        let leading = reversed.iter().take_while(|digit| **digit == b'0').count();
        let digits = reversed[leading..].trim_ascii_end_zeros();
        if digits.is_empty() {
            return Self { negative: false, point: 0, digits: Store::Inline([0; INLINE], 0) };
        }
        let store = match u8::try_from(digits.len()) {
            Ok(length) if digits.len() <= INLINE => {
                let mut inline = [0; INLINE];
                inline[..digits.len()].copy_from_slice(digits);
                Store::Inline(inline, length)
            }
            _ => Store::Text(Cow::Owned(digits.to_vec())),
        };
        Self { negative, point: point - leading as i64, digits: store }
    }

    fn digits(&self) -> &[u8] {
        self.digits.as_slice()
    }

    /// How many significant digits there are.
    pub(crate) fn length(&self) -> usize {
        self.digits().len()
    }

    fn signum(&self) -> i8 {
        match (self.digits().is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// By value.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        self.signum().cmp(&other.signum()).then_with(|| {
            let magnitude = self.compare_magnitude(other);
            if self.negative { magnitude.reverse() } else { magnitude }
        })
    }

    /// No zero stands at the end, so that the longer of two that begin alike is the larger.
    fn compare_magnitude(&self, other: &Self) -> Ordering {
        self.point.cmp(&other.point).then_with(|| self.digits().cmp(other.digits()))
    }

    /// Times a whole number.
    pub(crate) fn times(&self, factor: u64) -> Digits<'static> {
        let digits = self.digits();
        let mut inline = [0_u8; INLINE];
        let mut heap = Vec::new();
        let reversed = if digits.len() + 20 <= INLINE {
            &mut inline[..digits.len() + 20]
        } else {
            heap.resize(digits.len() + 20, 0);
            &mut heap[..]
        };
        let mut carry = 0_u128;
        let mut source = digits.iter().rev();
        for slot in reversed.iter_mut() {
            carry += source.next().map_or(0, |digit| u128::from(digit - b'0') * u128::from(factor));
            *slot = b'0' + u8::try_from(carry % 10).unwrap_or_default();
            carry /= 10;
        }
        Digits::of_reversed(self.negative, self.point + 20, reversed)
    }

    /// Divided by a whole number. A quotient that has no end is cut off at least so many digits behind those of this
    /// number, and a 1 put behind it: it is never taken for exact, and rounds as the whole of it. `None` for a divisor of
    /// 0 or of more than 36 digits.
    pub(crate) fn divided(&self, divisor: u128, least: usize) -> Option<Digits<'static>> {
        if divisor == 0 || divisor > 10_u128.pow(36) {
            return None;
        }
        let digits = self.digits();
        let length = digits.len().saturating_add(DIVISION_DIGITS).saturating_add(least);
        let mut quotient = Vec::new();
        let mut rest = 0_u128;
        for index in 0..length {
            if index >= digits.len() && rest == 0 {
                break;
            }
            rest = rest * 10 + u128::from(self.digit(index) - b'0');
            quotient.push(b'0' + u8::try_from(rest / divisor).unwrap_or_default());
            rest %= divisor;
        }
        if rest != 0 {
            quotient.push(b'1');
        }
        quotient.reverse();
        Some(Digits::of_reversed(self.negative, self.point, &mut quotient))
    }

    /// Rounded to 28 digits, and as many places; `None` when it is too large.
    pub(crate) fn rounded(&self) -> Option<Short> {
        let kept = (super::MAX_DIGITS as i64).min(self.point + super::MAX_DIGITS as i64);
        let Ok(kept) = usize::try_from(kept) else { return Some(Short::ZERO) };
        if self.digits().len() <= kept {
            return self.short();
        }
        let mantissa = self.digits()[..kept].iter().fold(0, |mantissa, digit| mantissa * 10 + i128::from(digit - b'0'));
        let mantissa = mantissa + i128::from(self.digit(kept) >= b'5');
        let scale = kept as i64 - self.point;
        let signed = if self.negative { -mantissa } else { mantissa };
        match u32::try_from(scale) {
            Ok(scale) => Short::try_from_i128_with_scale(signed, scale).ok(),
            Err(_) => None,
        }
    }

    /// Times a power of ten.
    pub(crate) fn shifted(mut self, exponent: i32) -> Self {
        if !self.digits().is_empty() {
            self.point += i64::from(exponent);
        }
        self
    }

    /// The power of ten of the last digit, at most 0: `-2` for 1.25, 0 for 100.
    pub(crate) fn unit(&self) -> i64 {
        (self.point - self.digits().len() as i64).min(0)
    }

    /// The digit at this index after the first; zero behind the last.
    fn digit(&self, index: usize) -> u8 {
        self.digits().get(index).copied().unwrap_or(b'0')
    }

    /// Whether this number, rounded to a multiple of `10^unit` (halves away from zero), is `other`, which is such a
    /// multiple.
    fn rounds_to(&self, unit: i64, other: &Self) -> bool {
        let kept = self.point - unit;
        let Ok(kept) = usize::try_from(kept) else {
            return other.signum() == 0;
        };
        let up = self.digit(kept) >= b'5';
        if kept == 0 && !up {
            return other.signum() == 0;
        }
        if self.signum() != other.signum() {
            return false;
        }
        if !up {
            let own = &self.digits()[..kept.min(self.digits().len())];
            return self.point == other.point && own.trim_ascii_end_zeros() == other.digits();
        }
        // There is a digit behind the kept ones, so that all of them are written.
        let own = &self.digits()[..kept];
        if other.point == self.point + 1 {
            return own.iter().all(|digit| *digit == b'9') && other.digits() == b"1";
        }
        let nines = own.iter().rev().take_while(|digit| **digit == b'9').count();
        let Some((last, begin)) = own[..kept - nines].split_last() else {
            return false;
        };
        let digits = other.digits();
        other.point == self.point
            && digits.len() == begin.len() + 1
            && digits.starts_with(begin)
            && digits[begin.len()] == last + 1
    }

    /// The value as a decimal of up to 28 digits, if it is one.
    pub(super) fn short(&self) -> Option<Short> {
        let digits = self.digits();
        if digits.is_empty() {
            return Some(Short::ZERO);
        }
        if digits.len() > super::MAX_DIGITS as usize {
            return None;
        }
        let mantissa = digits.iter().fold(0_i128, |mantissa, digit| mantissa * 10 + i128::from(digit - b'0'));
        let scale = digits.len() as i64 - self.point;
        let (mantissa, scale) = if scale >= 0 {
            (mantissa, u32::try_from(scale).ok()?)
        } else {
            let zeros = u32::try_from(-scale).ok().filter(|zeros| *zeros < super::MAX_DIGITS)?;
            (mantissa.checked_mul(10_i128.pow(zeros))?, 0)
        };
        if scale > super::MAX_DIGITS {
            return None;
        }
        Short::try_from_i128_with_scale(if self.negative { -mantissa } else { mantissa }, scale).ok()
    }

    /// How many letters [`Digits::write`] writes, at most.
    pub(super) fn written_length(&self) -> i64 {
        let length = self.digits().len() as i64;
        self.point.saturating_abs().saturating_add(length).saturating_add(3)
    }

    /// Writes the number without exponent.
    pub(super) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        if self.negative {
            out.write_char('-')?;
        }
        if self.point <= 0 {
            out.write_str("0.")?;
            for _ in self.point..0 {
                out.write_char('0')?;
            }
        }
        for (index, digit) in self.digits().iter().enumerate() {
            if self.point > 0 && index as i64 == self.point {
                out.write_char('.')?;
            }
            out.write_char(char::from(*digit))?;
        }
        for _ in self.digits().len() as i64..self.point {
            out.write_char('0')?;
        }
        Ok(())
    }
}

/// Equal when rounded to the precision of the less precise one.
pub(crate) fn equivalent(left: &Digits<'_>, right: &Digits<'_>) -> bool {
    if left.unit() >= right.unit() { right.rounds_to(left.unit(), left) } else { left.rounds_to(right.unit(), right) }
}

trait TrimZeros {
    fn trim_ascii_end_zeros(&self) -> &[u8];
}

impl TrimZeros for [u8] {
    fn trim_ascii_end_zeros(&self) -> &[u8] {
        let end = self.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        &self[..end]
    }
}
