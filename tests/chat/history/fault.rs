//! What can be wrong with a history.

use super::log::Id;
use std::collections::BTreeMap;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// P1: acknowledged, and not there.
    Lost { id: Id, seq: u64 },
    /// P1: acknowledged and there, and nobody ever saw it.
    NeverRead { id: Id, seq: u64 },
    /// P2: a number is left out; by the room itself if there is no client.
    Gap {
        client: Option<u32>,
        after: u64,
        seq: u64,
    },
    /// P2: two messages under one number.
    Conflict { seq: u64, ids: [Id; 2] },
    /// P2: acknowledged before the other was said, and behind it.
    Overtaken { first: Id, by: Id },
    /// P3: one message under two numbers.
    Doubled { id: Id, seqs: [u64; 2] },
    /// P4: said in this order on one line, and not there in this order.
    SenderOrder { first: Id, second: Id },
    /// P5: acknowledged to this client, and not in what it read then.
    OwnWriteMissing { client: u32, seq: u64, head: u64 },
    /// P6: this client has had it.
    Backwards { client: u32, seen: u64, seq: u64 },
    /// P6: this client has seen more than it is shown now.
    Stale { client: u32, seen: u64, head: u64 },
    /// P7: nobody said it.
    Phantom { id: Id, seq: u64 },
    /// P7: it was refused every time, and is there.
    RefusedShown { id: Id, seq: u64 },
    /// P7: nobody said this.
    Garbled { client: u32, seq: u64 },
    /// P10: this client did not hear the end.
    Behind { client: u32, seen: u64, head: u64 },
}

impl Fault {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Fault::Lost { .. } => "Lost",
            Fault::NeverRead { .. } => "NeverRead",
            Fault::Gap { .. } => "Gap",
            Fault::Conflict { .. } => "Conflict",
            Fault::Overtaken { .. } => "Overtaken",
            Fault::Doubled { .. } => "Doubled",
            Fault::SenderOrder { .. } => "SenderOrder",
            Fault::OwnWriteMissing { .. } => "OwnWriteMissing",
            Fault::Backwards { .. } => "Backwards",
            Fault::Stale { .. } => "Stale",
            Fault::Phantom { .. } => "Phantom",
            Fault::RefusedShown { .. } => "RefusedShown",
            Fault::Garbled { .. } => "Garbled",
            Fault::Behind { .. } => "Behind",
        }
    }

    /// The promise that it breaks.
    pub(crate) fn promise(&self) -> &'static str {
        match self {
            Fault::Lost { .. } | Fault::NeverRead { .. } => "P1",
            Fault::Gap { .. } | Fault::Conflict { .. } | Fault::Overtaken { .. } => "P2",
            Fault::Doubled { .. } => "P3",
            Fault::SenderOrder { .. } => "P4",
            Fault::OwnWriteMissing { .. } => "P5",
            Fault::Backwards { .. } | Fault::Stale { .. } => "P6",
            Fault::Phantom { .. } | Fault::RefusedShown { .. } | Fault::Garbled { .. } => "P7",
            Fault::Behind { .. } => "P10",
        }
    }
}

/// How many there are of each kind.
pub(crate) fn faults_by_name(faults: &[Fault]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for fault in faults {
        *counts.entry(fault.name()).or_default() += 1;
    }
    counts
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.promise())?;
        match self {
            Fault::Lost { id, seq } => write!(f, "{id} was acknowledged as {seq} and is lost"),
            Fault::NeverRead { id, seq } => write!(f, "{id} is there as {seq} and nobody saw it"),
            Fault::Gap { client, after, seq } => match client {
                Some(client) => write!(f, "client {client} got {seq} after {after}"),
                None => write!(f, "the room has {seq} after {after}"),
            },
            Fault::Conflict { seq, ids: [a, b] } => write!(f, "{seq} is both {a} and {b}"),
            Fault::Overtaken { first, by } => {
                write!(
                    f,
                    "{first} was there before {by} was said, and is behind it"
                )
            }
            Fault::Doubled { id, seqs: [a, b] } => write!(f, "{id} is both {a} and {b}"),
            Fault::SenderOrder { first, second } => {
                write!(f, "{first} was said before {second} and is behind it")
            }
            Fault::OwnWriteMissing { client, seq, head } => write!(
                f,
                "client {client} has its {seq} acknowledged and reads no further than {head}"
            ),
            Fault::Backwards { client, seen, seq } => {
                write!(f, "client {client} got {seq} when it had seen {seen}")
            }
            Fault::Stale { client, seen, head } => write!(
                f,
                "client {client} has seen {seen} and reads no further than {head}"
            ),
            Fault::Phantom { id, seq } => write!(f, "nobody said {id}, which is {seq}"),
            Fault::RefusedShown { id, seq } => write!(f, "{id} was refused and is there as {seq}"),
            Fault::Garbled { client, seq } => {
                write!(f, "what client {client} got as {seq} is not what was said")
            }
            Fault::Behind { client, seen, head } => {
                write!(f, "client {client} has heard {seen} of {head}")
            }
        }
    }
}
