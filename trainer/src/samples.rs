//! `samples.jsonl` and `answers.jsonl`: what the model wrote on its way, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The file of samples in the run folder.
pub const SAMPLES_FILE: &str = "samples.jsonl";
/// The file of answers that were learned from.
pub const ANSWERS_FILE: &str = "answers.jsonl";

/// Longest line that is read back; a longer one, and all after it, is written again.
const MAX_LINE: u64 = 16 << 20;

/// What is read back of a line.
#[derive(Deserialize)]
struct Head {
    step: u64,
}

/// The open file. Its texts follow from the weights, so those of a step can always be made again:
/// opening cuts off what later steps, or an older program, left.
#[derive(Debug)]
pub(crate) struct Samples {
    path: PathBuf,
    file: File,
}

impl Samples {
    /// Opens a file of a run folder and keeps the lines of steps up to `step`.
    pub(crate) fn open(folder: &Path, file: &str, step: u64) -> Result<Self> {
        let path = folder.join(file);
        let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path).map_err(Error::io("open", &path))?;
        let mut samples = Self { path, file };
        samples.cut(step)?;
        Ok(samples)
    }

    /// Cuts off the lines of steps after `step`.
    pub(crate) fn cut(&mut self, step: u64) -> Result<()> {
        let Self { path, file } = self;
        file.seek(SeekFrom::Start(0)).map_err(Error::io("read", path))?;
        let end = kept(path, file, step)?;
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map(drop).map_err(Error::io("cut", path))
    }

    pub(crate) fn put(&mut self, event: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(event).map_err(|error| Error::invalid(&self.path, error.to_string()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::io("write", &self.path))
    }

    /// Waits until it is on the disk.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("sync", &self.path))
    }
}

/// Bytes of the lines before the first one of a later step.
fn kept(path: &Path, file: &File, step: u64) -> Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut end, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(Error::io("read", path))? as u64;
        let whole = line.last() == Some(&b'\n');
        match serde_json::from_slice::<Head>(&line) {
            Ok(head) if whole && head.step <= step => end += length,
            _ => return Ok(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SampleEvent;

    fn write(folder: &Path, from: u64, steps: &[u64]) -> String {
        let mut samples = Samples::open(folder, SAMPLES_FILE, from).unwrap();
        for &step in steps {
            samples.put(&SampleEvent { step, prompt: "가".to_owned(), text: "\n".to_owned() }).unwrap();
        }
        samples.sync().unwrap();
        std::fs::read_to_string(folder.join(SAMPLES_FILE)).unwrap()
    }

    #[test]
    fn lines_of_later_steps_and_torn_ones_are_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let whole = write(folder.path(), 0, &[2, 2, 4, 6]);
        assert_eq!(whole.lines().next(), Some(r#"{"step":2,"prompt":"가","text":"\n"}"#));
        for (from, rest) in [(3, &[4, 6][..]), (4, &[6]), (6, &[]), (1, &[2, 2, 4, 6])] {
            assert_eq!(write(folder.path(), from, rest), whole);
        }
        std::fs::write(folder.path().join(SAMPLES_FILE), &whole[..whole.len() - 3]).unwrap();
        assert_eq!(write(folder.path(), 6, &[6]), whole);
        // Lines without a step are of a program that wrote at the end only.
        std::fs::write(folder.path().join(SAMPLES_FILE), "{\"prompt\":\"a\",\"text\":\"b\"}\n").unwrap();
        assert_eq!(write(folder.path(), 6, &[]), "");
    }
}
