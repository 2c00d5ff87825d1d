// The patches of images under a sliding window as the rows of a matrix, and back.
#include "common.cuh"

struct Sizes {
    uint32_t batch, height, width, channels, rows, columns, kernel, stride, padding;
};

// patches (B * rows * columns, kernel * kernel * C) from images (B, H, W, C).
extern "C" __global__ void patches_of(const float *images, float *patches, Sizes s) {
    size_t wide = (size_t)s.kernel * s.kernel * s.channels, all = (size_t)s.batch * s.rows * s.columns * wide;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += (size_t)gridDim.x * blockDim.x) {
        size_t place = i / wide, item = place / (s.rows * s.columns);
        uint32_t at = i % wide, c = at % s.channels, left = at / s.channels % s.kernel, down = at / s.channels / s.kernel;
        long y = (long)(place / s.columns % s.rows) * s.stride + down - s.padding, x = (long)(place % s.columns) * s.stride + left - s.padding;
        bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
        patches[i] = inside ? images[((item * s.height + y) * s.width + x) * s.channels + c] : 0.0f;
    }
}

// The gradient of images from that of their patches: each pixel has the sum over the windows that cover it, in one order.
extern "C" __global__ void patches_back(const float *grad, float *images, Sizes s) {
    size_t all = (size_t)s.batch * s.height * s.width * s.channels;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += (size_t)gridDim.x * blockDim.x) {
        uint32_t c = i % s.channels, x = i / s.channels % s.width + s.padding, y = i / s.channels / s.width % s.height + s.padding;
        size_t item = i / s.channels / s.width / s.height;
        float sum = 0;
        for (uint32_t down = y % s.stride; down < s.kernel && down <= y; down += s.stride) {
            uint32_t row = (y - down) / s.stride;
            if (row >= s.rows) continue;
            for (uint32_t left = x % s.stride; left < s.kernel && left <= x; left += s.stride) {
                uint32_t column = (x - left) / s.stride;
                if (column >= s.columns) continue;
                size_t place = (item * s.rows + row) * s.columns + column;
                sum += grad[((place * s.kernel + down) * s.kernel + left) * s.channels + c];
            }
        }
        images[i] = sum;
    }
}
