// What all kernels share. Under nvcc this is all; tests/cuda/cuda_on_cpu.h defines the rest of CUDA for g++.
#pragma once
#include <stdint.h>
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

// The sum over the 32 lanes of a warp, in every lane, in one order.
__device__ __forceinline__ float warp_sum(float v) {
    for (int mask = 16; mask > 0; mask >>= 1) v += __shfl_xor_sync(0xffffffffu, v, mask);
    return v;
}

// The largest value of the 32 lanes of a warp, in every lane.
__device__ __forceinline__ float warp_max(float v) {
    for (int mask = 16; mask > 0; mask >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, mask));
    return v;
}

// A float with 8 bits of significand, as bfloat16 is stored; arithmetic is in float.
struct bf16 {
    uint16_t bits;
};

__device__ __forceinline__ float load(const float *p) { return *p; }
__device__ __forceinline__ float load(const bf16 *p) { return __uint_as_float((uint32_t)p->bits << 16); }

__device__ __forceinline__ void store(float *p, float v) { *p = v; }
__device__ __forceinline__ void store(bf16 *p, float v) {
    uint32_t u = __float_as_uint(v);
    // To the nearest, ties to even; what is not a number stays so.
    p->bits = (u & 0x7fffffff) > 0x7f800000 ? (uint16_t)(u >> 16 | 0x40) : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
