//! MB of text per CPU-second: this crate beside the `tokenizers` crate, in one process and on one
//! thread, cold (first pass of a fresh tokenizer) and warm (second pass); medians of the rounds. Equal
//! ids have equal checksums, here and in `benches/encode/peers.py`.
//!
//! `cargo bench -p malmoi-shards --bench encode -- TOKENIZER.json ROUNDS LIBRARY-ROUNDS FILE...`, where
//! a file holds records `{"text": ...}` or JSON strings, one a line. A name ending in `+` joins each
//! 1000 texts to one document.

use std::error::Error;

use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Documents timed in one go: the clock of the system takes time itself, and is coarse.
const BATCH: usize = 1 << 14;

#[expect(clippy::print_stdout, reason = "a benchmark prints its results")]
fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if args.len() < 4 {
        println!("usage: encode TOKENIZER.json ROUNDS LIBRARY-ROUNDS FILE...");
        return Ok(());
    }
    let files = args.split_off(3);
    let (rounds, library_rounds): (usize, usize) = (args[1].parse()?, args[2].parse()?);
    println!("| text | MB | documents | encoder | cold | warm | tokens | checksum |\n|---|---|---|---|---|---|---|---|");
    for file in &files {
        let (name, texts) = read(file)?;
        let (mut ours, mut library) = (Runs::default(), Runs::default());
        let mut encoder = "";
        for round in 0..rounds.max(library_rounds) {
            if round < rounds {
                let tokenizer = shards::Tokenizer::load(&args[0], None)?;
                encoder = tokenizer.encoder();
                ours.two_passes(&texts, |text| tokenizer.encode(text).map_err(Into::into))?;
            }
            if round < library_rounds {
                let mut tokenizer = tokenizers::Tokenizer::from_file(&args[0]).map_err(|error| error.to_string())?;
                tokenizer.set_encode_special_tokens(true);
                library.two_passes(&texts, |text| {
                    Ok(tokenizer.encode_fast(text, false).map_err(|error| error.to_string())?.get_ids().to_vec())
                })?;
            }
        }
        for (encoder, runs) in [(encoder, ours), ("tokenizers", library)] {
            if runs.cold.is_empty() {
                continue;
            }
            let mb = texts.iter().map(String::len).sum::<usize>() as f64 / 1e6;
            let speed = |seconds| mb / median(seconds);
            let (documents, (tokens, checksum)) = (texts.len(), runs.ids);
            let (cold, warm) = (speed(runs.cold), speed(runs.warm));
            println!("| {name} | {mb:.1} | {documents} | {encoder} | {cold:.1} | {warm:.1} | {tokens} | {checksum:08x} |");
        }
    }
    Ok(())
}

/// CPU-seconds of passes, and what came out of them.
#[derive(Default)]
struct Runs {
    cold: Vec<f64>,
    warm: Vec<f64>,
    ids: (usize, u32),
}

impl Runs {
    fn two_passes(&mut self, texts: &[String], encode: impl Fn(&str) -> Result<Vec<u32>>) -> Result<()> {
        let mut passes = [0.0; 2];
        for seconds in &mut passes {
            let (mut tokens, mut checksum) = (0, Checksum::new());
            for batch in texts.chunks(BATCH) {
                let start = cpu_seconds()?;
                let ids: Vec<Vec<u32>> = batch.iter().map(|text| encode(text)).collect::<Result<_>>()?;
                *seconds += cpu_seconds()? - start;
                for ids in &ids {
                    tokens += ids.len();
                    ids.iter().chain([&u32::MAX]).for_each(|id| checksum.add(*id));
                }
            }
            self.ids = (tokens, !checksum.state);
        }
        self.cold.push(passes[0]);
        self.warm.push(passes[1]);
        Ok(())
    }
}

fn read(name: &str) -> Result<(String, Vec<String>)> {
    let content = std::fs::read_to_string(name.trim_end_matches('+'))?;
    let mut texts = Vec::new();
    for line in content.lines() {
        let record: Value = serde_json::from_str(line)?;
        texts.extend(record.as_str().or(record["text"].as_str()).map(str::to_owned));
    }
    let stem = std::path::Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if !name.ends_with('+') {
        return Ok((stem, texts));
    }
    Ok((stem + " joined", texts.chunks(1000).map(|texts| texts.join("\n")).collect()))
}

/// CPU time of this thread; none but Linux tells it without a foreign function.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CRC-32, as `zlib.crc32` has it, of ids as four bytes each.
struct Checksum {
    table: Vec<u32>,
    state: u32,
}

impl Checksum {
    fn new() -> Self {
        let step = |bits: u32, _| if bits & 1 == 1 { bits >> 1 ^ 0xedb8_8320 } else { bits >> 1 };
        Self { table: (0..256).map(|byte| (0..8).fold(byte, step)).collect(), state: u32::MAX }
    }

    fn add(&mut self, id: u32) {
        for byte in id.to_le_bytes() {
            self.state = self.state >> 8 ^ self.table[usize::from(self.state as u8 ^ byte)];
        }
    }
}
