//! A number of bytes as people write it: `1073741824`, `"1GiB"`, `"1.5 GB"`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes. Units: B, kB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (of 1024),
/// upper or lower case. Serialized as the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return Err(format!("`{text}` is no size: expected a number with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB")),
        };
        // Whole numbers stay exact; a fraction is rounded down to a byte.
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(|| format!("`{text}` is too large"));
        }
        match number.parse::<f64>() {
            Ok(value) if value * (factor as f64) < u64::MAX as f64 => Ok(Self((value * factor as f64) as u64)),
            Ok(_) => Err(format!("`{text}` is too large")),
            Err(_) => Err(format!("`{text}` is no size: expected a number and a unit, such as \"1GiB\"")),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or text such as \"1GiB\"")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(value))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<ByteSize, E> {
                u64::try_from(value).map(ByteSize).map_err(|_| E::custom("a size is not negative"))
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<ByteSize, E> {
                value.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Size).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in
            [("17", 17), ("1GiB", 1 << 30), ("1.5 kB", 1500), ("0.5KiB", 512), ("2 mib", 2 << 20), ("3TB", 3_000_000_000_000)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "GiB", "1 PiB", "-1", "1..2MB", "99999999999999999999", "99999999TiB", "1e400"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn from_toml() {
        #[derive(Deserialize)]
        struct Of {
            memory: ByteSize,
        }
        let of = |text: &str| toml::from_str::<Of>(text).map(|of| of.memory.0);
        assert_eq!(of("memory = 5").unwrap(), 5);
        assert_eq!(of("memory = \"5kB\"").unwrap(), 5000);
        assert!(of("memory = -5").unwrap_err().to_string().contains("not negative"));
        assert!(of("memory = true").unwrap_err().to_string().contains("number of bytes"));
    }
}
