//! Four workers behind one destination; one of them dies, and the work goes on.
//!
//! Run `cargo run --example load_balancer`. You will see twelve jobs shared out evenly, a worker that crashes, its
//! place taken again by its successor, and one customer who always meets the same worker.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use perennial::{Balance, Balancer, process};
use std::error::Error;
use std::time::Duration;

/// How long anything here may take before something is wrong.
const SOON: Duration = Duration::from_secs(5);

enum Job {
    /// Answered with the number of the worker that did it.
    Work(ReplyTo<usize>),
    Poison,
}

struct Worker(usize);

impl GenServer for Worker {
    type Args = usize;
    type Msg = Job;

    fn init(number: usize, _cx: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Worker(number))
    }

    fn handle(&mut self, job: Job, _cx: &mut Cx<Self>) -> Next<Job> {
        match job {
            Job::Work(reply) => reply.send(self.0),
            Job::Poison => panic!("worker {} was given poison", self.0),
        }
        Next::Loop
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Names, not references: a worker that is restarted has its name again, and is back in the line.
    let names: Vec<Name<Job>> = (0..4).map(|n| Name::owned(format!("worker {n}"))).collect();
    let mut crew = Supervisor::new(Strategy::OneForOne);
    for (number, name) in names.iter().enumerate() {
        crew = crew.child(
            Child::server::<Worker>(name.as_str(), number)
                .name(name)
                .thread(),
        );
    }
    let crew = crew.start()?;
    let balancer = Balancer::new(Balance::RoundRobin, names.clone());
    assert_eq!(share_out(&balancer)?, [3, 3, 3, 3]);

    let mut death = process::watch(&names[2]);
    names[2].cast(Job::Poison);
    let death = death.wait(SOON).ok_or("worker 2 does not die")?;
    println!("worker 2 {}", death.reason);
    // Asked now, the supervisor answers when the restart is through.
    supervisor::which_children(&crew)?;
    assert_eq!(share_out(&balancer)?, [3, 3, 3, 3]);

    let regular = balancer.by("anna");
    let (first, again) = (regular.call(Job::Work)?, regular.call(Job::Work)?);
    println!("anna was served by worker {first}, and again by worker {again}");
    assert_eq!(first, again);

    supervisor::stop(&crew)?;
    Ok(())
}

/// Twelve jobs, one after the other; how many of them each worker did.
fn share_out(balancer: &Balancer<Name<Job>>) -> Result<[u32; 4], Box<dyn Error>> {
    let mut done = [0; 4];
    for _ in 0..12 {
        done[balancer.call(Job::Work)?] += 1;
    }
    println!("jobs done by workers 0 to 3: {done:?}");
    Ok(done)
}
