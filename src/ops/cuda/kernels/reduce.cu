// Sums over rows, and what is added to every row.
#include "common.cuh"

// parts (chunks, C): the sums of each column of x (rows, C) over a chunk of rows.
extern "C" __global__ void column_parts(const float *x, float *parts, uint32_t rows, uint32_t columns, uint32_t chunk) {
    uint32_t c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= columns) return;
    uint32_t end = min(rows, (blockIdx.x + 1) * chunk);
    float sum = 0;
    for (uint32_t r = blockIdx.x * chunk; r < end; r++) sum += x[(size_t)r * columns + c];
    parts[(size_t)blockIdx.x * columns + c] = sum;
}

// out (C) = scale * the sum of parts (chunks, C), in order.
extern "C" __global__ void sum_parts(const float *parts, float *out, uint32_t chunks, uint32_t columns, float scale) {
    for (uint32_t c = blockIdx.x * blockDim.x + threadIdx.x; c < columns; c += gridDim.x * blockDim.x) {
        float sum = 0;
        for (uint32_t i = 0; i < chunks; i++) sum += parts[(size_t)i * columns + c];
        out[c] = scale * sum;
    }
}

// out (rows, C) = scale * row (C), in every row.
extern "C" __global__ void spread_row(const float *row, float *out, uint32_t rows, uint32_t columns, float scale) {
    size_t all = (size_t)rows * columns;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += (size_t)gridDim.x * blockDim.x)
        out[i] = scale * row[i % columns];
}

// y (rows, C) += bias (C), and ReLU if asked for, in place.
extern "C" __global__ void add_bias(float *y, const float *bias, uint32_t rows, uint32_t columns, uint32_t relu) {
    size_t all = (size_t)rows * columns;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += (size_t)gridDim.x * blockDim.x) {
        float v = y[i] + bias[i % columns];
        y[i] = relu && v < 0 ? 0.0f : v;
    }
}

// out = grad where y is above 0, else 0.
extern "C" __global__ void relu_backward(const float *grad, const float *y, float *out, size_t all) {
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += (size_t)gridDim.x * blockDim.x)
        out[i] = y[i] > 0 ? grad[i] : 0.0f;
}
