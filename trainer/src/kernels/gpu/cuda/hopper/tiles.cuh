// Attention as in attention.cu (same algorithm, same masks) on Hopper's own instructions. A warp of its own copies tiles
// into a ring in shared memory; warpgroups of 64 rows each compute. What a warpgroup waits for from the tensor cores it
// waits for as late as it can, so that exponentials of one tile are taken while products of another are under way; how many
// groups of products may be under way at each wait is the heart of each loop. The loops are turned so that an iteration ends
// with none under way that is read later: across a jump back the compiler would lose count and take turns instead.
//
// Tensors are given as maps over [rows][length][width] with boxes of 64 positions and 64 columns. lse and delta are
// [Q, rows, padded], padded being the length rounded up to 64; what lies between is anything.
//
// Compiled with HEAD (64 or 128); WARPGROUPS of a forward block, KEYS taken at a time and places in its RING;
// WARPGROUPS_BACK, STREAM (64) and RING_BACK the same for the two backward kernels.

#define BANDS (HEAD / BOX)           // boxes across a head
#define ROWS (WARPGROUPS * BOX)
#define THREADS (WARPGROUPS * 128 + 128)
#define KEYS_BYTES (KEYS * HEAD * 2)
#define ROWS_BACK (WARPGROUPS_BACK * BOX)
#define THREADS_BACK (WARPGROUPS_BACK * 128 + 128)
#define STREAM_BYTES (STREAM * HEAD * 2)

// Registers of a thread that computes, and of one that copies: 65,536 among all.
#define REGISTERS(warpgroups) (warpgroups == 3 ? 160 : 240)
#define REGISTERS_LEFT(warpgroups) (warpgroups == 3 ? 32 : 24)

__device__ __forceinline__ float2 unpack(u32 pair) { return __bfloat1622float2(*reinterpret_cast<__nv_bfloat162*>(&pair)); }

// A product's result as the left operand of another.
template <int N> __device__ __forceinline__ void pack_all(u32 (&to)[N / 8][4], const float (&from)[N]) {
#pragma unroll
    for (int i = 0; i < N; i += 2) to[i / 8][(i % 8) / 2] = pack(from[i], from[i + 1]);
}

// Numbers of a row and head of lse and delta.
__device__ __forceinline__ int padded(int length) { return (length + BOX - 1) / BOX * BOX; }

// The barriers of a ring, 8 bytes for each place: tiles have come, and all warps of so many warpgroups are done with them.
__device__ __forceinline__ void ring_init(u32 full, u32 empty, int places, int warpgroups) {
    for (int i = 0; i < places; i++) {
        barrier_init(full + 8 * i, 1);
        barrier_init(empty + 8 * i, warpgroups * 4);
    }
}

// A place in a ring of tiles, and which time around it is.
template <int PLACES> struct Cursor {
    int place = 0;
    u32 parity = 0;
    __device__ __forceinline__ void advance() {
        if (++place == PLACES) place = 0, parity ^= 1;
    }
};

// A tile of COUNT positions of one head from position `from` on.
template <int COUNT>
__device__ __forceinline__ void copy_tile(u32 to, const TensorMap* map, int head, int from, int row, u32 barrier) {
#pragma unroll
    for (int band = 0; band < BANDS; band++)
#pragma unroll
        for (int part = 0; part < COUNT / BOX; part++)
            copy_box(to + (band * (COUNT / BOX) + part) * BOX_BYTES, map, head * HEAD + band * BOX, from + part * BOX, row, barrier);
}

// s = 64 rows of `left` x (rows of `right`)^T over the head; the distances are those between bands.
template <int N>
__device__ __forceinline__ void scores(float (&s)[N], u32 left, u32 left_band, u32 right, u32 right_band) {
    multiply<false, false>(s, operand(left, 0), operand(right, 0));
#pragma unroll
    for (int step = 1; step < HEAD / 16; step++) {
        const u32 band = step / 4, at = step % 4 * 32;
        multiply<true, false>(s, operand(left + band * left_band + at, 0), operand(right + band * right_band + at, 0));
    }
}
// The same with the left rows in registers.
template <int N>
__device__ __forceinline__ void scores(float (&s)[N], const u32 (&left)[HEAD / 16][4], u32 right, u32 right_band) {
    multiply<false, false>(s, left[0], operand(right, 0));
#pragma unroll
    for (int step = 1; step < HEAD / 16; step++)
        multiply<true, false>(s, left[step], operand(right + step / 4 * right_band + step % 4 * 32, 0));
}
// o += weights x rows of `right`.
template <int STEPS>
__device__ __forceinline__ void weighted(float (&o)[HEAD / 2], const u32 (&weights)[STEPS][4], u32 right, u32 band) {
#pragma unroll
    for (int step = 0; step < STEPS; step++) multiply<true, true>(o, weights[step], operand(right + step * 2048, band));
}
// 64 rows of a tile into registers, as left operand.
__device__ __forceinline__ void load_rows(u32 (&a)[HEAD / 16][4], u32 tile, u32 band) {
    const int lane = threadIdx.x & 31, row = (threadIdx.x >> 5 & 3) * 16 + (lane & 15);
#pragma unroll
    for (int step = 0; step < HEAD / 16; step++) {
        const int chunk = step % 4 * 2 + (lane >> 4);
        const u32 address = tile + step / 4 * band + row * 128 + ((chunk ^ (row & 7)) << 4);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                     : "=r"(a[step][0]), "=r"(a[step][1]), "=r"(a[step][2]), "=r"(a[step][3]) : "r"(address));
    }
}

// Writes the warp's 16 rows from position `from` on, HEAD numbers each, multiplied by a factor for each half.
__device__ __forceinline__ void store_rows(bf16* base, i64 stride, int from, int end, const float (&acc)[HEAD / 2], float low, float high) {
    const int lane = threadIdx.x & 31;
    const int row = from + (lane >> 2), column = (lane & 3) * 2;
#pragma unroll
    for (int n = 0; n < HEAD / 8; n++) {
        const float* c = acc + n * 4;
        if (row < end) *reinterpret_cast<u32*>(base + (i64)row * stride + n * 8 + column) = pack(c[0] * low, c[1] * low);
        if (row + 8 < end) *reinterpret_cast<u32*>(base + (i64)(row + 8) * stride + n * 8 + column) = pack(c[2] * high, c[3] * high);
    }
}
