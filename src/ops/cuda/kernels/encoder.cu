// The layers of g_enc apart from their products: the first convolution, norms, ReLU, and the layouts that make every other convolution two
// plain products (src/ops/cuda/encoder.rs).
//
// Activations are kept in *segments*: (B, P, C), where the P rows of an item begin with the `padding` zeros of the layer that reads them. A row
// of the matrix that this layer multiplies is `stride` rows. What the products write is (B, Q, C), of which the first T rows of an item count.
//
// Activations between layers and their gradients are float or bf16. The names of kernels end in their types: of what the products write, and of
// the layer's output.
#include "common.cuh"

#define EPS 1e-5f
#define MAX_TAPS 16
enum { NONE = 0, CHANNEL = 1, COLUMN = 2 };

// Where the output of a convolution, before the norm, comes from: memory, or, if `samples` is given, a convolution of one input channel that
// is computed anew each time it is needed.
struct Source {
    const void *y;         // (B, Q, C), without the bias
    const float *bias;     // (C)
    const float *samples;  // (B, time_in)
    const float *weight;   // (taps, C)
    uint32_t rows, time, channels, time_in, taps, stride, padding;  // rows is Q, time is T
};

// One row of a source.
template <class Y> struct Row {
    const Y *y;
    float window[MAX_TAPS];
};

template <class Y> __device__ __forceinline__ Row<Y> row_of(const Source &s, uint32_t item, uint32_t t) {
    Row<Y> row;
    row.y = (const Y *)s.y + (s.samples ? 0 : ((size_t)item * s.rows + t) * s.channels);
    if (s.samples) {
        for (int j = 0; j < MAX_TAPS; j++) {
            long at = (long)t * s.stride + j - s.padding;
            row.window[j] = j < s.taps && at >= 0 && at < s.time_in ? s.samples[(size_t)item * s.time_in + at] : 0.0f;
        }
    }
    return row;
}

template <class Y> __device__ __forceinline__ float value(const Source &s, const Row<Y> &row, uint32_t c) {
    if (!s.samples) return load(row.y + c) + s.bias[c];
    float sum = s.bias[c];
#pragma unroll
    for (int j = 0; j < MAX_TAPS; j++)
        if (j < s.taps) sum += row.window[j] * s.weight[(size_t)j * s.channels + c];
    return sum;
}

// Mean and 1 / standard deviation of a row over its channels, the variance unbiased. A warp computes it together.
template <class Y> __device__ __forceinline__ void channel_moments(const Source &s, const Row<Y> &row, float &mean, float &rstd) {
    uint32_t lane = threadIdx.x % 32;
    float sum = 0;
    for (uint32_t c = lane; c < s.channels; c += 32) sum += value(s, row, c);
    mean = warp_sum(sum) / s.channels;
    float squares = 0;
    for (uint32_t c = lane; c < s.channels; c += 32) {
        float d = value(s, row, c) - mean;
        squares += d * d;
    }
    rstd = 1.0f / sqrtf(warp_sum(squares) / (s.channels - 1.0f) + EPS);
}

// out (B, P, C) = relu(gain * xhat + shift) in its rows `pad`.., and zeros in the rows around. Without `gain`, gain is 1 and shift 0.
// With COLUMN, `mean` and `rstd` (C) are given. A warp makes one row.
template <class Y, class O>
__device__ void forward(Source s, uint32_t norm, const float *mean, const float *rstd, const float *gain, const float *shift, O *out,
                        uint32_t batch, uint32_t pad, uint32_t segment_rows) {
    uint32_t lane = threadIdx.x % 32, warps = gridDim.x * (blockDim.x / 32);
    for (uint32_t at = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; at < batch * segment_rows; at += warps) {
        uint32_t item = at / segment_rows, r = at % segment_rows;
        O *to = out + (size_t)at * s.channels;
        if (r < pad || r - pad >= s.time) {
            for (uint32_t c = lane; c < s.channels; c += 32) store(to + c, 0.0f);
            continue;
        }
        Row<Y> row = row_of<Y>(s, item, r - pad);
        float m = 0, d = 1;
        if (norm == CHANNEL) channel_moments(s, row, m, d);
        for (uint32_t c = lane; c < s.channels; c += 32) {
            float v = value(s, row, c);
            v = norm == COLUMN ? (v - mean[c]) * rstd[c] : (v - m) * d;
            if (gain) v = gain[c] * v + shift[c];
            store(to + c, v > 0 ? v : (v == v ? 0.0f : v));
        }
    }
}
#define FORWARD(name, Y, O)                                                                                                                \
    extern "C" __global__ void name(Source s, uint32_t norm, const float *mean, const float *rstd, const float *gain, const float *shift, \
                                    O *out, uint32_t batch, uint32_t pad, uint32_t segment_rows) {                                        \
        forward<Y, O>(s, norm, mean, rstd, gain, shift, out, batch, pad, segment_rows);                                                   \
    }
FORWARD(encoder_forward_f_f, float, float)
FORWARD(encoder_forward_b_b, bf16, bf16)
FORWARD(encoder_forward_b_f, bf16, float)

// For channel norm, of each row (B, T): mean, rstd, the mean of dxhat, and sum(dxhat * xhat) / (C - 1). A warp makes one row.
template <class Y, class O>
__device__ void row_sums(Source s, const float *gain, const float *shift, const O *dout, float *sums, uint32_t batch, uint32_t pad,
                         uint32_t segment_rows) {
    uint32_t lane = threadIdx.x % 32, warps = gridDim.x * (blockDim.x / 32);
    for (uint32_t at = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; at < batch * s.time; at += warps) {
        uint32_t item = at / s.time, t = at % s.time;
        Row<Y> row = row_of<Y>(s, item, t);
        float mean, rstd, along = 0, total = 0;
        channel_moments(s, row, mean, rstd);
        const O *from = dout + ((size_t)item * segment_rows + t + pad) * s.channels;
        bool inside = t + pad < segment_rows;
        for (uint32_t c = lane; c < s.channels; c += 32) {
            float x = (value(s, row, c) - mean) * rstd;
            float pre = gain ? gain[c] * x + shift[c] : x;
            float g = inside && pre > 0 ? load(from + c) * (gain ? gain[c] : 1.0f) : 0.0f;
            total += g;
            along += g * x;
        }
        total = warp_sum(total) / s.channels;
        along = warp_sum(along) / (s.channels - 1.0f);
        if (lane == 0) {
            float *to = sums + (size_t)at * 4;
            to[0] = mean, to[1] = rstd, to[2] = total, to[3] = along;
        }
    }
}
#define ROW_SUMS(name, Y, O)                                                                                                               \
    extern "C" __global__ void name(Source s, const float *gain, const float *shift, const O *dout, float *sums, uint32_t batch,          \
                                    uint32_t pad, uint32_t segment_rows) {                                                                \
        row_sums<Y, O>(s, gain, shift, dout, sums, batch, pad, segment_rows);                                                             \
    }
ROW_SUMS(encoder_row_sums_f_f, float, float)
ROW_SUMS(encoder_row_sums_b_b, bf16, bf16)
ROW_SUMS(encoder_row_sums_b_f, bf16, float)

// Backward through ReLU and norm. A thread has one channel and a chunk of the B * T rows.
//
// dy (lead + B * Q, C), if given, gets the gradient of the convolution's output, with zeros in its first `lead` rows and in the rows of an
// item that do not count. parts (chunks, 3 + taps, C) gets the chunk's sums for bias, gain, shift and, with `samples`, the weight (taps, C).
// With CHANNEL, `sums` (B, T, 4) are those of encoder_row_sums. With COLUMN, `totals` (2, C) are the sums over all rows of the gradient of
// gain and shift, or null for fixed statistics.
template <class Y, class O>
__device__ void backward(Source s, uint32_t norm, const float *mean, const float *rstd, const float *gain, const float *shift, const O *dout,
                         const float *sums, const float *totals, Y *dy, float *parts, uint32_t batch, uint32_t pad, uint32_t segment_rows,
                         uint32_t lead, uint32_t chunk) {
    uint32_t c = blockIdx.y * blockDim.x + threadIdx.x, n = batch * s.time;
    if (c >= s.channels) return;
    float w = gain ? gain[c] : 1.0f, b = gain ? shift[c] : 0.0f;
    float bias = 0, dgain = 0, dshift = 0, dweight[MAX_TAPS];
    for (int j = 0; j < MAX_TAPS; j++) dweight[j] = 0;
    if (dy && blockIdx.x == 0)
        for (uint32_t r = 0; r < lead; r++) store(dy + (size_t)r * s.channels + c, 0.0f);
    uint32_t end = min(n, (blockIdx.x + 1) * chunk);
    for (uint32_t at = blockIdx.x * chunk; at < end; at++) {
        uint32_t item = at / s.time, t = at % s.time;
        Row<Y> row = row_of<Y>(s, item, t);
        float m = 0, d = 1;
        if (norm == CHANNEL) m = sums[(size_t)at * 4], d = sums[(size_t)at * 4 + 1];
        if (norm == COLUMN) m = mean[c], d = rstd[c];
        float x = (value(s, row, c) - m) * d;
        float g = t + pad < segment_rows && w * x + b > 0 ? load(dout + ((size_t)item * segment_rows + t + pad) * s.channels + c) : 0.0f;
        dgain += g * x;
        dshift += g;
        g *= w;
        if (norm == CHANNEL) g = d * (g - sums[(size_t)at * 4 + 2] - x * sums[(size_t)at * 4 + 3]);
        if (norm == COLUMN) g = d * (totals ? g - w * (totals[s.channels + c] + x * totals[c]) / n : g);
        bias += g;
        if (s.samples)
#pragma unroll
            for (int j = 0; j < MAX_TAPS; j++)
                if (j < s.taps) dweight[j] += g * row.window[j];
        if (dy) {
            Y *to = dy + ((size_t)lead + (size_t)item * s.rows) * s.channels + c;
            store(to + (size_t)t * s.channels, g);
            if (t + 1 == s.time)
                for (uint32_t r = s.time; r < s.rows; r++) store(to + (size_t)r * s.channels, 0.0f);
        }
    }
    uint32_t taps = s.samples ? s.taps : 0;
    float *to = parts + (size_t)blockIdx.x * (3 + taps) * s.channels + c;
    to[0] = bias, to[s.channels] = dgain, to[2 * s.channels] = dshift;
#pragma unroll
    for (int j = 0; j < MAX_TAPS; j++)
        if (j < taps) to[(size_t)(3 + j) * s.channels] = dweight[j];
}
#define BACKWARD(name, Y, O)                                                                                                               \
    extern "C" __global__ void name(Source s, uint32_t norm, const float *mean, const float *rstd, const float *gain, const float *shift, \
                                    const O *dout, const float *sums, const float *totals, Y *dy, float *parts, uint32_t batch,           \
                                    uint32_t pad, uint32_t segment_rows, uint32_t lead, uint32_t chunk) {                                 \
        backward<Y, O>(s, norm, mean, rstd, gain, shift, dout, sums, totals, dy, parts, batch, pad, segment_rows, lead, chunk);           \
    }
BACKWARD(encoder_backward_f_f, float, float)
BACKWARD(encoder_backward_b_b, bf16, bf16)
BACKWARD(encoder_backward_b_f, bf16, float)

// For batch norm, the mean of each channel over a chunk of the B * T rows and its sum of squared deviations: parts (chunks, 2, C).
template <class Y> __device__ void moments(Source s, float *parts, uint32_t batch, uint32_t chunk) {
    uint32_t c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= s.channels) return;
    uint32_t end = min(batch * s.time, (blockIdx.x + 1) * chunk);
    float mean = 0, squares = 0, count = 0;
    for (uint32_t at = blockIdx.x * chunk; at < end; at++) {
        float v = value(s, row_of<Y>(s, at / s.time, at % s.time), c), d = v - mean;
        count += 1;
        mean += d / count;
        squares += d * (v - mean);
    }
    float *to = parts + (size_t)blockIdx.x * 2 * s.channels + c;
    to[0] = mean, to[s.channels] = squares;
}
extern "C" __global__ void encoder_moments_f(Source s, float *parts, uint32_t batch, uint32_t chunk) { moments<float>(s, parts, batch, chunk); }
extern "C" __global__ void encoder_moments_b(Source s, float *parts, uint32_t batch, uint32_t chunk) { moments<bf16>(s, parts, batch, chunk); }

// The moments of all chunks together (Chan, Golub and LeVeque 1983): out (3, C) is mean, 1 / standard deviation and unbiased variance.
extern "C" __global__ void encoder_moments_join(const float *parts, float *out, uint32_t chunks, uint32_t chunk, uint32_t rows,
                                                uint32_t channels) {
    uint32_t c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    double mean = 0, squares = 0, n = 0;
    for (uint32_t i = 0; i < chunks; i++) {
        double k = min(chunk, rows - i * chunk), m = parts[(size_t)i * 2 * channels + c], s = parts[((size_t)i * 2 + 1) * channels + c];
        double d = m - mean, all = n + k;
        mean += d * k / all;
        squares += s + d * d * n * k / all;
        n = all;
    }
    out[c] = (float)mean;
    out[channels + c] = (float)(1.0 / sqrt(squares / n + 1e-5));
    out[2 * channels + c] = (float)(squares / (n > 1 ? n - 1 : 1));
}

// Weights as the products need them: to (taps * C_in, C_out) from (C_out, C_in, taps), or back.
template <class T>
__device__ void transpose_taps(const float *from, T *to, uint32_t outputs, uint32_t inputs, uint32_t taps, uint32_t back) {
    uint32_t all = outputs * inputs * taps;
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < all; i += gridDim.x * blockDim.x) {
        uint32_t o = i % outputs, c = i / outputs % inputs, j = i / (outputs * inputs);
        size_t flat = ((size_t)o * inputs + c) * taps + j;
        if (back) store(to + flat, from[i]); else store(to + i, from[flat]);
    }
}
extern "C" __global__ void encoder_taps_f(const float *from, float *to, uint32_t outputs, uint32_t inputs, uint32_t taps, uint32_t back) {
    transpose_taps(from, to, outputs, inputs, taps, back);
}
extern "C" __global__ void encoder_taps_b(const float *from, bf16 *to, uint32_t outputs, uint32_t inputs, uint32_t taps, uint32_t back) {
    transpose_taps(from, to, outputs, inputs, taps, back);
}

// Rows `first`.. of every item of from (B, from_rows, C) into to (B, to_rows, C) at `at`; zeros where there are none.
template <class S, class T>
__device__ void place(const S *from, T *to, uint32_t batch, uint32_t from_rows, uint32_t to_rows, uint32_t channels, uint32_t first,
                      uint32_t at) {
    size_t all = (size_t)batch * to_rows * channels;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += (size_t)gridDim.x * blockDim.x) {
        uint32_t r = i / channels % to_rows;
        size_t item = i / channels / to_rows;
        bool there = r >= at && r - at + first < from_rows;
        store(to + i, there ? load(from + (item * from_rows + r - at + first) * channels + i % channels) : 0.0f);
    }
}
#define PLACE(name, S, T)                                                                                                                  \
    extern "C" __global__ void name(const S *from, T *to, uint32_t batch, uint32_t from_rows, uint32_t to_rows, uint32_t channels,        \
                                    uint32_t first, uint32_t at) {                                                                        \
        place(from, to, batch, from_rows, to_rows, channels, first, at);                                                                  \
    }
PLACE(encoder_place_f_f, float, float)
PLACE(encoder_place_f_b, float, bf16)
PLACE(encoder_place_b_f, bf16, float)
