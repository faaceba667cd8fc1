//! Matrix products whose bits depend on their matrices alone: each number of the result is one sum in one order, whatever
//! the number of threads.
//!
//! The right matrix is laid out in panels of two vectors' width, of the left one as many rows as registers hold go with a panel at
//! a time (Goto and van de Geijn 2008). The backend's product does that too; this one writes where it is told, adds to what
//! is there, and does not clear and copy its result first.

use macerator::{AutoArch, Scalar, Simd, WithSimd};
use rayon::prelude::*;

use super::loops::{load, numbers};

/// Rows that one thread takes at a time.
const PIECE: usize = 64;
/// Columns of the left matrix that are gone over at a time: so many rows of a panel stay in the nearest cache.
const DEPTH: usize = 256;
/// Numbers of the right matrix that are laid out at a time.
const LAID_OUT: usize = 1 << 20;

/// A matrix: its numbers, and how far apart rows and columns are. One of the two is 1.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Row after row.
    pub(super) fn new(values: &'a [f32], shape: [usize; 2]) -> Self {
        assert_eq!(values.len(), shape[0] * shape[1]);
        Self { values, shape, strides: [shape[1], 1] }
    }

    /// Rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        let ([rows, columns], [row, column]) = (self.shape, self.strides);
        Self { shape: [columns, rows], strides: [column, row], ..self }
    }
}

/// `C = A B`, or `C += A B` where it `adds`; C lies row after row.
pub(super) fn multiply(a: Matrix, b: Matrix, c: &mut [f32], adds: bool) {
    let ([rows, inner], [_, columns]) = (a.shape, b.shape);
    assert_eq!((inner, rows * columns), (b.shape[0], c.len()));
    if inner == 0 && !adds {
        c.fill(0.0);
    }
    if rows * inner * columns == 0 {
        return;
    }
    let panel = AutoArch::new().dispatch(Width);
    let wide = (LAID_OUT / inner / panel * panel).max(panel);
    let mut laid_out = Vec::new();
    for first in (0..columns).step_by(wide) {
        let count = wide.min(columns - first);
        laid_out.resize(count.div_ceil(panel) * panel * inner, 0.0);
        let panels = laid_out.par_chunks_exact_mut(panel * inner).enumerate();
        panels.for_each(|(at, to)| b.lay_out(first + at * panel, first + count, panel, to));
        let one = |(at, c): (usize, &mut [f32])| {
            AutoArch::new().dispatch(Product { a, row: at * PIECE, panels: &laid_out, c, columns: [first, count, columns], adds });
        };
        c.par_chunks_mut(PIECE * columns).enumerate().for_each(one);
    }
}

impl Matrix<'_> {
    /// The columns from `first` on, at most `width` before `end`: row after row, 0 beyond.
    fn lay_out(&self, first: usize, end: usize, width: usize, to: &mut [f32]) {
        let count = width.min(end - first);
        let [row, column] = self.strides;
        if count < width {
            to.fill(0.0);
        }
        if column == 1 {
            for (k, to) in to.chunks_exact_mut(width).enumerate() {
                to[..count].copy_from_slice(&self.values[k * row + first..][..count]);
            }
        } else {
            for j in 0..count {
                let from = &self.values[(first + j) * column..][..self.shape[0]];
                for (to, from) in to.chunks_exact_mut(width).zip(from) {
                    to[j] = *from;
                }
            }
        }
    }
}

/// Columns of a panel.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    fn with_simd<S: Simd>(self) -> usize {
        2 * f32::lanes::<S>()
    }
}

/// Some rows of a product.
struct Product<'a> {
    a: Matrix<'a>,
    /// The first of the rows.
    row: usize,
    panels: &'a [f32],
    c: &'a mut [f32],
    /// The first column that is formed, how many, and how many there are.
    columns: [usize; 3],
    adds: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        // With 32 registers twice as many rows as with 16.
        match f32::lanes::<S>() {
            16 => self.form::<S, 8>(),
            _ => self.form::<S, 4>(),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn form<S: Simd, const R: usize>(self) {
        let Self { a, row, panels, c, columns: [first, count, columns], adds } = self;
        let (inner, width) = (a.shape[1], 2 * f32::lanes::<S>());
        let rows = c.len() / columns;
        let mut packed = vec![0.0; if a.strides[1] == 1 { 0 } else { rows.div_ceil(R) * R * DEPTH.min(inner) }];
        for from in (0..inner).step_by(DEPTH) {
            let depth = DEPTH.min(inner - from);
            if a.strides[1] != 1 {
                for (k, source) in (from..from + depth).enumerate() {
                    let source = &a.values[source * a.strides[1] + row..][..rows];
                    for (at, source) in source.chunks(R).enumerate() {
                        packed[(at * depth + k) * R..][..source.len()].copy_from_slice(source);
                    }
                }
            }
            for (at, panel) in panels.chunks_exact(width * inner).enumerate() {
                let panel = &panel[from * width..][..depth * width];
                let (column, valid) = (first + at * width, width.min(count - at * width));
                for r in (0..rows).step_by(R) {
                    let here = R.min(rows - r);
                    let c = &mut c[r * columns..];
                    let keep = adds || from > 0;
                    if a.strides[1] == 1 {
                        let row = |i: usize| &a.values[(row + r + i.min(here - 1)) * a.strides[0] + from..][..depth];
                        let left: [&[f32]; R] = std::array::from_fn(row);
                        tile::<S, R>(|k| std::array::from_fn(|r| left[r][k]), panel, depth, c, [columns, column, here, valid], keep);
                    } else {
                        let left = packed[r * depth..][..depth * R].as_chunks::<R>().0;
                        tile::<S, R>(|k| left[k], panel, depth, c, [columns, column, here, valid], keep);
                    }
                }
            }
        }
    }
}

/// R rows of one panel.
#[inline(always)]
fn tile<S: Simd, const R: usize>(
    left: impl Fn(usize) -> [f32; R],
    panel: &[f32],
    depth: usize,
    c: &mut [f32],
    [stride, column, rows, valid]: [usize; 4],
    keep: bool,
) {
    let lanes = f32::lanes::<S>();
    if valid == 2 * lanes && rows == R {
        full::<S, R>(left, panel, depth, &mut c[column..], stride, keep);
        return;
    }
    let mut whole = vec![0.0; R * 2 * lanes];
    full::<S, R>(left, panel, depth, &mut whole, 2 * lanes, false);
    for (r, whole) in whole.chunks_exact(2 * lanes).enumerate().take(rows) {
        let c = &mut c[r * stride + column..][..valid];
        c.iter_mut().zip(whole).for_each(|(c, own)| *c = if keep { *c + own } else { *own });
    }
}

/// The same where all of them are there.
#[inline(always)]
fn full<S: Simd, const R: usize>(left: impl Fn(usize) -> [f32; R], panel: &[f32], depth: usize, c: &mut [f32], stride: usize, keep: bool) {
    let lanes = f32::lanes::<S>();
    let mut sums = [[0f32.splat::<S>(); 2]; R];
    for (k, b) in panel.chunks_exact(2 * lanes).enumerate().take(depth) {
        let b = [load::<S>(&b[..lanes]), load::<S>(&b[lanes..])];
        let a = left(k);
        for r in 0..R {
            let a = a[r].splat::<S>();
            sums[r][0] = a.mul_add(b[0], sums[r][0]);
            sums[r][1] = a.mul_add(b[1], sums[r][1]);
        }
    }
    // Each vector by itself: sums that are one piece of memory here would be so in the loop above.
    for r in 0..R {
        for p in 0..2 {
            let c = &mut c[r * stride + p * lanes..][..lanes];
            let own = if keep { sums[r][p] + load::<S>(c) } else { sums[r][p] };
            c.copy_from_slice(numbers(&own));
        }
    }
}
