// Products of few rows, which take as long as their matrix takes to be read: y = x wᵀ, where `x` is `[ROWS, in]` and `w` `[out,
// in]`, with what stands before and after them. A warp has one row of `w` at a time and reads it once.
//
// With `norm`, the RMS norm of `x` is taken first, by every block for itself. With `residual`, that is added. GATED computes
// silu(x gᵀ) * (x uᵀ), `w` having the rows of g and then those of u.

#define LOADS 4  // of each matrix in flight in each lane

template <int ROWS>
__device__ __forceinline__ void add_products(const bf16x8& w, const bf16x8* x, int stride, float* sums) {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const bf16x8 a = x[r * stride];
#pragma unroll
        for (int i = 0; i < 8; i++) sums[r] += __bfloat162float(w.v[i]) * __bfloat162float(a.v[i]);
    }
}

template <int ROWS, bool GATED>
__device__ __forceinline__ void few(const bf16* w, const bf16* x, const float* norm, const bf16* residual, bf16* y, int in, int out, float epsilon) {
    extern __shared__ uint4 memory[];
    __shared__ float scratch[33];
    bf16x8* inputs = reinterpret_cast<bf16x8*>(memory);
    const int chunks = in / 8, lane = threadIdx.x & 31, warps = blockDim.x >> 5, own = blockIdx.x * warps + (threadIdx.x >> 5);
    // The matrix does not depend on the kernel before: its first rows are on their way while that still runs.
    if (own < out)
        for (int c = lane * 8; c < chunks; c += 32 * 8) {
            asm volatile("prefetch.global.L2 [%0];" ::"l"(w + (i64)own * in + c * 8));
            if (GATED) asm volatile("prefetch.global.L2 [%0];" ::"l"(w + (i64)(out + own) * in + c * 8));
        }
    await_before();
    for (int r = 0; r < ROWS; r++) {
        const bf16x8* from = reinterpret_cast<const bf16x8*>(x + (i64)r * in);
        float squares = 0.0f;
        for (int c = threadIdx.x; c < chunks; c += blockDim.x) {
            const bf16x8 a = from[c];
            inputs[r * chunks + c] = a;
#pragma unroll
            for (int i = 0; i < 8; i++) squares += __bfloat162float(a.v[i]) * __bfloat162float(a.v[i]);
        }
        if (!norm) continue;
        const float scale = rsqrtf(sum_block(squares, scratch) / in + epsilon);
        for (int c = threadIdx.x; c < chunks; c += blockDim.x) {  // each thread its own chunks
            bf16x8 a = inputs[r * chunks + c];
#pragma unroll
            for (int i = 0; i < 8; i++) a.v[i] = __float2bfloat16(__bfloat162float(a.v[i]) * scale * norm[c * 8 + i]);
            inputs[r * chunks + c] = a;
        }
    }
    __syncthreads();
    for (int o = own; o < out; o += gridDim.x * warps) {
        const bf16x8* first = reinterpret_cast<const bf16x8*>(w + (i64)o * in);
        const bf16x8* second = reinterpret_cast<const bf16x8*>(w + (i64)(out + o) * in);
        float sums[ROWS] = {}, others[ROWS] = {};
        for (int begin = lane; begin < chunks; begin += 32 * LOADS) {
            bf16x8 a[LOADS], b[LOADS];
#pragma unroll
            for (int l = 0; l < LOADS; l++) {
                const int c = begin + 32 * l;
                if (c >= chunks) break;
                a[l] = first[c];
                if (GATED) b[l] = second[c];
            }
#pragma unroll
            for (int l = 0; l < LOADS; l++) {
                const int c = begin + 32 * l;
                if (c >= chunks) break;
                add_products<ROWS>(a[l], inputs + c, chunks, sums);
                if (GATED) add_products<ROWS>(b[l], inputs + c, chunks, others);
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float value = sum_warp(sums[r]);
            if (GATED) {
                const float gate = __bfloat162float(__float2bfloat16(value)), up = __bfloat162float(__float2bfloat16(sum_warp(others[r])));
                value = gate / (1.0f + __expf(-gate)) * up;
            }
            if (lane == 0) {
                const i64 at = (i64)r * out + o;
                y[at] = __float2bfloat16(residual ? value + __bfloat162float(residual[at]) : value);
            }
        }
    }
}

#define FEW(name, rows, gated)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(128) name(const bf16* w, const bf16* x, const float* norm, const bf16* residual, bf16* y, \
                                                           int in, int out, float epsilon) {                                        \
        few<rows, gated>(w, x, norm, residual, y, in, out, epsilon);                                                                \
    }
FEW(product_1, 1, false)
FEW(product_2, 2, false)
FEW(product_4, 4, false)
FEW(gated_1, 1, true)
FEW(gated_2, 2, true)
FEW(gated_4, 4, true)
