// The memory-bound parts of a decoder layer. All of them read and write sixteen bytes at a time and
// compute in 32-bit floats. Widths are multiples of 8.

// y = x / sqrt(mean(x^2) + epsilon) * weight. One block a row.
extern "C" __global__ void rms_norm(const bf16* x, const float* weight, bf16* y, float* scales, int width, float epsilon) {
    __shared__ float scratch[33];
    const i64 row = blockIdx.x;
    const float scale = norm_row(x + row * width, weight, y + row * width, width, epsilon, scratch);
    if (threadIdx.x == 0) scales[row] = scale;
}

// With n = x * scale: dx = rest + scale * (w dy - n mean(w dy n)); `rest` may be null. Each block goes
// over rows blockIdx.x, + gridDim.x, ... and writes the sum of dy n over them to its own row of `parts`
// [gridDim.x, width]. A thread has the same chunks of 8 columns in all rows, at most SPAN of them.
#define SPAN 4
extern "C" __global__ void __launch_bounds__(1024) rms_norm_backward(const bf16* x, const float* weight, const float* scales, const bf16* dy, const bf16* rest,
                                             bf16* dx, float* parts, int rows, int width) {
    __shared__ float scratch[33];
    float acc[SPAN][8] = {};
    const int chunks = width / 8;
    for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
        const bf16x8* in = reinterpret_cast<const bf16x8*>(x + row * width);
        const bf16x8* up = reinterpret_cast<const bf16x8*>(dy + row * width);
        const float scale = scales[row];
        float sum = 0.0f;
#pragma unroll
        for (int s = 0; s < SPAN; s++) {
            const int c = threadIdx.x + s * blockDim.x;
            if (c >= chunks) break;
            const bf16x8 a = in[c], d = up[c];
#pragma unroll
            for (int i = 0; i < 8; i++) {
                const float both = __bfloat162float(a.v[i]) * scale * __bfloat162float(d.v[i]);
                sum += both * weight[c * 8 + i];
                acc[s][i] += both;
            }
        }
        const float mean = sum_block(sum, scratch) / width;
#pragma unroll
        for (int s = 0; s < SPAN; s++) {
            const int c = threadIdx.x + s * blockDim.x;
            if (c >= chunks) break;
            const bf16x8 a = in[c], d = up[c];
            bf16x8 b;
            if (rest) b = reinterpret_cast<const bf16x8*>(rest + row * width)[c];
#pragma unroll
            for (int i = 0; i < 8; i++) {
                const float n = __bfloat162float(a.v[i]) * scale, g = __bfloat162float(d.v[i]) * weight[c * 8 + i];
                const float own = scale * (g - n * mean);
                b.v[i] = __float2bfloat16(rest ? __bfloat162float(b.v[i]) + own : own);
            }
            reinterpret_cast<bf16x8*>(dx + row * width)[c] = b;
        }
    }
#pragma unroll
    for (int s = 0; s < SPAN; s++) {
        const int c = threadIdx.x + s * blockDim.x;
        if (c >= chunks) break;
#pragma unroll
        for (int i = 0; i < 8; i++) parts[(i64)blockIdx.x * width + c * 8 + i] = acc[s][i];
    }
}

// out[c] = sum over rows of parts[rows, width]. 256 threads have 32 columns, eight rows at a time.
extern "C" __global__ void sum_rows(const float* parts, float* out, int rows, int width) {
    __shared__ float sums[8][33];
    const int lane = threadIdx.x & 31, group = threadIdx.x >> 5, column = blockIdx.x * 32 + lane;
    float sum = 0.0f;
    if (column < width)
        for (int row = group; row < rows; row += 8) sum += parts[(i64)row * width + column];
    sums[group][lane] = sum;
    __syncthreads();
    if (group == 0 && column < width) {
        for (int g = 1; g < 8; g++) sum += sums[g][lane];
        out[column] = sum;
    }
}

// Sums over slices of rows of a bf16 matrix: the first half of a bias gradient. One thread a chunk of 8
// columns. Blocks: (chunks / blockDim, parts).
extern "C" __global__ void sum_slices(const bf16* x, float* parts, int rows, int width) {
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= width / 8) return;
    float sum[8] = {};
    for (int row = blockIdx.y; row < rows; row += gridDim.y) {
        const bf16x8 a = reinterpret_cast<const bf16x8*>(x + (i64)row * width)[c];
#pragma unroll
        for (int i = 0; i < 8; i++) sum[i] += __bfloat162float(a.v[i]);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) parts[(i64)blockIdx.y * width + c * 8 + i] = sum[i];
}

// x += bias, for every row.
extern "C" __global__ void add_bias(bf16* x, const float* bias, i64 chunks, int width) {
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    bf16x8 a = reinterpret_cast<bf16x8*>(x)[c];
    const int column = (int)(c % (width / 8)) * 8;
#pragma unroll
    for (int i = 0; i < 8; i++) a.v[i] = __float2bfloat16(__bfloat162float(a.v[i]) + bias[column + i]);
    reinterpret_cast<bf16x8*>(x)[c] = a;
}

// y = gate * sigmoid(gate) * up.
extern "C" __global__ void swiglu(const bf16* gate, const bf16* up, bf16* y, i64 chunks) {
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    const bf16x8 g = reinterpret_cast<const bf16x8*>(gate)[c], u = reinterpret_cast<const bf16x8*>(up)[c];
    bf16x8 out;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const float a = __bfloat162float(g.v[i]);
        out.v[i] = __float2bfloat16(a / (1.0f + __expf(-a)) * __bfloat162float(u.v[i]));
    }
    reinterpret_cast<bf16x8*>(y)[c] = out;
}

extern "C" __global__ void swiglu_backward(const bf16* gate, const bf16* up, const bf16* dy, bf16* d_gate, bf16* d_up, i64 chunks) {
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    const bf16x8 g = reinterpret_cast<const bf16x8*>(gate)[c], u = reinterpret_cast<const bf16x8*>(up)[c];
    const bf16x8 d = reinterpret_cast<const bf16x8*>(dy)[c];
    bf16x8 dg, du;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const float a = __bfloat162float(g.v[i]), b = __bfloat162float(u.v[i]), e = __bfloat162float(d.v[i]);
        const float s = 1.0f / (1.0f + __expf(-a));
        dg.v[i] = __float2bfloat16(e * b * s * (1.0f + a * (1.0f - s)));
        du.v[i] = __float2bfloat16(e * a * s);
    }
    reinterpret_cast<bf16x8*>(d_gate)[c] = dg;
    reinterpret_cast<bf16x8*>(d_up)[c] = du;
}

// Turns pairs (i, i + head / 2) of every head by the angles of the row's position; `sign` -1 turns
// back. cos and sin: [N, head], of which cos[:, :half] and sin[:, half:] are read. One thread a pair.
extern "C" __global__ void rotate(const bf16* x, const float* cos, const float* sin, bf16* y, i64 pairs, int heads, int head, float sign) {
    const i64 index = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= pairs) return;
    const int half = head / 2, i = (int)(index % half);
    const i64 unit = index / half, row = unit / heads;
    const float c = cos[row * head + i], s = sign * sin[row * head + half + i];
    const float a = __bfloat162float(x[unit * head + i]), b = __bfloat162float(x[unit * head + half + i]);
    y[unit * head + i] = __float2bfloat16(a * c - b * s);
    y[unit * head + half + i] = __float2bfloat16(b * c + a * s);
}

extern "C" __global__ void to_bf16(const float* x, bf16* y, i64 count) {
    const i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= count) return;
    if (at + 8 <= count) {
        const float4 a = *reinterpret_cast<const float4*>(x + at), b = *reinterpret_cast<const float4*>(x + at + 4);
        bf16x8 out;
        out.v[0] = __float2bfloat16(a.x), out.v[1] = __float2bfloat16(a.y), out.v[2] = __float2bfloat16(a.z), out.v[3] = __float2bfloat16(a.w);
        out.v[4] = __float2bfloat16(b.x), out.v[5] = __float2bfloat16(b.y), out.v[6] = __float2bfloat16(b.z), out.v[7] = __float2bfloat16(b.w);
        *reinterpret_cast<bf16x8*>(y + at) = out;
    } else {
        for (i64 i = at; i < count; i++) y[i] = __float2bfloat16(x[i]);
    }
}

// y[n] = table[ids[n]]. Grid: rows.
extern "C" __global__ void embed(const float* table, const int* ids, bf16* y, int width) {
    const float* from = table + (i64)ids[blockIdx.x] * width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) y[(i64)blockIdx.x * width + i] = __float2bfloat16(from[i]);
}

extern "C" __global__ void embed_bf16(const bf16* table, const int* ids, bf16* y, int width) {
    const bf16* from = table + (i64)ids[blockIdx.x] * width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) y[(i64)blockIdx.x * width + i] = from[i];
}

__device__ __forceinline__ unsigned mixed(unsigned x) {
    x = (x ^ (x >> 16)) * 0x85ebca6bu;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

__constant__ float NF4[16] = {-1.0f,        -0.6961928f,  -0.52507305f, -0.3949175f, -0.28444138f, -0.18477343f, -0.091050036f, 0.0f,
                              0.0795803f,   0.1609302f,   0.2461123f,   0.33791524f, 0.44070983f,  0.562617f,    0.72295684f,   1.0f};

// A matrix from four bits a number: the codes of eight in a word, first number first, high half of a byte first.
extern "C" __global__ void nf4(const unsigned* codes, const unsigned char* absmax, const float* nested, const float* map, bf16* y, float offset,
                               i64 chunks) {
    __shared__ float levels[16];
    if (threadIdx.x < 16) levels[threadIdx.x] = NF4[threadIdx.x];
    __syncthreads();
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    const unsigned word = codes[c];
    const i64 block = c / 8;
    const float scale = map[absmax[block]] * nested[block / 256] + offset;
    bf16x8 out;
#pragma unroll
    for (int i = 0; i < 8; i++) out.v[i] = __float2bfloat16(levels[(word >> ((i / 2) * 8 + (i % 2 ? 0 : 4))) & 15] * scale);
    reinterpret_cast<bf16x8*>(y)[c] = out;
}

// out = x, or += x, with the numbers left out that `kernels/low_rank.rs` leaves out.
extern "C" __global__ void dropout(const bf16* x, const unsigned* keys, bf16* out, i64 chunks, int width, int length, unsigned tag, unsigned limit,
                                   float factor, int adds) {
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    const i64 first = c * 8, cells = (i64)length * width;
    const unsigned key = keys[first / cells] ^ tag, place = (unsigned)(first % cells);
    const bf16x8 in = reinterpret_cast<const bf16x8*>(x)[c];
    bf16x8 to = {};
    if (adds) to = reinterpret_cast<const bf16x8*>(out)[c];
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const float kept = mixed(mixed(((place + i) * 0x9e3779b9u) ^ key) + key) < limit ? 0.0f : factor;
        to.v[i] = __float2bfloat16((adds ? __bfloat162float(to.v[i]) : 0.0f) + kept * __bfloat162float(in.v[i]));
    }
    reinterpret_cast<bf16x8*>(out)[c] = to;
}

// d_table[ids[n]] += dy[n]; d_table begins as zeros.
extern "C" __global__ void embed_backward(const bf16* dy, const int* ids, float* d_table, int width) {
    float* to = d_table + (i64)ids[blockIdx.x] * width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) atomicAdd(to + i, __bfloat162float(dy[(i64)blockIdx.x * width + i]));
}

// out[N, K x head]: the sums over groups of heads of parts[N, K x groups x head], of attention's gradients
// of keys and of values. Blocks: (chunks / 256, 2), one thread a chunk of 8 of `out`, of which a head has
// `head_chunks`.
extern "C" __global__ void sum_groups(const bf16* k_parts, const bf16* v_parts, bf16* k, bf16* v, i64 chunks, int head_chunks, int groups) {
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    const bf16x8* parts = reinterpret_cast<const bf16x8*>(blockIdx.y == 0 ? k_parts : v_parts);
    parts += c / head_chunks * groups * head_chunks + c % head_chunks;
    float sum[8] = {};
#pragma unroll 4
    for (int g = 0; g < groups; g++) {
        const bf16x8 a = parts[(i64)g * head_chunks];
#pragma unroll
        for (int i = 0; i < 8; i++) sum[i] += __bfloat162float(a.v[i]);
    }
    bf16x8 b;
#pragma unroll
    for (int i = 0; i < 8; i++) b.v[i] = __float2bfloat16(sum[i]);
    reinterpret_cast<bf16x8*>(blockIdx.y == 0 ? k : v)[c] = b;
}
