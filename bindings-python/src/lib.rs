//! The native module `thrasks._thrasks`: the parts of thrasks, driving real asyncio loops.
//!
//! It owns no scheduling, counting, queueing or ordering: that is the crates'. Here are a driver (an
//! asyncio loop on a Python thread), a job (a coroutine and the way of its outcome), and glue.

mod bell;
mod bridge;
mod carrier;
mod gate;
mod gather;
mod group;
mod handle;
mod home;
mod imports;
mod job;
mod life;
mod local;
mod mapping;
mod members;
mod mould;
mod orders;
mod outcome;
mod pins;
mod pool;
mod pooled;
mod ring;
mod schedulers;
mod settings;
mod share;
mod spec;
mod submission;
mod sync;
mod team;
mod threads;
mod tidy;
mod ties;
mod trace;
mod turns;
mod worker;

use pyo3::prelude::*;

/// The native half of thrasks. Use the names in `thrasks` instead.
#[pymodule(gil_used = false)]
mod _thrasks {
    #[pymodule_export]
    use crate::{
        bridge::{
            CallRef, ChannelBase, GeneratorBase, Separate, StreamBase, blocking_counts, start_call,
            start_once, stop_blocking, wait_on_loop,
        },
        carrier::{Carrier, has_carriers},
        gather::{GatherJobs, are_distinct_coroutines},
        group::GroupBase,
        handle::JobRef,
        life::Life,
        local::{LocalCarrier, LocalJobs, LocalRef},
        mapping::MapJobs,
        pool::Workers,
        pooled::PooledJobs,
        threads::{after_fork_in_child, idle_loops, stop_all_loops, worker_loops},
        trace::Recorder,
        turns::Turns,
        worker::LoopSide,
    };
}
