//! Patches of images.

use crate::error::Result;
use crate::ops::conv2d::Window;
use crate::ops::cuda::gpu::{BUSY, Gpu, Module, address, blocks, launch, module};
use crate::ops::function::function;
use candle_core::Tensor;
use candle_core::cuda_backend::cudarc::driver::DeviceRepr;

const CONV2D: Module = module!("conv2d");

/// `Sizes` of conv2d.cu.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Sizes([u32; 9]);

// SAFETY: nine words, as in conv2d.cu.
unsafe impl DeviceRepr for Sizes {}

/// The patches of images (B, H, W, C) as the rows of a matrix (B * H' * W', k * k * C); `fits` is [B, H, W, C, H', W'].
pub(in crate::ops) fn patches(images: &Tensor, fits: [usize; 6], window: Window) -> Result<Tensor> {
    let images = images.contiguous()?;
    let Window { kernel, stride, padding } = window;
    let [b, h, w, c, rows, columns] = fits;
    let sizes = Sizes([b, h, w, c, rows, columns, kernel, stride, padding].map(|n| n as u32));
    let (gpu, n, wide, pixels) = (Gpu::of(&images)?, b * rows * columns, kernel * kernel * c, images.elem_count());
    let out = gpu.floats(n * wide)?;
    launch!(gpu, CONV2D "patches_of", [blocks(n * wide, 256, BUSY), 1], 256, 0, 4 * (n * wide + pixels);
        address(&images)?, out.at(), sizes);
    let device = gpu.clone();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let dx = device.floats(pixels)?;
        launch!(device, CONV2D "patches_back", [blocks(pixels, 256, BUSY), 1], 256, 0, 4 * (n * wide + pixels);
            address(&grad)?, dx.at(), sizes);
        Ok([Some(dx.tensor((b, h, w, c))), None, None])
    };
    let constant = images.detach();
    function([&images, &constant, &constant], out.output((n, wide)), backward)
}
