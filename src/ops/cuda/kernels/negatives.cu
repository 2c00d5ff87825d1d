// Negatives drawn by the same streams as on the CPU (src/seed.rs, src/objective/negatives.rs): number i of a stream is word i of ChaCha8.
#include "common.cuh"

struct Key { uint32_t words[8]; };

__device__ __forceinline__ uint32_t rotate(uint32_t v, int by) { return v << by | v >> (32 - by); }

__device__ __forceinline__ void quarter(uint32_t *s, int a, int b, int c, int d) {
    s[a] += s[b]; s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d]; s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b]; s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d]; s[b] = rotate(s[b] ^ s[c], 7);
}

// rows (draws): draw i is of position i / number, from `first` (0, or the start of its own window) + a number below `range`; numbers from
// own + `after` on are moved up by `excluded`. A thread makes one block of ChaCha, which is 16 draws.
extern "C" __global__ void draw_negatives(Key key, uint32_t *rows, uint32_t draws, uint32_t number, uint32_t positions, uint32_t frames,
                                          uint32_t range, uint32_t from_own, uint32_t by_position, uint32_t excluded) {
    uint32_t block = blockIdx.x * blockDim.x + threadIdx.x;
    if (block >= (draws + 15) / 16) return;
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0, 0, 0, 0, 0, 0, 0, 0, block, 0, 0, 0}, s[16];
    for (int i = 0; i < 8; i++) start[4 + i] = key.words[i];
    for (int i = 0; i < 16; i++) s[i] = start[i];
    for (int round = 0; round < 4; round++) {
        quarter(s, 0, 4, 8, 12); quarter(s, 1, 5, 9, 13); quarter(s, 2, 6, 10, 14); quarter(s, 3, 7, 11, 15);
        quarter(s, 0, 5, 10, 15); quarter(s, 1, 6, 11, 12); quarter(s, 2, 7, 8, 13); quarter(s, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16 && block * 16 + i < draws; i++) {
        uint32_t position = (block * 16 + i) / number, own = position / positions * frames, t = position % positions;
        uint32_t drawn = (uint32_t)(((uint64_t)(s[i] + start[i]) * range) >> 32) + (from_own ? own : 0);
        // The last number that is not moved.
        uint32_t last = own + (by_position ? t + 1 : 0);
        rows[block * 16 + i] = drawn < last ? drawn : drawn + excluded;
    }
}
