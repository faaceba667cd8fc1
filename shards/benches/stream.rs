//! Tokens per CPU-second of [`TokenStream`] on one thread, from cold and warm page cache.
//!
//! `cargo bench -p malmoi-shards --bench stream -- RUN [STEPS] [SEQ_LEN] [BATCH]` reads the shards of a run
//! folder with a mixture of its train buckets. `benches/shards/peers.py` measures others on the same tokens.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people who measure")]

use std::path::PathBuf;
use std::time::Instant;

use shards::{Compression, Manifest, MixtureConfig, MixturePlan, OnShortage, StreamConfig, TokenStream, World};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let Some(run) = arguments.first().map(PathBuf::from) else {
        println!("usage: stream RUN [STEPS] [SEQ_LEN] [BATCH]");
        return;
    };
    let number = |at: usize, default: u32| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let (steps, seq_len, batch) = (number(1, 500), number(2, 2048), number(3, 16));
    let opened = Instant::now();
    let manifest = Manifest::load(run.join("manifest.json")).unwrap();
    let available = manifest.available();
    let ratios = available.iter().map(|supply| (supply.bucket.clone(), 1.0 / available.len() as f64)).collect();
    let mixture = MixtureConfig { ratios, on_shortage: OnShortage::Repeat, ..MixtureConfig::default() };
    let target = u64::from(steps) * u64::from(seq_len) * u64::from(batch);
    let plan = MixturePlan::new(&mixture, &available, Some(target), seq_len).unwrap();
    let stream = TokenStream::with_manifest(&run, &manifest, &plan, StreamConfig { seq_len, batch, seed: 1 }).unwrap();
    let first = stream.at(0, World::ONE).unwrap();
    let ready = opened.elapsed();
    let mut sum = u64::from(first.targets[0]);
    let shards: Vec<_> = manifest.shards.iter().map(|shard| manifest.open_shard(&run, shard).unwrap()).collect();
    let packed = shards.iter().any(|shard| shard.compression() == Compression::Zstd);
    let loader = if packed { "malmoi, zstd" } else { "malmoi" };
    let bytes: u64 = shards.iter().map(|shard| shard.file_bytes()).sum();
    let tokens: u64 = shards.iter().map(|shard| shard.token_count()).sum();
    println!("{{\"loader\": \"{loader}\", \"tokens\": {tokens}, \"bytes\": {bytes}}}");
    drop(shards);
    for pass in ["first", "second"] {
        let (start, wall) = (cpu_seconds(), Instant::now());
        for step in 0..stream.steps() {
            let batch = stream.at(step, World::ONE).unwrap();
            sum = batch.targets.iter().fold(sum, |sum, &id| sum.wrapping_add(u64::from(id)));
        }
        let tokens = (stream.steps() * u64::from(batch) * u64::from(seq_len)) as f64;
        let (rate, wall) = (tokens / (cpu_seconds() - start), tokens / wall.elapsed().as_secs_f64());
        println!(
            "{{\"loader\": \"{loader}\", \"pass\": \"{pass}\", \"tokens-per-cpu-second\": {rate:.0}, \"tokens-per-second\": {wall:.0}, \"ready-ms\": {:.1}}}",
            ready.as_secs_f64() * 1e3
        );
    }
    let start = Instant::now();
    let rows = stream.order(stream.steps() / 2).unwrap();
    println!("{{\"order-ms\": {:.2}, \"rows\": {}, \"sum\": {sum}}}", start.elapsed().as_secs_f64() * 1e3, rows.len());
}

/// CPU time of this thread, with that of the system for it; none but Linux tells it without a foreign function.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
