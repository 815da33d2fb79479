//! Amounts as Kubernetes writes them: `500m`, `1.5Gi`, `2e3`. Held in thousandths.

use std::fmt;

use serde_json::Value;

/// An amount, in thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(pub(crate) i128);

impl Quantity {
    /// Reads one; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .char_indices()
            .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '+' | '-'))))
            .map_or(text.len(), |(at, _)| at);
        let (number, suffix) = text.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.trim_start_matches(['+', '-']).is_empty() && part.is_empty() {
            return None;
        }
        let negative = whole.starts_with('-');
        let whole: i128 = match whole.trim_start_matches(['+', '-']) {
            "" => 0,
            digits => digits.parse().ok()?,
        };
        // Nine digits behind the point are more than any server writes.
        let part: String = part.chars().take(9).collect();
        let fraction: i128 = if part.is_empty() { 0 } else { part.parse().ok()? };
        let scale = 10_i128.pow(u32::try_from(part.len()).ok()?);
        let (times, by) = suffix_of(suffix)?;
        let value =
            whole.checked_mul(scale)?.checked_add(fraction)?.checked_mul(times)?.checked_mul(1_000)?;
        let value = ceiling(value, scale.checked_mul(by)?);
        Some(Self(if negative { -value } else { value }))
    }

    /// Of a value in an object: text, or a bare number.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(crate) fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(crate) fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

fn ceiling(value: i128, by: i128) -> i128 {
    value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
}

/// What a suffix multiplies with, and divides by.
fn suffix_of(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((1_i128 << (10 * power), 1));
    let decimal = |power: u32| Some((1_000_i128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1_000)),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let ten = 10_i128.checked_pow(power.unsigned_abs())?;
            Some(if power < 0 { (1, ten) } else { (ten, 1) })
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % 1_000 != 0 {
            return write!(f, "{}m", self.0);
        }
        let whole = self.0 / 1_000;
        for (size, suffix) in [(1_i128 << 40, "Ti"), (1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")] {
            if whole != 0 && whole % size == 0 {
                return write!(f, "{}{suffix}", whole / size);
            }
        }
        write!(f, "{whole}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_every_form() {
        let read = |text: &str| Quantity::parse(text).map(|quantity| quantity.0);
        assert_eq!(read("500m"), Some(500));
        assert_eq!(read("1.5"), Some(1_500));
        assert_eq!(read("1Ki"), Some(1_024_000));
        assert_eq!(read("1.5Gi"), Some(1_610_612_736_000));
        assert_eq!(read("2e3"), Some(2_000_000));
        assert_eq!(read("100n"), Some(1), "rounded up");
        assert_eq!(read("12E"), Some(12 * 10_i128.pow(21)));
        for nonsense in ["", "m", "1x", "1.2.3", "--1", "9e99"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        let shown = |text: &str| Quantity::parse(text).unwrap().to_string();
        assert_eq!(shown("1500m"), "1500m");
        assert_eq!(shown("2"), "2");
        assert_eq!(shown("1073741824"), "1Gi");
    }
}
