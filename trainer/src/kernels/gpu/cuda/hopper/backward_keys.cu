// Blocks: (query heads, rows, tiles of keys), the longest first. d_k and d_v have a part for each query
// head, [N, Q x HEAD], which sum_groups adds up.
extern "C" __global__ void __launch_bounds__(THREADS_BACK, 1)
attention_backward_kv(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
                      const __grid_constant__ TensorMap d_out, const float* lse, const float* delta, const int* last,
                      bf16* d_k, bf16* d_v, int length, int heads, int groups, float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(16) float lse_ring[RING_BACK][STREAM], delta_ring[RING_BACK][STREAM];
    __shared__ __align__(8) u64 barriers[1 + 2 * RING_BACK];
    const int tile = blockIdx.z, head = blockIdx.x, row = blockIdx.y, row_start = row * length;
    const int warp = uniform(threadIdx.x >> 5), lane = threadIdx.x & 31, group = warp >> 2;
    const u32 k_tile = shared_address(memory), v_tile = k_tile + ROWS_BACK * HEAD * 2;
    const u32 q_ring = v_tile + ROWS_BACK * HEAD * 2, d_ring = q_ring + RING_BACK * STREAM_BYTES;
    const u32 own_full = shared_address(barriers), full = own_full + 8, empty = full + 8 * RING_BACK;
    last += row_start;

    const int from = tile * ROWS_BACK, end = min(from + ROWS_BACK, length);
    const int begin = from / STREAM, stop = last[end - 1] / STREAM + 1;
    if (threadIdx.x == 0) {
        barrier_init(own_full, 1);
        ring_init(full, empty, RING_BACK, WARPGROUPS_BACK);
    }
    barriers_are_initialised();

    if (group == WARPGROUPS_BACK) {
        give_registers<REGISTERS_LEFT(WARPGROUPS_BACK)>();
        if (warp != WARPGROUPS_BACK * 4 || lane != 0) return;
        arrive_expecting(own_full, 2 * ROWS_BACK * HEAD * 2);
        copy_tile<ROWS_BACK>(k_tile, &k, head / groups, from, row, own_full);
        copy_tile<ROWS_BACK>(v_tile, &v, head / groups, from, row, own_full);
        const i64 cell = ((i64)head * gridDim.y + row) * padded(length);
        Cursor<RING_BACK> to;
        for (int j = begin; j < stop; j++, to.advance()) {
            const u32 barrier = full + 8 * to.place;
            wait_for(empty + 8 * to.place, to.parity ^ 1);
            arrive_expecting(barrier, 2 * STREAM_BYTES + 2 * STREAM * 4);
            copy_tile<STREAM>(q_ring + to.place * STREAM_BYTES, &q, head, j * STREAM, row, barrier);
            copy_tile<STREAM>(d_ring + to.place * STREAM_BYTES, &d_out, head, j * STREAM, row, barrier);
            copy_bytes(shared_address(lse_ring[to.place]), lse + cell + j * STREAM, STREAM * 4, barrier);
            copy_bytes(shared_address(delta_ring[to.place]), delta + cell + j * STREAM, STREAM * 4, barrier);
        }
        return;
    }
    take_registers<REGISTERS(WARPGROUPS_BACK)>();

    const int own = from + group * 64;
    const int own_begin = own < length ? own / STREAM : stop, own_stop = own < length ? last[min(own + 64, length) - 1] / STREAM + 1 : stop;
    const int soonest = own < length ? last[own] : 0;  // up to this query, all keys are seen by what is not earlier
    const int key = own + (warp & 3) * 16 + (lane >> 2);
    int lasts[2];
#pragma unroll
    for (int half = 0; half < 2; half++) lasts[half] = key + half * 8 < length ? last[key + half * 8] : -1;
    const float factor = scale * LOG2E;

    Cursor<RING_BACK> now, behind;  // of the tiles computed with, and of the last that are not left yet
    auto leave = [&]() {
        if (lane == 0) arrive(empty + 8 * behind.place);
        behind.advance();
    };
    auto pass = [&](int tiles) {  // those of which this warpgroup sees nothing
        for (; tiles > 0; tiles--) {
            wait_for(full + 8 * now.place, now.parity);
            now.advance();
            leave();
        }
    };

    float d_key[HEAD / 2], d_value[HEAD / 2], s[STREAM / 2], d[STREAM / 2];
    u32 p[STREAM / 16][4], d_s[STREAM / 16][4];
#pragma unroll
    for (int i = 0; i < HEAD / 2; i++) d_key[i] = d_value[i] = 0.0f;
    wait_for(own_full, 0);
#if HEAD == 64
    u32 own_k[HEAD / 16][4], own_v[HEAD / 16][4];
    load_rows(own_k, k_tile + group * BOX_BYTES, 0);
    load_rows(own_v, v_tile + group * BOX_BYTES, 0);
#endif
    auto ask = [&]() {  // scores of the next queries, and the gradients of weights
        wait_for(full + 8 * now.place, now.parity);
        products_begin();
#if HEAD == 64
        scores(s, own_k, q_ring + now.place * STREAM_BYTES, BOX_BYTES);
        products_commit();
        scores(d, own_v, d_ring + now.place * STREAM_BYTES, BOX_BYTES);
#else
        scores(s, k_tile + group * BOX_BYTES, WARPGROUPS_BACK * BOX_BYTES, q_ring + now.place * STREAM_BYTES, BOX_BYTES);
        products_commit();
        scores(d, v_tile + group * BOX_BYTES, WARPGROUPS_BACK * BOX_BYTES, d_ring + now.place * STREAM_BYTES, BOX_BYTES);
#endif
        products_commit();
    };
    auto add_keys = [&]() {  // to the gradient of keys, of the queries before
        products_begin();
        weighted(d_key, d_s, q_ring + behind.place * STREAM_BYTES, BOX_BYTES);
        products_commit();
    };
    auto weigh = [&](int j) {  // scores to weights
        const bool inside = own + 63 <= j * STREAM && j * STREAM + STREAM - 1 <= soonest;
        const int query = j * STREAM + (lane & 3) * 2;
#pragma unroll
        for (int i = 0; i < STREAM / 2; i += 4) {
            const float2 log = *reinterpret_cast<const float2*>(&lse_ring[now.place][i * 2 + (lane & 3) * 2]);
#pragma unroll
            for (int c = 0; c < 4; c++) s[i + c] = power(s[i + c] * factor - (c & 1 ? log.y : log.x));
        }
        if (!inside) {
#pragma unroll
            for (int i = 0; i < STREAM / 2; i++) {
                const int half = (i >> 1) & 1, column = i / 4 * 8 + (i & 1);
                if (column < key + half * 8 - query || column > lasts[half] - query) s[i] = 0.0f;
            }
        }
        pack_all(p, s);
    };
    auto add_values = [&]() {  // to the gradient of values
        products_begin();
        weighted(d_value, p, d_ring + now.place * STREAM_BYTES, BOX_BYTES);
        products_commit();
    };
    auto differentiate = [&](int j) {  // gradients of weights to those of scores
#pragma unroll
        for (int i = 0; i < STREAM / 2; i += 4) {
            const float2 rest = *reinterpret_cast<const float2*>(&delta_ring[now.place][i * 2 + (lane & 3) * 2]);
#pragma unroll
            for (int c = 0; c < 4; c++) d[i + c] = s[i + c] * (d[i + c] - (c & 1 ? rest.y : rest.x));
        }
        if (!(own + 63 <= j * STREAM && j * STREAM + STREAM - 1 <= soonest)) {  // beyond the row's end lies anything
#pragma unroll
            for (int i = 0; i < STREAM / 2; i++)
                if (s[i] == 0.0f) d[i] = 0.0f;
        }
    };

    pass(own_begin - begin);
    if (own_begin < own_stop) {
        ask();
        products_wait<1>();
        hold(s);
        weigh(own_begin);
        hold(d_value);
        add_values();
        products_wait<1>();
        hold(d);
        differentiate(own_begin);
        products_wait<0>();
        hold(d_value);
        pack_all(d_s, d);
        now.advance();
        for (int j = own_begin + 1; j < own_stop; j++) {
            ask();
            hold(d_key);
            add_keys();
            products_wait<2>();
            hold(s);
            weigh(j);
            hold(d_value);
            add_values();
            products_wait<2>();
            hold(d);
            differentiate(j);
            products_wait<0>();
            hold(d_key);
            hold(d_value);
            hold(d);
            leave();
            pack_all(d_s, d);
            now.advance();
        }
        hold(d_key);
        add_keys();
        products_wait<0>();
        hold(d_key);
        leave();
    }
    pass(stop - own_stop);

    const i64 stride = (i64)heads * HEAD, offset = row_start * stride + head * HEAD;
    store_rows(d_k + offset, stride, own + (warp & 3) * 16, length, d_key, scale, scale);
    store_rows(d_v + offset, stride, own + (warp & 3) * 16, length, d_value, 1.0f, 1.0f);
}
