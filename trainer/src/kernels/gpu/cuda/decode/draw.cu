// A token after each row that is ready, drawn from its logits as `generate/sampling.rs` draws it. One block has a row.
//
// Logits are bfloat16, of which there are 65,536: counted by their value they are in order, and every sum over them
// is one over values, in 64 bits and in one order. What is kept by top-k, top-p and min-p is always a beginning of that
// order (ids in theirs where values are equal).

#define THREADS 1024
#define LOADS 4
#define OWN 64  // values of a thread: the first has the highest

// Keys are in the order of the numbers that they stand for.
__device__ __forceinline__ u32 key_of(bf16 x) {
    const u32 bits = __bfloat16_as_ushort(x);
    return bits & 0x8000u ? ~bits & 0xffffu : bits | 0x8000u;
}

__device__ __forceinline__ float number_of(u32 key) {
    const u32 bits = key & 0x8000u ? key & 0x7fffu : ~key & 0xffffu;
    return __uint_as_float(bits << 16);
}

template <typename T>
__device__ __forceinline__ T scan_warp(T x) {
    const int lane = threadIdx.x & 31;
#pragma unroll
    for (int d = 1; d < 32; d <<= 1) {
        const T y = __shfl_up_sync(0xffffffffu, x, d);
        if (lane >= d) x += y;
    }
    return x;
}

// What the threads up to each have, itself included, and what those before it have: one's end is the next one's begin.
template <typename T>
struct Range {
    T begin, end, all;
};

template <typename T>
__device__ __forceinline__ Range<T> scan_block(T x, T* scratch) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    x = scan_warp(x);
    __syncthreads();
    if (lane == 31) scratch[warp] = x;
    __syncthreads();
    if (warp == 0) scratch[lane] = scan_warp(scratch[lane]);
    __syncthreads();
    const T before = warp > 0 ? scratch[warp - 1] : T(0);
    // The end of a warp's last thread and the begin of the next warp's first must be the same number.
    const T end = lane == 31 ? scratch[warp] : before + x;
    T begin = __shfl_up_sync(0xffffffffu, end, 1);
    if (lane == 0) begin = before;
    return {begin, end, scratch[31]};
}

struct Counts {
    const u32* words;  // two values a word
    __device__ u32 operator[](u32 key) const { return words[key >> 1] >> (key & 1) * 16 & 0xffffu; }
};

extern "C" __global__ void __launch_bounds__(THREADS) draw(const int* words, int room, int most, const bf16* logits, i64 stride, int known, Drawn* drawn) {
    extern __shared__ u32 bins[];  // 32,768 words
    __shared__ double sums[32];
    __shared__ u32 counts[32];
    __shared__ u32 top, no_number, chosen, rank, kept, found;
    __shared__ double mass;
    await_before();
    const Step step = step_of(words, room, most);
    const int row = blockIdx.x, thread = threadIdx.x, lane = thread & 31, warp = thread >> 5;
    if (row >= step.ready) return;
    const Choice choice = step.choices[row];
    const bf16* x = logits + row * stride;
    const Counts count{bins};

    for (int i = thread; i < 32768; i += THREADS) bins[i] = 0;
    if (thread == 0) top = 0, no_number = 0;
    __syncthreads();
    bool bad = false;
    const int chunks = (known + 7) / 8;
    for (int first = thread; first < chunks; first += LOADS * THREADS) {
        bf16x8 a[LOADS];
#pragma unroll
        for (int l = 0; l < LOADS; l++)
            if (first + l * THREADS < chunks) a[l] = reinterpret_cast<const bf16x8*>(x)[first + l * THREADS];
#pragma unroll
        for (int l = 0; l < LOADS; l++) {
            const int c = first + l * THREADS;
#pragma unroll
            for (int i = 0; i < 8; i++) {
                if (c >= chunks || c * 8 + i >= known) break;
                const u32 key = key_of(a[l].v[i]);
                bad |= (__bfloat16_as_ushort(a[l].v[i]) & 0x7fff) > 0x7f80;
                atomicAdd(&bins[key >> 1], key & 1 ? 65536u : 1u);
            }
        }
    }
    if (bad) no_number = 1;
    __syncthreads();

    // This thread's values, highest first: high, high - 1, ... Lanes begin at other places so that they read other banks.
    const u32 high = 65535 - thread * OWN;
    u32 own = 0, own_top = 0;
    for (int i = 0; i < OWN / 2; i++) {
        const u32 word = bins[(high >> 1) - ((i + lane) & 31)];
        own += (word & 0xffffu) + (word >> 16);
    }
    if (own > 0)
        for (int i = 0; i < OWN && own_top == 0; i++)
            if (count[high - i]) own_top = high - i;
    if (own > 0) atomicMax(&top, own_top);
    const Range<u32> places = scan_block(own, counts);
    const float highest = number_of(top);
    if (no_number || !isfinite(highest)) {
        if (thread == 0) drawn[row] = {0, 0.0f, NOT_FINITE, 0};
        return;
    }
    if (places.all != (u32)known) {  // more than 65,535 of one value
        if (thread == 0) drawn[row] = {0, 0.0f, UNKNOWN, 0};
        return;
    }
    const bool warm = choice.temperature > 0.0;
    auto weight = [&](u32 key) { return exp(((double)number_of(key) - (double)highest) / choice.temperature); };
    double plain = 0.0, tempered = 0.0;
    if (own > 0)
        for (int i = 0; i < OWN; i++) {
            const u32 key = high - i, n = count[key];
            if (n == 0) continue;
            plain += n * exp((double)(number_of(key) - highest));
            if (warm && choice.temperature != 1.0) tempered += n * weight(key);
        }
    if (warm && choice.temperature == 1.0) tempered = plain;
    const double divisor = scan_block(plain, sums).all;
    const Range<double> masses = scan_block(tempered, sums);

    // How many of the likeliest are kept, and their mass.
    const u32 asked = choice.top_k > 0 ? min((u32)choice.top_k, (u32)known) : (u32)known;
    if (thread == 0) kept = asked, mass = masses.all, chosen = top, rank = 0;
    __syncthreads();
    auto mass_of = [&](u32 limit) {  // by the thread that has the place `limit`
        if (limit >= places.begin && limit < places.end) {
            double m = masses.begin;
            u32 left = limit - places.begin;
            for (int i = 0; left > 0; i++) {
                const u32 n = min(left, count[high - i]);
                if (n > 0) m += n * weight(high - i);
                left -= n;
            }
            mass = m;
        }
        __syncthreads();
    };
    if (warm && asked < (u32)known) mass_of(asked);
    if (warm && choice.top_p < 1.0) {
        const double wanted = choice.top_p * mass;
        __syncthreads();
        if (masses.begin < wanted && wanted <= masses.end) {
            double m = masses.begin;
            u32 place = places.begin;
            for (int i = 0; i < OWN; i++) {
                const u32 n = count[high - i];
                if (n == 0) continue;
                const double w = weight(high - i);
                if (m + n * w >= wanted) {
                    u32 few = (u32)fmin(fmax(ceil((wanted - m) / w), 1.0), (double)n);
                    if (few < n && m + few * w < wanted) few++;  // rounding
                    kept = min(kept, place + few);
                    break;
                }
                m += n * w, place += n;
            }
        }
        __syncthreads();
        const u32 limit = kept;
        if (limit < (u32)known) mass_of(limit);
    }
    if (warm && choice.min_p > 0.0) {
        u32 likely = 0;
        if (own > 0)
            for (int i = 0; i < OWN; i++)
                if (count[high - i] && weight(high - i) >= choice.min_p) likely += count[high - i];
        const u32 all = scan_block(likely, counts).all;
        if (all < kept) {  // the same in all threads
            __syncthreads();
            if (thread == 0) kept = all;
            __syncthreads();
            mass_of(all);
        }
    }
    __syncthreads();

    // The ids of a warp are next to each other.
    const int share = (chunks + 1023) / 1024 * 32;
    const int begin = warp * share, end = min(begin + share, chunks);
    const bool ordered = choice.top_k > 0 || choice.top_p < 1.0;
    if (warm && kept > 1 && !ordered) {
        // In the order of ids. `kept` is all that are likely enough.
        auto weights_of = [&](int c, double* own) {
            double sum = 0.0;
            if (c < end) {
                const bf16x8 a = reinterpret_cast<const bf16x8*>(x)[c];
                for (int i = 0; i < 8; i++) {
                    double w = c * 8 + i < known ? weight(key_of(a.v[i])) : 0.0;
                    if (w < choice.min_p) w = 0.0;
                    own[i] = w, sum += w;
                }
            }
            return sum;
        };
        double sum = 0.0, each[8];
        for (int c = begin + lane; c < begin + share; c += 32) sum += weights_of(c, each);
        const Range<double> warps = scan_block(sum, sums);
        // A warp's part is from its first thread's begin to its last one's end.
        const double low = __shfl_sync(0xffffffffu, warps.begin, 0), up = __shfl_sync(0xffffffffu, warps.end, 31);
        const double target = choice.uniform * warps.all;
        if (thread == 0) found = 0xffffffffu;
        __syncthreads();
        if (low <= target && target < up) {
            double before = low;
            u32 final = 0xffffffffu;
            for (int c = begin + lane; c < begin + share; c += 32) {
                const double sum = weights_of(c, each), upto = scan_warp(sum), from = before + (upto - sum);
                const u32 hit = __ballot_sync(0xffffffffu, sum > 0.0 && before + upto > target);
                // What rounding leaves goes to the last id that has a weight.
                const u32 any = __ballot_sync(0xffffffffu, sum > 0.0);
                if (any && lane == 31 - __clz(any))
                    for (int i = 0; i < 8; i++)
                        if (each[i] > 0.0) final = c * 8 + i;
                if (any) final = __shfl_sync(0xffffffffu, final, 31 - __clz(any));
                if (hit) {
                    if (lane == __ffs(hit) - 1) {
                        double m = from;
                        for (int i = 0; i < 8; i++) {
                            m += each[i];
                            if (each[i] > 0.0) final = c * 8 + i;
                            if (each[i] > 0.0 && m > target) break;
                        }
                    }
                    final = __shfl_sync(0xffffffffu, final, __ffs(hit) - 1);
                    break;
                }
                before += __shfl_sync(0xffffffffu, upto, 31);
            }
            if (lane == 0) found = final;
        }
        __syncthreads();
        if (found != 0xffffffffu) {
            if (thread == 0) {
                const float own = __bfloat162float(x[found]);
                drawn[row] = {(int)found, (float)((double)(own - highest) - log(divisor)), DRAWN, 0};
            }
            return;
        }
    } else if (warm && kept > 1) {
        const double target = choice.uniform * mass;
        if (masses.begin <= target && target < masses.end) {
            double m = masses.begin;
            u32 place = places.begin;
            for (int i = 0; i < OWN; i++) {
                const u32 n = count[high - i];
                if (n == 0) continue;
                const double w = weight(high - i);
                if (m + n * w > target) {
                    const u32 at = (u32)fmin(fmax(floor((target - m) / w), 0.0), (double)(n - 1));
                    if (place + at < kept) chosen = high - i, rank = at;
                    break;
                }
                m += n * w, place += n;
            }
        }
        __syncthreads();
    }

    // The id with this value and rank.
    u32 mine = 0;
#pragma unroll 8
    for (int c = begin + lane; c < end; c += 32) {
        const bf16x8 a = reinterpret_cast<const bf16x8*>(x)[c];
#pragma unroll
        for (int i = 0; i < 8; i++) mine += c * 8 + i < known && key_of(a.v[i]) == chosen;
    }
    const Range<u32> ranks = scan_block(mine, counts);
    const u32 low = __shfl_sync(0xffffffffu, ranks.begin, 0), up = __shfl_sync(0xffffffffu, ranks.end, 31);
    if (rank < low || rank >= up) return;
    u32 before = low;
    for (int c = begin + lane; c < begin + share; c += 32) {
        u32 own = 0;
        bf16x8 a;
        if (c < end) {
            a = reinterpret_cast<const bf16x8*>(x)[c];
#pragma unroll
            for (int i = 0; i < 8; i++) own += c * 8 + i < known && key_of(a.v[i]) == chosen;
        }
        const u32 upto = before + scan_warp(own);
        if (rank >= upto - own && rank < upto) {
            u32 left = rank - (upto - own);
            for (int i = 0; i < 8; i++)
                if (c * 8 + i < known && key_of(a.v[i]) == chosen && left-- == 0) {
                    const float own = number_of(chosen);
                    drawn[row] = {c * 8 + i, (float)((double)(own - highest) - log(divisor)), DRAWN, 0};
                    break;
                }
        }
        before = __shfl_sync(0xffffffffu, upto, 31);
        if (rank < before) break;
    }
}
