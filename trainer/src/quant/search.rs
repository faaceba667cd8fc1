//! Scales of small groups of numbers, found as ggml's reference code finds them.
//!
//! Each search tries some twenty scales on every number of a group, and a sum of floats has one order
//! in which it gives ggml's bits. So a group is not what is computed in parallel: `N` groups are, one in
//! each lane, and every lane adds in the order of the reference.

/// `N` groups of `L` numbers, the groups' first numbers first.
pub(super) type Groups<const N: usize, const L: usize> = [[f32; N]; L];

/// Puts `N` groups that follow each other side by side.
pub(super) fn side_by_side<const N: usize, const L: usize>(values: &[f32]) -> Groups<N, L> {
    std::array::from_fn(|at| std::array::from_fn(|lane| values[lane * L + at]))
}

/// The nearest whole number, of two the even one, of a number below 2^22.
pub(super) fn round(value: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 × 2^23: nothing after the point fits beside it
    (value + MAGIC) - MAGIC
}

/// What [`affine`] finds for each group: numbers are about `scale * q + least`.
pub(super) struct Affine<const N: usize> {
    pub(super) scale: [f32; N],
    pub(super) least: [f32; N],
    /// The factor that gave the best codes, `round(factor * (x - from))`.
    pub(super) factor: [f32; N],
    pub(super) from: [f32; N],
}

/// Which factors [`affine`] tries: `(most + first + step * 0.1) / range`.
#[derive(Clone, Copy)]
pub(super) struct Trials {
    /// The largest code.
    pub(super) most: f32,
    pub(super) first: f32,
    pub(super) steps: u8,
}

/// `make_qkx2_quants`: for each trial's codes the scale and minimum of least weighted squared error.
pub(super) fn affine<const N: usize, const L: usize>(x: &Groups<N, L>, w: &Groups<N, L>, trials: Trials) -> Affine<N> {
    let most = trials.most;
    let (mut low, mut high) = (x[0], x[0]);
    let [mut sum_w, mut sum_x] = [[0.0; N]; 2];
    for (x, w) in x.iter().zip(w) {
        for k in 0..N {
            low[k] = if x[k] < low[k] { x[k] } else { low[k] };
            high[k] = if x[k] > high[k] { x[k] } else { high[k] };
            sum_w[k] += w[k];
            sum_x[k] += w[k] * x[k];
        }
    }
    // A minimum that is added is none above zero.
    let mut least: [f32; N] = std::array::from_fn(|k| if low[k] > 0.0 { 0.0 } else { low[k] });
    let flat: [bool; N] = std::array::from_fn(|k| high[k] == least[k]);

    let mut from = least;
    let mut factor: [f32; N] = std::array::from_fn(|k| most / (high[k] - least[k]));
    let mut scale: [f32; N] = std::array::from_fn(|k| 1.0 / factor[k]);
    let mut best = error(x, w, &codes(x, &factor, &from, most), &scale, &least);
    for step in 0..=trials.steps {
        // As in the reference, what was found to be better is where the next trials start from.
        let trial: [f32; N] = std::array::from_fn(|k| (trials.first + 0.1 * f32::from(step) + most) / (high[k] - least[k]));
        let codes = codes(x, &trial, &least, most);
        let [mut sum_l, mut sum_l2, mut sum_xl] = [[0.0; N]; 3];
        for ((x, w), l) in x.iter().zip(w).zip(&codes) {
            for k in 0..N {
                let wl = w[k] * l[k];
                sum_l[k] += wl;
                sum_l2[k] += wl * l[k];
                sum_xl[k] += wl * x[k];
            }
        }
        let (mut scales, mut minima, mut solved) = ([0.0; N], [0.0; N], [false; N]);
        for k in 0..N {
            let divisor = sum_w[k] * sum_l2[k] - sum_l[k] * sum_l[k];
            solved[k] = divisor > 0.0;
            scales[k] = (sum_w[k] * sum_xl[k] - sum_x[k] * sum_l[k]) / divisor;
            minima[k] = (sum_l2[k] * sum_x[k] - sum_l[k] * sum_xl[k]) / divisor;
            if minima[k] > 0.0 {
                minima[k] = 0.0;
                scales[k] = sum_xl[k] / sum_l2[k];
            }
        }
        let errors = error(x, w, &codes, &scales, &minima);
        for k in 0..N {
            if solved[k] && errors[k] < best[k] {
                (factor[k], from[k]) = (trial[k], least[k]);
                (best[k], scale[k], least[k]) = (errors[k], scales[k], minima[k]);
            }
        }
    }
    for k in 0..N {
        if flat[k] {
            (scale[k], least[k], factor[k]) = (0.0, high[k], 0.0);
        }
    }
    Affine { scale, least, factor, from }
}

/// Codes of numbers under a factor, as floats.
fn codes<const N: usize, const L: usize>(x: &Groups<N, L>, factor: &[f32; N], from: &[f32; N], most: f32) -> Groups<N, L> {
    let mut codes = [[0.0; N]; L];
    for (code, x) in codes.iter_mut().zip(x) {
        for k in 0..N {
            code[k] = round(between(factor[k] * (x[k] - from[k]), 0.0, most));
        }
    }
    codes
}

/// `f32::clamp` in the form that becomes two instructions.
fn between(value: f32, least: f32, most: f32) -> f32 {
    let value = if value > least { value } else { least };
    if value < most { value } else { most }
}

/// Weighted squared errors.
fn error<const N: usize, const L: usize>(
    x: &Groups<N, L>,
    w: &Groups<N, L>,
    codes: &Groups<N, L>,
    scale: &[f32; N],
    least: &[f32; N],
) -> [f32; N] {
    let mut sum = [0.0; N];
    for ((x, w), l) in x.iter().zip(w).zip(codes) {
        for k in 0..N {
            let apart = scale[k] * l[k] + least[k] - x[k];
            sum[k] += w[k] * (apart * apart);
        }
    }
    sum
}

/// What [`symmetric`] finds for each group: numbers are about `scale * q`.
pub(super) struct Symmetric<const N: usize> {
    pub(super) scale: [f32; N],
    /// The factor that gave the best codes; 0 where all numbers are too small to have any.
    pub(super) factor: [f32; N],
}

/// Below it, all numbers of a group count as zero.
const NOTHING: f32 = 1e-15;

/// `make_qx_quants` with `rmse_type` 1: codes from `-most` to `most - 1`, errors weighted by squares.
pub(super) fn symmetric<const N: usize, const L: usize>(x: &Groups<N, L>, most: f32) -> Symmetric<N> {
    let (mut peak, mut size) = ([0.0; N], [0.0; N]);
    for x in x {
        for k in 0..N {
            if x[k].abs() > size[k] {
                (size[k], peak[k]) = (x[k].abs(), x[k]);
            }
        }
    }
    let mut factor: [f32; N] = std::array::from_fn(|k| -most / peak[k]);
    let (sum_xl, sum_l2) = moments(x, &factor, most);
    let mut scale: [f32; N] = std::array::from_fn(|k| if sum_l2[k] != 0.0 { sum_xl[k] / sum_l2[k] } else { 0.0 });
    let mut best: [f32; N] = std::array::from_fn(|k| scale[k] * sum_xl[k]);
    for step in (-9i8..=9).filter(|&step| step != 0) {
        let trial: [f32; N] = std::array::from_fn(|k| -(most + 0.1 * f32::from(step)) / peak[k]);
        let (sum_xl, sum_l2) = moments(x, &trial, most);
        for k in 0..N {
            if sum_l2[k] > 0.0 && sum_xl[k] * sum_xl[k] > best[k] * sum_l2[k] {
                scale[k] = sum_xl[k] / sum_l2[k];
                (best[k], factor[k]) = (scale[k] * sum_xl[k], trial[k]);
            }
        }
    }
    for k in 0..N {
        if size[k] < NOTHING {
            (scale[k], factor[k]) = (0.0, 0.0);
        }
    }
    Symmetric { scale, factor }
}

/// Weighted sums of number times code, and of code squared.
fn moments<const N: usize, const L: usize>(x: &Groups<N, L>, factor: &[f32; N], most: f32) -> ([f32; N], [f32; N]) {
    let (mut sum_xl, mut sum_l2) = ([0.0; N], [0.0; N]);
    for x in x {
        for k in 0..N {
            let l = round(between(factor[k] * x[k], -most, most - 1.0));
            let w = x[k] * x[k];
            sum_xl[k] += w * x[k] * l;
            sum_l2[k] += w * l * l;
        }
    }
    (sum_xl, sum_l2)
}
