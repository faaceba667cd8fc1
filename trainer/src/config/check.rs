//! Every value against its range and against the others.

use std::borrow::Cow;

use super::{ObjectiveKind, ScheduleKind, TrainConfig, WeightNumbers};
use crate::device::DeviceSpec;
use crate::error::{Error, Result};
use crate::lora::{Full, LoraConfig};
use crate::model::Precision;
use crate::rl::{Method, RewardConfig};

/// Largest step in tokens; what one step may allocate for on the host.
const MAX_STEP_TOKENS: u64 = 1 << 30;
/// Largest attention scores of one layer in bytes, 8 GiB. A step holds several such tensors.
const MAX_SCORES: u128 = 8 << 30;

impl TrainConfig {
    /// Checks every value against its range and against the others.
    pub fn validate(&self) -> Result<()> {
        if let Some(preset) = self.preset {
            return refuse("preset", format!("{}, which is for whoever reads the recipe to fill in", preset.name()));
        }
        self.check_size()?;
        self.check_rates()?;
        within("weight-decay", self.weight_decay, self.weight_decay >= 0.0, "0 or more")?;
        within("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "0 to below 1")?;
        within("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "0 to below 1")?;
        // Below the smallest normal number of the weights' type it would be nothing.
        within("epsilon", self.epsilon, self.epsilon >= f64::from(f32::MIN_POSITIVE), "above 0, at least 1.2e-38")?;
        within("clip-norm", self.clip_norm, self.clip_norm >= 0.0, "0 or more")?;
        within("z-loss", self.z_loss, self.z_loss >= 0.0, "0 or more")?;
        self.check_evaluation()?;
        self.check_preference()?;
        at_least_one("keep-checkpoints", self.keep_checkpoints.into())?;
        at_least_one("log-every", self.log_every)?;
        self.model.validate()?;
        if self.model.scalar_head.is_some() {
            return refuse("model.scalar-head", "given, but it follows from `objective`; leave it out");
        }
        // The shape of `init` is not known before it is opened.
        if let Some(lora) = self.lora.as_ref().filter(|_| self.init.is_none() || self.model != crate::model::ModelConfig::default()) {
            lora.validate(&self.shape())?;
        }
        if self.activation_checkpointing && self.lora.as_ref().is_some_and(|lora| lora.dora) {
            return refuse("activation-checkpointing", "on, which layers with DoRA do not know: leave it out, or `lora.dora`");
        }
        self.check_scores()?;
        self.check_answers()?;
        self.sample.as_ref().map_or(Ok(()), super::SampleConfig::validate)
    }

    /// That a training that begins on this device finds there what it asks for. One that goes on keeps the
    /// precision it was begun in, so this says nothing of it.
    pub fn check_device(&self, device: DeviceSpec) -> Result<()> {
        if self.objective.draws_answers() && device.count() > 1 {
            return refuse("objective", "one that draws answers, which works on one device so far: give one with `--device`");
        }
        let device = device.open()?;
        let precision = self.precision.unwrap_or_else(|| Precision::best(&self.model, &device));
        precision.check(&self.model, &device)?;
        self.lora.as_ref().map_or(Ok(()), |lora| precision.check_rank(lora.rank as usize))
    }

    fn check_size(&self) -> Result<()> {
        at_least_one("sequence-length", self.sequence_length.into())?;
        at_least_one("batch", self.batch.into())?;
        let step = u64::from(self.sequence_length) * u64::from(self.batch);
        if step > MAX_STEP_TOKENS {
            return refuse(
                "batch",
                format!("{} sequences of {}: {step} tokens a step, at most {MAX_STEP_TOKENS}", self.batch, self.sequence_length),
            );
        }
        if let Some(micro) = self.micro_batch
            && !(1..=self.batch).contains(&micro)
        {
            return refuse("micro-batch", format!("{micro}, not 1 to `batch` = {}", self.batch));
        }
        if self.tokens == Some(0) {
            return refuse("tokens", "0, at least 1 (leave it out to draw what the mixture gives without repeating a bucket)");
        }
        if let Some(epochs) = self.epochs {
            within("epochs", epochs, epochs > 0.0 && epochs <= 1e6, "above 0 and at most 1e6")?;
            if self.tokens.is_some() {
                return refuse("epochs", "given beside `tokens`; each says how long training is, so leave one out");
            }
        }
        Ok(())
    }

    fn check_rates(&self) -> Result<()> {
        let rates = [
            ("learning-rate", Some(self.learning_rate)),
            ("embedding-learning-rate", self.embedding_learning_rate),
            ("head-learning-rate", self.head_learning_rate),
        ];
        for (option, rate) in rates {
            let rate = rate.unwrap_or(self.learning_rate);
            within(option, rate, rate > 0.0, "above 0")?;
        }
        if self.init.is_none() {
            self.check_tables()?; // else shape and adapters are not known yet
        }
        let lowest = self.min_learning_rate();
        within("min-learning-rate", lowest, (0.0..=self.learning_rate).contains(&lowest), "0 to `learning-rate`")?;
        if self.schedule == ScheduleKind::Constant && self.min_learning_rate.is_some() {
            return refuse("min-learning-rate", "set, but the constant schedule never goes down to it");
        }
        if self.schedule != ScheduleKind::Wsd {
            for (option, given) in [("decay-fraction", self.decay_fraction.is_some()), ("decay-shape", self.decay_shape.is_some())] {
                if given {
                    return refuse(option, format!("set, but it is for `schedule` = \"wsd\", not \"{}\"", self.schedule.name()));
                }
            }
        }
        let share = self.decay_fraction.unwrap_or(0.0);
        within("decay-fraction", share, (0.0..=1.0).contains(&share), "0 to 1")
    }

    /// That the tables with a learning rate of their own are trained, and something that `weights` is about.
    pub(super) fn check_tables(&self) -> Result<()> {
        if self.head_learning_rate.is_some() && self.model.tied_embeddings {
            return refuse("head-learning-rate", "set, but the output matrix is the embedding (`model.tied-embeddings`)");
        }
        if self.head_learning_rate.is_some() && self.shape().is_reward() {
            return refuse("head-learning-rate", "set, but a reward model has no output matrix");
        }
        let Some(lora) = &self.lora else { return Ok(()) };
        self.weights.check(lora)?;
        for (option, rate, full, name) in [
            ("embedding-learning-rate", self.embedding_learning_rate, Full::EmbedTokens, "embed-tokens"),
            ("head-learning-rate", self.head_learning_rate, Full::LmHead, "lm-head"),
        ] {
            if rate.is_some() && !lora.full.contains(&full) {
                return refuse(
                    option,
                    format!("set, but beside adapters that table is frozen; put \"{name}\" into `lora.full`, or leave it out"),
                );
            }
        }
        Ok(())
    }

    fn check_evaluation(&self) -> Result<()> {
        self.early_stop.as_ref().map_or(Ok(()), super::EarlyStop::validate)?;
        for (option, given) in [("keep-best", self.keep_best), ("early-stop", self.early_stop.is_some())] {
            if given && (self.eval_every == 0 || self.eval_tokens == 0) {
                return refuse(option, "set, which needs evaluations on the way: set `eval-every` and leave `eval-tokens` above 0");
            }
        }
        if self.best_by.is_some() && !self.keep_best && self.early_stop.is_none() {
            return refuse("best-by", "set, but neither `keep-best` nor `early-stop` looks at it");
        }
        Ok(())
    }

    /// The options of objectives that draw answers, and that no other one has them.
    fn check_answers(&self) -> Result<()> {
        for (option, given, of) in [
            ("grpo", self.grpo.is_some(), self.objective == ObjectiveKind::Grpo),
            ("ppo", self.ppo.is_some(), self.objective == ObjectiveKind::Ppo),
            ("rollout", self.rollout.is_some(), self.objective.draws_answers()),
            ("reward", !self.reward.is_empty(), self.objective.draws_answers()),
        ] {
            if given && !of {
                return refuse(option, "set, which `objective` has no use for");
            }
        }
        let Some(method) = Method::of(self) else { return Ok(()) };
        method.validate(self)?;
        self.rollout.clone().unwrap_or_default().validate(self.sequence_length)?;
        if self.reward.is_empty() {
            return refuse("reward", "empty, and something must say what answers are worth: `[[train.reward]]`");
        }
        self.reward.iter().try_for_each(RewardConfig::validate)
    }

    /// Every layer scores every pair of positions, for each head, and masks them once more.
    fn check_scores(&self) -> Result<()> {
        let [micro, length] = [self.micro_batch(), self.sequence_length].map(u128::from);
        let bytes = micro * (self.model.heads as u128 + 1) * length * length * size_of::<f32>() as u128;
        // In bfloat16 scores are never in memory.
        if bytes <= MAX_SCORES || self.precision == Some(Precision::Bf16) {
            return Ok(());
        }
        let detail = format!(
            "{length}: with `micro-batch` = {micro} and `model.heads` = {} the attention scores of one layer take {bytes} bytes, at most {MAX_SCORES}; with `precision` = \"bf16\", on an NVIDIA card, there are none",
            self.model.heads
        );
        refuse("sequence-length", detail)
    }
}

impl WeightNumbers {
    /// That beside these adapters something is trained that is kept as these numbers: of what is, the tables alone.
    pub(crate) fn check(self, lora: &LoraConfig) -> Result<()> {
        let tables = lora.full.iter().any(|full| matches!(full, Full::EmbedTokens | Full::LmHead));
        if self == Self::Bf16 && !tables {
            let detail = "bf16, but adapters and norms are kept in 32 bits and the rest is frozen: leave it out, or put a table into `lora.full` (`lora.base` says how frozen matrices are kept)";
            return refuse("weights", detail);
        }
        Ok(())
    }
}

pub(crate) fn refuse<T>(option: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Result<T> {
    Err(Error::Setting { option: option.into(), detail: detail.into() })
}

pub(crate) fn at_least_one(option: &'static str, value: u64) -> Result<()> {
    if value == 0 { refuse(option, "0, at least 1") } else { Ok(()) }
}

pub(crate) fn within(option: &'static str, value: f64, fits: bool, range: &str) -> Result<()> {
    if value.is_finite() && fits { Ok(()) } else { refuse(option, format!("{value}, not {range}")) }
}
