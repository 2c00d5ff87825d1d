//! Settings of the allocator.

/// Configures glibc's allocator to keep large blocks for the next step instead of returning them to the system.
///
/// Each training step allocates and frees the same buffers of tens of megabytes. By default the allocator maps each one again, and the system
/// then zeroes it page by page: a tenth of the time of a step. Call this once at the start of a program that trains. Except on Linux with
/// glibc, it does nothing.
pub fn keep_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator, and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}
