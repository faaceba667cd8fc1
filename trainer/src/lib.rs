//! The training half of malmoi: from a stream of token batches to a trained model.
//!
//! In the order a step meets them:
//! 1. [`TrainConfig`] is the recipe's `[train]`: [`ModelConfig`], batch, schedule, optimizer.
//! 2. [`DeviceSpec`] picks the backend; the CPU is always there.
//! 3. [`Model`] is a decoder in the shape of Llama, Qwen2 or Qwen3; [`Inputs`] are a batch on its device.
//!    [`Pretrained`] is one in a Hugging Face folder or GGUF file; [`Export`] and [`GgufExport`] write these.
//! 4. [`Objective`] gives a batch's [`Loss`] as a sum and a count, so that splitting a step into
//!    micro-batches never changes it.
//! 5. [`AdamW`] moves the weights by a learning rate from [`LearningRate`].
//! 6. [`Trainer`] puts these together: [`Trainer::step`] is one visible block, [`Trainer::run`]
//!    adds evaluation, checkpoints and events. On the CPU backend of one machine, a run ends in the
//!    same bytes on any number of threads, and when it was killed at any step and opened again.
//!    Nothing is promised between machines, whose processors may add in another order, or on CUDA.
//! 7. [`evaluate()`] measures held-out bits per byte, a [`Generator`] continues many prompts at a time,
//!    [`score()`] says how likely given continuations are.
//!
//! The crate prints nothing and reads no environment; what happens is told by [`Event`]s.
//!
//! ```
//! use shards::Batch;
//! use trainer::{Cpt, DeviceSpec, ModelConfig};
//! # fn main() -> trainer::Result<()> {
//! let config = ModelConfig { hidden: 32, layers: 1, heads: 2, kv_heads: 1, intermediate: 64, ..ModelConfig::default() };
//! let model = config.init(&DeviceSpec::Cpu.open()?, 256, 7)?;
//! let batch = Batch {
//!     rows: 1,
//!     seq_len: 4,
//!     inputs: b"abcd".map(u32::from).to_vec(),
//!     targets: b"bcde".map(u32::from).to_vec(),
//!     positions: vec![0, 1, 2, 3],
//!     documents: vec![0; 4],
//!     mask: vec![true; 4],
//!     buckets: vec![0],
//!     answers: Vec::new(),
//! };
//! let loss = Cpt::default().of(&model, &batch)?;
//! let nats_per_token = loss.mean()?;
//! assert!((nats_per_token - 256f64.ln()).abs() < 0.5); // an untrained model knows nothing
//! # Ok(()) }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod buckets;
mod checkpoint;
mod config;
mod device;
mod divergence;
mod error;
mod estimate;
mod evaluate;
mod event;
mod export;
mod generate;
mod gradients;
mod journal;
mod kernels;
mod load;
mod lora;
#[cfg(any(test, feature = "cuda"))]
mod meeting;
mod metrics;
mod micro_batch;
mod model;
mod objective;
mod optimizer;
#[cfg(feature = "cuda")]
mod profile;
mod quant;
mod ranks;
mod rl;
mod rng;
mod rows;
mod samples;
mod schedule;
mod tensorboard;
mod tensors;
mod trainer;
mod watch;

pub use checkpoint::{CHECKPOINT_VERSION, Checkpoint, State};
pub use config::{
    DecayShape, DpoConfig, DpoLoss, EarlyStop, Given, KtoConfig, ObjectiveKind, OptimizerStates, OrpoConfig, PairwiseConfig, Preset,
    SampleConfig, ScheduleKind, TrainConfig, WeightNumbers,
};
pub use device::{Backend, DeviceSpec, backends};
pub use divergence::{Divergence, Outputs};
pub use error::{Error, Result};
pub use estimate::{CARDS, Card, Estimate, KNOWN_MODELS, Looks, MEASURED_MFU, MemoryPart, POOL, Workload, known_model};
pub use evaluate::preference::{Bin, PairScores, PreferenceScores, Share};
pub use evaluate::{BucketLoss, evaluate};
pub use event::{AnswerEvent, BestLostEvent, EvalEvent, Event, SampleEvent, StepEvent, StopEvent};
pub use export::{AdapterExport, Export, GgufExport, GgufFormat, Packing, Texts, Vocabulary, WeightFormat, staged_folder, write_file};
pub use generate::{Completion, FinishReason, GenerateConfig, Generator, Piece, Request, Sampling, Score, TextStream, Token, score};
pub use gradients::Gradients;
pub use load::{MergeBase, Pretrained, extend_vocabulary};
pub use lora::{AdapterFile, Base, Full, LoraConfig, Target};
pub use metrics::METRICS_FILE;
pub use model::{Inputs, Model, ModelConfig, Parameter, Precision, RopeScaling, ScalarHead};
pub use objective::{Cpt, Dpo, Kto, Loss, Metric, Objective, Orpo, Pairwise, Preference, Rewarded, Tally};
pub use optimizer::AdamW;
#[cfg(feature = "cuda")]
pub use profile::profile;
pub use ranks::{Made, Ranks, Replica, Update};
pub use rl::{
    AnswerReward, ExactReward, Feedback, FormatReward, GrpoConfig, GrpoLoss, KlConfig, KoreanReward, LengthReward, ModelReward, PpoConfig,
    RegexReward, RepetitionReward, Reward, RewardConfig, RewardModel, Rewards, RolloutConfig, Sample, Scale,
};
pub use rows::{NewRows, RowsEvent, UntrainedId};
pub use samples::{ANSWERS_FILE, SAMPLES_FILE};
pub use schedule::LearningRate;
pub use tensorboard::TENSORBOARD_FOLDER;
pub use trainer::{CHECKPOINTS_FOLDER, Position, Run, Trainer};
pub use watch::Best;
