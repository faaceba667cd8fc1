// Causal attention within documents, grouped queries, bf16 in and out, on tensor cores, without ever
// holding T x T scores: the algorithm of FlashAttention-2 (Dao 2023). Two backward kernels, one for
// keys and values and one for queries, so that nothing is added up in an order that varies.
//
// Compiled with HEAD (64 or 128). Rows lie as the projections give them: q [N, Q x HEAD],
// k and v [N, K x HEAD], N = rows x T. A document is a run of positions of one row; first[n] and
// last[n] are the first and last position (within the row) of the document of n. Both never fall
// along a row, which is what lets whole tiles be passed over.
//
// For cards from compute capability 8.0 on; hopper/ has the same for 9.0.
//
// Tiles in shared memory are rows of HEAD numbers in chunks of 16 bytes; chunk c of row r lies at
// place c ^ (r & 7), so that the eight rows that one ldmatrix reads lie in different banks.

#if HEAD == 64
#define BANDS 2                      // bands of 16 rows that a warp has: one read of the other operand serves all
#else
#define BANDS 1                      // no registers for more
#endif
#define WARPS 4
#define THREADS (WARPS * 32)
#define ROWS (WARPS * BANDS * 16)    // rows of a block: queries, or keys in the kernel for keys and values
#define KEYS 64                      // keys taken at a time while queries stay, forward
#define KEYS_BACK (BANDS == 2 ? 32 : 64)
#define STREAM 32                    // queries taken at a time while keys stay
#define CHUNKS (HEAD / 8)            // 16-byte chunks in a row
#define TILES (HEAD / 8)             // 8-wide output tiles of a head
#define TILE_BYTES(rows) ((rows) * HEAD * 2)

__device__ __forceinline__ u32 place(u32 base, int row, int chunk) {
    return base + row * (HEAD * 2) + ((chunk ^ (row & 7)) << 4);
}

__device__ __forceinline__ void copy16(u32 to, const void* from, bool valid) {
    const int bytes = valid ? 16 : 0;  // the rest is filled with zeros
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from), "r"(bytes));
}
__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;\n" ::); }
template <int LEFT> __device__ __forceinline__ void wait() { asm volatile("cp.async.wait_group %0;\n" ::"n"(LEFT)); }

__device__ __forceinline__ void load4(u32* r, u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address));
}
__device__ __forceinline__ void load4_turned(u32* r, u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address));
}
__device__ __forceinline__ void mma(float* c, const u32* a, u32 b0, u32 b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// A tile of `rows` rows of one head, from position `from` on; positions from `end` on are zeros.
__device__ __forceinline__ void load_tile(u32 to, const bf16* base, i64 stride, int from, int end, int rows) {
    for (int i = threadIdx.x; i < rows * CHUNKS; i += THREADS) {
        const int row = i / CHUNKS, chunk = i % CHUNKS;
        const bool valid = from + row < end;
        copy16(place(to, row, chunk), base + (i64)(valid ? from + row : 0) * stride + chunk * 8, valid);
    }
}

// The operand of 16 rows (this warp's) and 16 columns, `step` counting columns in sixteens.
__device__ __forceinline__ void rows16(u32* a, u32 tile, int row, int step) {
    const int lane = threadIdx.x & 31;
    load4(a, place(tile, row + (lane & 15), step * 2 + (lane >> 4)));
}

// acc += (this warp's rows of `left`, from `row` on) x (rows of `right`)^T over the head.
template <int COLUMNS>
__device__ __forceinline__ void product(float (*acc)[COLUMNS / 8][4], u32 left, int row, u32 right) {
    const int lane = threadIdx.x & 31;
#pragma unroll
    for (int step = 0; step < HEAD / 16; step++) {
        u32 a[BANDS][4];
#pragma unroll
        for (int m = 0; m < BANDS; m++) rows16(a[m], left, row + m * 16, step);
#pragma unroll
        for (int n = 0; n < COLUMNS / 16; n++) {
            u32 b[4];
            load4(b, place(right, n * 16 + (lane & 7) + ((lane >> 4) << 3), step * 2 + ((lane >> 3) & 1)));
#pragma unroll
            for (int m = 0; m < BANDS; m++) {
                mma(acc[m][2 * n], a[m], b[0], b[1]);
                mma(acc[m][2 * n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

// acc += weights x (COLUMNS rows of `right`); the weights as they came out of a product.
template <int COLUMNS>
__device__ __forceinline__ void weighted(float (*acc)[TILES][4], const float (*weights)[COLUMNS / 8][4], u32 right) {
    const int lane = threadIdx.x & 31;
#pragma unroll
    for (int step = 0; step < COLUMNS / 16; step++) {
        u32 a[BANDS][4];
#pragma unroll
        for (int m = 0; m < BANDS; m++) {
            const float *low = weights[m][2 * step], *high = weights[m][2 * step + 1];
            a[m][0] = pack(low[0], low[1]);
            a[m][1] = pack(low[2], low[3]);
            a[m][2] = pack(high[0], high[1]);
            a[m][3] = pack(high[2], high[3]);
        }
#pragma unroll
        for (int n = 0; n < TILES / 2; n++) {
            u32 b[4];
            load4_turned(b, place(right, step * 16 + (lane & 7) + (((lane >> 3) & 1) << 3), n * 2 + (lane >> 4)));
#pragma unroll
            for (int m = 0; m < BANDS; m++) {
                mma(acc[m][2 * n], a[m], b[0], b[1]);
                mma(acc[m][2 * n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

template <int COUNT> __device__ __forceinline__ void clear(float (*acc)[COUNT][4]) {
#pragma unroll
    for (int m = 0; m < BANDS; m++)
#pragma unroll
        for (int n = 0; n < COUNT; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) acc[m][n][i] = 0.0f;
}

// Writes this warp's 16 rows of one band, HEAD numbers each, multiplied by a factor for each half.
__device__ __forceinline__ void store_rows(bf16* base, i64 stride, int from, int end, const float (*acc)[4], float low, float high) {
    const int lane = threadIdx.x & 31;
    const int row = from + (lane >> 2), column = (lane & 3) * 2;
#pragma unroll
    for (int n = 0; n < TILES; n++) {
        if (row < end) *reinterpret_cast<u32*>(base + (i64)row * stride + n * 8 + column) = pack(acc[n][0] * low, acc[n][1] * low);
        if (row + 8 < end) *reinterpret_cast<u32*>(base + (i64)(row + 8) * stride + n * 8 + column) = pack(acc[n][2] * high, acc[n][3] * high);
    }
}

// Blocks: (query heads, rows, tiles of queries), the longest first. lse: [Q, N], base 2. `scale` is
// that of the scores.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_forward(const bf16* q, const bf16* k, const bf16* v, const int* first, bf16* out, float* lse,
                  int length, int heads, int groups, float scale) {
    extern __shared__ __align__(128) unsigned char memory[];
    const int tile = gridDim.z - 1 - blockIdx.z, head = blockIdx.x, row_start = blockIdx.y * length;
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    const i64 q_stride = (i64)heads * HEAD, kv_stride = (i64)(heads / groups) * HEAD;
    const bf16* q_head = q + row_start * q_stride + head * HEAD;
    const bf16* k_head = k + row_start * kv_stride + (head / groups) * HEAD;
    const bf16* v_head = v + row_start * kv_stride + (head / groups) * HEAD;
    first += row_start;

    const u32 q_tile = shared_address(memory);
    const u32 k_tile = q_tile + TILE_BYTES(ROWS), v_tile = k_tile + 2 * TILE_BYTES(KEYS);
    const int from = tile * ROWS, end = min(from + ROWS, length);
    const int begin = first[from] / KEYS, stop = (end + KEYS - 1) / KEYS;
    const int latest = first[end - 1];  // from this key on, all rows of the tile see what is not later

    load_tile(q_tile, q_head, q_stride, from, length, ROWS);
    load_tile(k_tile, k_head, kv_stride, begin * KEYS, length, KEYS);
    load_tile(v_tile, v_head, kv_stride, begin * KEYS, length, KEYS);
    commit();

    float o[BANDS][TILES][4], highest[BANDS][2], total[BANDS][2];
    int starts[BANDS][2];
    clear<TILES>(o);
    const int row = from + warp * BANDS * 16 + (lane >> 2);
#pragma unroll
    for (int m = 0; m < BANDS; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int at = row + m * 16 + half * 8;
            highest[m][half] = NEVER;
            total[m][half] = 0.0f;
            starts[m][half] = at < length ? first[at] : length;
        }
    const float factor = scale * LOG2E;

    for (int j = begin; j < stop; j++) {
        const int now = (j - begin) & 1;
        wait<0>();
        __syncthreads();
        if (j + 1 < stop) {
            load_tile(k_tile + (now ^ 1) * TILE_BYTES(KEYS), k_head, kv_stride, (j + 1) * KEYS, length, KEYS);
            load_tile(v_tile + (now ^ 1) * TILE_BYTES(KEYS), v_head, kv_stride, (j + 1) * KEYS, length, KEYS);
            commit();
        }
        float s[BANDS][KEYS / 8][4];
        clear<KEYS / 8>(s);
        product<KEYS>(s, q_tile, warp * BANDS * 16, k_tile + now * TILE_BYTES(KEYS));

        const int key = j * KEYS + (lane & 3) * 2;
        const bool inside = j * KEYS + KEYS - 1 <= from && latest <= j * KEYS;
#pragma unroll
        for (int m = 0; m < BANDS; m++) {
            float peak[2] = {NEVER, NEVER}, rescale[2];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int half = i >> 1, at = key + n * 8 + (i & 1);
                    const bool seen = inside || (at <= row + m * 16 + half * 8 && at >= starts[m][half]);
                    s[m][n][i] = seen ? s[m][n][i] * factor : NEVER;
                    peak[half] = fmaxf(peak[half], s[m][n][i]);
                }
#pragma unroll
            for (int half = 0; half < 2; half++) {
                peak[half] = fmaxf(peak[half], __shfl_xor_sync(0xffffffffu, peak[half], 1));
                peak[half] = fmaxf(peak[half], __shfl_xor_sync(0xffffffffu, peak[half], 2));
                const float higher = fmaxf(highest[m][half], peak[half]);
                rescale[half] = power(highest[m][half] - higher);
                highest[m][half] = higher;
                total[m][half] *= rescale[half];
            }
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    // A row that has seen nothing yet has all its scores at NEVER: no weight, not weight 1.
                    s[m][n][i] = power(s[m][n][i] - (highest[m][i >> 1] <= NEVER ? 0.0f : highest[m][i >> 1]));
                    total[m][i >> 1] += s[m][n][i];
                }
#pragma unroll
            for (int n = 0; n < TILES; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) o[m][n][i] *= rescale[i >> 1];
        }
        weighted<KEYS>(o, s, v_tile + now * TILE_BYTES(KEYS));
    }
#pragma unroll
    for (int m = 0; m < BANDS; m++) {
        float share[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = total[m][half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            share[half] = 1.0f / sum;
            const int at = row + m * 16 + half * 8;
            if ((lane & 3) == 0 && at < length)
                lse[(i64)head * gridDim.y * length + row_start + at] = highest[m][half] + log2f(sum);
        }
        store_rows(out + row_start * q_stride + head * HEAD, q_stride, from + (warp * BANDS + m) * 16, length, o[m], share[0], share[1]);
    }
}

// delta[Q, N]: the sum over a head of out x its gradient. One warp each. Blocks: (N x Q / 8), 256 threads.
extern "C" __global__ void attention_delta(const bf16* out, const bf16* d_out, float* delta, int count, int heads) {
    const i64 index = (i64)blockIdx.x * 8 + (threadIdx.x >> 5);
    if (index >= (i64)count * heads) return;
    const int lane = threadIdx.x & 31;
    float sum = 0.0f;
#pragma unroll
    for (int i = lane * 2; i < HEAD; i += 64) {
        const float2 a = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(out + index * HEAD + i));
        const float2 b = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(d_out + index * HEAD + i));
        sum += a.x * b.x + a.y * b.y;
    }
    sum = sum_warp(sum);
    if (lane == 0) delta[(index % heads) * count + index / heads] = sum;
}

// Blocks: (query heads, rows, tiles of keys), the longest first. d_k and d_v have a part for each query
// head, [N, Q x HEAD], which sum_groups adds up.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_backward_kv(const bf16* q, const bf16* k, const bf16* v, const bf16* d_out, const float* lse, const float* delta,
                      const int* first, const int* last, bf16* d_k, bf16* d_v, int length, int heads, int groups, float scale) {
    extern __shared__ __align__(128) unsigned char memory[];
    __shared__ float lse_tile[2][STREAM], delta_tile[2][STREAM];
    __shared__ int first_tile[2][STREAM];
    const int tile = blockIdx.z, head = blockIdx.x, row_start = blockIdx.y * length;
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    const i64 q_stride = (i64)heads * HEAD, kv_stride = (i64)(heads / groups) * HEAD;
    const i64 q_offset = row_start * q_stride + head * HEAD, kv_offset = row_start * kv_stride + (head / groups) * HEAD;
    const i64 cell = (i64)head * gridDim.y * length + row_start;
    const u32 k_tile = shared_address(memory), v_tile = k_tile + TILE_BYTES(ROWS);
    const u32 q_tile = v_tile + TILE_BYTES(ROWS), d_tile = q_tile + 2 * TILE_BYTES(STREAM);
    first += row_start;
    last += row_start;

    const int from = tile * ROWS, end = min(from + ROWS, length);
    const int begin = from / STREAM, stop = last[end - 1] / STREAM + 1;

    auto fetch = [&](int step, int slot) {
        const int at = step * STREAM;
        load_tile(q_tile + slot * TILE_BYTES(STREAM), q + q_offset, q_stride, at, length, STREAM);
        load_tile(d_tile + slot * TILE_BYTES(STREAM), d_out + q_offset, q_stride, at, length, STREAM);
        commit();
        for (int i = threadIdx.x; i < STREAM; i += THREADS) {
            const bool valid = at + i < length;
            lse_tile[slot][i] = valid ? lse[cell + at + i] : 0.0f;
            delta_tile[slot][i] = valid ? delta[cell + at + i] : 0.0f;
            first_tile[slot][i] = valid ? first[at + i] : length;  // sees nothing
        }
    };
    load_tile(k_tile, k + kv_offset, kv_stride, from, length, ROWS);
    load_tile(v_tile, v + kv_offset, kv_stride, from, length, ROWS);
    fetch(begin, 0);

    float d_key[BANDS][TILES][4], d_value[BANDS][TILES][4];
    clear<TILES>(d_key);
    clear<TILES>(d_value);
    const int key = from + warp * BANDS * 16 + (lane >> 2);
    const float factor = scale * LOG2E;

    for (int step = begin; step < stop; step++) {
        const int now = (step - begin) & 1, at = step * STREAM;
        wait<0>();
        __syncthreads();
        if (step + 1 < stop) fetch(step + 1, now ^ 1);
        const u32 q_now = q_tile + now * TILE_BYTES(STREAM), d_now = d_tile + now * TILE_BYTES(STREAM);

        float p[BANDS][STREAM / 8][4], d_p[BANDS][STREAM / 8][4];
        clear<STREAM / 8>(p);
        clear<STREAM / 8>(d_p);
        product<STREAM>(p, k_tile, warp * BANDS * 16, q_now);
        product<STREAM>(d_p, v_tile, warp * BANDS * 16, d_now);
        // Whether every key of the tile is seen by every query of this step.
        const bool inside = from + ROWS - 1 <= at && at + STREAM <= length && first_tile[now][STREAM - 1] <= from;
#pragma unroll
        for (int n = 0; n < STREAM / 8; n++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const int column = n * 8 + (lane & 3) * 2 + i;
                const float log = lse_tile[now][column], rest = delta_tile[now][column];
                const int start = inside ? 0 : first_tile[now][column];
#pragma unroll
                for (int m = 0; m < BANDS; m++)
#pragma unroll
                    for (int half = 0; half < 2; half++) {
                        const int own = key + m * 16 + half * 8, c = half * 2 + i;
                        p[m][n][c] = power(p[m][n][c] * factor - log);
                        if (!inside && (own > at + column || own < start)) p[m][n][c] = 0.0f;
                        d_p[m][n][c] = p[m][n][c] * (d_p[m][n][c] - rest);
                    }
            }
        weighted<STREAM>(d_value, p, d_now);
        weighted<STREAM>(d_key, d_p, q_now);
    }
#pragma unroll
    for (int m = 0; m < BANDS; m++) {
        const int at = from + (warp * BANDS + m) * 16;
        store_rows(d_k + q_offset, q_stride, at, length, d_key[m], scale, scale);
        store_rows(d_v + q_offset, q_stride, at, length, d_value[m], 1.0f, 1.0f);
    }
}

// Blocks: (query heads, rows, tiles of queries), the longest first.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_backward_q(const bf16* q, const bf16* k, const bf16* v, const bf16* d_out, const float* lse, const float* delta,
                     const int* first, bf16* d_q, int length, int heads, int groups, float scale) {
    extern __shared__ __align__(128) unsigned char memory[];
    const int tile = gridDim.z - 1 - blockIdx.z, head = blockIdx.x, row_start = blockIdx.y * length;
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    const i64 q_stride = (i64)heads * HEAD, kv_stride = (i64)(heads / groups) * HEAD;
    const i64 q_offset = row_start * q_stride + head * HEAD;
    const bf16* k_head = k + row_start * kv_stride + (head / groups) * HEAD;
    const bf16* v_head = v + row_start * kv_stride + (head / groups) * HEAD;
    const u32 q_tile = shared_address(memory), d_tile = q_tile + TILE_BYTES(ROWS);
    const u32 k_tile = d_tile + TILE_BYTES(ROWS), v_tile = k_tile + 2 * TILE_BYTES(KEYS_BACK);
    first += row_start;

    const int from = tile * ROWS, end = min(from + ROWS, length);
    const int begin = first[from] / KEYS_BACK, stop = (end + KEYS_BACK - 1) / KEYS_BACK;
    const int latest = first[end - 1];
    load_tile(q_tile, q + q_offset, q_stride, from, length, ROWS);
    load_tile(d_tile, d_out + q_offset, q_stride, from, length, ROWS);
    load_tile(k_tile, k_head, kv_stride, begin * KEYS_BACK, length, KEYS_BACK);
    load_tile(v_tile, v_head, kv_stride, begin * KEYS_BACK, length, KEYS_BACK);
    commit();

    float acc[BANDS][TILES][4];
    clear<TILES>(acc);
    const int row = from + warp * BANDS * 16 + (lane >> 2);
    const i64 cell = (i64)head * gridDim.y * length + row_start + row;
    int starts[BANDS][2];
    float logs[BANDS][2], deltas[BANDS][2];
#pragma unroll
    for (int m = 0; m < BANDS; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int step = m * 16 + half * 8;
            const bool valid = row + step < length;
            starts[m][half] = valid ? first[row + step] : length;
            logs[m][half] = valid ? lse[cell + step] : 0.0f;
            deltas[m][half] = valid ? delta[cell + step] : 0.0f;
        }
    const float factor = scale * LOG2E;

    for (int j = begin; j < stop; j++) {
        const int now = (j - begin) & 1;
        wait<0>();
        __syncthreads();
        if (j + 1 < stop) {
            load_tile(k_tile + (now ^ 1) * TILE_BYTES(KEYS_BACK), k_head, kv_stride, (j + 1) * KEYS_BACK, length, KEYS_BACK);
            load_tile(v_tile + (now ^ 1) * TILE_BYTES(KEYS_BACK), v_head, kv_stride, (j + 1) * KEYS_BACK, length, KEYS_BACK);
            commit();
        }
        const u32 k_now = k_tile + now * TILE_BYTES(KEYS_BACK), v_now = v_tile + now * TILE_BYTES(KEYS_BACK);
        float p[BANDS][KEYS_BACK / 8][4], d_p[BANDS][KEYS_BACK / 8][4];
        clear<KEYS_BACK / 8>(p);
        clear<KEYS_BACK / 8>(d_p);
        product<KEYS_BACK>(p, q_tile, warp * BANDS * 16, k_now);
        product<KEYS_BACK>(d_p, d_tile, warp * BANDS * 16, v_now);
        const int key = j * KEYS_BACK + (lane & 3) * 2;
        const bool inside = j * KEYS_BACK + KEYS_BACK - 1 <= from && latest <= j * KEYS_BACK;
#pragma unroll
        for (int m = 0; m < BANDS; m++)
#pragma unroll
            for (int n = 0; n < KEYS_BACK / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int half = i >> 1, at = key + n * 8 + (i & 1);
                    float weight = power(p[m][n][i] * factor - logs[m][half]);
                    if (!inside && (at > row + m * 16 + half * 8 || at < starts[m][half])) weight = 0.0f;
                    d_p[m][n][i] = weight * (d_p[m][n][i] - deltas[m][half]);
                }
        weighted<KEYS_BACK>(acc, d_p, k_now);
    }
#pragma unroll
    for (int m = 0; m < BANDS; m++)
        store_rows(d_q + q_offset, q_stride, from + (warp * BANDS + m) * 16, length, acc[m], scale, scale);
}
