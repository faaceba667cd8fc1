//! The product of two thin matrices, and the noise before it.

use burn::tensor::{Device, Int, Tensor, TensorData};
use shards::Batch;

/// `scale × (x Aᵀ) Bᵀ`: `x` `[N, I]`, `A` `[R, I]`, `B` `[O, R]`.
pub(crate) fn low_rank(x_ni: Tensor<2>, a_ri: Tensor<2>, b_or: Tensor<2>, scale: f64) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if super::gpu::takes(&x_ni) {
        return super::gpu::low_rank(x_ni, a_ri, b_or, scale);
    }
    x_ni.matmul(a_ri.transpose()).matmul(b_or.transpose()) * scale
}

/// Where dropout takes its random numbers from: one key for each row of a batch. A key is a hash of seed, step
/// and the row's tokens, so that a step's noise is the same however the step is split into micro-batches.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    keys: Vec<u32>,
    length: usize,
    /// The same on the device, `[B]`.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code))]
    pub(crate) keys_b: Tensor<1, Int>,
}

impl Noise {
    pub(crate) fn new(batch: &Batch, seed: u64, device: &Device) -> Self {
        let key = |row: &[u32]| {
            let mut hasher = blake3::Hasher::new_derive_key("malmoi trainer dropout, version 1");
            hasher.update(&seed.to_le_bytes());
            for id in row {
                hasher.update(&id.to_le_bytes());
            }
            let mut key = [0; 4];
            hasher.finalize_xof().fill(&mut key);
            u32::from_le_bytes(key)
        };
        let keys: Vec<u32> = batch.inputs.chunks_exact(batch.seq_len.max(1)).map(key).collect();
        let signed: Vec<i32> = keys.iter().map(|key| key.cast_signed()).collect();
        let keys_b = Tensor::from_data(TensorData::new(signed, [keys.len()]), device);
        Self { keys, length: batch.seq_len, keys_b }
    }

    /// Positions of a row.
    #[cfg(feature = "cuda")]
    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

/// `x` with a share of its numbers 0 and the others scaled up (Srivastava et al. 2014); `x` is `[N, I]`. The same
/// numbers are left out on every device.
pub(crate) fn dropout(x_ni: Tensor<2>, noise: Option<&Noise>, tag: u32, share: f64) -> Tensor<2> {
    let Some(noise) = noise.filter(|_| share > 0.0) else { return x_ni };
    #[cfg(feature = "cuda")]
    if super::gpu::takes(&x_ni) {
        return super::gpu::dropout(x_ni, noise, tag, share);
    }
    let [rows, width] = x_ni.dims();
    let (limit, factor) = (noise_limit(share), (1.0 / (1.0 - share)) as f32);
    let mut kept = Vec::with_capacity(rows * width);
    for row in 0..rows {
        let key = noise.keys[row / noise.length] ^ tag;
        let first = (row % noise.length) * width;
        kept.extend((first..first + width).map(|at| if random(key, at as u32) < limit { 0.0 } else { factor }));
    }
    let kept = Tensor::<2>::from_data(TensorData::new(kept, [rows, width]), &x_ni.device().without_autodiff());
    x_ni * kept
}

/// Below this of 2^32 a number is left out.
pub(crate) fn noise_limit(share: f64) -> u32 {
    (share * 4_294_967_296.0) as u32
}

/// A random number for a place of a row: two rounds of MurmurHash3's finalizer (Appleby, public domain).
fn random(key: u32, at: u32) -> u32 {
    mixed(mixed(at.wrapping_mul(0x9e37_79b9) ^ key).wrapping_add(key))
}

fn mixed(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: usize, seq_len: usize) -> Batch {
        let cells = rows * seq_len;
        let ids: Vec<u32> = (0..cells as u32).collect();
        Batch {
            rows,
            seq_len,
            inputs: ids.clone(),
            targets: ids,
            positions: vec![0; cells],
            documents: vec![0; cells],
            mask: vec![true; cells],
            buckets: vec![0; rows],
            answers: Vec::new(),
        }
    }

    fn values(x: Tensor<2>) -> Vec<f32> {
        x.try_into_vec_as::<f32>().unwrap()
    }

    #[test]
    fn low_rank_by_hand() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
        let a = Tensor::from_floats([[3.0, 4.0]], &device);
        let b = Tensor::from_floats([[1.0], [-2.0], [0.5]], &device);
        assert_eq!(values(low_rank(x, a, b, 2.0)), [22.0, -44.0, 11.0]); // 1 × 3 + 2 × 4 = 11
    }

    #[test]
    fn dropout_leaves_out_its_share_and_keeps_the_mean() {
        let device = Device::flex();
        let (rows, length, width) = (8, 50, 250);
        let noise = Noise::new(&batch(rows, length), 1, &device);
        let found = values(dropout(Tensor::ones([rows * length, width], &device), Some(&noise), 7, 0.2));
        let zero = found.iter().filter(|&&x| x == 0.0).count() as f64 / found.len() as f64;
        // 100,000 draws: the standard error is 0.0013.
        assert!((zero - 0.2).abs() < 0.006, "{zero}");
        assert!(found.iter().all(|&x| x == 0.0 || x == 1.25));
        // Columns and rows are left out alike: standard errors are 0.02 and 0.025.
        for column in 0..width {
            let share = (0..rows * length).filter(|row| found[row * width + column] == 0.0).count() as f64 / (rows * length) as f64;
            assert!((share - 0.2).abs() < 0.1, "column {column}: {share}");
        }
    }

    #[test]
    fn noise_does_not_depend_on_how_a_step_is_split() {
        let device = Device::flex();
        let whole = batch(4, 5);
        let x = |rows: usize| Tensor::<2>::ones([rows * 5, 3], &device);
        let once = values(dropout(x(4), Some(&Noise::new(&whole, 9, &device)), 7, 0.5));
        let pieces = crate::micro_batch::split(&whole, 3).flat_map(|piece| {
            let noise = Noise::new(&piece, 9, &device);
            values(dropout(x(piece.rows), Some(&noise), 7, 0.5))
        });
        assert_eq!(pieces.collect::<Vec<_>>(), once);
        let other = values(dropout(x(4), Some(&Noise::new(&whole, 10, &device)), 7, 0.5));
        let tagged = values(dropout(x(4), Some(&Noise::new(&whole, 9, &device)), 8, 0.5));
        assert!(once != other && once != tagged);
    }
}
