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
