//! A mean in the order in which PyTorch adds up.
//!
//! A sum of floats depends on its order. PyTorch's on the CPU (`SumKernel.cpp`) is of eight lanes, each
//! of four chains, each a cascade of four levels; bitsandbytes stores a mean made so, and a last bit
//! of it decides about others. On one thread this is the same number.

/// Numbers of a vector register of 256 bits; wider ones are not used for sums.
const LANES: usize = 8;
/// Independent sums, so that additions overlap.
const CHAINS: usize = 4;
const LEVELS: usize = 4;

/// The mean of some numbers; 0 of none.
pub(super) fn mean(values: &[f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let sum = match values.len() < LANES {
        true => lanes::<1>(values).iter().sum(),
        false => {
            let whole = values.len() / LANES * LANES;
            let rest = values[whole..].iter().fold(0.0, |sum, value| sum + value);
            lanes::<LANES>(&values[..whole]).iter().fold(rest, |sum: f32, lane| sum + lane)
        }
    };
    sum / values.len() as f32
}

/// Sums of every `N`th number.
fn lanes<const N: usize>(values: &[f32]) -> [f32; N] {
    let rows = values.as_chunks::<N>().0;
    let (groups, rest) = rows.as_chunks::<CHAINS>();
    let bits = usize::BITS - groups.len().saturating_sub(1).leading_zeros(); // ceil(log2)
    let power = (bits as usize / LEVELS).max(4);
    let mut levels = [[[0.0; N]; CHAINS]; LEVELS];
    let whole = groups.len() >> power << power;
    for (at, group) in groups[..whole].iter().enumerate() {
        levels[0].iter_mut().zip(group).for_each(|(chain, row)| add(chain, row));
        // A full level is carried to the next one, and that one on when it is full too.
        let mut level = 1;
        while level < LEVELS && (at + 1) % (1 << (power * level)) == 0 {
            let carried = std::mem::replace(&mut levels[level - 1], [[0.0; N]; CHAINS]);
            levels[level].iter_mut().zip(&carried).for_each(|(chain, row)| add(chain, row));
            level += 1;
        }
    }
    for group in &groups[whole..] {
        levels[0].iter_mut().zip(group).for_each(|(chain, row)| add(chain, row));
    }
    let [mut chains, upper @ ..] = levels;
    for level in &upper {
        chains.iter_mut().zip(level).for_each(|(chain, row)| add(chain, row));
    }
    let [mut sum, others @ ..] = chains;
    rest.iter().chain(&others).for_each(|row| add(&mut sum, row));
    sum
}

fn add<const N: usize>(sum: &mut [f32; N], row: &[f32; N]) {
    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}
