// The kernels of src/ops/cuda/kernels, compiled for the CPU: a library for FAKE_CUDA_KERNELS.
#include "cuda_on_cpu.h"

#include "adam.cu"
#include "conv2d.cu"
#include "encoder.cu"
#include "negatives.cu"
#include "recurrent.cu"
#include "reduce.cu"
#include "scores.cu"

#define KERNEL(name)                                                                                                                                 \
    {                                                                                                                                                \
        #name, { emu::Kernel<name>::run, emu::Kernel<name>::parameters }                                                                             \
    }
const emu::Table emulated_table = {
    KERNEL(adam_step),
    KERNEL(norm_and_factor),
    KERNEL(squares_of),
    KERNEL(patches_of),
    KERNEL(patches_back),
    KERNEL(encoder_backward_f_f),
    KERNEL(encoder_backward_b_b),
    KERNEL(encoder_backward_b_f),
    KERNEL(encoder_forward_f_f),
    KERNEL(encoder_forward_b_b),
    KERNEL(encoder_forward_b_f),
    KERNEL(encoder_moments_f),
    KERNEL(encoder_moments_b),
    KERNEL(encoder_moments_join),
    KERNEL(encoder_place_f_f),
    KERNEL(encoder_place_f_b),
    KERNEL(encoder_place_b_f),
    KERNEL(encoder_row_sums_f_f),
    KERNEL(encoder_row_sums_b_b),
    KERNEL(encoder_row_sums_b_f),
    KERNEL(encoder_taps_f),
    KERNEL(encoder_taps_b),
    KERNEL(draw_negatives),
    KERNEL(gru_step),
    KERNEL(gru_step_backward),
    KERNEL(lstm_step),
    KERNEL(lstm_step_backward),
    KERNEL(add_bias),
    KERNEL(column_parts),
    KERNEL(relu_backward),
    KERNEL(spread_row),
    KERNEL(sum_parts),
    KERNEL(cross_entropy_backward),
    KERNEL(cross_entropy_forward),
    KERNEL(draws_count),
    KERNEL(draws_place),
    KERNEL(draws_sort),
    KERNEL(draws_start),
    KERNEL(scores_backward),
    KERNEL(scores_forward),
    KERNEL(scores_gather),
    KERNEL(scores_repeats),
};
