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

// One number's step. rest1 = 1 - beta1 and rest2 = 1 - beta2, formed before they were rounded. `rate1` = learning rate /
// (1 - beta1^t), `root2` = 1 / sqrt(1 - beta2^t), `kept` = 1 - learning rate x weight decay.
struct Rates {
    float beta1, beta2, rest1, rest2, epsilon, rate1, root2, kept;

    __device__ __forceinline__ void move(float& value, float& mean, float& square, float gradient) const {
        mean = mean * beta1 + gradient * rest1;
        square = square * beta2 + gradient * gradient * rest2;
        value = value * kept - rate1 * mean / (sqrtf(square) * root2 + epsilon);
    }
};

// The nearest bfloat16 above or below, up with the probability that makes the mean the number itself: the chances of
// optimizer/rounding.rs, which follow from the key and the place.
__device__ __forceinline__ float rounded(float value, i64 key, i64 place) {
    unsigned long long x = (unsigned long long)key + 0x9e3779b97f4a7c15ull * ((unsigned long long)place + 1);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    x ^= x >> 31;
    const u32 bits = __float_as_uint(value), up = (bits + (u32)(x & 0xffff)) & 0xffff0000u;
    return __uint_as_float(isfinite(value) && isfinite(__uint_as_float(up)) ? up : bits & 0xffff0000u);
}

// What a weight is between steps.
struct Whole {
    typedef float Number; // which may have a copy in bfloat16
    static __device__ __forceinline__ float put(float value, i64, i64) { return value; }
};
struct Rounded {
    typedef float Number;
    static __device__ __forceinline__ float put(float value, i64 key, i64 place) { return rounded(value, key, place); }
};
struct Narrow {
    typedef bf16 Number;
    static __device__ __forceinline__ bf16 put(float value, i64 key, i64 place) { return __float2bfloat16_rn(rounded(value, key, place)); }
};

template <class T> struct __align__(4 * sizeof(T)) Four {
    T v[4];
};

// One parameter's step; `norm[1]` scales the gradient, `copy` is a null pointer or takes the values in bfloat16. One thread has
// four numbers next to each other.
template <class Kind>
__device__ __forceinline__ void step(typename Kind::Number* value, float* mean, float* square, const float* gradient, const float* norm,
                                     bf16* copy, i64 count, i64 key, const Rates& rates) {
    typedef Four<typename Kind::Number> Values;
    const i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 4;
    const float factor = norm[1];
    if (at + 4 <= count) {
        Values w = *reinterpret_cast<Values*>(value + at);
        Four<float> m = *reinterpret_cast<Four<float>*>(mean + at), s = *reinterpret_cast<Four<float>*>(square + at);
        const Four<float> g = *reinterpret_cast<const Four<float>*>(gradient + at);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float v = (float)w.v[i];
            rates.move(v, m.v[i], s.v[i], g.v[i] * factor);
            w.v[i] = Kind::put(v, key, at + i);
        }
        *reinterpret_cast<Values*>(value + at) = w;
        if (copy) {
            Four<bf16> narrow;
#pragma unroll
            for (int i = 0; i < 4; i++) narrow.v[i] = __float2bfloat16_rn((float)w.v[i]);
            *reinterpret_cast<Four<bf16>*>(copy + at) = narrow;
        }
        *reinterpret_cast<Four<float>*>(mean + at) = m;
        *reinterpret_cast<Four<float>*>(square + at) = s;
    } else {
        for (i64 i = at; i < count; i++) {
            float v = (float)value[i];
            rates.move(v, mean[i], square[i], gradient[i] * factor);
            value[i] = Kind::put(v, key, i);
            if (copy) copy[i] = __float2bfloat16_rn(v);
        }
    }
}

// One moment in 8 bits: 256 codes share a scale; a code stands for a value of the map, ascending.
struct Coded {
    unsigned char* codes;
    float* scales;
    const float* map; // in shared memory

    __device__ __forceinline__ float read(i64 block, i64 at) const { return map[codes[at]] * scales[block]; }

    // All threads of a block, one number each; those past the end have 0. A mean that is nearest to a value across zero takes
    // the next one on its own side.
    __device__ __forceinline__ void write(i64 block, i64 at, bool inside, float value, bool is_signed, float* scratch) const {
        const float scale = max_block(fabsf(value), scratch);
        const float part = scale > 0.0f ? value / scale : 0.0f;
        int code = 0; // borders below the number: a border lies between two values
#pragma unroll
        for (int step = 128; step > 0; step >>= 1) {
            const int next = code + step;
            if ((map[next - 1] + map[next]) / 2.0f < part) code = next;
        }
        if (is_signed && signbit(map[code]) != signbit(value)) code = value > 0.0f ? min(code + 1, 255) : max(code - 1, 0);
        if (inside) codes[at] = (unsigned char)code;
        if (threadIdx.x == 0) scales[block] = scale;
    }
};

// The same with moments in 8 bits (Dettmers et al. 2022); 256 threads. `maps` has the values of means, then of mean squares.
template <class Kind>
__device__ __forceinline__ void coded_step(typename Kind::Number* value, unsigned char* means, float* mean_scales, unsigned char* squares,
                                           float* square_scales, const float* gradient, const float* norm, const float* maps, bf16* copy,
                                           i64 count, i64 key, const Rates& rates) {
    __shared__ float scratch[33], shared_maps[512];
    for (int i = threadIdx.x; i < 512; i += blockDim.x) shared_maps[i] = maps[i];
    __syncthreads();
    const Coded mean = {means, mean_scales, shared_maps}, square = {squares, square_scales, shared_maps + 256};
    const float factor = norm[1];
    const i64 blocks = (count + 255) / 256;
    for (i64 block = blockIdx.x; block < blocks; block += gridDim.x) {
        const i64 at = block * 256 + threadIdx.x;
        const bool inside = at < count;
        float m = 0.0f, s = 0.0f;
        if (inside) {
            m = mean.read(block, at);
            s = square.read(block, at);
            float v = (float)value[at];
            rates.move(v, m, s, gradient[at] * factor);
            value[at] = Kind::put(v, key, at);
            if (copy) copy[at] = __float2bfloat16_rn(v);
        }
        // Threads meet in here after they read the scales and before those are written.
        mean.write(block, at, inside, m, true, scratch);
        square.write(block, at, inside, s, false, scratch);
    }
}

#define RATES                                                                                                                              \
    float beta1, float beta2, float rest1, float rest2, float epsilon, float rate1, float root2, float kept
#define OWN_RATES                                                                                                                          \
    const Rates rates = {beta1, beta2, rest1, rest2, epsilon, rate1, root2, kept}

#define ADAMW(name, Kind)                                                                                                                  \
    extern "C" __global__ void name(Kind::Number* value, float* mean, float* square, const float* gradient, const float* norm, bf16* copy, \
                                    i64 count, i64 key, RATES) {                                                                           \
        OWN_RATES;                                                                                                                         \
        step<Kind>(value, mean, square, gradient, norm, copy, count, key, rates);                                                          \
    }                                                                                                                                      \
    extern "C" __global__ void name##_coded(Kind::Number* value, unsigned char* means, float* mean_scales, unsigned char* squares,         \
                                            float* square_scales, const float* gradient, const float* norm, const float* maps, bf16* copy, \
                                            i64 count, i64 key, RATES) {                                                                   \
        OWN_RATES;                                                                                                                         \
        coded_step<Kind>(value, means, mean_scales, squares, square_scales, gradient, norm, maps, copy, count, key, rates);                \
    }

ADAMW(adamw, Whole)
ADAMW(adamw_rounded, Rounded)
ADAMW(adamw_bf16, Narrow)
