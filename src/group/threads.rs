//! For tests: a group whose processes are threads of this one.

use super::{Group, Transport};
use crate::error::Result;
use std::sync::{Arc, Barrier, Mutex, PoisonError};

/// What the threads share: a barrier, and what each has given.
struct Table {
    barrier: Barrier,
    given: Mutex<Vec<(Vec<u8>, Vec<f32>)>>,
}

/// One of the threads.
struct Seat {
    rank: usize,
    table: Arc<Table>,
}

impl Seat {
    /// Gives something, and takes from what all have given.
    fn pass<T>(&self, bytes: &[u8], values: &[f32], take: impl FnOnce(&[(Vec<u8>, Vec<f32>)]) -> T) -> T {
        let lock = || self.table.given.lock().unwrap_or_else(PoisonError::into_inner);
        lock()[self.rank] = (bytes.to_vec(), values.to_vec());
        self.table.barrier.wait();
        let taken = take(&lock());
        self.table.barrier.wait();
        taken
    }
}

impl Transport for Seat {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.table.given.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn host(&self) -> String {
        "here".into()
    }

    fn gather(&self, mine: &[u8], lengths: &[usize]) -> Result<Vec<u8>> {
        assert_eq!(mine.len(), lengths[self.rank]);
        Ok(self.pass(mine, &[], |all| all.iter().flat_map(|(bytes, _)| bytes.clone()).collect()))
    }

    fn gather_values(&self, mine: &[f32], counts: &[usize]) -> Result<Vec<f32>> {
        assert_eq!(mine.len(), counts[self.rank]);
        Ok(self.pass(&[], mine, |all| all.iter().flat_map(|(_, values)| values.clone()).collect()))
    }

    fn exchange(&self, mine: &[f32], counts: &[usize]) -> Result<Vec<f32>> {
        assert_eq!(mine.len(), counts.iter().sum::<usize>());
        let first: usize = counts[..self.rank].iter().sum();
        let own = first..first + counts[self.rank];
        Ok(self.pass(&[], mine, |all| all.iter().flat_map(|(_, values)| values[own.clone()].to_vec()).collect()))
    }
}

/// What each of `size` processes returns from `work`, by rank.
pub(crate) fn together<T: Send>(size: usize, work: impl Fn(Group) -> T + Sync) -> Vec<T> {
    let table = Arc::new(Table { barrier: Barrier::new(size), given: Mutex::new(vec![Default::default(); size]) });
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..size)
            .map(|rank| {
                let group = Group::over(Seat { rank, table: table.clone() });
                scope.spawn(|| work(group))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
