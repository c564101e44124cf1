//! Numbers of JSON by their exact value: `1`, `1.0` and `10e-1` are one number. Never a float.

use crate::limits;

/// A number: its sign, its digits without zeros at either end, and the power of ten of the last digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    digits: Box<[u8]>,
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it (RFC 8259, 6). `None` where it is none, or is longer than
    /// [`limits::ROW_NUMBER_BYTES_MAX`], or has an exponent beyond 64 bits.
    pub fn parse(written: &[u8]) -> Option<Self> {
        if written.len() > limits::ROW_NUMBER_BYTES_MAX {
            return None;
        }
        let (negative, rest) = match written.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let (whole, rest) = digits(rest)?;
        if whole.len() > 1 && whole[0] == b'0' {
            return None;
        }
        let (fraction, rest) = match rest.strip_prefix(b".") {
            Some(rest) => digits(rest)?,
            None => (&[][..], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => power(rest)?,
            _ => return None,
        };
        let all = [whole, fraction].concat();
        let first = all.iter().position(|&digit| digit != b'0').unwrap_or(all.len());
        let last = all.iter().rposition(|&digit| digit != b'0').map_or(first, |last| last + 1);
        if first == last {
            return Some(Self { negative: false, digits: Box::default(), exponent: 0 });
        }
        let behind = i64::try_from(all.len() - last).ok()? - i64::try_from(fraction.len()).ok()?;
        Some(Self { negative, digits: all[first..last].into(), exponent: exponent.checked_add(behind)? })
    }
}

/// A run of at least one digit, and what is behind it.
fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let run = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (run > 0).then(|| text.split_at(run))
}

/// What stands behind `e`.
fn power(text: &[u8]) -> Option<i64> {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let (_, behind) = digits(unsigned)?;
    let all = if text.starts_with(b"-") { text } else { unsigned };
    std::str::from_utf8(all).ok().filter(|_| behind.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_value() {
        for (one, others) in [
            ("0", &["-0", "0.00", "0e5", "-0.0E-3", "0e400"][..]),
            ("1", &["1.0", "10e-1", "0.1e1", "0.001E+3", "1e0"]),
            ("-12.5", &["-125e-1", "-0.125e2", "-12.500"]),
            ("1e400", &["10e399", "0.1e401"]),
            ("1200", &["1.2e3", "12e2"]),
        ] {
            let number = Decimal::parse(one.as_bytes());
            assert!(number.is_some(), "{one}");
            for other in others {
                assert_eq!(Decimal::parse(other.as_bytes()), number, "{one} {other}");
            }
        }
        for (one, other) in
            [("1", "-1"), ("1", "10"), ("1", "1.0000000000000000000000000001"), ("1e400", "1e401"), ("12", "21")]
        {
            assert_ne!(Decimal::parse(one.as_bytes()), Decimal::parse(other.as_bytes()), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_number_or_too_long_is_none() {
        let long = "1".repeat(limits::ROW_NUMBER_BYTES_MAX + 1);
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-01",
            ".5",
            "1.",
            "1e",
            "1e+",
            "1e--1",
            "1x",
            "NaN",
            "Infinity",
            "-Infinity",
            "1 ",
            "1e99999999999999999999",
            "1e1.5",
            &long,
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Decimal::parse(&long.as_bytes()[1..]).is_some());
    }
}
