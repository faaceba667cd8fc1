//! Speed of a training step on random tokens: speed only, no quality claim.
//!
//! `cargo bench -p malmoi-trainer --bench step -- --device cpu --batch 8`; prints one JSON line with
//! tokens per second and model FLOPs utilization = (6 P + 6 L H T) × tokens/s ÷ peak, the same
//! fields as `benches/train/torch_peer.py`, which takes the same options. With `--lora RANK` adapters are trained
//! (`--base nf4`: over four-bit weights), and MFU counts (4 P + 4 L H T): frozen weights have no gradients.
//! `--weights bf16` and `--states 8-bit` are the recipe's `weights` and `optimizer-states`.

#![allow(clippy::print_stdout)]

mod options;

use std::error::Error;
use std::time::Instant;

use options::Options;
use shards::Batch;
use trainer::{AdamW, Base, Cpt, DeviceSpec, LoraConfig, OptimizerStates, Precision, Ranks, Replica, TrainConfig, Update, WeightNumbers};

/// Steps before the clock starts: the pool of the card's memory takes some until it asks for no more.
const WARM_UP: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read();
    let device: DeviceSpec = options.text("device", "cpu").parse()?;
    let (vocab, batch, seq) = (options.number("vocab", 4096)?, options.number("batch", 8)?, options.number("seq", 256)?);
    let steps = options.number("steps", 10)?;
    let peak: f64 = options.number("peak-tflops", 1.0)?;
    let model = options.model()?;
    let flops = model.flops_per_token(vocab, seq as u32)? as f64;
    let opened = device.open()?;
    let precision = match options.text("precision", "best") {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        _ => Precision::best(&model, &opened),
    };
    let lora = LoraConfig {
        rank: options.number("lora", 0)?,
        base: match options.text("base", "best") {
            "f32" => Some(Base::F32),
            "bf16" => Some(Base::Bf16),
            "nf4" => Some(Base::Nf4),
            _ => None,
        },
        ..LoraConfig::default()
    };
    let flops = if lora.rank > 0 { flops * 2.0 / 3.0 } else { flops }; // no gradients of frozen weights
    let recompute = options.has("recompute");
    let weights = if options.text("weights", "f32") == "bf16" { WeightNumbers::Bf16 } else { WeightNumbers::F32 };
    let optimizer_states = if options.text("states", "32-bit") == "8-bit" { OptimizerStates::EightBit } else { OptimizerStates::Full };
    let config = TrainConfig { weights, optimizer_states, ..TrainConfig::default() };
    let mut ranks = Ranks::open(device, |device| {
        let model = match lora.rank {
            0 => model.init(device, vocab, 1)?.with_precision(precision)?,
            _ => model.init_lora(device, vocab, 1, &lora, precision)?,
        };
        let model = model.with_recompute(recompute).kept_as(weights);
        let optimizer = AdamW::new(&config, &model, 0);
        Ok(Replica::new(model, optimizer))
    })?;
    let micro_batch = options.number("micro-batch", batch)?;
    let cards = if let DeviceSpec::Cards { count, .. } = device { count } else { 1 };
    let batch = random(batch, seq, vocab);
    let update = Update { micro_batch, learning_rate: config.learning_rate, clip_norm: config.clip_norm, noise: 0 };

    let step = |ranks: &mut Ranks| ranks.step(&Cpt::default(), &batch, &update).map(|made| made.loss);
    let start = Instant::now();
    step(&mut ranks)?.try_into_scalar::<f32>()?;
    let first = start.elapsed().as_secs_f64();
    for _ in 0..WARM_UP {
        step(&mut ranks)?.try_into_scalar::<f32>()?;
    }
    let start = Instant::now();
    for _ in 1..steps {
        step(&mut ranks)?;
    }
    let last = step(&mut ranks)?.try_into_scalar::<f32>()? / batch.mask.len() as f32;
    finish(&ranks)?;
    let rate = (steps * batch.mask.len()) as f64 / start.elapsed().as_secs_f64();
    #[cfg(feature = "cuda")]
    if options.has("profile") {
        let start = Instant::now();
        let (host, mut kernels) = trainer::profile(|| -> trainer::Result<f64> {
            step(&mut ranks)?;
            let host = start.elapsed().as_secs_f64() * 1e3;
            finish(&ranks).map(|()| host)
        });
        let host = host?;
        kernels.sort_by(|a, b| b.1.total_cmp(&a.1));
        let whole = start.elapsed().as_secs_f64() * 1e3;
        println!(
            "{whole:.2} ms for one step ({host:.2} until all was submitted), {:.2} of them in these kernels:",
            kernels.iter().map(|kernel| kernel.1).sum::<f64>()
        );
        for (name, time, count) in kernels {
            println!("{time:8.3} ms {count:5} x {name}");
        }
    }
    println!(
        r#"{{"tool":"malmoi","device":"{device}","format":"{}","batch":{},"seq":{seq},"parameters":{},"trained":{},"tokens_per_second":{rate:.0},"mfu":{:.5},"first_step_seconds":{first:.2},"loss":{last:.4}}}"#,
        if precision == Precision::Bf16 { "bf16" } else { "f32" },
        batch.rows,
        ranks.model().size(),
        ranks.model().num_params(),
        flops * rate / (peak * 1e12 * cards as f64),
    );
    Ok(())
}

/// Waits for the last update: reads the smallest parameter, and not the embedding, which takes half a second.
fn finish(ranks: &Ranks) -> trainer::Result<()> {
    let smallest = ranks.model().parameters().into_iter().min_by_key(|parameter| parameter.len());
    smallest.map_or(Ok(()), |parameter| parameter.to_vec().map(drop))
}

fn random(rows: usize, seq_len: usize, vocab: usize) -> Batch {
    let cells = rows * seq_len;
    let ids = |factor: u64| (0..cells as u64).map(|i| (i.wrapping_mul(factor) >> 7) as u32 % vocab as u32).collect();
    Batch {
        rows,
        seq_len,
        inputs: ids(0x9e37_79b9_7f4a),
        targets: ids(0xbf58_476d_1ce5),
        positions: (0..cells).map(|i| (i % seq_len) as u32).collect(),
        documents: vec![0; cells],
        mask: vec![true; cells],
        buckets: vec![0; rows],
        answers: Vec::new(),
    }
}
