//! `feedback`: what users said of a model's answers becomes data to train on.
//!
//! A correction is an example of an answer, and is preferred to what it corrects. An answer that was rated well is an
//! example too, and is preferred to answers to the same prompt that were rated badly. The files that are written are
//! sources of the data stage: sft.jsonl with `chat = { messages = "messages" }`, preference.jsonl with its prompt,
//! chosen and rejected answer. Everything that is left out is counted.

mod pairs;
mod record;

use std::io::Write;
use std::path::Path;

use corpora::{AtomicFile, Source};
use serde_json::{Value, json};

use crate::cli;
use crate::error::{Context, Error, Result};
use crate::layout;
use crate::report::Ui;
use pairs::Prompts;
use record::Record;

/// Most bytes of all records: prompts and answers are held to be compared.
const MAX_BYTES: u64 = 1 << 30;

/// `malmoi feedback`.
pub(crate) fn feedback(arguments: &cli::Feedback, ui: &Ui) -> Result<()> {
    let cli::Feedback { files, out, good, bad } = arguments;
    if !(1.0..=5.0).contains(good) || !(1.0..=5.0).contains(bad) || good <= bad {
        return Err(Error::new(format!("--good {good} and --bad {bad} are no limits of ratings from 1 to 5"))
            .hint("what is rated --good or more is good, --bad or less is bad, and the second is below the first"));
    }
    let mut prompts = Prompts::new();
    let (mut records, mut bytes, mut unreadable) = (0u64, 0, 0u64);
    for path in files {
        let source = source(path)?;
        for part in corpora::plan(std::slice::from_ref(&source), Path::new(""), MAX_BYTES)? {
            for (at, document) in corpora::read(&part, &source).enumerate() {
                records += 1;
                let place = || format!("{}, record {}", path.display(), at + 1);
                let record = match document {
                    Ok(document) => Record::new(document, *good, *bad).map_err(|detail| format!("{}: {detail}", place())),
                    Err(error) => Err(error.to_string()),
                };
                match record {
                    Ok(record) => {
                        bytes += record.bytes();
                        if bytes > MAX_BYTES {
                            return Err(Error::new(format!("{}: more than {MAX_BYTES} bytes of feedback", place()))
                                .hint("take fewer files at a time"));
                        }
                        prompts.add(record);
                    }
                    Err(detail) => {
                        unreadable += 1;
                        ui.warn(detail);
                    }
                }
            }
        }
    }
    let made = prompts.finish();
    write(out, "sft.jsonl", &made.examples)?;
    write(out, "preference.jsonl", &made.pairs)?;
    let counts = json!({
        "records": records, "unreadable": unreadable, "without-opinion": made.without_opinion, "repeated": made.repeated,
        "contradicted": made.contradicted, "bad-without-better": made.without_better,
        "after-unrated": made.after_unrated,
        "prompts": made.prompts, "sft": made.examples.len(), "preference": made.pairs.len(),
    });
    layout::write_json(out, "summary.json", &counts)?;
    for (name, count) in counts.as_object().into_iter().flatten() {
        ui.say(format!("feedback: {:<20} {count}", name.replace('-', " ")));
    }
    ui.event("feedback", &counts);
    ui.data(out.display());
    match unreadable {
        0 => Ok(()),
        count => Err(Error::bad_result(format!("{count} of {records} records could not be read; the others are in {}", out.display()))),
    }
}

/// The file as the data stage would read it, compressed or not, with one error for each bad record.
fn source(path: &Path) -> Result<Source> {
    let source = json!({
        "name": "feedback", "bucket": "feedback", "files": path, "format": "jsonl", "text-field": "prompt",
        "keep-meta": record::FIELDS, "max-record-bytes": MAX_BYTES,
    });
    serde_json::from_value(source).context(|| path.display().to_string())
}

fn write(folder: &Path, name: &str, rows: &[Value]) -> Result<()> {
    let path = layout::prepare(folder, name)?;
    let cannot = || format!("cannot write {}", path.display());
    let mut out = AtomicFile::create(&path)?;
    rows.iter().try_for_each(|row| writeln!(out, "{row}")).context(cannot)?;
    Ok(out.finish()?)
}
