//! CPU-seconds and peak memory of training one vocabulary on one file, each line a text, as a line of
//! JSON. `benches/train-bpe/peers.py` runs it beside other trainers and compares merges.
//!
//! `cargo bench --workspace --bench train_bpe -- TEXT-FILE VOCAB-SIZE PATTERN THREADS MEMORY-BYTES OUT.json`;
//! the vocabulary has `VOCAB-SIZE` bytes and merges, and one special token more.

use std::error::Error;
use std::io::{BufRead, BufReader};

use shards::{Tokenizer, TrainConfig};

#[expect(clippy::print_stdout, reason = "a benchmark prints its results")]
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [text, vocab, pattern, threads, memory, out] = &args[..] else {
        println!("usage: train_bpe TEXT-FILE VOCAB-SIZE PATTERN THREADS MEMORY-BYTES OUT.json");
        return Ok(());
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let config = TrainConfig {
        vocab_size: vocab.parse::<u32>()? + 1,
        pattern: serde_json::from_value(pattern.as_str().into())?,
        character_coverage: 1.0,
        min_frequency: 0,
        sample_bytes: u64::MAX,
        memory_bytes: memory.parse()?,
        ..TrainConfig::default()
    };
    let mut lines = BufReader::new(std::fs::File::open(text)?);
    let mut failed = None;
    let texts = std::iter::from_fn(|| {
        let mut line = String::new();
        match lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line),
            Err(error) => {
                failed = Some(error);
                None
            }
        }
    });
    let start = std::time::Instant::now();
    let folder = std::path::Path::new(out).parent().unwrap_or(std::path::Path::new("."));
    let trained = Tokenizer::train_file(&config, None, folder, texts)?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds()?);
    if let Some(error) = failed {
        return Err(error.into());
    }
    std::fs::write(out, trained)?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let line = serde_json::json!({
        "engine": "malmoi", "MB": std::fs::metadata(text)?.len() as f64 / 1e6, "vocab": config.vocab_size - 1,
        "wall_s": wall, "cpu_s": cpu, "peak_rss_MB": peak.map(|kilobytes| kilobytes / 1024),
    });
    println!("{line}");
    Ok(())
}

/// CPU time of this process. Linux counts it in hundredths of a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) / 100.0)
}
