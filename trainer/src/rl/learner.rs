//! A step of reinforcement learning: answers are drawn, judged, and learned from.

use std::collections::BTreeMap;
use std::time::Instant;

use shards::{Example, Tokenizer};

use super::advantage::{deviation, mean};
use super::config::RolloutConfig;
use super::measure::Measured;
use super::method::{Lesson, Method, divergence};
use super::policy::{Policy, Sums};
use super::prompt::Prompt;
use super::reward::{Rewards, Scored};
use super::rollout::{Drawing, Rollout, check_ends, pieces, seed_of};
use crate::config::{TrainConfig, refuse};
use crate::error::{Error, Result};
use crate::event::AnswerEvent;
use crate::objective::read;
use crate::ranks::{Made, Ranks, Update};

/// What answers are judged by; for objectives that draw some.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    /// What they are worth.
    pub rewards: &'a Rewards,
    /// Ids that end an answer.
    pub ends: &'a [u32],
}

/// The part of a trainer that draws answers and learns from them.
#[derive(Debug)]
pub(crate) struct Learner<'a> {
    method: Method,
    config: &'a TrainConfig,
    rollout: RolloutConfig,
    feedback: Feedback<'a>,
    tokenizer: &'a Tokenizer,
    seed: u64,
    /// The coefficient of the divergence in the reward, for the next step; none where no reward has it. In 32 bits, which a
    /// checkpoint's JSON keeps exactly.
    coefficient: Option<f32>,
    /// Answers of the last step, to be read.
    shown: Vec<AnswerEvent>,
}

/// What a step of it gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The mean loss of its updates.
    pub(crate) loss: f64,
    /// The mean length of their gradients.
    pub(crate) grad_norm: f64,
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// The updates of a step, added up.
#[derive(Clone, Copy, Debug, Default)]
struct Updates {
    made: u64,
    skipped: u64,
    stopped: bool,
    loss: f64,
    grad_norm: f64,
    sums: Sums,
    /// How far the policy has moved at the last update, in nats a token.
    moved: f64,
    tokens: u64,
}

impl<'a> Learner<'a> {
    /// For a recipe whose objective draws answers; none for others.
    pub(crate) fn new(
        config: &'a TrainConfig,
        feedback: Option<Feedback<'a>>,
        tokenizer: &'a Tokenizer,
        seed: u64,
    ) -> Result<Option<Self>> {
        let Some(method) = Method::of(config) else { return Ok(None) };
        let Some(feedback) = feedback.filter(|feedback| !feedback.rewards.is_empty()) else {
            return refuse("reward", "empty: nothing says what answers are worth");
        };
        check_ends(feedback.ends, tokenizer)?;
        let (rollout, coefficient) =
            (config.rollout.clone().unwrap_or_default(), method.coefficient().map(|coefficient| coefficient as f32));
        Ok(Some(Self { method, config, rollout, feedback, tokenizer, seed, coefficient, shown: Vec::new() }))
    }

    /// What a checkpoint must know of it.
    pub(crate) fn coefficient(&self) -> Option<f32> {
        self.coefficient
    }

    /// Goes on with what a checkpoint knows.
    pub(crate) fn restore(&mut self, coefficient: Option<f32>) {
        self.coefficient = coefficient.or(self.coefficient);
    }

    /// Most updates of a step.
    pub(crate) fn updates(&self) -> u64 {
        self.method.updates(self.config.batch)
    }

    /// Some answers of the last step.
    pub(crate) fn shown(&self) -> &[AnswerEvent] {
        &self.shown
    }

    /// One step over the conversations of a batch.
    pub(crate) fn step(&mut self, ranks: &mut Ranks, examples: &[Example], step: u64, update: &Update) -> Result<Outcome> {
        let longest = (self.config.sequence_length - self.rollout.max_new_tokens) as usize;
        let (prompts, skipped) = Prompt::all(examples, longest, self.feedback.ends, self.tokenizer)?;
        let drawing = Drawing {
            config: &self.rollout,
            group: self.method.group(),
            context: self.config.sequence_length as usize,
            ends: self.feedback.ends,
            tokenizer: self.tokenizer,
            seed: seed_of(self.seed, step),
        };
        let start = Instant::now();
        let rollout = Rollout::draw(ranks.model(), prompts, &drawing)?;
        let rollout_seconds = start.elapsed().as_secs_f64();
        let mut metrics = BTreeMap::from([("prompts/skipped".to_owned(), skipped as f64)]);
        if rollout.answers.is_empty() {
            self.shown.clear();
            return Ok(Outcome { loss: 0.0, grad_norm: 0.0, metrics });
        }
        let (scored, rewards) = self.judge(&rollout)?;

        let start = Instant::now();
        let replica = ranks.replica();
        let reference = if self.method.has_reference() { Some(replica.reference()?) } else { None };
        let measured =
            Measured::of(&replica.model, reference, &rollout, self.rollout.temperature, update.micro_batch, self.tokenizer.eos())?;
        let distance = divergence(&measured);
        describe(&rollout, &scored, &rewards, &measured, &mut metrics);
        if self.rollout.temperature == 1.0 {
            metrics.extend(gaps(&rollout, &measured));
        }
        let coefficient = self.coefficient.map(f64::from);
        let lesson = self.method.lesson(&rewards, measured, coefficient.unwrap_or_default());
        let updates = self.learn(ranks, &rollout, &lesson, step, update)?;
        let update_seconds = start.elapsed().as_secs_f64();

        metrics.extend(lesson.flat.map(|share| ("groups/flat".to_owned(), share)));
        metrics.extend(distance.map(|distance| ("kl/reference".to_owned(), distance)));
        metrics.extend(coefficient.map(|coefficient| ("kl-coefficient".to_owned(), coefficient)));
        if let (Some(coefficient), Some(distance)) = (coefficient, distance) {
            self.coefficient = Some(self.method.next_coefficient(coefficient, distance, rollout.answers.len()) as f32);
        }
        updates.describe(matches!(self.method, Method::Ppo(_)), &mut metrics);
        let drawn: usize = rollout.answers.iter().map(|answer| answer.ids.len()).sum();
        let speed = |tokens: f64, seconds: f64| (tokens / seconds.max(1e-9) * 10.0).round() / 10.0;
        metrics.insert("speed/rollout".to_owned(), speed(drawn as f64, rollout_seconds));
        metrics.insert("speed/update".to_owned(), speed(updates.tokens as f64, update_seconds));
        self.show(step + 1, &rollout, &rewards);
        let count = (updates.made + updates.skipped).max(1) as f64;
        Ok(Outcome { loss: updates.loss / count, grad_norm: updates.grad_norm / count, metrics })
    }

    /// What each answer is worth.
    fn judge(&self, rollout: &Rollout) -> Result<(Scored, Vec<f64>)> {
        let scored = self.feedback.rewards.score(&rollout.samples())?;
        let penalty = |ended: bool| if ended { 0.0 } else { self.rollout.missing_end_penalty };
        let rewards = scored.total.iter().zip(&rollout.answers).map(|(reward, answer)| reward - penalty(answer.ended)).collect();
        Ok((scored, rewards))
    }

    /// The updates of a step.
    fn learn(&self, ranks: &mut Ranks, rollout: &Rollout, lesson: &Lesson, step: u64, update: &Update) -> Result<Updates> {
        let lengths: Vec<usize> = rollout.answers.iter().map(|answer| answer.ids.len()).collect();
        let (group, size) = (self.method.group() as usize, self.method.mini_batch(self.config.batch) as usize);
        let mut updates = Updates::default();
        'epochs: for epoch in 0..self.method.epochs() {
            for chosen in pieces(lengths.len(), group, size, self.seed, &format!("updates of step {step}, pass {epoch}")) {
                let weights = self.method.weights(&lengths, &chosen, self.rollout.max_new_tokens);
                let policy = Policy { temperature: self.rollout.temperature, ..self.method.policy(&lesson.trajectories, &weights) };
                let batch = rollout.batch(&chosen, self.tokenizer.eos());
                let before = ranks.optimizer().steps();
                let Made { loss, grad_norm, .. } = ranks.step(&policy, &batch, update)?;
                let (loss, grad_norm) = (read(loss, "read the loss")?, read(grad_norm, "read the gradient norm")?);
                for (what, value) in [("loss", loss), ("gradient norm", grad_norm)] {
                    if !value.is_finite() {
                        return Err(Error::NonFinite { step: step + 1, what: what.to_owned(), value, rows: Vec::new() });
                    }
                }
                let sums = policy.sums()?;
                let made = ranks.optimizer().steps() > before;
                updates.add(&sums, loss, grad_norm, made);
                updates.tokens += chosen.iter().map(|&at| rollout.length(at) as u64).sum::<u64>();
                let moved_too_far = |limit: f64| sums.fallen / sums.tokens.max(1.0) > limit;
                if !made && policy.limits.is_some_and(|limits| moved_too_far(limits.divergence)) {
                    updates.stopped = true;
                    break 'epochs;
                }
            }
        }
        Ok(updates)
    }

    /// Keeps some answers to be read, evenly over the step.
    fn show(&mut self, step: u64, rollout: &Rollout, rewards: &[f64]) {
        let (all, shown) = (rollout.answers.len(), (self.rollout.shown as usize).min(rollout.answers.len()));
        self.shown = (0..shown)
            .map(|number| number * all / shown)
            .map(|at| {
                let answer = &rollout.answers[at];
                let prompt = &rollout.prompts[answer.prompt];
                AnswerEvent {
                    step,
                    prompt: prompt.text.clone(),
                    response: answer.text.clone(),
                    reference: prompt.reference.clone(),
                    reward: rewards[at],
                    ended: answer.ended,
                }
            })
            .collect();
    }
}

/// What is to be said of the answers of a step.
fn describe(rollout: &Rollout, scored: &Scored, rewards: &[f64], measured: &Measured, metrics: &mut BTreeMap<String, f64>) {
    let lengths: Vec<f64> = rollout.answers.iter().map(|answer| answer.ids.len() as f64).collect();
    let ended = rollout.answers.iter().filter(|answer| answer.ended).count() as f64 / lengths.len() as f64;
    let entropies: Vec<f64> = measured.entropies.iter().flatten().map(|&entropy| f64::from(entropy)).collect();
    let reward = mean(rewards);
    let numbers = [
        ("reward/mean", reward),
        ("reward/deviation", deviation(rewards, reward)),
        ("answers/ended", ended),
        ("length/mean", mean(&lengths)),
        ("length/most", lengths.iter().copied().fold(0.0, f64::max)),
        ("entropy", mean(&entropies)),
    ];
    metrics.extend(numbers.map(|(name, value)| (name.to_owned(), value)));
    metrics.extend(scored.parts.iter().map(|(name, value)| (format!("rewards/{name}"), *value)));
}

/// How far log-probabilities of the generator, which are at temperature 1, are from those of training: they sum in other orders,
/// and on a card in other numbers.
fn gaps(rollout: &Rollout, measured: &Measured) -> [(String, f64); 2] {
    let pairs = rollout.answers.iter().zip(&measured.log_probs).flat_map(|(answer, own)| answer.log_probs.iter().zip(own));
    let gaps: Vec<f64> = pairs.map(|(drawn, own)| (f64::from(*drawn) - f64::from(*own)).abs()).collect();
    let most = gaps.iter().copied().fold(0.0, f64::max);
    [("log-prob-gap/mean", mean(&gaps)), ("log-prob-gap/most", most)].map(|(name, gap)| (name.to_owned(), gap))
}

impl Updates {
    fn add(&mut self, sums: &Sums, loss: f64, grad_norm: f64, made: bool) {
        self.made += u64::from(made);
        self.skipped += u64::from(!made);
        self.loss += loss;
        self.grad_norm += grad_norm;
        self.moved = sums.fallen / sums.tokens.max(1.0);
        let all = &mut self.sums;
        all.policy += sums.policy;
        all.value += sums.value;
        all.clipped += sums.clipped;
        all.clipped_values += sums.clipped_values;
        all.ratio += sums.ratio;
        all.most = all.most.max(sums.most);
        all.tokens += sums.tokens;
    }

    fn describe(&self, with_values: bool, metrics: &mut BTreeMap<String, f64>) {
        let (count, tokens) = ((self.made + self.skipped).max(1) as f64, self.sums.tokens.max(1.0));
        let mut put = |name: &str, value: f64| metrics.extend([(name.to_owned(), value)]);
        put("loss/policy", self.sums.policy / count);
        put("clip-fraction/policy", self.sums.clipped / tokens);
        put("ratio/mean", self.sums.ratio / tokens);
        put("ratio/most", self.sums.most);
        put("kl/step", self.moved);
        put("updates/made", self.made as f64);
        put("updates/skipped", self.skipped as f64);
        if with_values {
            put("loss/value", self.sums.value / count);
            put("clip-fraction/value", self.sums.clipped_values / tokens);
            put("updates/stopped-early", f64::from(u8::from(self.stopped)));
        }
    }
}
