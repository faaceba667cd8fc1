//! Options that make no sense, and what finds them.

use super::Options;

/// Options that parse but make no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A number outside its range.
    #[error("filter `{filter}`: `{key}` is {value}, allowed is {low} to {high}")]
    OutOfRange {
        /// Name of the filter.
        filter: &'static str,
        /// Option.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Smallest allowed value.
        low: f64,
        /// Largest allowed value.
        high: f64,
    },
    /// A minimum above its maximum: nothing could pass.
    #[error("filter `{filter}`: `{key}` is {value}, above `{maximum_key}`, which is {maximum}")]
    Crossed {
        /// Name of the filter.
        filter: &'static str,
        /// The minimum's option.
        key: &'static str,
        /// The minimum.
        value: f64,
        /// The maximum's option.
        maximum_key: &'static str,
        /// The maximum.
        maximum: f64,
    },
    /// None of the options that would make the filter do something is set.
    #[error("filter `{filter}` does nothing: set at least one of {keys}")]
    NothingToDo {
        /// Name of the filter.
        filter: &'static str,
        /// First of the options to set.
        key: &'static str,
        /// All of them, for the message.
        keys: &'static str,
    },
    /// A word that is none of the allowed ones.
    #[error("filter `{filter}`: `{key}` has `{value}`, expected one of {known}")]
    Unknown {
        /// Name of the filter.
        filter: &'static str,
        /// Option.
        key: &'static str,
        /// The unknown word.
        value: String,
        /// The allowed words, for the message.
        known: String,
    },
    /// A file of the options that cannot be used.
    #[error("filter `{filter}`: `{key}`: {cause}")]
    List {
        /// Name of the filter.
        filter: &'static str,
        /// Option.
        key: &'static str,
        /// What is wrong, with the path.
        cause: String,
    },
    /// A bucket that is both included and excluded.
    #[error("filter `{filter}`: bucket `{bucket}` is in `only-buckets` and in `except-buckets`")]
    BucketTwice {
        /// Name of the filter.
        filter: &'static str,
        /// The bucket.
        bucket: String,
    },
}

impl SpecError {
    /// Name of the filter the error is about.
    #[must_use]
    pub fn filter(&self) -> &'static str {
        match self {
            Self::OutOfRange { filter, .. }
            | Self::Crossed { filter, .. }
            | Self::NothingToDo { filter, .. }
            | Self::Unknown { filter, .. }
            | Self::List { filter, .. }
            | Self::BucketTwice { filter, .. } => filter,
        }
    }

    /// The option the error is about.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::OutOfRange { key, .. }
            | Self::Crossed { key, .. }
            | Self::NothingToDo { key, .. }
            | Self::Unknown { key, .. }
            | Self::List { key, .. } => key,
            Self::BucketTwice { .. } => "except-buckets",
        }
    }
}

/// `` `a`, `b` `` for messages.
pub(crate) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Refuses numbers that are not finite or outside `low..=high`.
pub(crate) fn in_range<O: Options>(key: &'static str, value: Option<f64>, low: f64, high: f64) -> Result<(), SpecError> {
    match value {
        Some(value) if !(low..=high).contains(&value) => Err(SpecError::OutOfRange { filter: O::NAME, key, value, low, high }),
        _ => Ok(()),
    }
}

/// Refuses a minimum above its maximum.
pub(crate) fn in_order<O: Options>(minimum: (&'static str, Option<f64>), maximum: (&'static str, Option<f64>)) -> Result<(), SpecError> {
    match (minimum.1, maximum.1) {
        (Some(low), Some(high)) if low > high => {
            Err(SpecError::Crossed { filter: O::NAME, key: minimum.0, value: low, maximum_key: maximum.0, maximum: high })
        }
        _ => Ok(()),
    }
}
