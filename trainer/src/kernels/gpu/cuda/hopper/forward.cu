// Blocks: (query heads, rows, tiles of queries), the longest first. lse: base 2. `scale` is that of the scores.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
attention_forward(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
                  const int* first, bf16* out, float* lse, int length, int heads, int groups, float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(8) u64 barriers[1 + 4 * RING];
    const int tile = gridDim.z - 1 - blockIdx.z, head = blockIdx.x, row = blockIdx.y, row_start = row * length;
    const int warp = uniform(threadIdx.x >> 5), lane = threadIdx.x & 31, group = warp >> 2;
    const u32 q_tile = shared_address(memory), k_ring = q_tile + ROWS * HEAD * 2, v_ring = k_ring + RING * KEYS_BYTES;
    const u32 q_full = shared_address(barriers), k_full = q_full + 8, v_full = k_full + 8 * RING;
    const u32 k_empty = v_full + 8 * RING, v_empty = k_empty + 8 * RING;
    first += row_start;

    const int from = tile * ROWS, end = min(from + ROWS, length);
    const int begin = first[from] / KEYS, stop = (end + KEYS - 1) / KEYS;
    if (threadIdx.x == 0) {
        barrier_init(q_full, 1);
        ring_init(k_full, k_empty, RING, WARPGROUPS);
        ring_init(v_full, v_empty, RING, WARPGROUPS);
    }
    barriers_are_initialised();

    if (group == WARPGROUPS) {
        give_registers<REGISTERS_LEFT(WARPGROUPS)>();
        if (warp != WARPGROUPS * 4 || lane != 0) return;
        arrive_expecting(q_full, ROWS * HEAD * 2);
        copy_tile<ROWS>(q_tile, &q, head, from, row, q_full);
        Cursor<RING> to;
        for (int j = begin; j < stop; j++, to.advance()) {
            wait_for(k_empty + 8 * to.place, to.parity ^ 1);
            arrive_expecting(k_full + 8 * to.place, KEYS_BYTES);
            copy_tile<KEYS>(k_ring + to.place * KEYS_BYTES, &k, head / groups, j * KEYS, row, k_full + 8 * to.place);
            wait_for(v_empty + 8 * to.place, to.parity ^ 1);
            arrive_expecting(v_full + 8 * to.place, KEYS_BYTES);
            copy_tile<KEYS>(v_ring + to.place * KEYS_BYTES, &v, head / groups, j * KEYS, row, v_full + 8 * to.place);
        }
        return;
    }
    take_registers<REGISTERS(WARPGROUPS)>();

    const int own = from + group * 64;
    const int own_begin = own < length ? first[own] / KEYS : stop, own_stop = own < length ? (min(own + 64, length) + KEYS - 1) / KEYS : stop;
    const int latest = own < length ? first[min(own + 64, length) - 1] : 0;  // from this key on, all rows see what is not later
    Cursor<RING> at_k, at_v;
    auto done = [&](u32 empty, Cursor<RING>& at) {
        if (lane == 0) arrive(empty + 8 * at.place);
        at.advance();
    };
    auto pass = [&](int tiles) {  // those of which this warpgroup sees nothing
        for (; tiles > 0; tiles--) {
            wait_for(k_full + 8 * at_k.place, at_k.parity);
            done(k_empty, at_k);
            wait_for(v_full + 8 * at_v.place, at_v.parity);
            done(v_empty, at_v);
        }
    };

    float o[HEAD / 2], s[KEYS / 2], highest[2] = {NEVER, NEVER}, total[2] = {0.0f, 0.0f}, rescale[2];
    u32 p[KEYS / 16][4];
    int starts[2];
    const int at = own + (warp & 3) * 16 + (lane >> 2);
#pragma unroll
    for (int half = 0; half < 2; half++) starts[half] = at + half * 8 < length ? first[at + half * 8] : length;
    const float factor = scale * LOG2E;

    // Scores to weights, of which `total` and `highest` are told, and the factor that everything before has now.
    auto softmax = [&](int j) {
        const int key = j * KEYS + (lane & 3) * 2;
        if (!(j * KEYS + KEYS - 1 <= own && latest <= j * KEYS)) {
#pragma unroll
            for (int i = 0; i < KEYS / 2; i++) {
                const int half = (i >> 1) & 1, column = i / 4 * 8 + (i & 1);
                if (column > at + half * 8 - key || column < starts[half] - key) s[i] = NEVER;
            }
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float peak = highest[half];
#pragma unroll
            for (int i = half * 2; i < KEYS / 2; i += 4) peak = fmaxf(peak, fmaxf(s[i], s[i + 1]));
            peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, 1));
            peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, 2));
            // A row that has seen nothing yet has all its scores at NEVER: no weight, not weight 1.
            const float offset = peak <= NEVER ? 0.0f : peak * factor;
            rescale[half] = power(highest[half] * factor - offset);
            highest[half] = peak;
            float sum = 0.0f;
#pragma unroll
            for (int i = half * 2; i < KEYS / 2; i += 4) {
                s[i] = power(s[i] * factor - offset);
                s[i + 1] = power(s[i + 1] * factor - offset);
                sum += s[i] + s[i + 1];
            }
            total[half] = total[half] * rescale[half] + sum;
        }
    };
#pragma unroll
    for (int i = 0; i < HEAD / 2; i++) o[i] = 0.0f;
    auto ask = [&]() {  // scores of the next keys
        wait_for(k_full + 8 * at_k.place, at_k.parity);
        products_begin();
        scores(s, q_tile + group * BOX_BYTES, WARPGROUPS * BOX_BYTES, k_ring + at_k.place * KEYS_BYTES, KEYS / BOX * BOX_BYTES);
        products_commit();
    };
    auto add = [&]() {  // the values of the keys before
        wait_for(v_full + 8 * at_v.place, at_v.parity);
        products_begin();
        weighted(o, p, v_ring + at_v.place * KEYS_BYTES, KEYS / BOX * BOX_BYTES);
        products_commit();
    };

    pass(own_begin - begin);
    if (own_begin < own_stop) {
        wait_for(q_full, 0);
        ask();
        products_wait<0>();
        hold(s);
        done(k_empty, at_k);
        softmax(own_begin);
        pack_all(p, s);
        for (int j = own_begin + 1; j < own_stop; j++) {
            hold(o);
            ask();
            add();
            products_wait<1>();
            hold(s);
            done(k_empty, at_k);
            softmax(j);
            products_wait<0>();
            hold(o);
            hold(s);  // no weight is packed where one may still be read
            done(v_empty, at_v);
#pragma unroll
            for (int i = 0; i < HEAD / 2; i++) o[i] *= rescale[(i >> 1) & 1];
            pack_all(p, s);
        }
        hold(o);
        add();
        products_wait<0>();
        hold(o);
        done(v_empty, at_v);
    }
    pass(stop - own_stop);
    if (own >= length) return;

    float share[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float sum = total[half];
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        share[half] = 1.0f / sum;
        if ((lane & 3) == 0 && at + half * 8 < length)
            lse[((i64)head * gridDim.y + row) * padded(length) + at + half * 8] = highest[half] * factor + log2f(sum);
    }
    const i64 stride = (i64)heads * HEAD;
    store_rows(out + row_start * stride + head * HEAD, stride, own + (warp & 3) * 16, length, o, share[0], share[1]);
}
