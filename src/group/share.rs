//! What is dealt out to processes by number.

use std::fmt;
use std::str::FromStr;

/// The share of one of several processes in what is dealt out by number: those numbers that leave the remainder `rank`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The number of the process, from 0.
    pub rank: u64,
    /// The number of processes, at least 1.
    pub ranks: u64,
}

impl Share {
    /// The share of a process alone: everything.
    pub const ALL: Share = Share { rank: 0, ranks: 1 };

    /// Whether number `n` is in this share.
    pub fn has(&self, n: u64) -> bool {
        n % self.ranks == self.rank
    }
}

/// `3/64`: the fourth of 64.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.rank, self.ranks)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        match numbers {
            Some((rank, ranks)) if rank < ranks => Ok(Share { rank, ranks }),
            Some((_, ranks @ 1..)) => Err(format!("shards are numbered from 0/{ranks} to {}/{ranks}", ranks - 1)),
            _ => Err("is not of the form I/N, such as 0/8 for the first of eight shards".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_number_below_that_of_all() {
        let share: Share = "3/64".parse().unwrap();
        assert_eq!((share, share.to_string().as_str()), (Share { rank: 3, ranks: 64 }, "3/64"));
        assert_eq!((0..200).filter(|n| share.has(*n)).collect::<Vec<_>>(), [3, 67, 131, 195]);
        assert!("64/64".parse::<Share>().unwrap_err().contains("0/64 to 63/64"));
        for wrong in ["", "3", "a/2", "-1/2", "0/0", "1/0"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
