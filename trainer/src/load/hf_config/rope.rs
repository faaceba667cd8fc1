//! Rotary positions in `config.json`: `rope_theta` and `rope_scaling`, or `rope_parameters`.

use super::keys::{Keys, shorten};
use crate::error::Result;
use crate::model::RopeScaling;
use crate::model::rope::{beta_fast, beta_slow, yarn_mscale};

/// Base and scaling of the rotary positions.
pub(super) fn rope(keys: &Keys<'_>, max_positions: Option<u32>) -> Result<(f64, Option<RopeScaling>)> {
    let base = keys.float("rope_theta")?;
    let read = |place: &'static str| -> Result<Option<(Option<f64>, Option<RopeScaling>)>> {
        let Some(value) = keys.get(place) else { return Ok(None) };
        let Some(table) = value.as_object() else { return keys.refuse(place, format!("{}, not a table", shorten(value))) };
        let inner = Keys { path: keys.path, table, place };
        Ok(Some((inner.float("rope_theta")?, scaling(&inner, keys.count("original_max_position_embeddings")?, max_positions)?)))
    };
    let (new, old) = (read("rope_parameters")?, read("rope_scaling")?);
    if let (Some((_, new)), Some((_, old))) = (&new, &old)
        && new != old
    {
        return keys.refuse("rope_scaling", "another one than in rope_parameters, so versions 4 and 5 of transformers would differ");
    }
    let (theta, scaling) = new.or(old).unwrap_or((None, None));
    if let (Some(theta), Some(base)) = (theta, base)
        && theta != base
    {
        return keys
            .refuse("rope_theta", format!("{base}, but {theta} in rope_parameters, so versions 4 and 5 of transformers would differ"));
    }
    Ok((theta.or(base).unwrap_or(10_000.0), scaling))
}

/// One of `rope_scaling` and `rope_parameters`.
fn scaling(keys: &Keys<'_>, original: Option<usize>, max_positions: Option<u32>) -> Result<Option<RopeScaling>> {
    let kind = keys.text("rope_type")?.or(keys.text("type")?).unwrap_or("default");
    let known: &[&str] = match kind {
        "default" => &[],
        "llama3" => &["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
        "yarn" => &[
            "factor",
            "original_max_position_embeddings",
            "attention_factor",
            "beta_fast",
            "beta_slow",
            "mscale",
            "mscale_all_dim",
            "truncate",
        ],
        other => return keys.refuse("rope_type", format!("{other:?}; known are default, llama3 and yarn")),
    };
    for (key, value) in keys.table {
        let neutral = match key.as_str() {
            "type" | "rope_type" | "rope_theta" => true,
            "partial_rotary_factor" => value.as_f64() == Some(1.0),
            other => known.contains(&other),
        };
        if !neutral && !value.is_null() {
            return keys.refuse(key, format!("{}, which rope_type {kind:?} does not compute with", shorten(value)));
        }
    }
    let original_positions = || match original.or(keys.count("original_max_position_embeddings")?).map(u32::try_from) {
        Some(Ok(positions)) => Ok(positions),
        None if max_positions.is_some() => Ok(max_positions.unwrap_or_default()),
        _ => keys.refuse("original_max_position_embeddings", "missing or too large"),
    };
    Ok(match kind {
        "llama3" => Some(RopeScaling::Llama3 {
            factor: keys.need_float("factor")?,
            low_freq_factor: keys.need_float("low_freq_factor")?,
            high_freq_factor: keys.need_float("high_freq_factor")?,
            original_positions: original_positions()?,
        }),
        "yarn" => {
            let factor = keys.need_float("factor")?;
            let nonzero = |key| keys.float(key).map(|value| value.filter(|&value| value != 0.0));
            let from_scales = match (nonzero("mscale")?, nonzero("mscale_all_dim")?) {
                (Some(scale), Some(all)) => Some(yarn_mscale(factor, scale) / yarn_mscale(factor, all)),
                _ => None,
            };
            Some(RopeScaling::Yarn {
                factor,
                original_positions: original_positions()?,
                attention_factor: keys.float("attention_factor")?.or(from_scales),
                beta_fast: nonzero("beta_fast")?.unwrap_or_else(beta_fast),
                beta_slow: nonzero("beta_slow")?.unwrap_or_else(beta_slow),
                truncate: keys.flag("truncate")?.unwrap_or(true),
            })
        }
        _ => None,
    })
}
