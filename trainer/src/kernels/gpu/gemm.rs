//! Matrix products of bfloat16 through cuBLASLt, added up in 32 bits.

// Calls to a library that is loaded at run time. Each block says why it is sound.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;

use cudarc::cublaslt::{result, sys};

use super::engine::{Engine, Work};

/// Memory that cuBLASLt may use beside its operands, once per card.
const WORKSPACE: usize = 64 << 20;

/// What the addresses of all operands are multiples of: rows of eight bfloat16 numbers.
const ALIGNMENT: u32 = 16;

/// A product in row-major order: `out[m, n] = left[m, k] × right[k, n]`, or added to `out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Product {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// `left` lies as `[k, m]`.
    pub(super) left_turned: bool,
    /// `right` lies as `[n, k]`.
    pub(super) right_turned: bool,
    /// Numbers from row to row of the output, at least n; the operands' rows have no gaps unless
    /// `left_stride` says so.
    pub(super) out_stride: usize,
    /// Numbers from row to row of `left` as it lies.
    pub(super) left_stride: usize,
    /// Whether the output is 32-bit floats.
    pub(super) wide: bool,
    /// Whether another matrix of the output's form is added.
    pub(super) add: bool,
}

impl Product {
    /// `x[n, i] × w[o, i]ᵀ`.
    pub(super) fn forward(n: usize, i: usize, o: usize) -> Self {
        Self { m: n, n: o, k: i, left_turned: false, right_turned: true, out_stride: o, left_stride: i, wide: false, add: false }
    }

    /// `dy[n, o] × w[o, i]`: the gradient of the input.
    pub(super) fn of_input(n: usize, i: usize, o: usize) -> Self {
        Self { m: n, n: i, k: o, left_turned: false, right_turned: false, out_stride: i, left_stride: o, wide: false, add: false }
    }

    /// `dy[n, o]ᵀ × x[n, i]`: the gradient of the weights, in 32 bits.
    pub(super) fn of_weight(n: usize, i: usize, o: usize) -> Self {
        Self { m: o, n: i, k: n, left_turned: true, right_turned: false, out_stride: i, left_stride: o, wide: true, add: false }
    }

    /// The same, added to another matrix.
    pub(super) fn added(self, add: bool) -> Self {
        Self { add, ..self }
    }
}

/// How one product is computed.
#[derive(Clone, Copy)]
struct Plan {
    descriptor: sys::cublasLtMatmulDesc_t,
    first: sys::cublasLtMatrixLayout_t,
    second: sys::cublasLtMatrixLayout_t,
    out: sys::cublasLtMatrixLayout_t,
    algorithm: sys::cublasLtMatmulAlgo_t,
}

/// The library's handle, its workspace and the plans made so far.
pub(super) struct Blas {
    handle: sys::cublasLtHandle_t,
    workspace: u64,
    plans: BTreeMap<Product, Plan>,
}

fn tried<E: std::fmt::Debug>(error: E) -> String {
    format!("cuBLASLt: {error:?}")
}

impl Blas {
    /// Opens the library; the card's context is current.
    pub(super) fn open() -> Result<Self, String> {
        // SAFETY: a plain allocation of the driver, kept for the life of the program.
        let workspace = unsafe { cudarc::driver::result::malloc_sync(WORKSPACE) }.map_err(tried)?;
        Ok(Self { handle: result::create_handle().map_err(tried)?, workspace, plans: BTreeMap::new() })
    }

    fn plan(&mut self, product: Product) -> Result<&Plan, String> {
        if !self.plans.contains_key(&product) {
            let plan = Plan::new(self.handle, product)?;
            self.plans.insert(product, plan);
        }
        self.plans.get(&product).ok_or_else(|| "no plan".to_owned())
    }
}

impl Plan {
    /// cuBLASLt counts in columns: a row-major matrix is its transpose there, so `out = left × right`
    /// is asked for as `outᵀ = rightᵀ × leftᵀ`.
    fn new(handle: sys::cublasLtHandle_t, product: Product) -> Result<Self, String> {
        use sys::cublasLtMatmulDescAttributes_t::{CUBLASLT_MATMUL_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSB};
        use sys::cublasLtMatmulPreferenceAttributes_t as Preference;
        use sys::cudaDataType_t::{CUDA_R_16BF, CUDA_R_32F};
        let Product { m, n, k, left_turned, right_turned, out_stride, left_stride, wide, .. } = product;
        let out_type = if wide { CUDA_R_32F } else { CUDA_R_16BF };
        let descriptor = result::create_matmul_desc(sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, CUDA_R_32F).map_err(tried)?;
        let layout = |kind, rows: usize, columns: usize, stride: usize| {
            result::create_matrix_layout(kind, rows as u64, columns as u64, stride as i64).map_err(tried)
        };
        let (rows, columns) = if right_turned { (k, n) } else { (n, k) };
        let first = layout(CUDA_R_16BF, rows, columns, rows)?;
        let (rows, columns) = if left_turned { (m, k) } else { (k, m) };
        let second = layout(CUDA_R_16BF, rows, columns, left_stride)?;
        let out = layout(out_type, n, m, out_stride)?;
        let preference = result::create_matmul_pref().map_err(tried)?;
        // SAFETY: all handles were just made; attributes are read from live locals of the right size.
        let found = unsafe {
            for (attribute, turned) in [(CUBLASLT_MATMUL_DESC_TRANSA, right_turned), (CUBLASLT_MATMUL_DESC_TRANSB, left_turned)] {
                let operation = i32::from(turned); // CUBLAS_OP_N is 0, CUBLAS_OP_T 1
                result::set_matmul_desc_attribute(descriptor, attribute, ptr::from_ref(&operation).cast(), size_of_val(&operation))
                    .map_err(tried)?;
            }
            let workspace = Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
            result::set_matmul_pref_attribute(preference, workspace, ptr::from_ref(&WORKSPACE).cast(), size_of_val(&WORKSPACE))
                .map_err(tried)?;
            for alignment in [
                Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
            ] {
                result::set_matmul_pref_attribute(preference, alignment, ptr::from_ref(&ALIGNMENT).cast(), size_of_val(&ALIGNMENT))
                    .map_err(tried)?;
            }
            let found = result::get_matmul_algo_heuristic(handle, descriptor, first, second, out, out, preference);
            result::destroy_matmul_pref(preference).map_err(tried)?;
            found.map_err(|error| format!("cuBLASLt has no way to compute {product:?}: {error:?}"))?
        };
        Ok(Self { descriptor, first, second, out, algorithm: found.algo })
    }
}

impl Engine {
    /// Computes a product of what lies at the addresses; the callers' buffers have the product's sizes.
    /// With `add`, what was in `out` is added to.
    pub(super) fn multiply(&mut self, product: Product, left: u64, right: u64, out: u64) -> Work {
        self.multiply_and_add(product, 1.0, left, right, out, out)
    }

    /// The same times a factor, adding what lies at `addend` instead.
    pub(super) fn multiply_and_add(&mut self, product: Product, factor: f32, left: u64, right: u64, addend: u64, out: u64) -> Work {
        if product.m == 0 || product.n == 0 || product.k == 0 {
            return Err(format!("empty product {product:?}"));
        }
        let stream = self.stream;
        let blas = self.blas()?;
        let (handle, workspace) = (blas.handle, blas.workspace);
        let plan = blas.plan(product)?;
        let (alpha, beta) = (factor, if product.add { 1.0f32 } else { 0.0 });
        let at = |address: u64| address as *const c_void;
        let Plan { descriptor, first, second, out: layout, algorithm } = *plan;
        let name = || format!("product {}x{}x{}{}", product.m, product.n, product.k, if product.wide { " to f32" } else { "" });
        // SAFETY: the plan's handles live for the life of the program; scalars are host memory that is
        // read during the call; operands and output have the plan's sizes, which is the callers' part.
        let run = move |_: &mut Engine| unsafe {
            result::matmul(
                handle,
                descriptor,
                ptr::from_ref(&alpha).cast(),
                ptr::from_ref(&beta).cast(),
                at(right),
                first,
                at(left),
                second,
                at(addend),
                layout,
                out as *mut c_void,
                layout,
                &algorithm,
                workspace as *mut c_void,
                WORKSPACE,
                stream.cast(),
            )
            .map_err(|error| format!("cuBLASLt, {product:?}: {error:?}"))
        };
        self.marked(name, run)
    }
}
