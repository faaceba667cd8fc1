// Cross entropy over rows of logits, which become their own gradient.

// losses[n] = mask[n] * (log sum exp - logit of the target); logits = mask[n] * (softmax * (1 + 2 z log sum
// exp) - one-hot), the gradient of the loss with z * (log sum exp)^2 added.
// One block a row of `vocab` numbers, `stride` apart; `stride` is a multiple of 8.
extern "C" __global__ void cross_entropy(bf16* logits, const int* targets, const float* mask, float* losses, int vocab, int stride,
                                         float z) {
    __shared__ float scratch[33];
    const i64 row = blockIdx.x;
    bf16* x = logits + row * stride;
    const int chunks = (vocab + 7) / 8;
    const float counts = mask[row];
    if (counts == 0.0f) {
        bf16x8 zero;
#pragma unroll
        for (int i = 0; i < 8; i++) zero.v[i] = __float2bfloat16(0.0f);
        for (int c = threadIdx.x; c < chunks; c += blockDim.x) reinterpret_cast<bf16x8*>(x)[c] = zero;
        if (threadIdx.x == 0) losses[row] = 0.0f;
        return;
    }
    const float none = -3e38f;
    float highest = none, total = 0.0f;
    for (int c = threadIdx.x; c < chunks; c += blockDim.x) {
        const bf16x8 a = reinterpret_cast<const bf16x8*>(x)[c];
        float b[8], peak = highest;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            b[i] = c * 8 + i < vocab ? __bfloat162float(a.v[i]) : none;
            peak = fmaxf(peak, b[i]);
        }
        total *= __expf(highest - peak);
        highest = peak;
#pragma unroll
        for (int i = 0; i < 8; i++) total += __expf(b[i] - highest);
    }
    const float peak = max_block(highest, scratch);
    total = sum_block(total * __expf(highest - peak), scratch);
    const int target = targets[row];
    const float divisor = peak + __logf(total);
    if (threadIdx.x == 0) losses[row] = counts * (divisor - __bfloat162float(x[target]));
    __syncthreads();  // the target's logit is read before it is overwritten
    const float share = counts / total * (1.0f + 2.0f * z * divisor);
    for (int c = threadIdx.x; c < chunks; c += blockDim.x) {
        bf16x8 a = reinterpret_cast<const bf16x8*>(x)[c];
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const int at = c * 8 + i;
            const float p = at < vocab ? __expf(__bfloat162float(a.v[i]) - peak) * share : 0.0f;
            a.v[i] = __float2bfloat16(at == target ? p - counts : p);
        }
        reinterpret_cast<bf16x8*>(x)[c] = a;
    }
}

// out[0] = sum of x. One block.
extern "C" __global__ void sum_all(const float* x, float* out, int count) {
    __shared__ float scratch[33];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += x[i];
    sum = sum_block(sum, scratch);
    if (threadIdx.x == 0) out[0] = sum;
}

// x *= factor[0]; for bf16 and f32.
extern "C" __global__ void scale_bf16(bf16* x, const float* factor, i64 chunks) {
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    const float f = factor[0];
    bf16x8 a = reinterpret_cast<bf16x8*>(x)[c];
#pragma unroll
    for (int i = 0; i < 8; i++) a.v[i] = __float2bfloat16(__bfloat162float(a.v[i]) * f);
    reinterpret_cast<bf16x8*>(x)[c] = a;
}

extern "C" __global__ void scale_f32(float* x, const float* factor, i64 count) {
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) x[i] *= factor[0];
}
