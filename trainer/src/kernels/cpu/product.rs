//! Products of small matrices in buffers of one head: too small to be laid out first, as [`super::matmul`] does.

use macerator::{Scalar, Simd, Vector};

use super::loops::{load, numbers};

/// Rows and columns of the buffers are multiples of this.
pub(super) const PAD: usize = 16;
/// Rows of a product that are formed together.
const ROWS: usize = 4;

/// A matrix that is read number by number: where its rows begin, and how far the numbers of a row are apart.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) values: &'a [f32],
    pub(super) row: usize,
    pub(super) step: usize,
}

/// A matrix whose rows are `row` numbers apart, the numbers of a row beside each other.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) values: &'a [f32],
    pub(super) row: usize,
}

/// `C += A B`, the sums of C in the order of A's columns. C has `rows` rows of `columns` numbers, both multiples of [`PAD`],
/// `row` apart; A has `inner` columns.
#[inline(always)]
pub(super) fn add_product<S: Simd>(a: Left, b: Right, c: &mut [f32], row: usize, [rows, inner, columns]: [usize; 3]) {
    let lanes = f32::lanes::<S>();
    for r in (0..rows).step_by(ROWS) {
        let a = Left { values: &a.values[r * a.row..], ..a };
        let c = &mut c[r * row..];
        let mut at = 0;
        while at + 2 * lanes <= columns {
            tile::<S, 2>(a, b, c, row, inner, at);
            at += 2 * lanes;
        }
        while at < columns {
            tile::<S, 1>(a, b, c, row, inner, at);
            at += lanes;
        }
    }
}

/// [`ROWS`] rows of P vectors of the machine, from the column `at` on.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "by index the sums are registers")]
fn tile<S: Simd, const P: usize>(a: Left, b: Right, c: &mut [f32], row: usize, inner: usize, at: usize) {
    let lanes = f32::lanes::<S>();
    let mut sums = [[0f32.splat::<S>(); P]; ROWS];
    for i in 0..inner {
        let b = &b.values[i * b.row + at..][..P * lanes];
        let b: [Vector<S, f32>; P] = std::array::from_fn(|p| load(&b[p * lanes..][..lanes]));
        for r in 0..ROWS {
            let a = a.values[r * a.row + i * a.step].splat::<S>();
            for p in 0..P {
                sums[r][p] = a.mul_add(b[p], sums[r][p]);
            }
        }
    }
    // Each vector by itself: sums that are one piece of memory here would be so in the loop above.
    for r in 0..ROWS {
        for p in 0..P {
            let c = &mut c[r * row + at + p * lanes..][..lanes];
            c.copy_from_slice(numbers(&(sums[r][p] + load(c))));
        }
    }
}
