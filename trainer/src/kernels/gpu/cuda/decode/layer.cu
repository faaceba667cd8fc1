// The parts of a decoder layer between its products, for new tokens of sequences whose earlier ones are in the
// cache. Widths are multiples of 8; one block has one row unless it says otherwise.

// x = the embeddings of the ids.
extern "C" __global__ void embed_rows(const int* words, int room, int most, const bf16* table, bf16* x, int width) {
    await_before();
    const Step step = step_of(words, room, most);
    const int row = blockIdx.x, id = row < step.rows ? step.ids[row] : 0;
    const uint4* from = reinterpret_cast<const uint4*>(table + (i64)id * width);
    uint4* to = reinterpret_cast<uint4*>(x + (i64)row * width);
    for (int c = threadIdx.x; c < width / 8; c += blockDim.x) to[c] = from[c];
}

// The RMS norm of a row of `x`, or with `picks` of the row that is ready.
extern "C" __global__ void norm_rows(const int* words, int room, int most, const bf16* x, const float* weight, bf16* y, int width, float epsilon, int picks) {
    __shared__ float scratch[33];
    await_before();
    const Step step = step_of(words, room, most);
    i64 row = blockIdx.x;
    if (picks) row = row < step.ready ? step.last[row] : 0;
    norm_row(x + row * width, weight, y + (i64)blockIdx.x * width, width, epsilon, scratch);
}

// Queries, keys and values of a row: with biases, heads of queries and keys normed (where there are norms) and turned by
// their position. Queries go to `q` in 32 bits, keys and values to the cache. A warp has a head at a time: its lanes
// have the elements lane, lane + 32, ...
#define PER (HEAD / 32)
extern "C" __global__ void turn_rows(const int* words, int room, int most, const bf16* qkv, const float* bias, const float* norm_q,
                                     const float* norm_k, const float* cosines, const float* sines, float* q, bf16* keys, bf16* values,
                                     int heads, int kv_heads, float epsilon) {
    await_before();
    const Step step = step_of(words, room, most);
    const int row = blockIdx.x;
    if (row >= step.rows) return;
    const int lane = threadIdx.x & 31, warps = blockDim.x >> 5, position = step.positions[row];
    const i64 slot = slot_of(step, step.sequences[row], position);
    for (int head = threadIdx.x >> 5; head < heads + 2 * kv_heads; head += warps) {
        const bf16* in = qkv + ((i64)row * (heads + 2 * kv_heads) + head) * HEAD;
        float x[PER];
#pragma unroll
        for (int i = 0; i < PER; i++) {
            x[i] = __bfloat162float(in[lane + 32 * i]);
            if (bias) x[i] = __bfloat162float(__float2bfloat16(x[i] + bias[head * HEAD + lane + 32 * i]));
        }
        if (head >= heads + kv_heads) {
            bf16* out = values + (slot * kv_heads + head - heads - kv_heads) * HEAD;
#pragma unroll
            for (int i = 0; i < PER; i++) out[lane + 32 * i] = __float2bfloat16(x[i]);
            continue;
        }
        const float* norm = head < heads ? norm_q : norm_k;
        if (norm) {
            float squares = 0.0f;
#pragma unroll
            for (int i = 0; i < PER; i++) squares += x[i] * x[i];
            const float scale = rsqrtf(sum_warp(squares) / HEAD + epsilon);
#pragma unroll
            for (int i = 0; i < PER; i++) x[i] = __bfloat162float(__float2bfloat16(x[i] * scale * norm[lane + 32 * i]));
        }
#pragma unroll
        for (int i = 0; i < PER; i++) {
            // Pairs are half a head apart; the sine of the first half has its sign in the table.
            const int at = lane + 32 * i;
            const float turned = x[i] * cosines[(i64)position * HEAD + at] + x[(i + PER / 2) % PER] * sines[(i64)position * HEAD + at];
            if (head < heads)
                q[((i64)row * heads + head) * HEAD + at] = turned;
            else
                keys[(slot * kv_heads + head - heads) * HEAD + at] = __float2bfloat16(turned);
        }
    }
}

// y = silu(gate) * up of rows that have both, one after the other. One thread a chunk of 8.
extern "C" __global__ void gate_rows(const bf16* both, bf16* y, i64 chunks, int width) {
    await_before();
    const i64 c = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= chunks) return;
    const i64 row = c / (width / 8), column = c % (width / 8);
    const bf16x8* in = reinterpret_cast<const bf16x8*>(both + row * 2 * width);
    const bf16x8 g = in[column], u = in[column + width / 8];
    bf16x8 out;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const float a = __bfloat162float(g.v[i]);
        out.v[i] = __float2bfloat16(a / (1.0f + __expf(-a)) * __bfloat162float(u.v[i]));
    }
    reinterpret_cast<bf16x8*>(y)[c] = out;
}
