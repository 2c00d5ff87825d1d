// Norms and Adam of many parameters at once.
#include "common.cuh"

#define MANY 48
struct Many {
    const float *grad[MANY];
    float *p[MANY], *m[MANY], *v[MANY];
    uint32_t size[MANY];
};

// parts (gridDim.y, gridDim.x): sums of the squares of the gradients. 256 threads.
extern "C" __global__ void squares_of(Many many, float *parts) {
    __shared__ float warps[8];
    const float *g = many.grad[blockIdx.y];
    float sum = 0;
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < many.size[blockIdx.y]; i += gridDim.x * blockDim.x) sum += g[i] * g[i];
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int i = 1; i < 8; i++) sum += warps[i];
        parts[blockIdx.y * gridDim.x + blockIdx.x] = sum;
    }
}

// norm (1) = the root of the sum of parts, and factor (1) = scale, or scale * clip / (norm * scale) if that is less and `clip` is above 0. One
// block of 256 threads.
extern "C" __global__ void norm_and_factor(const float *parts, float *norm, float *factor, uint32_t n, float scale, float clip) {
    __shared__ double sums[256];
    double sum = 0;
    for (uint32_t i = threadIdx.x; i < n; i += blockDim.x) sum += parts[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (uint32_t i = 1; i < blockDim.x; i++) sum += sums[i];
    float root = (float)sqrt(sum);
    norm[0] = root;
    factor[0] = clip > 0 ? scale * fminf(clip / (root * scale + 1e-6f), 1.0f) : scale;
}

// One step of Adam of every parameter (src/ops/adam.rs).
extern "C" __global__ void adam_step(Many many, const float *factor, float lr, float beta1, float beta2, float root, float eps, float keep) {
    uint32_t which = blockIdx.y;
    const float *grad = many.grad[which];
    float *p = many.p[which], *m = many.m[which], *v = many.v[which], scale = factor[0];
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < many.size[which]; i += gridDim.x * blockDim.x) {
        float g = grad[i] * scale;
        float first = beta1 * m[i] + (1.0f - beta1) * g, second = beta2 * v[i] + (1.0f - beta2) * (g * g);
        m[i] = first, v[i] = second;
        p[i] = keep * p[i] - lr * first / (sqrtf(second * root) + eps);
    }
}
