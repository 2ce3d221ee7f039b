//! What is drawn: each curve with its axes, its points, and the workload that measures them.

use super::chart::{Axis, Scale};

pub(super) struct Curve {
    /// The name of both files, without what follows the dot.
    pub(super) file: &'static str,
    pub(super) title: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) xs: &'static [u64],
    pub(super) series: &'static [Series],
}

pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) workload: &'static str,
    /// N, K and the number of workers for a point; no workers are as many as there are cores.
    pub(super) args: fn(u64) -> [u64; 3],
    /// The figure of the workload that is drawn, and what it is divided by to be in the unit of the axis.
    pub(super) figure: &'static str,
    pub(super) divisor: f64,
}

impl Series {
    /// Both are read from the same line.
    pub(super) fn same_run(&self, other: &Self) -> bool {
        self.workload == other.workload
    }
}

const fn cost(name: &'static str, workload: &'static str, args: fn(u64) -> [u64; 3]) -> Series {
    Series {
        name,
        workload,
        args,
        figure: "ns_per_op",
        divisor: 1.0,
    }
}

const fn percentiles(workload: &'static str, args: fn(u64) -> [u64; 3]) -> [Series; 3] {
    [
        percentile("p50", "p50_ns", workload, args),
        percentile("p99", "p99_ns", workload, args),
        percentile("p99.9", "p999_ns", workload, args),
    ]
}

const fn percentile(
    name: &'static str,
    figure: &'static str,
    workload: &'static str,
    args: fn(u64) -> [u64; 3],
) -> Series {
    Series {
        name,
        workload,
        args,
        figure,
        divisor: 1e3,
    }
}

const fn axis(label: &'static str, scale: Scale) -> Axis {
    Axis { label, scale }
}

const NS: Axis = axis("nanoseconds per operation", Scale::Log);
const US: Axis = axis("microseconds", Scale::Log);
const PROCESSES: Axis = axis("processes", Scale::Log);

/// Whole figures take at most five minutes on two cores; the numbers of operations are chosen for that.
pub(super) const CURVES: &[Curve] = &[
    Curve {
        file: "processes",
        title: "Cost of an operation among more and more processes",
        x: PROCESSES,
        y: NS,
        xs: &[10, 100, 1_000, 10_000, 100_000, 1_000_000],
        series: &[
            cost("call to a random one", "call_random", |k| [50_000, k, 0]),
            cost("hop in a ring of all", "ring", |k| [k.max(200_000), k, 0]),
            cost("ping and pong among all", "big", |k| {
                [(1_000_000 / k).clamp(1, 20_000), k, 0]
            }),
        ],
    },
    Curve {
        file: "bytes",
        title: "Memory of a server that has been started",
        x: PROCESSES,
        y: axis("bytes for each process", Scale::Linear),
        // Below a thousand the pages of memory are larger than what is measured.
        xs: &[1_000, 10_000, 100_000, 1_000_000],
        series: &[Series {
            name: "resident bytes",
            workload: "spawn",
            args: |n| [n, 0, 0],
            figure: "bytes_per_process",
            divisor: 1.0,
        }],
    },
    Curve {
        file: "senders",
        title: "Casts into one server by more and more threads",
        x: axis("senders", Scale::Log),
        y: axis("nanoseconds per cast", Scale::Linear),
        xs: &[1, 2, 4, 8, 16, 32, 64],
        series: &[cost("cast until handled", "fanin", |k| [1_000_000, k, 0])],
    },
    Curve {
        file: "workers",
        title: "The same work with more workers",
        x: axis("workers", Scale::Log),
        y: NS,
        xs: &[1, 2, 4],
        series: &[
            cost("request between servers", "call_pooled", |w| {
                [200_000, 0, w]
            }),
            cost("ping and pong among 1000", "big", |w| [1_000, 1_000, w]),
            cost("delivery to each of 1000", "fanout", |w| [1_000, 1_000, w]),
        ],
    },
    Curve {
        file: "message_size",
        title: "Casts of larger and larger messages, sent by value",
        x: axis("bytes of a message", Scale::Log),
        y: axis("nanoseconds per cast", Scale::Log),
        xs: &[8, 64, 256, 1024, 4096],
        series: &[cost("cast until handled", "cast_size", |k| [300_000, k, 0])],
    },
    Curve {
        file: "mixed_load",
        title: "A call to an idle server while others keep the pool busy",
        x: axis("servers that flood one another", Scale::Linear),
        y: US,
        xs: &[0, 1, 2, 4, 8, 16],
        series: &percentiles("call_flooded", |k| [500, k, 0]),
    },
    Curve {
        file: "hog",
        title: "A call to an idle server while callbacks run for 50 ms",
        x: axis(
            "servers that do not return for 50 ms, again and again",
            Scale::Linear,
        ),
        y: US,
        xs: &[0, 1, 2, 3],
        // Of so few calls the last percentile is the worst of all.
        series: &[
            percentile("p50", "p50_ns", "hog", |k| [60, k, 0]),
            percentile("worst of 60", "p99_ns", "hog", |k| [60, k, 0]),
        ],
    },
    Curve {
        file: "timers",
        title: "How late timers are while the pool works",
        x: axis("per cent of the pool's time that is taken", Scale::Linear),
        y: US,
        xs: &[0, 30, 60, 90],
        series: &percentiles("timer_load", |k| [1_000, k, 0]),
    },
];
