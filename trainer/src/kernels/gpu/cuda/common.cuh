// What all kernels share. Compiled at run time (NVRTC), so nothing of the C++ library is used.
#include <cuda_bf16.h>

typedef __nv_bfloat16 bf16;
typedef unsigned int u32;
typedef long long i64;

// Eight bf16 in one 16-byte access.
struct __align__(16) bf16x8 {
    bf16 v[8];
};

__device__ __forceinline__ float sum_warp(float x) {
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}

__device__ __forceinline__ float max_warp(float x) {
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
    return x;
}

// Sum over the block, given to every thread, in an order that depends on the block's size alone.
// `scratch` holds 33 floats.
__device__ __forceinline__ float sum_block(float x, float* scratch) {
    const int warps = blockDim.x >> 5;
    x = sum_warp(x);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = x;
    __syncthreads();
    if (threadIdx.x < 32) {
        float y = threadIdx.x < warps ? scratch[threadIdx.x] : 0.0f;
        y = sum_warp(y);
        if (threadIdx.x == 0) scratch[32] = y;
    }
    __syncthreads();
    return scratch[32];
}

__device__ __forceinline__ float max_block(float x, float* scratch) {
    const int warps = blockDim.x >> 5;
    x = max_warp(x);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = x;
    __syncthreads();
    if (threadIdx.x < 32) {
        float y = threadIdx.x < warps ? scratch[threadIdx.x] : __int_as_float(0xff800000);
        y = max_warp(y);
        if (threadIdx.x == 0) scratch[32] = y;
    }
    __syncthreads();
    return scratch[32];
}

// Waits for the kernel before, where this one was started early (`launch_early` in engine.rs), after letting the next one come.
// Nothing that an earlier kernel writes is read before.
__device__ __forceinline__ void await_before() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// y = x / sqrt(mean(x^2) + epsilon) * weight of one row, by all threads of the block; gives what x was multiplied by. The width
// is a multiple of 8; `scratch` holds 33 floats.
__device__ __forceinline__ float norm_row(const bf16* x, const float* weight, bf16* y, int width, float epsilon, float* scratch) {
    const bf16x8* in = reinterpret_cast<const bf16x8*>(x);
    float squares = 0.0f;
    for (int c = threadIdx.x; c < width / 8; c += blockDim.x) {
        const bf16x8 a = in[c];
#pragma unroll
        for (int i = 0; i < 8; i++) squares += __bfloat162float(a.v[i]) * __bfloat162float(a.v[i]);
    }
    const float scale = rsqrtf(sum_block(squares, scratch) / width + epsilon);
    bf16x8* out = reinterpret_cast<bf16x8*>(y);
    for (int c = threadIdx.x; c < width / 8; c += blockDim.x) {
        const bf16x8 a = in[c];
        bf16x8 b;
#pragma unroll
        for (int i = 0; i < 8; i++) b.v[i] = __float2bfloat16(__bfloat162float(a.v[i]) * scale * weight[c * 8 + i]);
        out[c] = b;
    }
    return scale;
}
