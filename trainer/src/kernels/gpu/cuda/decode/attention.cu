// Attention of new tokens over the cache. A block has one row, GROUP query heads that share a head of keys and values, and
// one of gridDim.z parts of the sequence (Dao et al. 2023, "Flash-Decoding"); the last block of a row to finish puts the
// parts together, in their order.

// Products run on tensor cores, heads being the rows and positions the columns of the scores. Which number of a head stands at
// which place of a fragment is free as long as both sides agree: so every lane reads sixteen bytes at a time, straight
// from the cache, and nothing goes through shared memory. With lane = 4 g + c, of a tile of BLOCK positions a lane reads the
// numbers c * KEY, ... of keys g and g + 8, and the numbers g * VALUE, ... of values 2 c, 2 c + 1, 2 c + 8, 2 c + 9.

#define WARPS 4
#define SPLITS 32   // gridDim.z at most
#define STEPS (HEAD / 16)
#define KEY (HEAD / 4)
#define VALUE (HEAD / 8)
#define LOW -1e30f  // below any score

union Chunk {
    uint4 whole;
    u32 pairs[4];
};

// Rows 0 to 7 of `to` (8 columns) += rows 0 to 7 of `a` (16 columns) times `b`; rows from 8 on are 0.
__device__ __forceinline__ void multiply(float* to, u32 a0, u32 a2, u32 b0, u32 b1) {
    float rest0 = 0.0f, rest1 = 0.0f;
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %5}, {%7, %8}, {%0, %1, %2, %3};"
        : "+f"(to[0]), "+f"(to[1]), "+f"(rest0), "+f"(rest1)
        : "r"(a0), "r"(0), "r"(a2), "r"(b0), "r"(b1));
}

__device__ __forceinline__ u32 pair_of(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const u32*>(&both);
}

extern "C" __global__ void __launch_bounds__(32 * WARPS) attend(const int* words, int room, int most, const float* q, const bf16* keys,
                                                                const bf16* values, bf16* out, float* parts, int* tickets, int heads,
                                                                int kv_heads, float scale) {
    __shared__ float sums[WARPS][GROUP][HEAD];
    __shared__ float peaks[WARPS][GROUP], totals[WARPS][GROUP];
    __shared__ float factors[GROUP][SPLITS];
    __shared__ int last;
    await_before();
    const Step step = step_of(words, room, most);
    const int row = blockIdx.x, first = blockIdx.y * GROUP, kv = first / (heads / kv_heads);
    const int splits = gridDim.z, split = blockIdx.z;
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, c = lane & 3;
    const int length = row < step.rows ? step.positions[row] + 1 : 0;
    // Whole tiles for every warp; a short sequence has fewer parts.
    const int share = ((length + splits - 1) / splits + WARPS * BLOCK - 1) / (WARPS * BLOCK) * (WARPS * BLOCK);
    const int from = split * share, to = min(length, from + share), used = length > 0 ? (length + share - 1) / share : 1;
    if (split >= used) return;
    const int* table = step.tables + (i64)(row < step.rows ? step.sequences[row] : 0) * step.stride;

    u32 queries[STEPS][2] = {};
    if (g < GROUP && from < to) {
        const float2* mine = reinterpret_cast<const float2*>(q + ((i64)row * heads + first + g) * HEAD + c * KEY);
#pragma unroll
        for (int s = 0; s < STEPS; s++) {
            const float2 low = mine[2 * s], high = mine[2 * s + 1];
            queries[s][0] = pair_of(low.x, low.y), queries[s][1] = pair_of(high.x, high.y);
        }
    }
    float peak = LOW, total = 0.0f, sum[VALUE][2] = {};
#pragma unroll 2
    for (int begin = from + warp * BLOCK; begin < to; begin += WARPS * BLOCK) {
        const i64 base = (i64)table[begin / BLOCK] * BLOCK;  // a tile is one block of the cache
        const int left = to - begin;
        Chunk k[2][KEY / 8], v[4][VALUE / 8];
#pragma unroll
        for (int t = 0; t < 2; t++) {
            const uint4* at = reinterpret_cast<const uint4*>(keys + ((base + t * 8 + g) * kv_heads + kv) * HEAD + c * KEY);
#pragma unroll
            for (int i = 0; i < KEY / 8; i++) k[t][i].whole = at[i];
        }
#pragma unroll
        for (int t = 0; t < 4; t++) {
            const int place = 2 * c + (t & 1) + (t >> 1) * 8;
            const uint4* at = reinterpret_cast<const uint4*>(values + ((base + place) * kv_heads + kv) * HEAD + g * VALUE);
#pragma unroll
            for (int i = 0; i < VALUE / 8; i++) v[t][i].whole = place < left ? at[i] : make_uint4(0, 0, 0, 0);
        }
        float score[2][2], highest = peak;
#pragma unroll
        for (int t = 0; t < 2; t++) {
            score[t][0] = score[t][1] = 0.0f;
#pragma unroll
            for (int s = 0; s < STEPS; s++)
                multiply(score[t], queries[s][0], queries[s][1], k[t][s / 2].pairs[s % 2 * 2], k[t][s / 2].pairs[s % 2 * 2 + 1]);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                score[t][i] = t * 8 + 2 * c + i < left ? score[t][i] * scale : LOW;
                highest = fmaxf(highest, score[t][i]);
            }
        }
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
        const float old = __expf(peak - highest);
        peak = highest, total *= old;
#pragma unroll
        for (int t = 0; t < 2; t++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                score[t][i] = __expf(score[t][i] - highest);
                total += score[t][i];
            }
        const u32 a0 = pair_of(score[0][0], score[0][1]), a2 = pair_of(score[1][0], score[1][1]);
#pragma unroll
        for (int d = 0; d < VALUE; d++) {
            sum[d][0] *= old, sum[d][1] *= old;
            const int half = d & 1 ? 0x7632 : 0x5410;
            const u32 b0 = __byte_perm(v[0][d / 8].pairs[d % 8 / 2], v[1][d / 8].pairs[d % 8 / 2], half);
            const u32 b1 = __byte_perm(v[2][d / 8].pairs[d % 8 / 2], v[3][d / 8].pairs[d % 8 / 2], half);
            multiply(sum[d], a0, a2, b0, b1);
        }
    }
    total += __shfl_xor_sync(0xffffffffu, total, 1);
    total += __shfl_xor_sync(0xffffffffu, total, 2);
    if (g < GROUP) {
#pragma unroll
        for (int d = 0; d < VALUE; d++) sums[warp][g][2 * c * VALUE + d] = sum[d][0], sums[warp][g][(2 * c + 1) * VALUE + d] = sum[d][1];
        if (c == 0) peaks[warp][g] = peak, totals[warp][g] = total;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < GROUP * HEAD; i += blockDim.x) {
        const int g = i / HEAD, d = i % HEAD;
        float highest = LOW, all = 0.0f, x = 0.0f;
        for (int w = 0; w < WARPS; w++) highest = fmaxf(highest, peaks[w][g]);
        for (int w = 0; w < WARPS; w++) {
            const float factor = __expf(peaks[w][g] - highest);
            all += totals[w][g] * factor, x += sums[w][g][d] * factor;
        }
        const i64 head = (i64)row * heads + first + g;
        if (used == 1) {
            out[head * HEAD + d] = __float2bfloat16(all > 0.0f ? x / all : 0.0f);
        } else {
            float* part = parts + (head * splits + split) * (HEAD + 2);
            part[d] = x;
            if (d == 0) part[HEAD] = highest, part[HEAD + 1] = all;
        }
    }
    if (used == 1) return;
    __threadfence();
    __syncthreads();
    int* ticket = tickets + (i64)row * gridDim.y + blockIdx.y;
    if (threadIdx.x == 0) last = atomicAdd(ticket, 1) == used - 1;
    __syncthreads();
    if (!last) return;
    __threadfence();
    const float* part = parts + ((i64)row * heads + first) * splits * (HEAD + 2);
    if (threadIdx.x < GROUP) {
        const int g = threadIdx.x;
        float highest = LOW, all = 0.0f;
        for (int s = 0; s < used; s++) highest = fmaxf(highest, __ldcg(part + (g * splits + s) * (HEAD + 2) + HEAD));
        for (int s = 0; s < used; s++) {
            const float* own = part + (g * splits + s) * (HEAD + 2) + HEAD;
            factors[g][s] = __expf(__ldcg(own) - highest);
            all += __ldcg(own + 1) * factors[g][s];
        }
        totals[0][g] = all;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < GROUP * HEAD; i += blockDim.x) {
        const int g = i / HEAD, d = i % HEAD;
        float x = 0.0f;
#pragma unroll 8
        for (int s = 0; s < used; s++) x += __ldcg(part + (g * splits + s) * (HEAD + 2) + d) * factors[g][s];
        out[((i64)row * heads + first + g) * HEAD + d] = __float2bfloat16(x / totals[0][g]);
    }
    if (threadIdx.x == 0) *ticket = 0;
}
