//! Where everything of a run lies: the one map from a name to a path in the run folder.

use std::path::{Path, PathBuf};

/// Kept documents of a part, with their metrics.
pub(crate) fn documents(part: &str) -> String {
    format!("documents/{part}.jsonl.zst")
}

/// Dropped documents of a part with reason, value and threshold; unreadable rows too.
pub(crate) fn rejects(part: &str) -> String {
    format!("rejects/{part}.jsonl.zst")
}

/// Fixed-size signatures of a part's kept documents.
pub(crate) fn signatures(part: &str) -> String {
    format!("signatures/{part}.sig")
}

/// One row for each input document of a part: outcome and every metric.
pub(crate) fn table(part: &str) -> String {
    format!("stats/{part}.parquet")
}

/// Counts of a part.
pub(crate) fn stats(part: &str) -> String {
    format!("stats/{part}.json")
}

/// Rows of a part that are duplicates, and of what.
pub(crate) fn duplicates(part: &str) -> String {
    format!("duplicates/{part}.jsonl.zst")
}

/// Rows of a part that stay for others, and for how many.
pub(crate) fn clusters(part: &str) -> String {
    format!("duplicates/clusters/{part}.jsonl.zst")
}

/// Lines that a part's documents lost because they stand in many documents.
pub(crate) fn trimmed(part: &str) -> String {
    format!("{LINES}/{part}.jsonl.zst")
}

/// Folder of [`trimmed`].
pub(crate) const LINES: &str = "lines";

/// Passages that a part's documents lost because they stand in others too.
pub(crate) fn passages(part: &str) -> String {
    format!("{SUBSTRINGS}/{part}.jsonl.zst")
}

/// Folder of [`passages`].
pub(crate) const SUBSTRINGS: &str = "substrings";

/// Summary of the deduplication.
pub(crate) const DEDUP: &str = "duplicates/summary.json";

/// Scratch files of the deduplication's shuffle.
pub(crate) const SHUFFLE: &str = "shuffle";

/// The trained model as a Hugging Face folder, where later stages of a recipe start from it.
pub(crate) const MODEL: &str = "model";

/// The stages of a recipe and what they left; beside their run folders.
pub(crate) const LINEAGE: &str = "lineage.json";

/// The tokenizer's folder.
pub(crate) const TOKENIZER: &str = "tokenizer";

/// The token that ends a document: a tokenizer's file does not always say so.
pub(crate) const END_TOKEN: &str = "tokenizer/end-token.json";

/// The chat template that conversations were written with.
pub(crate) const CHAT: &str = "tokenizer/chat.json";

/// Tokens of a part's documents that are trained on, or held out.
pub(crate) fn shard(bucket: &str, part: &str, split: shards::Split) -> String {
    match split {
        shards::Split::Train => format!("shards/{bucket}/{part}.shard"),
        shards::Split::HeldOut => format!("shards/{bucket}/{part}.held-out.shard"),
    }
}

/// Tokens of a part's documents that stand for `documents` and more, where these are repeated.
pub(crate) fn repeated_shard(bucket: &str, part: &str, documents: u64) -> String {
    format!("shards/{bucket}/{part}.cluster-{documents}.shard")
}

/// What a part's shards hold, as `tokenize` left it for `mix`.
pub(crate) fn shard_info(bucket: &str, part: &str) -> String {
    format!("shards/{bucket}/{part}.json")
}

pub(crate) const RECIPE: &str = "recipe.toml";
pub(crate) const PLAN: &str = "plan.json";
/// What of files outside the run folder its fingerprints depend on.
pub(crate) const INPUTS: &str = "inputs.json";
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const MIXTURE: &str = "mixture.json";
pub(crate) const STATS: &str = "stats.json";
pub(crate) const METRICS: &str = "metrics.jsonl";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
pub(crate) const SAMPLES: &str = "samples.jsonl";
pub(crate) const ANSWERS: &str = trainer::ANSWERS_FILE;
/// Event files of TensorBoard.
pub(crate) const TENSORBOARD: &str = trainer::TENSORBOARD_FOLDER;
/// The documents of a step whose loss or gradient was no number.
pub(crate) const NON_FINITE: &str = "non-finite.jsonl";
pub(crate) const TRAINING: &str = "training.json";
pub(crate) const TIMINGS: &str = "timings.json";
pub(crate) const REPORT: &str = "report.html";
/// The data card, where `datasets` looks for the types of fields.
pub(crate) const CARD: &str = "README.md";

/// Creates the folder that `file` will lie in and gives its whole path.
pub(crate) fn prepare(folder: &Path, file: &str) -> crate::error::Result<PathBuf> {
    use crate::error::Context;
    let path = folder.join(file);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).context(|| format!("cannot create {}", parent.display()))?;
    }
    Ok(path)
}

/// Makes a folder for files of one command alone; what an earlier one left there could be read as part of them.
pub(crate) fn create_empty(folder: &Path) -> crate::error::Result<()> {
    use crate::error::{Context, Error};
    if std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()) {
        return Err(Error::new(format!("{} is not empty", folder.display())).hint("choose another folder, or remove what is in it"));
    }
    std::fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))
}

/// Writes a small JSON file: temporary file, fsync, rename.
pub(crate) fn write_json(folder: &Path, file: &str, value: &impl serde::Serialize) -> crate::error::Result<()> {
    use crate::error::Context;
    let mut text = serde_json::to_vec_pretty(value).context(|| format!("cannot write {file}"))?;
    text.push(b'\n');
    write(folder, file, &text)
}

/// Writes a small file: temporary file, fsync, rename.
pub(crate) fn write(folder: &Path, file: &str, bytes: &[u8]) -> crate::error::Result<()> {
    use crate::error::Context;
    use std::io::Write;
    let path = prepare(folder, file)?;
    let mut out = corpora::AtomicFile::create(&path)?;
    out.write_all(bytes).context(|| format!("cannot write {}", path.display()))?;
    out.finish()?;
    Ok(())
}

/// Reads a file of the run that grows line by line. What follows the last whole line is what a killed process
/// left of the next one, and no part of it.
pub(crate) fn read_lines(path: &Path) -> crate::error::Result<String> {
    use crate::error::Context;
    let mut bytes = std::fs::read(path).context(|| format!("cannot read {}", path.display()))?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(whole);
    String::from_utf8(bytes).context(|| format!("{} is not what malmoi wrote", path.display()))
}

/// Reads a JSON file of the run.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(folder: &Path, file: &str) -> crate::error::Result<T> {
    use crate::error::Context;
    let path = folder.join(file);
    let bytes = std::fs::read(&path).context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).context(|| format!("{} is not what malmoi wrote", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_torn_last_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let whole = "{\"a\":1}\n{\"가\":2}\n";
        // Torn in the middle of a character, too.
        for (torn, read) in [(whole.len(), whole), (whole.len() - 1, "{\"a\":1}\n"), (12, "{\"a\":1}\n"), (3, ""), (0, "")] {
            std::fs::write(&path, &whole.as_bytes()[..torn]).unwrap();
            assert_eq!(super::read_lines(&path).unwrap(), read, "{torn}");
        }
        std::fs::write(&path, [0xff, b'\n']).unwrap();
        assert!(super::read_lines(&path).is_err());
    }
}
