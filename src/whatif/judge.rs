//! One document's fate under other limits, from what the run stored of it. Nothing is guessed: what
//! the stored values do not decide is unknown, with its reason.

use filters::{Rule, Sign};

use super::question::Step;
use crate::table::Row;

/// Metrics are stored with six decimals: a share is known up to half of the last one.
const HALF: f64 = 0.5e-6 + 1e-12;

/// What would become of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate<'a> {
    /// It would pass all filters. One that was dropped before a filter that rewrites texts would
    /// have another length than is stored.
    Kept { rewritten: bool },
    /// A filter would drop it: the rule, and value, sign and limit where they are new.
    Dropped { rule: &'a str, because: Option<(f64, Sign, f64)> },
    /// It would pass this filter, which dropped it, and reach one that never measured it.
    NotMeasured(&'static str),
    /// The value is that close to this rule's limit that its stored decimals do not tell the side.
    TooClose(&'static str),
}

/// A table that the recipe beside it did not make.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stale;

/// Decides as the chain would: filters in order, up to the first that drops.
pub(super) fn judge<'a>(steps: &'a [Step], metric: &dyn Fn(&str) -> Option<f64>, row: &'a Row<'_>) -> Result<Fate<'a>, Stale> {
    let dropped_at = match row.rule {
        Some(rule) if rule.starts_with("document/") => return Ok(Fate::Dropped { rule, because: None }),
        Some(rule) => Some(steps.iter().position(|step| Some(step.name) == filters::filter_of_rule(rule) && step.may_drop).ok_or(Stale)?),
        None => None,
    };
    for (at, step) in steps.iter().enumerate() {
        if dropped_at.is_some_and(|dropped| at > dropped) {
            return Ok(match steps[at..].iter().find(|later| later.may_drop) {
                Some(later) => Fate::NotMeasured(later.name),
                // The filter that dropped it among them.
                None => Fate::Kept { rewritten: steps[at - 1..].iter().any(|step| step.rewrites) },
            });
        }
        let failed = match (dropped_at == Some(at), row.rule) {
            (true, Some(rule)) => Some(Failed::of(step, rule, row)?),
            _ => None,
        };
        match (&step.after, &failed) {
            (None, None) => {}
            (None, Some(_)) => return Ok(as_now(row)),
            (Some(_), Some(Failed::Otherwise)) if row.rule.is_some_and(|rule| step.is_before_limits(rule)) => return Ok(as_now(row)),
            (Some(after), failed) => {
                if let Some(fate) = decide(step, after, metric, row, failed.as_ref()) {
                    return Ok(fate);
                }
                match failed {
                    Some(Failed::Otherwise) => return Ok(as_now(row)),
                    // It would be looked at for other reasons now.
                    Some(Failed::Limit(..)) if step.drops_after() => return Ok(Fate::NotMeasured(step.name)),
                    _ => {}
                }
            }
        }
    }
    let rewritten = dropped_at.is_some_and(|at| steps[at..].iter().any(|step| step.rewrites));
    Ok(Fate::Kept { rewritten })
}

/// Dropped by what drops it now.
fn as_now<'a>(row: &'a Row<'_>) -> Fate<'a> {
    Fate::Dropped { rule: row.rule.unwrap_or_default(), because: None }
}

/// How a document failed the filter that dropped it.
enum Failed {
    /// By the limit with this number, with this exact value.
    Limit(usize, f64),
    /// By something that is no limit, which is looked at before the limits or after them, as [`Step::is_before_limits`] says.
    Otherwise,
}

impl Failed {
    fn of(step: &Step, rule: &str, row: &Row<'_>) -> Result<Self, Stale> {
        if step.before.iter().all(|known| known.rule != rule) {
            return Ok(Self::Otherwise);
        }
        let (Some(value), Some(threshold)) = (row.value, row.threshold) else { return Err(Stale) };
        let missed = |known: &Rule| known.rule == rule && known.limit == Some(threshold) && fails(known.sign, value, threshold);
        step.before.iter().position(missed).map(|number| Self::Limit(number, value)).ok_or(Stale)
    }
}

fn fails(sign: Sign, value: f64, limit: f64) -> bool {
    match sign {
        Sign::Below => value < limit,
        Sign::Above => value > limit,
    }
}

/// None when the document passes the step with the limits asked for.
fn decide<'a>(
    step: &'a Step,
    after: &'a [Rule],
    metric: &dyn Fn(&str) -> Option<f64>,
    row: &Row<'_>,
    failed: Option<&Failed>,
) -> Option<Fate<'a>> {
    let missed = match failed {
        Some(Failed::Limit(number, value)) => Some((*number, *value)),
        _ => None,
    };
    for (number, (before, asked)) in step.before.iter().zip(after).enumerate() {
        let Some(limit) = asked.limit else { continue };
        // Where a limit stays as it was, the run has answered already, up to the one that was missed.
        if before.limit == asked.limit {
            match missed {
                None => continue,
                Some((last, _)) if number < last => continue,
                Some((last, _)) if number == last => return Some(Fate::Dropped { rule: asked.rule, because: None }),
                Some(_) => {}
            }
        }
        let exact = missed.filter(|(last, _)| step.before[*last].metric == asked.metric).map(|(_, value)| value);
        let Some(value) = exact.or_else(|| metric(asked.metric)) else { return Some(Fate::NotMeasured(step.name)) };
        if asked.zero_passes && value == 0.0 {
            continue;
        }
        if exact.is_none() && !asked.exact && (value - limit).abs() <= HALF {
            if is_the_limit(limit, row) {
                continue;
            }
            return Some(Fate::TooClose(asked.rule));
        }
        if fails(asked.sign, value, limit) {
            return Some(Fate::Dropped { rule: asked.rule, because: Some((value, asked.sign, limit)) });
        }
    }
    None
}

/// Whether a share that all but equals the limit must be the limit itself.
///
/// A share is a fraction `n/m` with `m` at most the characters of the text. Two fractions `n/m` and
/// `p/q` that differ do so by at least `1/(m q)`; where that is more than the stored decimals leave
/// open, they do not differ. Filters that rewrite make at most six characters of a byte.
fn is_the_limit(limit: f64, row: &Row<'_>) -> bool {
    const MILLION: f64 = 1e6;
    let millionths = (limit * MILLION).round();
    if (limit * MILLION - millionths).abs() > 1e-6 || !(0.0..1e12).contains(&millionths) {
        return false;
    }
    let (mut divisor, mut rest) = (1_000_000_u64, millionths as u64);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let (m, q) = (8.0 * row.bytes.max(row.chars) as f64, 1e6 / divisor as f64);
    m * q * HALF < 0.9
}
