//! A training as people read it: a table of steps, with evaluations and samples between its rows.

use trainer::{BestLostEvent, BucketLoss, EvalEvent, Event, ObjectiveKind, PreferenceScores, RowsEvent, StepEvent};

use crate::report::Ui;

/// About as many rows a whole training has.
const ROWS: u64 = 20;
/// Tokens that are named when they were never trained.
const NAMED: usize = 5;

/// What has been shown of a training.
pub(super) struct Console {
    /// Every so many steps is a row.
    every: u64,
    headed: bool,
    objective: ObjectiveKind,
}

impl Console {
    pub(super) fn new(steps: u64, objective: ObjectiveKind) -> Self {
        Self { every: round(steps.div_ceil(ROWS)), headed: false, objective }
    }

    pub(super) fn tell(&mut self, event: &Event, ui: &Ui) {
        match event {
            Event::Step(step) => self.step(step, ui),
            Event::Eval(eval) if eval.buckets.is_empty() && eval.preferences.is_empty() => {} // nothing was held out
            Event::Eval(eval) => ui.say(evaluation(eval, self.objective)),
            Event::BestLost(BestLostEvent { lost, best }) => {
                let left = match best {
                    Some(best) => format!("the best that is left is {:.3} at step {}", best.measure, best.step),
                    None => "none is left, and the next evaluation is the best so far".to_owned(),
                };
                ui.warn(format!(
                    "`train.keep-best`: the checkpoint of the best evaluation, {:.3} at step {}, was not kept; {left}",
                    lost.measure, lost.step
                ));
            }
            Event::Checkpoint(path) => ui.detail(format!("train: wrote {}", path.display())),
            Event::Answer(answer) => ui.say(format!(
                "answer: step {} worth {:.3} {:?} → {:?}{}",
                answer.step,
                answer.reward,
                answer.prompt,
                answer.response,
                if answer.ended { "" } else { " (cut)" }
            )),
            Event::Sample(sample) => ui.say(format!("sample: step {} {:?} → {:?}", sample.step, sample.prompt, sample.text)),
            Event::Stopped(stop) => {
                let best = stop.best.map_or(String::new(), |best| format!(", the best was {:.3} at step {}", best.measure, best.step));
                ui.say(format!("train: ends early at step {}: {} evaluations without progress{best}", stop.step, stop.stale));
            }
            Event::Rows(rows) => untrained(rows, ui),
        }
    }

    fn step(&mut self, step: &StepEvent, ui: &Ui) {
        let bits = step.bits_per_token.map_or_else(|| "-".to_owned(), |bits| format!("{bits:.3}"));
        let number = |name: &str| step.metrics.get(name).map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        let (head, row) = if self.objective.draws_answers() {
            let columns = ["reward/mean", "length/mean", "entropy", "kl/reference", "clip-fraction/policy", "speed/rollout"].map(number);
            let [reward, length, entropy, kl, clipped, speed] = columns;
            (
                format!(
                    "{:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>11}",
                    "step", "reward", "length", "entropy", "kl", "clipped", "grad-norm", "drawn/s"
                ),
                format!("{:>8} {reward:>9} {length:>9} {entropy:>9} {kl:>9} {clipped:>9} {:>9.3} {speed:>11}", step.step, step.grad_norm),
            )
        } else {
            (
                format!("{:>8} {:>9} {:>10} {:>10} {:>9} {:>10}", "step", "loss", "bits/token", "rate", "grad-norm", "tokens/s"),
                format!(
                    "{:>8} {:>9.4} {bits:>10} {:>10.2e} {:>9.3} {:>10.0}",
                    step.step, step.loss, step.learning_rate, step.grad_norm, step.tokens_per_second
                ),
            )
        };
        if step.step == 1 || step.step.is_multiple_of(self.every) {
            if !std::mem::replace(&mut self.headed, true) {
                ui.say(head);
            }
            ui.say(row);
        } else {
            ui.detail(row);
        }
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round(rough: u64) -> u64 {
    let power = 10u64.saturating_pow(rough.max(1).ilog10());
    [1, 2, 5].map(|times| power.saturating_mul(times)).into_iter().find(|step| *step >= rough).unwrap_or(power.saturating_mul(10))
}

fn evaluation(eval: &EvalEvent, objective: ObjectiveKind) -> String {
    // Questions are in the bytes of a conversation and not in its loss.
    let (what, value): (_, fn(&BucketLoss) -> String) = match objective {
        ObjectiveKind::Cpt => ("bits per byte", |bucket| format!("{} {:.3}", bucket.bucket, bucket.bits_per_byte)),
        _ => ("loss", |bucket| format!("{} {:.4}", bucket.bucket, bucket.loss)),
    };
    let buckets = eval.buckets.iter().map(value).chain(eval.preferences.iter().map(preference));
    format!("train: step {} held-out {what} {}", eval.step, buckets.collect::<Vec<_>>().join("  "))
}

/// What held-out judged answers say, in short.
fn preference(scores: &PreferenceScores) -> String {
    let pairs = scores.pairs.as_ref().map(|pairs| {
        let length = pairs.length_correlation.map_or(String::new(), |with_length| format!(", correlation with length {with_length:.2}"));
        format!(
            ", accuracy {:.3} of {} pairs, margin {:.3}, calibration error {:.3}{length}",
            pairs.accuracy, pairs.pairs, pairs.margin, pairs.calibration_error
        )
    });
    format!("{} {:.4}{}", scores.bucket, scores.loss, pairs.unwrap_or_default())
}

fn untrained(rows: &RowsEvent, ui: &Ui) {
    let named = |examples: &[trainer::UntrainedId]| {
        let names: Vec<String> = examples.iter().take(NAMED).map(|example| format!("{} {:?}", example.id, example.text)).collect();
        names.join(", ")
    };
    match &rows.new {
        Some(new) if new.untrained > 0 => ui.warn(format!(
            "{} of {} new tokens have learned nothing from text{} ({})",
            new.untrained,
            new.ids,
            match new.frozen {
                0 => ", training drew none with them".to_owned(),
                frozen => format!(", {frozen} of them because their rows are frozen beside adapters (`train.lora.full`)"),
            },
            named(&new.examples)
        )),
        _ if rows.untrained > 0 => ui.say(format!(
            "train: {} of {} tokens were in no text that training drew ({})",
            rows.untrained,
            rows.ids,
            named(&rows.examples)
        )),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_at_round_steps() {
        assert_eq!([0, 1, 2, 3, 5, 6, 11, 50, 51, 999, u64::MAX].map(round), [1, 1, 2, 5, 5, 10, 20, 50, 100, 1000, u64::MAX]);
    }
}
