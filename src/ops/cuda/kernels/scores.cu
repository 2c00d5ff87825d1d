// Scores of predictions against true futures and sampled negatives, and their gradients without atomic additions of floats.
//
// A position is (b, p); its N negatives are rows (B, P, N) of z (B * T, D). Its true future at step k (from 0) is row b * T + p + 1 + k.
#include "common.cuh"

#define HEADS 12  // predictions whose sums a thread holds at once

__device__ __forceinline__ uint32_t future_of(uint32_t position, uint32_t positions, uint32_t time) {
    return position / positions * time + position % positions + 1;
}

// scores (B, P, K, 1 + N). A block has one position, a thread one latent at a time. Shared memory: the position's predictions (K, D).
extern "C" __global__ void scores_forward(const float *p, const float *z, const uint32_t *negatives, float *scores, uint32_t positions,
                                          uint32_t time, uint32_t steps, uint32_t number, uint32_t dim, float scale) {
    DYNAMIC_SHARED(float, heads);
    uint32_t position = blockIdx.x, future = future_of(position, positions, time);
    for (uint32_t i = threadIdx.x; i < steps * dim; i += blockDim.x) heads[i] = p[(size_t)position * steps * dim + i];
    __syncthreads();
    float *out = scores + (size_t)position * steps * (1 + number);
    // The true futures come after the negatives, with the same arithmetic: equal latents get equal scores.
    for (uint32_t n = threadIdx.x; n < number + steps; n += blockDim.x) {
        uint32_t row = n < number ? negatives[(size_t)position * number + n] : future + (n - number);
        const float *latent = z + (size_t)row * dim;
        for (uint32_t k = 0; k < steps; k += HEADS) {
            float sums[HEADS];
#pragma unroll
            for (int a = 0; a < HEADS; a++) sums[a] = 0;
            if (dim % 4 == 0) {
                for (uint32_t d = 0; d < dim; d += 4) {
                    float4 l = *reinterpret_cast<const float4 *>(latent + d);
#pragma unroll
                    for (int a = 0; a < HEADS; a++)
                        if (k + a < steps) {
                            float4 h = *reinterpret_cast<const float4 *>(heads + (k + a) * dim + d);
                            sums[a] += l.x * h.x + l.y * h.y + l.z * h.z + l.w * h.w;
                        }
                }
            } else {
                for (uint32_t d = 0; d < dim; d++)
#pragma unroll
                    for (int a = 0; a < HEADS; a++)
                        if (k + a < steps) sums[a] += latent[d] * heads[(k + a) * dim + d];
            }
#pragma unroll
            for (int a = 0; a < HEADS; a++)
                if (k + a < steps && n < number) out[(k + a) * (1 + number) + 1 + n] = scale * sums[a];
                else if (k + a < steps && n - number == k + a) out[(k + a) * (1 + number)] = scale * sums[a];
        }
    }
}

// dp (B, P, K, D), and for positions first.. the gradient by latent, h (positions here, N, D) = sum_k scale * grad_kn p_k. A block has one
// position; shared memory: its gradients (K, 1 + N) and the rows (N).
extern "C" __global__ void scores_backward(const float *p, const float *z, const uint32_t *negatives, const float *grad, float *dp, float *h,
                                           uint32_t first, uint32_t positions, uint32_t time, uint32_t steps, uint32_t number, uint32_t dim,
                                           float scale) {
    DYNAMIC_SHARED(float, g);
    uint32_t position = first + blockIdx.x, future = future_of(position, positions, time), width = 1 + number;
    uint32_t *rows = reinterpret_cast<uint32_t *>(g + steps * width);
    for (uint32_t i = threadIdx.x; i < steps * width; i += blockDim.x) g[i] = scale * grad[(size_t)position * steps * width + i];
    for (uint32_t i = threadIdx.x; i < number; i += blockDim.x) rows[i] = negatives[(size_t)position * number + i];
    __syncthreads();
    for (uint32_t d = threadIdx.x; d < dim; d += blockDim.x) {
        for (uint32_t k = 0; k < steps; k += HEADS) {
            float heads[HEADS], sums[HEADS];
#pragma unroll
            for (int a = 0; a < HEADS; a++) {
                bool there = k + a < steps;
                heads[a] = there ? p[((size_t)position * steps + k + a) * dim + d] : 0.0f;
                sums[a] = there ? g[(k + a) * width] * z[(size_t)(future + k + a) * dim + d] : 0.0f;
            }
            for (uint32_t n = 0; n < number; n++) {
                float latent = z[(size_t)rows[n] * dim + d], sum = 0;
#pragma unroll
                for (int a = 0; a < HEADS; a++)
                    if (k + a < steps) {
                        float w = g[(k + a) * width + 1 + n];
                        sums[a] += w * latent;
                        sum += w * heads[a];
                    }
                float *to = h + ((size_t)blockIdx.x * number + n) * dim + d;
                *to = k ? *to + sum : sum;
            }
#pragma unroll
            for (int a = 0; a < HEADS; a++)
                if (k + a < steps) dp[((size_t)position * steps + k + a) * dim + d] = sums[a];
        }
    }
}

// The lists of where each latent is a negative, by part (`per` positions) and row: counts (parts, rows) of the draws.
extern "C" __global__ void draws_count(const uint32_t *negatives, uint32_t *counts, uint32_t draws, uint32_t per_part, uint32_t rows) {
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < draws; i += gridDim.x * blockDim.x)
        atomicAdd(counts + (size_t)(i / per_part) * rows + negatives[i], 1u);
}

// starts (n + 1) = the sums of all counts (n) before each; cursors (n) the same. One block of 1024 threads.
extern "C" __global__ void draws_start(const uint32_t *counts, uint32_t *starts, uint32_t *cursors, uint32_t n) {
    __shared__ uint32_t sums[1024];
    uint32_t each = (n + blockDim.x - 1) / blockDim.x, from = min(n, threadIdx.x * each), to = min(n, from + each), sum = 0;
    for (uint32_t i = from; i < to; i++) sum += counts[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (uint32_t step = 1; step < blockDim.x; step *= 2) {
        uint32_t v = threadIdx.x >= step ? sums[threadIdx.x - step] : 0;
        __syncthreads();
        sums[threadIdx.x] += v;
        __syncthreads();
    }
    sum = threadIdx.x ? sums[threadIdx.x - 1] : 0;
    for (uint32_t i = from; i < to; i++) {
        starts[i] = cursors[i] = sum;
        sum += counts[i];
    }
    if (threadIdx.x == blockDim.x - 1) starts[n] = sums[threadIdx.x];
}

// The draws of each list, in whatever order the threads come.
extern "C" __global__ void draws_place(const uint32_t *negatives, uint32_t *cursors, uint32_t *lists, uint32_t draws, uint32_t per_part,
                                       uint32_t rows) {
    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < draws; i += gridDim.x * blockDim.x)
        lists[atomicAdd(cursors + (size_t)(i / per_part) * rows + negatives[i], 1u)] = i % per_part;
}

// Sorts each list, so that sums over it are always in the same order. A thread has one list; lists are short.
extern "C" __global__ void draws_sort(const uint32_t *starts, uint32_t *lists, uint32_t n) {
    uint32_t list = blockIdx.x * blockDim.x + threadIdx.x;
    if (list >= n) return;
    for (uint32_t i = starts[list] + 1; i < starts[list + 1]; i++) {
        uint32_t v = lists[i], j = i;
        for (; j > starts[list] && lists[j - 1] > v; j--) lists[j] = lists[j - 1];
        lists[j] = v;
    }
}

// dz (B * T, D) += the part's sum over the draws of each row; the first part begins with the row's share as a true future. A block has one row.
extern "C" __global__ void scores_gather(const float *p, const float *grad, const float *h, const uint32_t *starts, const uint32_t *lists,
                                         float *dz, uint32_t part, uint32_t rows, uint32_t positions, uint32_t time, uint32_t steps,
                                         uint32_t number, uint32_t dim, float scale) {
    uint32_t row = blockIdx.x, item = row / time, t = row % time;
    uint32_t from = starts[(size_t)part * rows + row], to = starts[(size_t)part * rows + row + 1];
    for (uint32_t d = threadIdx.x; d < dim; d += blockDim.x) {
        float sum = part ? dz[(size_t)row * dim + d] : 0.0f;
        if (part == 0)
            for (uint32_t k = 0; k < steps && k < t; k++) {
                uint32_t before = t - 1 - k;
                if (before >= positions) continue;
                size_t at = ((size_t)item * positions + before) * steps + k;
                sum += scale * grad[at * (1 + number)] * p[at * dim + d];
            }
        for (uint32_t i = from; i < to; i++) sum += h[(size_t)lists[i] * dim + d];
        dz[(size_t)row * dim + d] = sum;
    }
}

// counts (B, P, K): how many negatives of a position are its true future at step k.
extern "C" __global__ void scores_repeats(const uint32_t *negatives, float *counts, uint32_t all, uint32_t positions, uint32_t time,
                                          uint32_t steps, uint32_t number) {
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= all * steps) return;
    uint32_t position = i / steps, row = future_of(position, positions, time) + i % steps, count = 0;
    for (uint32_t n = 0; n < number; n++) count += negatives[(size_t)position * number + n] == row;
    counts[i] = (float)count;
}

// The cross-entropy of each row of scores (rows, width) with its first column as the truth, and its hit: 1 / n if the truth is one of n highest
// scores, else 0, where `repeats` (rows), if given, are not counted. A warp has one row.
extern "C" __global__ void cross_entropy_forward(const float *scores, const float *repeats, float *loss, float *hits, uint32_t rows,
                                                 uint32_t width) {
    uint32_t lane = threadIdx.x % 32, row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    const float *s = scores + (size_t)row * width;
    float truth = s[0];
    if (hits) {
        float above = 0, ties = 0;
        for (uint32_t i = lane; i < width; i += 32) {
            above += s[i] > truth || s[i] != s[i];
            ties += s[i] == truth;
        }
        above = warp_sum(above), ties = warp_sum(ties);
        if (repeats) ties -= repeats[row];
        if (lane == 0) hits[row] = above == 0 && truth == truth ? 1.0f / fmaxf(ties, 1.0f) : 0.0f;
    }
    if (loss) {
        float most = -INFINITY, sum = 0;
        for (uint32_t i = lane; i < width; i += 32) most = fmaxf(most, s[i]);
        most = warp_max(most);
        for (uint32_t i = lane; i < width; i += 32) sum += expf(s[i] - most);
        sum = warp_sum(sum);
        if (lane == 0) loss[row] = logf(sum) + (most - truth);
    }
}

// grad (rows) times the softmax of each row of scores, less grad in the first column.
extern "C" __global__ void cross_entropy_backward(const float *scores, const float *loss, const float *grad, float *out, size_t all,
                                                  uint32_t width) {
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += (size_t)gridDim.x * blockDim.x) {
        size_t row = i / width;
        float log_sum = loss[row] + scores[row * width], g = grad[row];
        out[i] = g * (expf(scores[i] - log_sum) - (i % width == 0 ? 1.0f : 0.0f));
    }
}
