//! `data`: what a training sees, asked of a run's files.

mod documents;

use std::path::Path;

use serde_json::json;
use shards::{DrawnDocument, Judged, Manifest, MixturePlan, OrderRow, StreamConfig, TokenStream};

use crate::cli::{DataCommand, Language};
use crate::error::{Error, Result};
use crate::layout;
use crate::recipe::Recipe;
use crate::report::Ui;

/// `malmoi data ...`.
pub(crate) fn run(command: &DataCommand, lang: Language, ui: &Ui) -> Result<()> {
    match command {
        DataCommand::Order { run, step } => order(run, *step, ui),
        DataCommand::Documents { run, out, format, dropped } => documents::documents(run, out, *format, *dropped, lang, ui),
    }
}

/// `malmoi data order`: the rows of one step.
fn order(run: &Path, step: u64, ui: &Ui) -> Result<()> {
    let stream = stream(run)?;
    if step > stream.steps() {
        return Err(Error::new(format!("{} has no step {step}: its training has {} steps", run.display(), stream.steps())));
    }
    let StreamConfig { batch, seq_len, .. } = stream.config();
    ui.data(format!("step {step} of {}: {batch} rows of {seq_len} tokens", stream.steps()));
    for OrderRow { row, drawn } in stream.order(step - 1)? {
        let place = row % u64::from(batch);
        let Some(drawn) = drawn else {
            ui.data(format!("row {place}  padding"));
            ui.event("row", &json!({ "step": step, "row": place, "bucket": null, "documents": [] }));
            continue;
        };
        ui.data(format!("row {place}  {}  epoch {}  window {}", drawn.bucket, drawn.epoch + 1, drawn.window));
        for document in &drawn.documents {
            let DrawnDocument { id, source, tokens, length, targets, trainable, judged, repeats, copy, .. } = document;
            let (from, to) = (tokens.start, tokens.end);
            ui.data(format!(
                "  {:>6}..{:<6} {id}  ({source}) tokens {from}..{to} of {length}, {trainable} trained{}{}",
                targets.start,
                targets.end,
                if *repeats > 1 { format!(", copy {} of {repeats}", copy + 1) } else { String::new() },
                judged.map_or(String::new(), said)
            ));
        }
        let documents: Vec<_> = drawn.documents.iter().map(object).collect();
        ui.event(
            "row",
            &json!({
                "step": step, "row": place, "bucket": drawn.bucket, "epoch": drawn.epoch + 1, "window": drawn.window, "documents": documents,
            }),
        );
    }
    Ok(())
}

/// What was said of a document's answers, for people.
fn said(judged: Judged) -> String {
    match judged {
        Judged::Pair { split, .. } => format!(", chosen up to token {split}, then rejected"),
        Judged::Desirable => ", a desirable answer".to_owned(),
        Judged::Undesirable => ", an undesirable answer".to_owned(),
    }
}

fn object(document: &DrawnDocument) -> serde_json::Value {
    let mut object = json!({
        "id": document.id,
        "source": document.source,
        "shard": document.shard,
        "document": document.document,
        "copy": document.copy + 1,
        "copies": document.repeats,
        "first-token": document.tokens.start,
        "end-token": document.tokens.end,
        "document-tokens": document.length,
        "first-target": document.targets.start,
        "end-target": document.targets.end,
        "trained": document.trainable,
    });
    match document.judged {
        Some(Judged::Pair { split, margin }) => object["judged"] = json!({ "pair": { "split": split, "margin": margin } }),
        Some(Judged::Desirable) => object["judged"] = json!("desirable"),
        Some(Judged::Undesirable) => object["judged"] = json!("undesirable"),
        None => {}
    }
    object
}

/// The token stream that a run trains on.
fn stream(run: &Path) -> Result<TokenStream> {
    let recipe = Recipe::of_run(run)?;
    let Some(train) = &recipe.train else {
        return Err(Error::new(format!("{} has no [train]: nothing says how its tokens are cut into steps", run.display())));
    };
    let path = run.join(layout::MIXTURE);
    if !path.exists() {
        return Err(Error::new(format!("{} has no {} yet", run.display(), layout::MIXTURE)).hint("`malmoi build` makes shards and mixture"));
    }
    let (manifest, plan) = (Manifest::load(run.join(layout::MANIFEST))?, MixturePlan::load(path)?);
    let config = StreamConfig { seq_len: train.sequence_length, batch: train.batch, seed: recipe.seed };
    Ok(TokenStream::with_manifest(run, &manifest, &plan, config)?)
}
