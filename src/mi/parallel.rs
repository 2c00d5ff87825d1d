//! Independent jobs in parallel, each on one thread.
//!
//! The matrix products in a job are small, so one thread per job is faster than several threads per product. Every job runs in a
//! rayon pool of a single thread, so that a waiting job never starts another one on its stack.
//!
//! Work that a program may stop is [`stoppable`]: its jobs, and theirs in turn, look at the flag.

use crate::error::{Error, Result};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

thread_local! {
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Does work that ends with an error soon after `stop` is set.
pub fn stoppable<T>(stop: Option<Arc<AtomicBool>>, work: impl FnOnce() -> T) -> T {
    /// Puts back what was there before, also after a panic.
    struct Before(Option<Arc<AtomicBool>>);
    impl Drop for Before {
        fn drop(&mut self) {
            STOP.set(self.0.take());
        }
    }
    let _before = Before(STOP.replace(stop));
    work()
}

/// What stops the work of this thread, for threads that work for it.
pub fn flag() -> Option<Arc<AtomicBool>> {
    STOP.with_borrow(Clone::clone)
}

/// An error if the work of this thread is to stop.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn go_on() -> Result<()> {
    match STOP.with_borrow(|stop| stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))) {
        false => Ok(()),
        true => Err(Error::Interrupted { kept: "nothing is kept of it".into() }),
    }
}

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
    let stop = flag();
    let work = || -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|e| failed(&e))?;
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return Ok(());
            }
            let result = pool.install(|| stoppable(stop.clone(), || go_on().and_then(|()| job(i))));
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
    fn jobs_within_jobs_stop() {
        let stop = Arc::new(AtomicBool::new(false));
        let inner = |_| {
            in_parallel(
                1000,
                |i| {
                    if i == 3 {
                        stop.store(true, Ordering::Relaxed);
                    }
                    Ok(i)
                },
                |_| {},
            )
        };
        let found = stoppable(Some(stop.clone()), || in_parallel(2, inner, |_| {}));
        assert!(matches!(found, Err(Error::Interrupted { .. })));
        assert!(go_on().is_ok(), "other work of this thread goes on");
    }

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
