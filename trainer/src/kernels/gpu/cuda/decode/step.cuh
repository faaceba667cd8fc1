// What a step of decoding is about. It is read from memory, so that one recorded sequence of kernels serves
// any step with as many rows.

#define BLOCK 16  // positions of a block of the cache

// How the token after a row is drawn; Rust's `Choice`.
struct Choice {
    double temperature, top_p, min_p, uniform;
    int top_k, unused;
};

// What was drawn; Rust's `Drawn`.
struct Drawn {
    int id;
    float log_prob;
    int state;
    int unused;
};
#define DRAWN 0
#define NOT_FINITE 1
#define UNKNOWN 2  // the host has to draw

// The buffer's parts. A row is a new token; rows beyond `rows` are there to fill a recorded step up.
struct Step {
    int rows;       // in use
    int ready;      // rows after which a token is drawn
    int stride;     // blocks of a sequence in `tables`
    const int* ids;
    const int* positions;
    const int* sequences;     // the line of `tables`
    const int* last;          // which rows are ready
    const Choice* choices;    // of those
    const int* tables;        // blocks of the cache, by sequence and position / BLOCK
};

// `room` is how many rows the buffer has place for, a multiple of 4; `most` how many ready ones.
__device__ __forceinline__ Step step_of(const int* words, int room, int most) {
    Step step;
    step.rows = words[0], step.ready = words[1], step.stride = words[2];
    step.ids = words + 4;
    step.positions = step.ids + room;
    step.sequences = step.positions + room;
    step.last = step.sequences + room;
    step.choices = reinterpret_cast<const Choice*>(step.last + room);
    step.tables = reinterpret_cast<const int*>(step.choices + most);
    return step;
}

// Where keys and values of a position are.
__device__ __forceinline__ i64 slot_of(const Step& step, int sequence, int position) {
    return (i64)step.tables[(i64)sequence * step.stride + position / BLOCK] * BLOCK + position % BLOCK;
}
