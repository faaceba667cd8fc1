//! Speed of decoding with random weights: speed only, no quality claim.
//!
//! `cargo bench -p malmoi-trainer --features cuda --bench decode -- --device cuda --batch 64`; prints one JSON line with new tokens
//! a second once all prompts are through, and which share that is of what the memory's bandwidth (`--bandwidth`, in GB/s)
//! allows: a step reads every weight once, and the keys and values of every sequence. `benches/generate/torch_peer.py` takes the same options.

#![allow(clippy::print_stdout)]

mod options;

use std::error::Error;
use std::time::Instant;

use options::Options;
use trainer::{Base, DeviceSpec, GenerateConfig, Generator, LoraConfig, Precision, Request, Sampling};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read();
    let device: DeviceSpec = options.text("device", "cpu").parse()?;
    let (vocab, batch) = (options.number("vocab", 4096)?, options.number("batch", 8)?);
    let (prompt, tokens): (usize, usize) = (options.number("prompt", 32)?, options.number("tokens", 64)?);
    let config = options.model()?;
    let opened = device.open()?;
    let precision = Precision::best(&config, &opened);
    let rank = options.number("lora", 0)?;
    let model = match rank {
        0 => config.init(&opened, vocab, 1)?.with_precision(precision)?,
        _ => config.init_lora(&opened, vocab, 1, &LoraConfig { rank, base: Some(Base::Bf16), ..LoraConfig::default() }, precision)?,
    };
    let sampling = match options.text("sampling", "greedy") {
        "plain" => Sampling::default(),
        "top-p" => Sampling { temperature: 0.7, top_p: 0.9, ..Sampling::default() },
        _ => Sampling::greedy(),
    };
    let begin = || -> trainer::Result<(Generator, f64)> {
        let config = GenerateConfig { batch, context: prompt + tokens + 1, cache_bytes: Some(64 << 30), ..GenerateConfig::default() };
        let mut generator = Generator::new(&model, config)?;
        for id in 0..batch as u64 {
            let ids = (0..prompt as u64).map(|at| ((id * 7919 + at * 104_729) % vocab as u64) as u32).collect();
            generator.push(Request { id, prompt: ids, tokens: tokens as u32 + 1, sampling, ends: Vec::new() })?;
        }
        let start = Instant::now();
        let mut begun = 0;
        while begun < batch {
            begun += generator.step()?.0.len().min(batch - begun);
        }
        Ok((generator, start.elapsed().as_secs_f64()))
    };
    // The first round compiles kernels, the second one is measured.
    let (mut seconds, mut prefill) = (0.0, 0.0);
    for _ in 0..2 {
        let mut generator;
        (generator, prefill) = begin()?;
        let (start, mut drawn) = (Instant::now(), 0);
        while generator.pending() > 0 {
            drawn += generator.step()?.0.len();
        }
        seconds = start.elapsed().as_secs_f64() / drawn as f64;
    }
    #[cfg(feature = "cuda")]
    if options.has("profile") {
        let mut generator = begin()?.0;
        let (made, mut kernels) = trainer::profile(|| generator.step().map(|_| ()));
        made?;
        kernels.sort_by(|a, b| b.1.total_cmp(&a.1));
        println!("{:.3} ms of the card for one step, kernel by kernel:", kernels.iter().map(|kernel| kernel.1).sum::<f64>());
        for (name, time, count) in kernels {
            println!("{time:8.3} ms {count:5} x {name}");
        }
    }
    let number = if precision == Precision::Bf16 { 2.0 } else { 4.0 };
    let cached = 2 * config.layers * config.kv_heads * config.head_size() * (prompt + tokens / 2);
    let bytes = number * (model.size() as f64 / batch as f64 + cached as f64);
    let bandwidth: f64 = options.number("bandwidth", 0.0)?;
    println!(
        r#"{{"tool":"malmoi","device":"{device}","format":"{precision}","lora":{rank},"batch":{batch},"prompt":{prompt},"tokens":{tokens},"sampling":"{}","parameters":{},"tokens_per_second":{:.0},"milliseconds_per_step":{:.3},"share_of_bandwidth":{:.4},"prompts_seconds":{prefill:.3}}}"#,
        options.text("sampling", "greedy"),
        model.size(),
        1.0 / seconds,
        seconds * 1e3 * batch as f64,
        if bandwidth > 0.0 { bytes / (bandwidth * 1e9) / seconds } else { 0.0 },
    );
    Ok(())
}
