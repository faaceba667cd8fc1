//! Event files of TensorBoard: the curve once more, for those who look at it there.
//!
//! A file is a sequence of TFRecords: length, checksum of the length, an `Event` in Protocol Buffers'
//! encoding, checksum of the event. Both are written here: they are a dozen fields, and the crates
//! that know them bring a compiler of `.proto` files along.

mod wire;

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use wire::Message;

use crate::error::{Error, Result};
use crate::event::{EvalEvent, SampleEvent, StepEvent};

/// The folder in the run folder; what `tensorboard --logdir` takes.
pub const TENSORBOARD_FOLDER: &str = "tensorboard";

/// The file of one process. What earlier processes wrote stays; TensorBoard itself forgets their
/// steps after the one that this process goes on from, as the first event asks for.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventFile {
    /// Begins a file in the run folder, of steps after `step`.
    pub(crate) fn create(folder: &Path, step: u64) -> Result<Self> {
        let folder = folder.join(TENSORBOARD_FOLDER);
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let now = now();
        // TensorBoard reads the files of a folder in the order of their names.
        for number in 0..100 {
            let path = folder.join(format!("events.out.tfevents.{:010}.malmoi.{number:02}", now as u64));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut made = Self { path, file: BufWriter::new(file) };
                    made.put(&Event { wall_time: now, step: 0 }.file_version())?;
                    made.put(&Event { wall_time: now, step: step + 1 }.start())?;
                    return Ok(made);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path)(error)),
            }
        }
        Err(Error::invalid(&folder, "has a hundred event files of this second"))
    }

    /// Whether a run folder has any.
    pub(crate) fn is_there(folder: &Path) -> Result<bool> {
        let folder = folder.join(TENSORBOARD_FOLDER);
        match std::fs::read_dir(&folder) {
            Ok(mut entries) => Ok(entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".tfevents.")))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("list", &folder)(error)),
        }
    }

    pub(crate) fn step(&mut self, event: &StepEvent) -> Result<()> {
        let scalars = [
            ("train/loss", event.loss),
            ("train/learning-rate", event.learning_rate),
            ("train/grad-norm", event.grad_norm),
            ("train/tokens-per-second", event.tokens_per_second),
        ];
        let beside = event.metrics.iter().map(|(name, value)| scalar(&format!("train/{name}"), *value));
        let values: Vec<Message> = scalars.map(|(tag, value)| scalar(tag, value)).into_iter().chain(beside).collect();
        self.put(&Event { wall_time: now(), step: event.step }.summary(&values))
    }

    pub(crate) fn eval(&mut self, event: &EvalEvent) -> Result<()> {
        let values: Vec<Message> = (event.buckets.iter())
            .flat_map(|bucket| {
                let tag = |what| format!("held-out/{what}/{}", bucket.bucket);
                [scalar(&tag("bits-per-byte"), bucket.bits_per_byte), scalar(&tag("loss"), bucket.loss)]
            })
            .chain(event.preferences.iter().flat_map(|bucket| {
                let tag = |what| format!("held-out/{what}/{}", bucket.bucket);
                let pairs = bucket.pairs.iter().flat_map(move |pairs| {
                    [(tag("accuracy"), pairs.accuracy), (tag("margin"), pairs.margin), (tag("calibration-error"), pairs.calibration_error)]
                });
                let loss = format!("held-out/loss/{}", bucket.bucket);
                std::iter::once((loss, bucket.loss)).chain(pairs).map(|(tag, value)| scalar(&tag, value))
            }))
            .collect();
        self.put(&Event { wall_time: now(), step: event.step }.summary(&values))
    }

    pub(crate) fn sample(&mut self, number: usize, event: &SampleEvent) -> Result<()> {
        // The page renders Markdown; an indented block is shown as it is.
        let text = format!("{}{}", event.prompt, event.text).lines().map(|line| format!("    {line}\n")).collect::<String>();
        self.put(&Event { wall_time: now(), step: event.step }.summary(&[text_value(&format!("sample/{number}"), &text)]))
    }

    /// Hands what was written to the system, so that TensorBoard sees it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    fn put(&mut self, event: &Message) -> Result<()> {
        self.file.write_all(&record(event.bytes())).map_err(Error::io("write", &self.path))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The frame of an `Event`: tensorflow/core/util/event.proto.
struct Event {
    wall_time: f64,
    step: u64,
}

impl Event {
    fn message(&self) -> Message {
        Message::default().double(1, self.wall_time).varint(2, self.step)
    }

    /// The first event of every file.
    fn file_version(&self) -> Message {
        self.message().text(3, "brain.Event:2")
    }

    /// A session starts: events of this step and later ones, of earlier files, are no more.
    fn start(&self) -> Message {
        self.message().message(7, &Message::default().varint(1, 1))
    }

    fn summary(&self, values: &[Message]) -> Message {
        let summary = values.iter().fold(Message::default(), |summary, value| summary.message(1, value));
        self.message().message(5, &summary)
    }
}

/// A `Summary.Value` with a number: tensorflow/core/framework/summary.proto.
fn scalar(tag: &str, value: f64) -> Message {
    Message::default().text(1, tag).float(2, value as f32)
}

/// A `Summary.Value` with a text, as the text plugin reads it: a tensor of one string.
fn text_value(tag: &str, text: &str) -> Message {
    const DT_STRING: u64 = 7;
    let plugin = Message::default().text(1, "text");
    let metadata = Message::default().message(1, &plugin);
    let shape = Message::default().message(2, &Message::default().varint(1, 1));
    let tensor = Message::default().varint(1, DT_STRING).message(2, &shape).text(8, text);
    Message::default().text(1, tag).message(8, &tensor).message(9, &metadata)
}

/// A TFRecord.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked(&length).to_le_bytes()[..], data, &masked(data).to_le_bytes()].concat()
}

/// The checksum of TFRecords: a CRC-32C, turned and moved so that a checksum of data with checksums
/// in it is not a special one.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: a curve has a few hundred bytes a step.
fn crc32c(data: &[u8]) -> u32 {
    let byte =
        |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 });
    !data.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn checksums_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let up: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&up), 0x46dd_794e);
    }

    /// The bytes that `testdata/make_events.py` gets from the `tensorboard` package for the same events.
    #[test]
    fn bytes_of_the_reference() {
        let at = |step| Event { wall_time: 1_700_000_000.25, step };
        let events = [
            at(0).file_version(),
            at(8).start(),
            at(8).summary(&[scalar("train/loss", 2.5), scalar("train/learning-rate", 1e-3)]),
            at(300).summary(&[text_value("sample/0", "    가나다\n")]),
        ];
        let bytes: Vec<u8> = events.iter().flat_map(|event| record(event.bytes())).collect();
        assert_eq!(bytes, include_bytes!("../testdata/events.tfevents"));
    }

    #[test]
    fn every_process_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for step in [0, 5] {
            let mut file = EventFile::create(folder.path(), step).unwrap();
            file.sample(0, &SampleEvent { step: 6, prompt: "a".to_owned(), text: "b\nc".to_owned() }).unwrap();
            file.flush().unwrap();
        }
        let entries = std::fs::read_dir(folder.path().join(TENSORBOARD_FOLDER)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names.len(), 2);
        assert!(names.iter().all(|name| name.starts_with("events.out.tfevents.")), "{names:?}");
    }
}
