//! `filters train`: the model of the filter `classifier`, from texts of two kinds.
//!
//! Texts are read once to be counted and once for each epoch, so memory is the model and a chunk.
//! Features are made by all threads, steps are taken one after another in an order that the seed
//! fixes: the model does not depend on the number of threads.

use std::path::Path;

use filters::{Model, Scores, Trainer, TrainerConfig};
use rayon::prelude::*;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cli::ClassifierTraining;
use crate::error::{Context, Error, Result};
use crate::report::{Ui, grouped};
use crate::tokenizer::texts::{Bad, Texts, is_held_out};

/// Texts whose order is mixed at a time, and most bytes of them.
const CHUNK: usize = 8192;
const CHUNK_BYTES: usize = 64 << 20;
/// Scores at which precision and recall are told.
const THRESHOLDS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// `malmoi filters train`.
pub(crate) fn train(args: &ClassifierTraining, ui: &Ui) -> Result<()> {
    if !(0.0..=0.9).contains(&args.held_out) {
        return Err(Error::new(format!("`--held-out` is a share from 0 to 0.9, not {}", args.held_out)));
    }
    let config = TrainerConfig { bits: args.bits, epochs: args.epochs, rate: args.rate, seed: args.seed };
    config.validate().map_err(Error::new)?;
    let classes = [Texts::open(&args.positive)?, Texts::open(&args.negative)?];
    let bad = Bad::default();
    let mut learnt = [0_u64; 2];
    let mut measured = [0_u64; 2];
    for (class, texts) in classes.iter().enumerate() {
        for (_, text) in texts.iter(&bad) {
            let counts = if is_held_out(&text, args.held_out) { &mut measured } else { &mut learnt };
            counts[class] += 1;
        }
    }
    bad.tell(ui);
    ui.say(format!("learns from {} positive and {} negative texts", grouped(learnt[0]), grouped(learnt[1])));
    let mut trainer = Trainer::new(&config, learnt).map_err(Error::new)?;
    for epoch in 0..args.epochs {
        let bad = Bad::default();
        let mut order = Order::new(&classes, &bad, learnt, args.held_out);
        let mut number = 0_u64;
        loop {
            let chunk = order.chunk();
            if chunk.is_empty() {
                break;
            }
            let mut samples: Vec<_> = chunk
                .into_par_iter()
                .enumerate()
                .map(|(at, (positive, text))| {
                    let place = number + at as u64;
                    let key = xxh3_64_with_seed(&place.to_le_bytes(), args.seed ^ u64::from(epoch) << 32);
                    (key, place, positive, trainer.sample(&text))
                })
                .collect();
            number += samples.len() as u64;
            samples.sort_unstable_by_key(|(key, place, ..)| (*key, *place));
            samples.iter().for_each(|(_, _, positive, sample)| trainer.learn(sample, *positive));
        }
        ui.say(format!("epoch {} of {} is done", epoch + 1, args.epochs));
    }
    let model = trainer.finish();
    let scores = measure(&model, &classes, args.held_out)?;
    let folder = args.out.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))?;
    model.save(&args.out).map_err(Error::new)?;
    tell(&scores, &model, &args.out, ui);
    Ok(())
}

/// Positive and negative texts in one row, both at an even pace.
struct Order<'a> {
    texts: [Box<dyn Iterator<Item = (usize, String)> + 'a>; 2],
    taken: [u64; 2],
    all: [u64; 2],
    held_out: f64,
}

impl<'a> Order<'a> {
    fn new(classes: &'a [Texts; 2], bad: &'a Bad, all: [u64; 2], held_out: f64) -> Self {
        let [positive, negative] = classes;
        Self { texts: [Box::new(positive.iter(bad)), Box::new(negative.iter(bad))], taken: [0; 2], all, held_out }
    }

    /// The next text to learn from, and whether it is positive.
    fn next(&mut self) -> Option<(bool, String)> {
        loop {
            let [positive, negative] = [0, 1].map(|class| u128::from(self.taken[class]) * u128::from(self.all[1 - class]));
            let mut class = usize::from(positive > negative);
            if self.taken[class] >= self.all[class] {
                class = 1 - class;
            }
            if self.taken[class] >= self.all[class] {
                return None;
            }
            match self.texts[class].next() {
                Some((_, text)) if is_held_out(&text, self.held_out) => {}
                Some((_, text)) => {
                    self.taken[class] += 1;
                    return Some((class == 0, text));
                }
                // The files became shorter since they were counted: what is left of the other class.
                None => self.all[class] = self.taken[class],
            }
        }
    }

    fn chunk(&mut self) -> Vec<(bool, String)> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while chunk.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some((positive, text)) = self.next() else { break };
            bytes += text.len();
            chunk.push((positive, text));
        }
        chunk
    }
}

/// Scores of the texts that were not learnt from.
fn measure(model: &Model, classes: &[Texts; 2], held_out: f64) -> Result<Scores> {
    let mut scores = Scores::default();
    for (class, texts) in classes.iter().enumerate() {
        let bad = Bad::default();
        let mut held = texts.iter(&bad).filter(|(_, text)| is_held_out(text, held_out)).map(|(_, text)| text);
        loop {
            crate::stage::check(&crate::CANCEL)?;
            let chunk: Vec<String> = held.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let found: Vec<f64> = chunk.par_iter().map(|text| model.score(text)).collect();
            found.into_iter().for_each(|score| scores.push(score, class == 0));
        }
    }
    Ok(scores)
}

fn tell(scores: &Scores, model: &Model, out: &Path, ui: &Ui) {
    let [positive, negative] = scores.classes();
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    ui.data(format!(
        "held out: {} positive and {} negative texts, AUC {}",
        grouped(positive as u64),
        grouped(negative as u64),
        share(scores.auc())
    ));
    ui.data("min-score  precision  recall  F1");
    let mut rows = Vec::new();
    for least in THRESHOLDS {
        let (precision, recall) = (scores.precision(least), scores.recall(least));
        let f1 = precision.zip(recall).filter(|(p, r)| p + r > 0.0).map(|(p, r)| 2.0 * p * r / (p + r));
        ui.data(format!("{least:<9}  {:<9}  {:<6}  {}", share(precision), share(recall), share(f1)));
        rows.push(json!({ "min-score": least, "precision": precision, "recall": recall, "f1": f1 }));
    }
    ui.data(out.display());
    ui.event(
        "classifier",
        &json!({ "model": out, "learnt": model.samples(), "held-out": [positive, negative], "auc": scores.auc(), "thresholds": rows }),
    );
}
