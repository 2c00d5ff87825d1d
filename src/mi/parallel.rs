//! Independent jobs in parallel, each on one thread.
//!
//! The matrix products in a job are small, so one thread per job is faster than several threads per product. Every job runs in a
//! rayon pool of a single thread, so that a waiting job never starts another one on its stack.

use crate::error::{Error, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The results of `job` for 0..n, in order. `done` is called after each. The first error in that order is returned.
///
/// # Errors
/// Errors of a job, or threads cannot be started.
pub fn in_parallel<T: Send>(
    n: usize,
    job: impl Fn(usize) -> Result<T> + Sync,
    done: impl Fn(usize) + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..n).map(|_| None).collect());
    let failed = |e: &dyn std::fmt::Display| Error::failed(format!("a worker thread: {e}"), "use fewer --threads");
    let work = || -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|e| failed(&e))?;
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return Ok(());
            }
            let result = pool.install(|| job(i));
            if result.is_err() {
                next.store(n, Ordering::Relaxed);
            }
            results.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[i] = Some(result);
            done(i);
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..rayon::current_num_threads().min(n)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| failed(&"it ended early"))??;
        }
        Ok(())
    })?;
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_ends_the_rest() {
        let told = AtomicUsize::new(0);
        let squares = in_parallel(
            20,
            |i| Ok(i * i),
            |_| {
                told.fetch_add(1, Ordering::Relaxed);
            },
        );
        assert_eq!(squares.unwrap()[19], 361);
        assert_eq!(told.into_inner(), 20);
        let ran = AtomicUsize::new(0);
        let failed: Result<Vec<()>> = in_parallel(
            10_000,
            |i| {
                ran.fetch_add(1, Ordering::Relaxed);
                if i == 3 { Err(Error::usage("three", "four")) } else { Ok(()) }
            },
            |_| {},
        );
        assert_eq!(failed.unwrap_err().to_string(), "three");
        assert!(ran.into_inner() < 10_000);
        assert!(in_parallel(0, |_| Ok(()), |_| {}).unwrap().is_empty());
    }
}
