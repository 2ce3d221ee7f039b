//! A whole tree: printed, watched while parts of it fail, drained, and stopped with a deadline.
//!
//! Run `cargo run --example supervision_tree`. You will see the tree of an office, what its supervisors tell when a
//! desk breaks and takes its group along, the tree afterwards, and a stop that first waits for a job to be done and
//! then kills a guest who would not go. Crashes are reported on stderr.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perennial::prelude::*;
use perennial::supervisor::{Drainer, Gate, Scope, Shutdown, What, dynamic_supervisor};
use perennial::{ExitReason, process};
use std::error::Error;
use std::time::Duration;

/// How long anything here may take before something is wrong.
const SOON: Duration = Duration::from_secs(5);

static LAMP: Name<()> = Name::new("lamp");
static GUESTS: Name<supervisor::DynamicMsg> = Name::new("guests");

/// A thing in an office: any message breaks it.
struct Thing;

impl GenServer for Thing {
    type Args = ();
    type Msg = ();

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Thing)
    }

    fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
        panic!("broken")
    }
}

/// Somebody who does not go when told to.
struct Guest;

impl GenServer for Guest {
    type Args = ();
    type Msg = ();
    const TRAP_EXIT: bool = true;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Guest)
    }

    fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
        Next::Loop
    }

    fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
        process::sleep(Duration::MAX);
    }
}

fn desk() -> Supervisor {
    let thing = |id| Child::server::<Thing>(id, ());
    Supervisor::new(Strategy::OneForAll).parallel([thing("lamp").name(&LAMP), thing("chair")])
}

fn main() -> Result<(), Box<dyn Error>> {
    let jobs = Gate::new();
    let office = Supervisor::new(Strategy::OneForOne)
        .label("office")
        .child(DynamicSupervisor::new().name(&GUESTS))
        .child(Child::supervisor("desk", desk))
        .child(Drainer::new("drainer", &jobs, SOON))
        .start()?;
    let guest = Child::server::<Guest>("guest", ()).shutdown(Shutdown::Infinity);
    dynamic_supervisor::start_child(&GUESTS, guest)?;
    println!("{}\n", supervisor::tree(&office).ok_or("no office")?);

    let mut events = supervisor::events(Scope::tree(&office));
    LAMP.cast(());
    let mut up = 0;
    while up < 2 {
        let event = events.next(SOON).ok_or("the desk is not repaired")?;
        up += usize::from(matches!(event.what, What::Started(_)));
        println!("  {event}");
    }
    println!("\n{}\n", supervisor::tree(&office).ok_or("no office")?);

    let job = jobs.enter().ok_or("the office is closed")?;
    let done = process::spawn::<()>(move |cx| {
        cx.receive();
        drop(job);
    });
    process::send_after(Duration::from_millis(100), done, ());
    let report = supervisor::stop_within(&office, Duration::from_millis(500))?;
    while let Some(event) = events.next(Duration::ZERO) {
        println!("  {event}");
    }
    for killed in &report.killed {
        println!("killed at the deadline: {killed}");
    }
    let last = report.killed.last().ok_or("the guest went")?;
    assert_eq!(&*last.id, "guest");
    Ok(())
}
