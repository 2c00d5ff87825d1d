//! How this process was started: alone, or as one of several by `mpirun`, `srun` or the like.

use super::Group;
use crate::error::{Error, Result};

/// The place of a process among those that were started together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// What started them.
    pub by: &'static str,
    /// The number of processes.
    pub size: usize,
    /// The number of this one among those of its machine, from 0.
    pub local_rank: usize,
    /// The number of those of its machine.
    pub local_size: usize,
}

/// The variables of a launcher: its name, the number of processes, the rank, the rank and the number on this machine.
const LAUNCHERS: [(&str, &str, &str, &str, &str); 4] = [
    (
        "mpirun",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    ("mpiexec", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    ("srun", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_TASKS_PER_NODE"),
    ("torchrun", "WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
];

/// How this process was started, by the variables of its environment; `None` for a process alone.
pub fn launched(variable: impl Fn(&str) -> Option<String>) -> Option<Launched> {
    let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
    // The script of a batch job has a task's variables, but is one process: only tasks of a step are started together.
    let script = variable("SLURM_JOB_ID").is_some() && variable("SLURM_STEP_ID").is_none();
    let tasks_here = || tasks(&variable("SLURM_TASKS_PER_NODE")?, number("SLURM_NODEID").unwrap_or(0));
    LAUNCHERS.into_iter().filter(|(by, ..)| *by != "srun" || !script).find_map(
        |(by, size, rank, local_rank, local_size)| {
            let (size, _) = (number(size)?, number(rank)?);
            let size = if by == "srun" { number("SLURM_STEP_NUM_TASKS").unwrap_or(size) } else { size };
            // What else may say it: PMI under srun sets only the first two variables.
            let local_rank =
                number(local_rank).or_else(|| number("PMI_LOCAL_RANK")).or_else(|| number("SLURM_LOCALID"));
            let local_size = number(local_size).or_else(|| number("PMI_LOCAL_SIZE")).or_else(tasks_here);
            let (local_rank, local_size) = (local_rank.unwrap_or(0), local_size.unwrap_or(1).max(1));
            (size > 1).then_some(Launched { by, size, local_rank, local_size })
        },
    )
}

/// The tasks of a node in Slurm's list, such as `2(x3),1`: two on each of three nodes, one on the fourth.
fn tasks(list: &str, node: usize) -> Option<usize> {
    let mut before = 0;
    for item in list.split(',') {
        let (tasks, nodes) = match item.split_once("(x") {
            Some((tasks, nodes)) => (tasks, nodes.trim_end_matches(')').parse().ok()?),
            None => (item, 1),
        };
        before += nodes;
        if node < before {
            return tasks.trim().parse().ok();
        }
    }
    None
}

/// Connects this process with those that were started with it. `lost` is called, from another thread, if one of them is not heard of any
/// more, to report it; then all processes end.
///
/// # Errors
/// There are several, and this build cannot connect them, or MPI does not.
pub fn join(launched: Option<&Launched>, lost: impl Fn(Error) + Send + 'static) -> Result<Group> {
    let Some(launched) = launched else { return Ok(Group::alone()) };
    #[cfg(feature = "mpi")]
    if launched.by != "torchrun" {
        return super::mpi::Mpi::start(launched.by, launched.size, lost).map(Group::over);
    }
    drop(lost);
    let Launched { by, size, .. } = launched;
    let what = format!("{by} has started {size} processes, and each would write this run");
    Err(match (*by, cfg!(feature = "mpi")) {
        ("torchrun", true) => Error::usage(what, format!("start them with `mpirun -n {size}` or srun instead")),
        (_, _) => Error::usage(
            format!("{what}: this cpc was built without MPI"),
            "build it with `cargo install --path . --features mpi` (it needs an MPI library: apt-get install libopenmpi-dev \
             libclang-dev), or start one process (under Slurm: srun -n 1)",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn of(variables: &[(&str, &str)]) -> Option<Launched> {
        let all: HashMap<&str, &str> = variables.iter().copied().collect();
        launched(|name| all.get(name).map(ToString::to_string))
    }

    #[test]
    fn the_variables_of_each_launcher_are_read() {
        let launched = |by, size, local_rank, local_size| Some(Launched { by, size, local_rank, local_size });
        let open_mpi = [
            ("OMPI_COMM_WORLD_SIZE", "8"),
            ("OMPI_COMM_WORLD_RANK", "5"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "4"),
        ];
        assert_eq!(of(&open_mpi), launched("mpirun", 8, 1, 4));
        assert_eq!(of(&[("PMI_SIZE", "2"), ("PMI_RANK", "0")]), launched("mpiexec", 2, 0, 1));
        let pmi2 = [("PMI_SIZE", "4"), ("PMI_RANK", "3"), ("SLURM_LOCALID", "1"), ("SLURM_TASKS_PER_NODE", "2(x2)")];
        assert_eq!(of(&pmi2), launched("mpiexec", 4, 1, 2));
        let slurm = |node| {
            of(&[
                ("SLURM_NTASKS", "7"),
                ("SLURM_PROCID", "6"),
                ("SLURM_LOCALID", "0"),
                ("SLURM_TASKS_PER_NODE", "2(x3),1"),
                ("SLURM_NODEID", node),
            ])
        };
        assert_eq!((slurm("2"), slurm("3")), (launched("srun", 7, 0, 2), launched("srun", 7, 0, 1)));
        assert_eq!(of(&[("SLURM_NTASKS", "2"), ("SLURM_PROCID", "0")]), launched("srun", 2, 0, 1));
        assert_eq!(of(&[("WORLD_SIZE", "2"), ("RANK", "1")]), launched("torchrun", 2, 0, 1));
    }

    #[test]
    fn a_process_alone_was_not_launched() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")]), None);
        // In an allocation, but not started by srun: by hand, or in the script of a batch job.
        assert_eq!(of(&[("SLURM_NTASKS", "4"), ("SLURM_TASKS_PER_NODE", "4")]), None);
        let script = [("SLURM_JOB_ID", "7"), ("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0")];
        assert_eq!(of(&script), None);
        let one = [("SLURM_STEP_ID", "0"), ("SLURM_STEP_NUM_TASKS", "1")];
        assert_eq!(of(&[&script[..], &one].concat()), None);
        let all = [("SLURM_STEP_ID", "0"), ("SLURM_STEP_NUM_TASKS", "4")];
        assert_eq!(of(&[&script[..], &all].concat()).map(|launched| launched.size), Some(4));
    }
}
