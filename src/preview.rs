//! `preview`: documents as the model will see them, token by token, and which tokens it learns from.

use std::ops::Range;
use std::path::Path;

use corpora::Document;
use filters::{Chain, Verdict};
use serde_json::json;
use shards::{ChatEncoder, Conversation, Judged, Tokenizer, TokenizerSource};

use crate::cli::PreviewArgs;
use crate::error::{Context, Error, Result};
use crate::inspect::{ID, excerpt};
use crate::recipe::Recipe;
use crate::report::Ui;
use crate::{chat, stage};

/// `malmoi preview RECIPE`.
pub(crate) fn preview(arguments: &PreviewArgs, set: &[String], ui: &Ui) -> Result<()> {
    let mut recipe = Recipe::load(&arguments.recipe, set)?;
    stage::train::take_init(&mut recipe)?;
    if let Some(name) = &arguments.source
        && recipe.sources.iter().all(|source| source.name != *name)
    {
        let names: Vec<&str> = recipe.sources.iter().map(|source| source.name.as_str()).collect();
        return Err(Error::new(format!("the recipe has no source `{name}`")).hint(format!("its sources are: {}", names.join(", "))));
    }
    let template = chat::template(&recipe)?;
    let tokenizer = tokenizer(&recipe)?;
    let encoder = template.as_ref().map(|template| ChatEncoder::new(template, &tokenizer)).transpose()?;
    let chain = Chain::new(&recipe.filters).context(|| "cannot build the filters".to_owned())?;
    let longest = recipe.train.as_ref().map(|train| train.sequence_length);
    if let Some(template) = &template {
        let text = template.text();
        ui.say(format!("chat template: {}", text.name));
        ui.event("template", text);
    }
    let wanted = |name: &str| arguments.source.as_deref().is_none_or(|only| only == name);
    for (index, source) in recipe.sources.iter().enumerate().filter(|(_, source)| wanted(&source.name)) {
        let mut shown = 0;
        // Unreadable records are counted by a run; here the next one is looked at.
        let parts = corpora::plan(&recipe.sources, Path::new("/"), recipe.part_bytes)?;
        let records = parts.iter().filter(|part| part.source == index).flat_map(|part| corpora::read(part, source));
        for record in records {
            if shown == arguments.rows {
                break;
            }
            let mut document = match record {
                Ok(document) => document,
                Err(error) => {
                    ui.warn(error);
                    continue;
                }
            };
            if let (Verdict::Drop(reason), _) = chain.apply(&mut document) {
                ui.detail(format!("{}: dropped by {reason}", excerpt(&document.id, ID)));
                continue;
            }
            let (conversation, judged) = encode(&document, encoder.as_ref(), &tokenizer)?;
            show(&document, &conversation, judged, &tokenizer, longest, arguments.tokens, ui);
            shown += 1;
        }
        if shown == 0 {
            ui.warn(format!("source `{}` has no document that stays", source.name));
        }
    }
    Ok(())
}

/// The recipe's tokenizer, or the one that its run trained.
fn tokenizer(recipe: &Recipe) -> Result<Tokenizer> {
    match recipe.tokenizer.source() {
        TokenizerSource::Train(_) | TokenizerSource::SentencePiece(_) => stage::tokenizer::open(&recipe.output, &recipe.tokenizer)
            .map_err(|error| error.hint("the recipe trains its tokenizer: `malmoi build` makes it, then there is something to preview")),
        TokenizerSource::Load(_) | TokenizerSource::Bytes => {
            Ok(Tokenizer::build(&recipe.tokenizer, Path::new("."), std::iter::empty::<String>())?)
        }
    }
}

/// The tokens of a document with those that are learned, and what was said of its answers; of plain text all are learned.
fn encode(document: &Document, encoder: Option<&ChatEncoder<'_>>, tokenizer: &Tokenizer) -> Result<(Conversation, Option<Judged>)> {
    match encoder {
        Some(encoder) if !document.turns.is_empty() => chat::encode(encoder, &document.turns, document.judged)
            .map_err(|error| Error::new(format!("document `{}`: {error}", excerpt(&document.id, ID)))),
        _ => {
            let tokens = tokenizer.encode(&document.text)?;
            let all = 0..u32::try_from(tokens.len() + 1).context(|| "a document of 2^32 tokens or more".to_owned())?;
            Ok((Conversation { tokens, learned: std::iter::once(all).collect(), whole: true }, None))
        }
    }
}

/// Tokens in a row that are all learned or all not.
struct Stretch {
    text: String,
    learned: bool,
}

fn show(
    document: &Document,
    conversation: &Conversation,
    judged: Option<Judged>,
    tokenizer: &Tokenizer,
    longest: Option<u32>,
    table: bool,
    ui: &Ui,
) {
    let ids: Vec<u32> = conversation.tokens.iter().copied().chain([tokenizer.eos()]).collect();
    let learned: Vec<bool> = (0..conversation.length()).map(|position| conversation.is_learned(position as u32)).collect();
    let token = |id: u32| tokenizer.token_text(id).unwrap_or_else(|| format!("<{id}>"));
    let too_long = longest.is_some_and(|longest| !document.turns.is_empty() && conversation.length() > u64::from(longest));
    let mut example = json!({
        "id": document.id, "source": document.source, "tokens": ids, "learned": learned,
        "texts": ids.iter().map(|id| token(*id)).collect::<Vec<_>>(), "too-long": too_long, "whole": conversation.whole,
    });
    let sequences = sequences(judged, ids.len());
    if judged.is_some() {
        let object = |(name, range): &(&str, Range<usize>)| json!({ "answer": name, "first-token": range.start, "end-token": range.end });
        example["answers"] = sequences.iter().map(object).collect();
    }
    ui.event("example", &example);
    let mut head = format!("{}  {} tokens, {} learned", excerpt(&document.id, ID), ids.len(), conversation.trainable());
    if too_long {
        head.push_str(", TOO LONG for `sequence-length`: left out");
    }
    if !conversation.whole {
        head.push_str(", a token is cut where an answer begins or ends");
    }
    ui.data(head);
    let name = |start: usize| sequences.iter().find(|(name, range)| !name.is_empty() && range.start == start);
    if table {
        for (position, (id, learned)) in ids.iter().zip(&learned).enumerate() {
            if let Some((name, _)) = name(position) {
                ui.data(format!("-- {name}"));
            }
            ui.data(format!("{position:>6} {id:>8} {} {:?}", if *learned { '+' } else { '.' }, token(*id)));
        }
    } else {
        let colour = ui.colour();
        for (name, range) in &sequences {
            if !name.is_empty() {
                ui.data(format!("-- {name}"));
            }
            let stretches = stretches(&ids[range.clone()], &learned[range.clone()], tokenizer);
            ui.data(stretches.iter().map(|stretch| painted(stretch, colour)).collect::<String>());
        }
    }
    ui.data("");
}

/// The sequences of a document with what was said of their answers; one without a name where nothing was said.
fn sequences(judged: Option<Judged>, length: usize) -> Vec<(&'static str, Range<usize>)> {
    let names: &[&str] = match judged {
        None => &[""],
        Some(Judged::Pair { .. }) => &["chosen", "rejected"],
        Some(Judged::Desirable) => &["desirable"],
        Some(Judged::Undesirable) => &["undesirable"],
    };
    let Some(judged) = judged else { return vec![("", 0..length)] };
    names.iter().copied().zip(judged.sequences(length as u64).map(|range| range.start as usize..range.end as usize)).collect()
}

/// The text in stretches, special tokens as they are spelled.
fn stretches(ids: &[u32], learned: &[bool], tokenizer: &Tokenizer) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    let mut at = 0;
    while at < ids.len() {
        // As many as decode together: parts of a character are no text by themselves.
        let same = |end: usize| learned[end] == learned[at] && !tokenizer.is_special(ids[end]);
        let end = (at..ids.len()).find(|end| !same(*end)).unwrap_or(ids.len());
        let text = if end > at { tokenizer.decode(&ids[at..end]).ok() } else { tokenizer.token_text(ids[at]) };
        let text = text.unwrap_or_else(|| "\u{fffd}".to_owned());
        match out.last_mut() {
            Some(last) if last.learned == learned[at] => last.text.push_str(&text),
            _ => out.push(Stretch { text, learned: learned[at] }),
        }
        at = end.max(at + 1);
    }
    out
}

/// Learned text is green, the rest is grey; without colour, learned text stands between marks.
fn painted(stretch: &Stretch, colour: bool) -> String {
    // Control characters of a document must not steer the terminal.
    let text: String = stretch.text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect();
    match (colour, stretch.learned) {
        (true, true) => format!("\u{1b}[32m{text}\u{1b}[0m"),
        (true, false) => format!("\u{1b}[90m{text}\u{1b}[0m"),
        (false, true) => format!("[[{text}]]"),
        (false, false) => text,
    }
}
