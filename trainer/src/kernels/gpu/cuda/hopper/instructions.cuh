// Hopper's own instructions (compute capability 9.0, target sm_90a): products of warpgroups (wgmma), the
// bulk copy engine, and the barriers in shared memory that both are waited for by.
//
// Tiles in shared memory are made of boxes: 64 rows of 64 bf16 (128 bytes) as the copy engine writes them with
// its 128-byte swizzle, 8 KiB, aligned to 1 KiB: chunk c of 16 bytes of row r lies at place c ^ (r & 7). Boxes of
// further rows follow at once; `band` is the distance to the boxes of the next 64 columns.

#define BOX 64
#define BOX_BYTES 8192

typedef unsigned long long u64;

// What the driver's cuTensorMapEncodeTiled fills.
struct __align__(64) TensorMap {
    u64 words[16];
};

// A number that is the same in all threads of a warp, known to the compiler as such.
__device__ __forceinline__ int uniform(int x) { return __shfl_sync(0xffffffffu, x, 0); }

// A warpgroup's share of the registers, in a kernel that is bounded to one block.
template <int COUNT> __device__ __forceinline__ void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(COUNT)); }
template <int COUNT> __device__ __forceinline__ void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(COUNT)); }

__device__ __forceinline__ void barrier_init(u32 barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(barrier), "r"(arrivals) : "memory");
}
__device__ __forceinline__ void barriers_are_initialised() {
    asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
    __syncthreads();
}
__device__ __forceinline__ void arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(barrier) : "memory");
}
// Arrives, and lets the phase wait for so many bytes too.
__device__ __forceinline__ void arrive_expecting(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(barrier), "r"(bytes) : "memory");
}
// Waits until the phase of this parity has ended.
__device__ __forceinline__ void wait_for(u32 barrier, u32 parity) {
    asm volatile(
        "{\n.reg .pred done;\nAGAIN:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@done bra DONE;\nbra AGAIN;\nDONE:\n}\n"
        ::"r"(barrier), "r"(parity) : "memory");
}

// A box from column `x`, position `y` and row `z` of the batch; what lies outside is zeros.
__device__ __forceinline__ void copy_box(u32 to, const TensorMap* map, int x, int y, int z, u32 barrier) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];\n"
        ::"r"(to), "l"(map), "r"(x), "r"(y), "r"(z), "r"(barrier) : "memory");
}
// Bytes in a row, a multiple of 16 at a multiple of 16.
__device__ __forceinline__ void copy_bytes(u32 to, const void* from, u32 bytes, u32 barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];\n"
                 ::"r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
}

__device__ __forceinline__ void products_begin() { asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory"); }
__device__ __forceinline__ void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory"); }
// Waits until at most LEFT groups of products are under way.
template <int LEFT> __device__ __forceinline__ void products_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(LEFT) : "memory");
}
// Keeps the compiler from reading or writing a product's registers on the other side of this line.
template <int N> __device__ __forceinline__ void hold(float (&x)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+f"(x[i])::"memory");
}

// An operand in shared memory. Rows of the product along rows of the tile: `band` says nothing. Rows of the
// product along columns (turned): `band` as above, for more than 64 of them.
__device__ __forceinline__ u64 operand(u32 address, u32 band) {
    return (u64)((address & 0x3ffff) >> 4) | (u64)(band >> 4) << 16 | (u64)(1024 >> 4) << 32 | 1ull << 62;
}

#define F4(how, d, i) how(d[i]), how(d[i + 1]), how(d[i + 2]), how(d[i + 3])
#define F16(how, d, i) F4(how, d, i), F4(how, d, i + 4), F4(how, d, i + 8), F4(how, d, i + 12)
#define F32(how, d) F16(how, d, 0), F16(how, d, 16)
#define F64(how, d) F32(how, d), F16(how, d, 32), F16(how, d, 48)
#define D32 "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}"
#define D64 "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}"
#define NEW(x) "=f"(x)
#define OLD(x) "+f"(x)

// Functions multiply<ADD, TURNED>(d, a, b): d (+)= a x b for the 64 rows of a warpgroup, 16 deep, and 64 columns where d
// has 32 registers a thread, 128 where it has 64. d[n * 4 + i] is row lane / 4 (+ 8 where i > 1) of the warp's 16 and
// column n * 8 + lane % 4 * 2 (+ i & 1). a is in shared memory or in registers; b may be turned. Where nothing is added to,
// the registers are outputs alone: what was in them before is nothing that the compiler had to keep or wait for.
#define MULTIPLY(SHAPE, COUNT, LIST, ALL, A, B, TURN)                                                                              \
    template <bool ADD, bool TURNED> __device__ __forceinline__ void multiply(float (&d)[COUNT], u64 a, u64 b) {                  \
        if constexpr (ADD)                                                                                                         \
            asm volatile("wgmma.mma_async.sync.aligned." SHAPE ".f32.bf16.bf16 " LIST ", %" A ", %" B ", 1, 1, 1, 0, %" TURN ";\n"  \
                         : ALL(OLD, d) : "l"(a), "l"(b), "n"(TURNED));                                                             \
        else                                                                                                                       \
            asm volatile("wgmma.mma_async.sync.aligned." SHAPE ".f32.bf16.bf16 " LIST ", %" A ", %" B ", 0, 1, 1, 0, %" TURN ";\n"  \
                         : ALL(NEW, d) : "l"(a), "l"(b), "n"(TURNED));                                                             \
    }
MULTIPLY("m64n64k16", 32, D32, F32, "32", "33", "34")
MULTIPLY("m64n128k16", 64, D64, F64, "64", "65", "66")
#undef MULTIPLY
#define MULTIPLY(SHAPE, COUNT, LIST, ALL, A, B, TURN)                                                                              \
    template <bool ADD, bool TURNED> __device__ __forceinline__ void multiply(float (&d)[COUNT], const u32 (&a)[4], u64 b) {      \
        if constexpr (ADD)                                                                                                         \
            asm volatile("wgmma.mma_async.sync.aligned." SHAPE ".f32.bf16.bf16 " LIST ", " A ", %" B ", 1, 1, 1, %" TURN ";\n"      \
                         : ALL(OLD, d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(TURNED));                         \
        else                                                                                                                       \
            asm volatile("wgmma.mma_async.sync.aligned." SHAPE ".f32.bf16.bf16 " LIST ", " A ", %" B ", 0, 1, 1, %" TURN ";\n"      \
                         : ALL(NEW, d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(TURNED));                         \
    }
MULTIPLY("m64n64k16", 32, D32, F32, "{%32, %33, %34, %35}", "36", "37")
MULTIPLY("m64n128k16", 64, D64, F64, "{%64, %65, %66, %67}", "68", "69")
