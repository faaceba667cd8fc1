//! `model_info.json` and the model card, from what a run recorded.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use trainer::{EvalEvent, StepEvent};

use super::source::{Model, Run};
use crate::card::{cell, row, section, sections, table};
use crate::cli::Language;
use crate::error::{Context, Error, Result};
use crate::layout;
use crate::report::grouped;
use crate::stage::train::Facts as Trained;

/// What is written about a model.
pub(super) struct Facts<'a> {
    pub(super) model: &'a Model,
    pub(super) name: &'a str,
    /// What was exported, as it was asked for.
    pub(super) source: &'a Path,
    /// The form it has now.
    pub(super) format: &'a str,
    pub(super) lang: Language,
}

/// A line of `metrics.jsonl`.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    Step(StepEvent),
    Eval(EvalEvent),
}

/// The last loss and the last evaluation up to a checkpoint.
#[derive(Default)]
struct Curve {
    loss: Option<f64>,
    eval: Option<EvalEvent>,
}

impl Facts<'_> {
    /// The files, by name. A model in files keeps the card that it came with.
    pub(super) fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let info = (super::MODEL_INFO.to_owned(), format!("{:#}\n", self.info()?).into_bytes());
        let mut files = vec![info];
        match &self.model.run {
            Some(run) => files.push(("README.md".to_owned(), self.card(run)?.into_bytes())),
            None => files.extend(self.model.cards.iter().cloned()),
        }
        Ok(files)
    }

    fn info(&self) -> Result<Value> {
        let weights = &self.model.weights;
        let (config, vocab) = (weights.config(), weights.vocab_size());
        let parameters = config.num_params(vocab).map_err(Error::new)?;
        let mut info = json!({
            "model_name": self.name,
            "format": self.format,
            "architecture": config.family(),
            "parameters": parameters,
            "vocab_size": vocab,
            "context_length": config.max_positions.unwrap_or(self.model.texts.max_positions),
            "eos_token_ids": self.model.texts.eos,
            "model": config,
            "made_by": concat!("malmoi ", env!("CARGO_PKG_VERSION")),
        });
        let Some(run) = &self.model.run else {
            info["base_model"] = json!(crate::card::name_of(self.source));
            return Ok(info);
        };
        let Some(train) = &run.recipe.train else { return Ok(info) };
        let curve = run.curve()?;
        let trained: Option<Trained> = run.trained()?;
        info["base_model"] = json!(train.init.as_ref().map(|init| crate::card::name_of(init)));
        info["trainable_parameters"] = match run.state.lora {
            None => json!(parameters),
            Some(_) => json!(trained.as_ref().map(|facts| facts.parameters)),
        };
        info["adapters"] = json!(run.state.lora);
        let mut stages = run.state.lineage.clone();
        stages.push(json!({
            "objective": train.objective,
            "step": run.state.position.step,
            "planned_steps": trained.as_ref().map(|facts| facts.steps),
            "tokens": run.state.position.drawn,
            "tokens_in_loss": run.state.position.trained,
            "tokens_masked": run.state.position.masked,
            "sequence_length": train.sequence_length,
            "batch": train.batch,
            "learning_rate": train.learning_rate,
            "schedule": train.schedule,
            "precision": run.state.precision,
            "device": trained.as_ref().map(|facts| facts.device.clone()),
            "base_weights_blake3": trained.as_ref().and_then(|facts| facts.init),
            "last_loss": curve.loss,
            "held_out_bits_per_byte": curve.eval.as_ref().map(bits_per_byte),
            "held_out_step": curve.eval.as_ref().map(|eval| eval.step),
            "seed": run.state.seed,
            "fingerprint": run.state.fingerprint,
        }));
        info["training_stages"] = json!(stages);
        info["tokenizer"] = json!({ "kind": run.tokenizer, "fingerprint": run.state.tokenizer });
        let licence = |source: &corpora::Source| json!({ "source": source.name, "bucket": source.bucket, "licence": source.licence });
        info["data"] = run.recipe.sources.iter().map(licence).collect();
        Ok(info)
    }

    fn card(&self, run: &Run) -> Result<String> {
        let lang = self.lang;
        let weights = &self.model.weights;
        let config = weights.config();
        let library = if self.format.starts_with("gguf") { "gguf" } else { "transformers" };
        let task = if config.is_reward() { "text-classification" } else { "text-generation" };
        let mut text = format!("---\nlibrary_name: {library}\npipeline_tag: {task}\ntags:\n- malmoi\n---\n\n");
        let _ = writeln!(text, "# {}", cell(self.name));
        section(&mut text, lang.pick("Model", "모델"));
        table(&mut text, &[lang.pick("fact", "항목"), lang.pick("value", "값")], 2);
        let mut line = |english: &str, korean: &str, value: String| row(&mut text, &[lang.pick(english, korean).to_owned(), value]);
        line("architecture", "구조", config.family().to_owned());
        line("parameters", "파라미터", grouped(config.num_params(weights.vocab_size()).map_err(Error::new)?));
        let heads = format!("{} × {}, {}/{}", config.layers, config.hidden, config.heads, config.kv_heads);
        line("layers × width, query/key heads", "층 × 너비, 질의/키 헤드", heads);
        line("rows of the vocabulary", "어휘 행 수", grouped(weights.vocab_size() as u64));
        let length = config.max_positions.unwrap_or(self.model.texts.max_positions);
        line("longest text in tokens", "최대 토큰 길이", grouped(length.into()));
        line("format", "형식", cell(self.format));
        if let Some(train) = &run.recipe.train {
            let position = &run.state.position;
            let curve = run.curve()?;
            section(&mut text, lang.pick("Training", "학습"));
            table(&mut text, &[lang.pick("fact", "항목"), lang.pick("value", "값")], 2);
            let mut line = |english: &str, korean: &str, value: String| row(&mut text, &[lang.pick(english, korean).to_owned(), value]);
            let start = train.init.as_ref().map(|init| crate::card::name_of(init));
            line(
                "started from",
                "시작점",
                start.map_or_else(|| lang.pick("random weights", "무작위 가중치").to_owned(), |name| cell(&name)),
            );
            line("objective", "목적", json!(train.objective).as_str().unwrap_or_default().to_owned());
            line("steps", "스텝", grouped(position.step));
            line("tokens drawn", "사용 토큰", grouped(position.drawn));
            line("tokens in the loss", "손실에 든 토큰", grouped(position.trained));
            line("sequences of a step × tokens", "스텝당 시퀀스 × 토큰", format!("{} × {}", train.batch, train.sequence_length));
            line("learning rate", "학습률", train.learning_rate.to_string());
            if let Some(facts) = run.trained()? {
                line("device", "장치", cell(&facts.device));
            }
            if let Some(loss) = curve.loss {
                line("last loss", "마지막 손실", format!("{loss:.4}"));
            }
            if let Some(eval) = &curve.eval {
                let title = lang.pick("Held-out bits per byte at step", "평가 텍스트의 바이트당 비트, 스텝");
                section(&mut text, &format!("{title} {}", eval.step));
                table(&mut text, &[lang.pick("bucket", "버킷"), lang.pick("bits per byte", "바이트당 비트")], 1);
                eval.buckets.iter().for_each(|bucket| row(&mut text, &[cell(&bucket.bucket), format!("{:.4}", bucket.bits_per_byte)]));
            }
        }
        text += &sections(&run.folder, &run.recipe, lang)?;
        let _ = writeln!(text, "- `{}`: `{}`", lang.pick("checkpoint", "체크포인트"), run.state.fingerprint);
        Ok(text)
    }
}

fn bits_per_byte(eval: &EvalEvent) -> Value {
    eval.buckets.iter().map(|bucket| (bucket.bucket.clone(), json!(bucket.bits_per_byte))).collect()
}

impl Run {
    /// What training wrote down when it began; none in a folder where that is gone.
    fn trained(&self) -> Result<Option<Trained>> {
        self.folder.join(layout::TRAINING).exists().then(|| layout::read_json(&self.folder, layout::TRAINING)).transpose()
    }

    fn curve(&self) -> Result<Curve> {
        let path = self.folder.join(layout::METRICS);
        if !path.exists() {
            return Ok(Curve::default());
        }
        let text = layout::read_lines(&path)?;
        let mut curve = Curve::default();
        for (number, line) in text.lines().enumerate() {
            match serde_json::from_str(line).context(|| format!("{}:{}", path.display(), number + 1))? {
                Line::Step(step) if step.step <= self.state.position.step => curve.loss = Some(step.loss).filter(|loss| loss.is_finite()),
                Line::Eval(eval) if eval.step <= self.state.position.step => {
                    curve.eval = Some(eval).filter(|eval| !eval.buckets.is_empty())
                }
                _ => {}
            }
        }
        Ok(curve)
    }
}
