// Enough of CUDA C++ to compile kernels with g++ and run them on the CPU, exactly and slowly, for tests.
//
// Threads of a block are fibers of one thread of the CPU; they switch at __syncthreads and in warp shuffles alone, so that a missing
// barrier gives wrong numbers in one of the orders in which they can run: EMU_ORDER=forward|backward|shuffled. A barrier that not all
// threads reach stops the program. Shared memory is NaN when a block begins. Blocks run one after the other.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <ucontext.h>
#include <unordered_map>
#include <utility>
#include <vector>
#define __global__
#define CUDA_ON_CPU
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("cuda_shared")))
#define DYNAMIC_SHARED(type, name) type *name = reinterpret_cast<type *>(emu::dynamic.data())
struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
struct float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
extern "C" char __start_cuda_shared[] __attribute__((weak)), __stop_cuda_shared[] __attribute__((weak));

namespace emu {
// A fiber lives as long as the program and runs one thread of a block after the other. Only its first switch is one of ucontext's, which call
// the kernel of the system.
struct Fiber {
    jmp_buf at;
    dim3 index;
    std::unique_ptr<char[]> stack;
    bool done = false;
};
inline std::vector<char> dynamic;
inline dim3 block_index, block_size, grid_size;
inline std::vector<Fiber> fibers(1024);
inline size_t threads; // of a block
inline jmp_buf scheduler;
inline Fiber *now;
inline std::vector<uint64_t> slots; // what shuffles exchange, one a thread
struct Barrier {
    unsigned arrived = 0, generation = 0;
};
inline Barrier block_barrier;
inline std::vector<Barrier> warp_barriers;
inline bool moved;
inline void *body;
inline void (*entry)(void *);
inline void yield() {
    if (!_setjmp(now->at)) _longjmp(scheduler, 1);
}
inline unsigned lane() { return (now - fibers.data()) % 32; }
inline void wait(Barrier &b, unsigned all) {
    unsigned g = b.generation;
    moved = true;
    if (++b.arrived == all) {
        b.arrived = 0;
        b.generation++;
        return;
    }
    while (b.generation == g) yield();
}
inline void sync_block() { wait(block_barrier, threads); }
inline unsigned warp_threads() {
    size_t w = (now - fibers.data()) / 32;
    return std::min<size_t>(32, threads - w * 32);
}
inline void sync_warp() { wait(warp_barriers[(now - fibers.data()) / 32], warp_threads()); }
template <class T> T exchange(T v, unsigned from) {
    static_assert(sizeof(T) <= 8);
    size_t me = now - fibers.data(), first = me / 32 * 32;
    memcpy(&slots[me], &v, sizeof v);
    sync_warp();
    if (first + from < threads && from < 32) memcpy(&v, &slots[first + from], sizeof v);
    sync_warp();
    return v;
}
inline void start() {
    for (;;) {
        entry(body);
        now->done = true;
        moved = true;
        yield();
    }
}
inline void resume(Fiber &fiber) {
    now = &fiber;
    if (_setjmp(scheduler)) return;
    if (fiber.stack) _longjmp(fiber.at, 1);
    constexpr size_t size = 64 << 10;
    fiber.stack.reset(new char[size]);
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = fiber.stack.get();
    context.uc_stack.ss_size = size;
    context.uc_link = nullptr;
    makecontext(&context, start, 0);
    setcontext(&context);
}
inline void launch(dim3 grid, dim3 block, size_t shared, void (*f)(void *), void *argument) {
    static const char *order = getenv("EMU_ORDER");
    static std::mt19937 random(1);
    size_t n = (size_t)block.x * block.y * block.z;
    grid_size = grid;
    block_size = block;
    entry = f;
    body = argument;
    if (n > fibers.size()) {
        fprintf(stderr, "emulated CUDA: %zu threads in a block\n", n);
        abort();
    }
    threads = n;
    slots.assign(n, 0);
    dynamic.resize(shared);
    std::vector<size_t> turn(n);
    for (size_t i = 0; i < n; i++) turn[i] = order && *order == 'b' ? n - 1 - i : i;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                block_index = {x, y, z};
                block_barrier = {};
                warp_barriers.assign((n + 31) / 32, {});
                memset(dynamic.data(), 0xff, shared);
                if (__start_cuda_shared) memset(__start_cuda_shared, 0xff, __stop_cuda_shared - __start_cuda_shared);
                for (size_t i = 0; i < n; i++) {
                    Fiber &t = fibers[i];
                    t.done = false;
                    t.index = {unsigned(i % block.x), unsigned(i / block.x % block.y), unsigned(i / block.x / block.y)};
                }
                for (size_t left = n; left > 0;) {
                    moved = false;
                    if (order && *order == 's') std::shuffle(turn.begin(), turn.end(), random);
                    for (size_t i : turn)
                        if (!fibers[i].done) {
                            resume(fibers[i]);
                            left -= fibers[i].done;
                        }
                    if (!moved) {
                        fprintf(stderr, "emulated CUDA: a barrier that not all threads of the block reach\n");
                        abort();
                    }
                }
            }
}
template <class... A, size_t... I> void unpack(void (*f)(A...), void **p, std::index_sequence<I...>) {
    f(*reinterpret_cast<std::remove_const_t<A> *>(p[I])...);
}
template <auto F> struct Kernel;
template <class... A, void (*F)(A...)> struct Kernel<F> {
    static constexpr unsigned parameters = sizeof...(A);
    static void run(void *p) { unpack(F, static_cast<void **>(p), std::index_sequence_for<A...>{}); }
};
struct Entry {
    void (*run)(void *);
    unsigned parameters;
};
using Table = std::unordered_map<std::string, Entry>;
} // namespace emu

// A library for FAKE_CUDA_KERNELS of fake_cuda.cpp is this header, the kernels, and a table of them:
//   const emu::Table emulated_table = {{"name", emu::Kernel<name>::run}, ...};
extern const emu::Table emulated_table;
extern "C" __attribute__((used)) bool emulated_kernel(const char *name, const unsigned *grid, const unsigned *block, size_t shared, void **p) {
    auto found = emulated_table.find(name);
    if (found == emulated_table.end()) return false;
    emu::launch({grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]}, shared, found->second.run, p);
    return true;
}
// The number of parameters of a kernel; 0 for one that is not in the table.
extern "C" __attribute__((used)) unsigned emulated_parameters(const char *name) {
    auto found = emulated_table.find(name);
    return found == emulated_table.end() ? 0 : found->second.parameters;
}

#define threadIdx (emu::now->index)
#define blockIdx (emu::block_index)
#define blockDim (emu::block_size)
#define gridDim (emu::grid_size)
#define warpSize 32
inline void __syncthreads() { emu::sync_block(); }
inline void __syncwarp(unsigned = ~0u) { emu::sync_warp(); }
inline void __threadfence() {}
template <class T> T __shfl_sync(unsigned, T v, int from, int = 32) { return emu::exchange(v, from); }
template <class T> T __shfl_xor_sync(unsigned, T v, int mask, int = 32) { return emu::exchange(v, emu::lane() ^ mask); }
template <class T> T __shfl_down_sync(unsigned, T v, int by, int = 32) { return emu::exchange(v, emu::lane() + by); }
template <class T> T atomicAdd(T *p, T v) {
    T old = *p;
    *p += v;
    return old;
}
template <class T> T __ldg(const T *p) { return *p; }
inline float __uint_as_float(uint32_t v) {
    float f;
    memcpy(&f, &v, 4);
    return f;
}
inline uint32_t __float_as_uint(float f) {
    uint32_t v;
    memcpy(&v, &f, 4);
    return v;
}
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float a, float b) { return a / b; }
using std::max;
using std::min;
