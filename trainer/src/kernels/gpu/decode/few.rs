//! Products of so few rows that they take as long as their matrix takes to be read.

use crate::kernels::gpu::engine::{Arg, Engine, Work};
use crate::kernels::gpu::source::Source;

/// Rows up to which these are faster than cuBLASLt's.
pub(super) const FEW: usize = 4;

/// Bytes of shared memory that the inputs may take.
const MOST_SHARED: usize = 160 << 10;
/// Blocks of a product, four rows of the matrix at a time each: eight for each multiprocessor of an H100.
const BLOCKS: usize = 132 * 8;

/// `y = x wᵀ`: see `cuda/decode/few.cu`.
#[derive(Clone, Copy)]
pub(super) struct Few {
    /// 1 to [`FEW`].
    pub(super) rows: usize,
    pub(super) input: usize,
    pub(super) output: usize,
    /// Whether the matrix has gates and what they let through, one after the other.
    pub(super) gated: bool,
    pub(super) epsilon: f32,
}

impl Few {
    /// Whether rows of this width are for it.
    pub(super) fn takes(rows: usize, input: usize) -> bool {
        rows <= FEW && rows * input * 2 <= MOST_SHARED
    }

    /// With the weight of a norm before it, or what is added after it, where these are not 0.
    pub(super) fn run(self, engine: &mut Engine, w: u64, x: u64, norm: u64, residual: u64, y: u64) -> Work {
        let Self { rows, input, output, gated, epsilon } = self;
        let name = match (rows, gated) {
            (1, false) => "product_1",
            (2, false) => "product_2",
            (_, false) => "product_4",
            (1, true) => "gated_1",
            (2, true) => "gated_2",
            (_, true) => "gated_4",
        };
        let args = [&[w, x, norm, residual, y].map(Arg::Address)[..], &[input, output].map(|n| Arg::Int(n as i32)), &[Arg::Float(epsilon)]];
        let grid = (output.div_ceil(4).min(BLOCKS) as u32, 1, 1);
        engine.launch_early(Source::FewRows, name, grid, 128, (rows * input * 2) as u32, &args.concat())
    }
}
