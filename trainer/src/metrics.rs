//! `metrics.jsonl`: the training curve, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::evaluate::BucketLoss;
use crate::evaluate::preference::PreferenceScores;
use crate::event::{EvalEvent, StepEvent};

/// The file's name in the run folder.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// Longest line that this crate writes: an evaluation of thousands of buckets.
const MAX_LINE: u64 = 1 << 20;

/// A line, with what it is under `reason`.
#[derive(Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line<'a> {
    Step(&'a StepEvent),
    Eval(&'a EvalEvent),
}

/// A line that is read back whole.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub(crate) enum Told {
    Step(StepEvent),
    Eval(EvalEvent),
}

/// What is read back of a line.
#[derive(Deserialize)]
struct Head {
    reason: String,
    step: u64,
    /// Of an evaluation.
    #[serde(default)]
    buckets: Vec<BucketLoss>,
    #[serde(default)]
    preferences: Vec<PreferenceScores>,
}

/// The open file. Each step has one line, whatever was interrupted: opening cuts off what came
/// after the checkpoint that training continues from.
#[derive(Debug)]
pub(crate) struct Metrics {
    path: PathBuf,
    file: BufWriter<File>,
    /// Those it continues after.
    evaluations: Vec<EvalEvent>,
}

impl Metrics {
    /// Opens the curve of a run folder to continue after `step`; 0 begins a new one. An error when
    /// the file lacks a step before that.
    pub(crate) fn open(folder: &Path, step: u64) -> Result<Self> {
        let path = folder.join(METRICS_FILE);
        let mut file =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path).map_err(Error::io("open", &path))?;
        let (end, evaluations) = kept(&path, &file, step)?;
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(Error::io("cut", &path))?;
        Ok(Self { path, file: BufWriter::new(file), evaluations })
    }

    /// The evaluations before and at the step that it was opened for.
    pub(crate) fn evaluations(&self) -> &[EvalEvent] {
        &self.evaluations
    }

    /// Gives the lines that it continues after, in their order.
    pub(crate) fn replay(&self, put: &mut dyn FnMut(Told) -> Result<()>) -> Result<()> {
        let mut reader = BufReader::new(File::open(&self.path).map_err(Error::io("open", &self.path))?);
        let mut line = Vec::new();
        while reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(Error::io("read", &self.path))? > 0 {
            put(serde_json::from_slice(&line).map_err(|error| Error::invalid(&self.path, error.to_string()))?)?;
            line.clear();
        }
        Ok(())
    }

    pub(crate) fn step(&mut self, event: &StepEvent) -> Result<()> {
        self.write(&Line::Step(event))
    }

    pub(crate) fn eval(&mut self, event: &EvalEvent) -> Result<()> {
        self.write(&Line::Eval(event))
    }

    fn write(&mut self, line: &Line<'_>) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        written.and_then(|()| self.file.write_all(b"\n")).map_err(Error::io("write", &self.path))
    }

    /// Hands what was written to the system, so that others can read it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    /// Waits until it is on the disk; done before a checkpoint takes its name.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file.get_ref().sync_data().map_err(Error::io("sync", &self.path))
    }
}

/// Bytes of the lines up to `step`, which must be there without a gap, and the evaluations among them.
fn kept(path: &Path, file: &File, step: u64) -> Result<(u64, Vec<EvalEvent>)> {
    let (mut end, mut steps, mut evaluations) = (0, 0, Vec::new());
    if step == 0 {
        return Ok((end, evaluations));
    }
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(Error::io("read", path))? as u64;
        let whole = line.last() == Some(&b'\n');
        let Some(head) = serde_json::from_slice::<Head>(&line).ok().filter(|_| whole) else { break };
        if head.step > step {
            break;
        }
        steps += u64::from(head.reason == "step");
        if head.step != steps {
            let detail = format!("a line of step {} after {steps} steps; the curve has been changed", head.step);
            return Err(Error::invalid(path, detail));
        }
        if head.reason == "eval" {
            evaluations.push(EvalEvent { step: head.step, buckets: head.buckets, preferences: head.preferences });
        }
        end += length;
    }
    if steps < step {
        let detail = format!("ends at step {steps}, but the checkpoint is of step {step}; the curve has been changed");
        return Err(Error::invalid(path, detail));
    }
    Ok((end, evaluations))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, from: u64, to: u64) -> Result<String> {
        let mut metrics = Metrics::open(folder, from)?;
        for step in from + 1..=to {
            metrics.step(&StepEvent::example(step))?;
            if step == 2 {
                metrics.eval(&EvalEvent { step, buckets: Vec::new(), preferences: Vec::new() })?;
            }
        }
        metrics.sync()?;
        Ok(std::fs::read_to_string(folder.join(METRICS_FILE)).unwrap())
    }

    #[test]
    fn continues_where_the_checkpoint_is() {
        let folder = tempfile::tempdir().unwrap();
        let whole = write(folder.path(), 0, 5).unwrap();
        assert_eq!(whole.lines().count(), 6);
        assert!(whole.starts_with(r#"{"reason":"step","step":1,"loss":1.5,"#), "{whole}");
        assert!(whole.contains("{\"reason\":\"eval\",\"step\":2,\"buckets\":[]}\n"));
        for from in [0, 2, 4, 5] {
            assert_eq!(write(folder.path(), from, 5).unwrap(), whole);
        }
        let evaluated = [5, 2, 1].map(|step| Metrics::open(folder.path(), step).unwrap().evaluations().len());
        assert_eq!(evaluated, [1, 1, 0]);
        assert_eq!(write(folder.path(), 0, 5).unwrap(), whole);
        // A torn last line is the mark of a crash and is cut off.
        std::fs::write(folder.path().join(METRICS_FILE), &whole[..whole.len() - 9]).unwrap();
        assert_eq!(write(folder.path(), 4, 5).unwrap(), whole);
    }

    #[test]
    fn refuses_a_curve_with_a_hole() {
        let folder = tempfile::tempdir().unwrap();
        let whole = write(folder.path(), 0, 3).unwrap();
        let error = write(folder.path(), 4, 5).unwrap_err().to_string();
        assert!(error.contains("ends at step 3, but the checkpoint is of step 4"), "{error}");
        let holed: String = whole.lines().filter(|line| !line.contains("\"step\":1,")).map(|line| format!("{line}\n")).collect();
        std::fs::write(folder.path().join(METRICS_FILE), holed).unwrap();
        assert!(write(folder.path(), 3, 5).unwrap_err().to_string().contains("a line of step 2 after 1 steps"));
        std::fs::write(folder.path().join(METRICS_FILE), [0xff; 100]).unwrap();
        assert!(write(folder.path(), 1, 2).is_err());
    }
}
