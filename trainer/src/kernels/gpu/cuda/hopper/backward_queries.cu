// Blocks: (query heads, rows, tiles of queries), the longest first. Writes delta too, the sum over a head of
// out x its gradient, which the kernel for keys and values reads.
extern "C" __global__ void __launch_bounds__(THREADS_BACK, 1)
attention_backward_q(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
                     const __grid_constant__ TensorMap d_out, const bf16* out, const float* lse, float* delta, const int* first,
                     bf16* d_q, int length, int heads, int groups, float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(8) u64 barriers[1 + 2 * RING_BACK];
    const int tile = gridDim.z - 1 - blockIdx.z, head = blockIdx.x, row = blockIdx.y, row_start = row * length;
    const int warp = uniform(threadIdx.x >> 5), lane = threadIdx.x & 31, group = warp >> 2;
    const u32 q_tile = shared_address(memory), d_tile = q_tile + ROWS_BACK * HEAD * 2;
    const u32 k_ring = d_tile + ROWS_BACK * HEAD * 2, v_ring = k_ring + RING_BACK * STREAM_BYTES;
    const u32 own_full = shared_address(barriers), full = own_full + 8, empty = full + 8 * RING_BACK;
    first += row_start;

    const int from = tile * ROWS_BACK, end = min(from + ROWS_BACK, length);
    const int begin = first[from] / STREAM, stop = (end + STREAM - 1) / STREAM;
    if (threadIdx.x == 0) {
        barrier_init(own_full, 1);
        ring_init(full, empty, RING_BACK, WARPGROUPS_BACK);
    }
    barriers_are_initialised();

    if (group == WARPGROUPS_BACK) {
        give_registers<REGISTERS_LEFT(WARPGROUPS_BACK)>();
        if (warp != WARPGROUPS_BACK * 4 || lane != 0) return;
        arrive_expecting(own_full, 2 * ROWS_BACK * HEAD * 2);
        copy_tile<ROWS_BACK>(q_tile, &q, head, from, row, own_full);
        copy_tile<ROWS_BACK>(d_tile, &d_out, head, from, row, own_full);
        Cursor<RING_BACK> to;
        for (int j = begin; j < stop; j++, to.advance()) {
            const u32 barrier = full + 8 * to.place;
            wait_for(empty + 8 * to.place, to.parity ^ 1);
            arrive_expecting(barrier, 2 * STREAM_BYTES);
            copy_tile<STREAM>(k_ring + to.place * STREAM_BYTES, &k, head / groups, j * STREAM, row, barrier);
            copy_tile<STREAM>(v_ring + to.place * STREAM_BYTES, &v, head / groups, j * STREAM, row, barrier);
        }
        return;
    }
    take_registers<REGISTERS(WARPGROUPS_BACK)>();

    const int own = from + group * 64;
    const int own_begin = own < length ? first[own] / STREAM : stop, own_stop = own < length ? (min(own + 64, length) + STREAM - 1) / STREAM : stop;
    const int latest = own < length ? first[min(own + 64, length) - 1] : 0;
    const int at = own + (warp & 3) * 16 + (lane >> 2);
    int starts[2];
    float logs[2], deltas[2];
    u32 own_out[HEAD / 16][4];
    const i64 stride = (i64)heads * HEAD;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const bool valid = at + half * 8 < length;
        const i64 cell = ((i64)head * gridDim.y + row) * padded(length) + at + half * 8;
        starts[half] = valid ? first[at + half * 8] : length;
        logs[half] = valid ? lse[cell] : 0.0f;
        const bf16* from_out = out + (row_start + at + half * 8) * stride + head * HEAD + (lane & 3) * 2;
#pragma unroll
        for (int i = 0; i < HEAD / 8; i++) own_out[i / 2][i % 2 * 2 + half] = valid ? *reinterpret_cast<const u32*>(from_out + i * 8) : 0;
    }
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

    float d_query[HEAD / 2], s[STREAM / 2], d[STREAM / 2];
    u32 d_s[STREAM / 16][4], own_q[HEAD / 16][4], own_d[HEAD / 16][4];
#pragma unroll
    for (int i = 0; i < HEAD / 2; i++) d_query[i] = 0.0f;
    wait_for(own_full, 0);
    load_rows(own_q, q_tile + group * BOX_BYTES, WARPGROUPS_BACK * BOX_BYTES);
    load_rows(own_d, d_tile + group * BOX_BYTES, WARPGROUPS_BACK * BOX_BYTES);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < HEAD / 8; i++) {
            const float2 a = unpack(own_out[i / 2][i % 2 * 2 + half]), b = unpack(own_d[i / 2][i % 2 * 2 + half]);
            sum += a.x * b.x + a.y * b.y;
        }
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        deltas[half] = sum;
        if ((lane & 3) == 0 && at + half * 8 < length) delta[((i64)head * gridDim.y + row) * padded(length) + at + half * 8] = sum;
    }
    auto ask = [&]() {  // scores of the next keys, and the gradients of weights
        wait_for(full + 8 * now.place, now.parity);
        products_begin();
        scores(s, own_q, k_ring + now.place * STREAM_BYTES, BOX_BYTES);
        products_commit();
        scores(d, own_d, v_ring + now.place * STREAM_BYTES, BOX_BYTES);
        products_commit();
    };
    auto add = [&]() {  // to the gradient of queries, of the keys before
        products_begin();
        weighted(d_query, d_s, k_ring + behind.place * STREAM_BYTES, BOX_BYTES);
        products_commit();
    };
    auto weigh = [&](int j) {  // scores to weights
#pragma unroll
        for (int i = 0; i < STREAM / 2; i++) s[i] = power(s[i] * factor - logs[(i >> 1) & 1]);
        if (!(j * STREAM + STREAM - 1 <= own && latest <= j * STREAM)) {
            const int key = j * STREAM + (lane & 3) * 2;
#pragma unroll
            for (int i = 0; i < STREAM / 2; i++) {
                const int half = (i >> 1) & 1, column = i / 4 * 8 + (i & 1);
                if (column > at + half * 8 - key || column < starts[half] - key) s[i] = 0.0f;
            }
        }
    };
    auto differentiate = [&]() {  // gradients of weights to those of scores
#pragma unroll
        for (int i = 0; i < STREAM / 2; i++) d[i] = s[i] * (d[i] - deltas[(i >> 1) & 1]);
    };

    pass(own_begin - begin);
    if (own_begin < own_stop) {
        ask();
        products_wait<1>();
        hold(s);
        weigh(own_begin);
        products_wait<0>();
        hold(d);
        differentiate();
        pack_all(d_s, d);
        now.advance();
        for (int j = own_begin + 1; j < own_stop; j++) {
            ask();
            hold(d_query);
            add();
            products_wait<2>();
            hold(s);
            weigh(j);
            products_wait<1>();
            hold(d);
            differentiate();
            products_wait<0>();
            hold(d_query);
            hold(d);
            leave();
            pack_all(d_s, d);
            now.advance();
        }
        hold(d_query);
        add();
        products_wait<0>();
        hold(d_query);
        leave();
    }
    pass(stop - own_stop);

    store_rows(d_q + row_start * stride + head * HEAD, stride, own + (warp & 3) * 16, length, d_query, scale, scale);
}
