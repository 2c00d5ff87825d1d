// One step of a recurrent layer for a whole batch, forward and backward: the product with the recurrent weight and the gates in one kernel.
//
// A block has 16 rows of the batch and 16 units. Its 256 threads compute the gates of one unit of one row each, in pieces of 32 of the sum.
#include "common.cuh"

#define TILE 16
#define PIECE 32

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

struct Tiles {
    float a[TILE][PIECE + 1];
    float b[4][TILE][PIECE + 1];
};

// Sums over k of left (rows, K) [row][k] and right (K, columns of the gates): G sums for this thread. `right` is row-major with the k of
// gate g and unit u at right[(g * units + u) * by_unit + k * by_k].
template <int G>
__device__ __forceinline__ void dots(Tiles &tiles, const float *left, size_t left_stride, uint32_t rows, const float *right, size_t by_gate, size_t by_unit,
                                     size_t by_k, uint32_t units, uint32_t depth, float *sums) {
    uint32_t u = threadIdx.x % TILE, r = threadIdx.x / TILE, first_row = blockIdx.y * TILE, first_unit = blockIdx.x * TILE;
    for (int g = 0; g < G; g++) sums[g] = 0;
    for (uint32_t from = 0; from < depth; from += PIECE) {
        for (uint32_t i = threadIdx.x; i < TILE * PIECE; i += blockDim.x) {
            uint32_t row = i / PIECE, k = i % PIECE;
            tiles.a[row][k] = first_row + row < rows && from + k < depth ? left[(first_row + row) * left_stride + from + k] : 0.0f;
        }
        for (uint32_t i = threadIdx.x; i < G * TILE * PIECE; i += blockDim.x) {
            // Neighbouring threads read neighbouring addresses: along k where it is contiguous, else along the units.
            uint32_t g = i / (TILE * PIECE), rest = i % (TILE * PIECE);
            uint32_t k = by_k == 1 ? rest % PIECE : rest / TILE, unit = by_k == 1 ? rest / PIECE : rest % TILE;
            bool inside = first_unit + unit < units && from + k < depth;
            tiles.b[g][unit][k] = inside ? right[g * by_gate + (first_unit + unit) * by_unit + (from + k) * by_k] : 0.0f;
        }
        __syncthreads();
        for (int k = 0; k < PIECE; k++)
            for (int g = 0; g < G; g++) sums[g] += tiles.a[r][k] * tiles.b[g][u][k];
        __syncthreads();
    }
}

// Step t of a GRU. gates_x (B, T, 3H), weight (3H, H), bias (3H); h (B, T, H) is the output, of which step t - 1 is read, or `initial` (B, H)
// at the first step; kept (B, T, 5H) gets the previous h, r, z, n and h_n.
extern "C" __global__ void gru_step(const float *gates_x, const float *weight, const float *bias, const float *initial, float *h, float *kept,
                                    uint32_t batch, uint32_t time, uint32_t hidden, uint32_t t) {
    __shared__ Tiles tiles;
    float sums[3];
    const float *before = t ? h + (size_t)(t - 1) * hidden : initial;
    size_t stride = t ? (size_t)time * hidden : hidden;
    dots<3>(tiles, before, stride, batch, weight, (size_t)hidden * hidden, hidden, 1, hidden, hidden, sums);
    uint32_t u = blockIdx.x * TILE + threadIdx.x % TILE, b = blockIdx.y * TILE + threadIdx.x / TILE;
    if (u >= hidden || b >= batch) return;
    const float *x = gates_x + ((size_t)b * time + t) * 3 * hidden + u;
    float r = sigmoid(x[0] + sums[0] + bias[u]);
    float z = sigmoid(x[hidden] + sums[1] + bias[hidden + u]);
    float q = sums[2] + bias[2 * hidden + u];
    float n = tanhf(x[2 * hidden] + r * q), p = before[b * stride + u];
    h[((size_t)b * time + t) * hidden + u] = (1.0f - z) * n + z * p;
    float *k = kept + ((size_t)b * time + t) * 5 * hidden + u;
    k[0] = p, k[hidden] = r, k[2 * hidden] = z, k[3 * hidden] = n, k[4 * hidden] = q;
}

// Step t of a GRU backward. grad (B, T, H) is that of the output; dh (B, H) holds what step t + 1 passes directly to h_t, and gets what this
// step passes on. dgates_h (B, T, 3H) of step t + 1 is read; those of step t, and dgates_x, are written.
extern "C" __global__ void gru_step_backward(const float *grad, const float *kept, const float *weight, float *dh, float *dgates_x,
                                             float *dgates_h, uint32_t batch, uint32_t time, uint32_t hidden, uint32_t t) {
    __shared__ Tiles tiles;
    float sum[1] = {0};
    if (t + 1 < time)
        dots<1>(tiles, dgates_h + (size_t)(t + 1) * 3 * hidden, (size_t)time * 3 * hidden, batch, weight, 0, 1, hidden, hidden, 3 * hidden, sum);
    uint32_t u = blockIdx.x * TILE + threadIdx.x % TILE, b = blockIdx.y * TILE + threadIdx.x / TILE;
    if (u >= hidden || b >= batch) return;
    size_t row = (size_t)b * time + t;
    float d = grad[row * hidden + u] + sum[0] + (t + 1 < time ? dh[(size_t)b * hidden + u] : 0.0f);
    const float *k = kept + row * 5 * hidden + u;
    float before = k[0], r = k[hidden], z = k[2 * hidden], n = k[3 * hidden], q = k[4 * hidden];
    float dn = d * (1.0f - z) * (1.0f - n * n), dz = d * (before - n) * z * (1.0f - z), dr = dn * q * r * (1.0f - r);
    float *x = dgates_x + row * 3 * hidden + u, *g = dgates_h + row * 3 * hidden + u;
    x[0] = dr, x[hidden] = dz, x[2 * hidden] = dn;
    g[0] = dr, g[hidden] = dz, g[2 * hidden] = dn * r;
    dh[(size_t)b * hidden + u] = d * z;
}

// Step t of an LSTM, as gru_step; cell (B, H) is updated in place, kept (B, T, 7H) gets the previous h, i, f, g, o, tanh c' and the previous c.
extern "C" __global__ void lstm_step(const float *gates_x, const float *weight, const float *bias, const float *initial, float *cell, float *h,
                                     float *kept, uint32_t batch, uint32_t time, uint32_t hidden, uint32_t t) {
    __shared__ Tiles tiles;
    float sums[4];
    const float *before = t ? h + (size_t)(t - 1) * hidden : initial;
    size_t stride = t ? (size_t)time * hidden : hidden;
    dots<4>(tiles, before, stride, batch, weight, (size_t)hidden * hidden, hidden, 1, hidden, hidden, sums);
    uint32_t u = blockIdx.x * TILE + threadIdx.x % TILE, b = blockIdx.y * TILE + threadIdx.x / TILE;
    if (u >= hidden || b >= batch) return;
    const float *x = gates_x + ((size_t)b * time + t) * 4 * hidden + u;
    float i = sigmoid(x[0] + sums[0] + bias[u]), f = sigmoid(x[hidden] + sums[1] + bias[hidden + u]);
    float g = tanhf(x[2 * hidden] + sums[2] + bias[2 * hidden + u]), o = sigmoid(x[3 * hidden] + sums[3] + bias[3 * hidden + u]);
    float old = cell[(size_t)b * hidden + u], c = f * old + i * g, tanh_c = tanhf(c);
    cell[(size_t)b * hidden + u] = c;
    h[((size_t)b * time + t) * hidden + u] = o * tanh_c;
    float *k = kept + ((size_t)b * time + t) * 7 * hidden + u;
    k[0] = before[b * stride + u], k[hidden] = i, k[2 * hidden] = f, k[3 * hidden] = g, k[4 * hidden] = o, k[5 * hidden] = tanh_c;
    k[6 * hidden] = old;
}

// Step t of an LSTM backward, as gru_step_backward; dc (B, H) is the gradient of the cell, read except at the last step, and passed on.
// The gradients of both projections are the same, dgates (B, T, 4H).
extern "C" __global__ void lstm_step_backward(const float *grad, const float *kept, const float *weight, float *dc, float *dgates,
                                              uint32_t batch, uint32_t time, uint32_t hidden, uint32_t t) {
    __shared__ Tiles tiles;
    float sum[1] = {0};
    if (t + 1 < time)
        dots<1>(tiles, dgates + (size_t)(t + 1) * 4 * hidden, (size_t)time * 4 * hidden, batch, weight, 0, 1, hidden, hidden, 4 * hidden, sum);
    uint32_t u = blockIdx.x * TILE + threadIdx.x % TILE, b = blockIdx.y * TILE + threadIdx.x / TILE;
    if (u >= hidden || b >= batch) return;
    size_t row = (size_t)b * time + t;
    float dh = grad[row * hidden + u] + sum[0], next = t + 1 < time ? dc[(size_t)b * hidden + u] : 0.0f;
    const float *k = kept + row * 7 * hidden + u;
    float i = k[hidden], f = k[2 * hidden], g = k[3 * hidden], o = k[4 * hidden], tanh_c = k[5 * hidden], before = k[6 * hidden];
    float d = next + dh * o * (1.0f - tanh_c * tanh_c);
    float *x = dgates + row * 4 * hidden + u;
    x[0] = d * g * i * (1.0f - i), x[hidden] = d * before * f * (1.0f - f);
    x[2 * hidden] = d * i * (1.0f - g * g), x[3 * hidden] = dh * tanh_c * o * (1.0f - o);
    dc[(size_t)b * hidden + u] = d * f;
}
