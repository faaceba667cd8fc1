// AdamW (Loshchilov and Hutter 2019) in one pass, and the norm of a gradient.

// parts[block] = sum of squares of the block's share of x.
extern "C" __global__ void sum_squares(const float* x, float* parts, i64 count) {
    __shared__ float scratch[33];
    float sum = 0.0f;
    const i64 first = (i64)blockIdx.x * blockDim.x + threadIdx.x, step = (i64)gridDim.x * blockDim.x;
    const float4* quads = reinterpret_cast<const float4*>(x);
    for (i64 i = first; i < count / 4; i += step) {
        const float4 a = quads[i];
        sum += a.x * a.x + a.y * a.y + a.z * a.z + a.w * a.w;
    }
    for (i64 i = count / 4 * 4 + first; i < count; i += step) sum += x[i] * x[i];
    sum = sum_block(sum, scratch);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// norm[0] = root of the sum of parts; norm[1] = what gradients are multiplied by so that the norm is
// at most `longest`, which 0 leaves as it is. One block.
extern "C" __global__ void norm_of_parts(const float* parts, float* norm, int count, float longest) {
    __shared__ float scratch[33];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
    sum = sqrtf(sum_block(sum, scratch));
    if (threadIdx.x == 0) {
        norm[0] = sum;
        norm[1] = longest > 0.0f ? longest / fmaxf(sum, longest) : 1.0f;
    }
}

// One parameter's step. rest1 = 1 - beta1 and rest2 = 1 - beta2, formed before they were rounded. `norm[1]` scales the gradient. `rate1` = learning rate / (1 - beta1^t),
// `root2` = 1 / sqrt(1 - beta2^t), `kept` = 1 - learning rate x weight decay.
__device__ __forceinline__ void move(float& value, float& mean, float& square, float gradient, float beta1, float beta2,
                                     float rest1, float rest2, float epsilon, float rate1, float root2, float kept) {
    mean = mean * beta1 + gradient * rest1;
    square = square * beta2 + gradient * gradient * rest2;
    value = value * kept - rate1 * mean / (sqrtf(square) * root2 + epsilon);
}

// One thread has four numbers next to each other.
extern "C" __global__ void adamw(float* value, float* mean, float* square, const float* gradient, const float* norm, i64 count,
                                 float beta1, float beta2, float rest1, float rest2, float epsilon, float rate1, float root2, float kept) {
    const i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 4;
    const float factor = norm[1];
    if (at + 4 <= count) {
        float4 v = *reinterpret_cast<float4*>(value + at), m = *reinterpret_cast<float4*>(mean + at);
        float4 s = *reinterpret_cast<float4*>(square + at), g = *reinterpret_cast<const float4*>(gradient + at);
        move(v.x, m.x, s.x, g.x * factor, beta1, beta2, rest1, rest2, epsilon, rate1, root2, kept);
        move(v.y, m.y, s.y, g.y * factor, beta1, beta2, rest1, rest2, epsilon, rate1, root2, kept);
        move(v.z, m.z, s.z, g.z * factor, beta1, beta2, rest1, rest2, epsilon, rate1, root2, kept);
        move(v.w, m.w, s.w, g.w * factor, beta1, beta2, rest1, rest2, epsilon, rate1, root2, kept);
        *reinterpret_cast<float4*>(value + at) = v;
        *reinterpret_cast<float4*>(mean + at) = m;
        *reinterpret_cast<float4*>(square + at) = s;
    } else {
        for (i64 i = at; i < count; i++)
            move(value[i], mean[i], square[i], gradient[i] * factor, beta1, beta2, rest1, rest2, epsilon, rate1, root2, kept);
    }
}
