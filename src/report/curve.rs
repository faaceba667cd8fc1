//! The training of a run, as the report shows it.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use trainer::{AnswerEvent, EvalEvent, PreferenceScores, RowsEvent, SampleEvent, StepEvent};

use super::collect::optional;
use super::html::{EvalPoint, Generation, Preference, StepPoint, Training, Untrained};
use crate::error::{Context, Result};
use crate::layout;
use crate::recipe::Recipe;
use crate::stage::train::Facts;

/// A line of `metrics.jsonl`.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    Step(StepEvent),
    Eval(EvalEvent),
}

/// None before the first step.
pub(super) fn training(folder: &Path, recipe: &Recipe) -> Result<Option<Training>> {
    let path = folder.join(layout::METRICS);
    let (Some(train), Some(facts)) = (&recipe.train, optional::<Facts>(folder, layout::TRAINING)?) else { return Ok(None) };
    if !path.exists() {
        return Ok(None);
    }
    let mut training = Training {
        objective: serde_json::to_value(train.objective).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default(),
        device: facts.device,
        parameters: facts.parameters,
        planned_steps: facts.steps,
        best: facts.best.map(|best| (best.step, best.measure)),
        stopped: facts.stopped,
        untrained: facts.rows.map(untrained),
        ..Training::default()
    };
    let finite = |value: f64| value.is_finite().then_some(value);
    let text = layout::read_lines(&path)?;
    let mut seconds = 0.0;
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line).context(|| format!("{}:{}", path.display(), number + 1))? {
            Line::Step(step) => {
                training.drawn += step.drawn;
                training.trained += step.trained;
                training.masked += step.masked;
                if step.tokens_per_second > 0.0 {
                    seconds += step.drawn as f64 / step.tokens_per_second;
                }
                training.steps.push(StepPoint {
                    step: step.step,
                    loss: finite(step.loss),
                    learning_rate: finite(step.learning_rate),
                    grad_norm: finite(step.grad_norm),
                    tokens_per_second: finite(step.tokens_per_second),
                    metrics: step.metrics.into_iter().map(|(name, value)| (name, finite(value))).collect(),
                });
            }
            Line::Eval(eval) => {
                let preferences = eval.preferences.iter().map(|scores| (scores.bucket.clone(), preference(scores))).collect();
                let bits_per_byte = eval.buckets.into_iter().map(|bucket| (bucket.bucket, finite(bucket.bits_per_byte))).collect();
                training.evals.push(EvalPoint { step: eval.step, bits_per_byte, preferences });
            }
        }
    }
    if training.steps.is_empty() {
        return Ok(None);
    }
    training.seconds = (seconds > 0.0).then_some(seconds);
    training.generations = written(folder)?;
    Ok(Some(training))
}

fn preference(scores: &PreferenceScores) -> Preference {
    let pairs = scores.pairs.as_ref();
    let finite = |value: f64| value.is_finite().then_some(value);
    Preference {
        answers: scores.answers,
        loss: finite(scores.loss),
        accuracy: pairs.map(|pairs| pairs.accuracy),
        margin: pairs.map(|pairs| pairs.margin),
        calibration_error: pairs.map(|pairs| pairs.calibration_error),
        length_correlation: pairs.and_then(|pairs| pairs.length_correlation),
        chosen_shorter: pairs.and_then(|pairs| pairs.chosen_shorter.accuracy),
        chosen_longer: pairs.and_then(|pairs| pairs.chosen_longer.accuracy),
    }
}

fn untrained(rows: RowsEvent) -> Untrained {
    let examples = rows.new.as_ref().map_or(&rows.examples, |new| &new.examples);
    let examples = examples.iter().map(|example| format!("{} {}", example.id, example.text)).collect();
    Untrained { ids: rows.ids, untrained: rows.untrained, new: rows.new.as_ref().map(|new| (new.ids, new.untrained)), examples }
}

/// What the model wrote: answers that it learned from, and the recipe's samples.
fn written(folder: &Path) -> Result<Vec<Generation>> {
    let of_answer =
        |answer: AnswerEvent| Generation { step: answer.step, prompt: answer.prompt, text: answer.response, reward: Some(answer.reward) };
    let of_sample = |sample: SampleEvent| Generation { step: sample.step, prompt: sample.prompt, text: sample.text, reward: None };
    let mut written = lines(&folder.join(layout::ANSWERS), of_answer)?;
    written.extend(lines(&folder.join(layout::SAMPLES), of_sample)?);
    Ok(written)
}

/// The lines of a file, which need not be there.
fn lines<T: DeserializeOwned>(path: &Path, of: impl Fn(T) -> Generation) -> Result<Vec<Generation>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = layout::read_lines(path)?;
    let line = |(number, line): (usize, &str)| {
        let event = serde_json::from_str(line).context(|| format!("{}:{}", path.display(), number + 1))?;
        Ok(of(event))
    };
    text.lines().enumerate().map(line).collect()
}
