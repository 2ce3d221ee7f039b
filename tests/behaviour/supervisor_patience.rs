//! Children that were told to end: who knows of it when, and how long they may take.

use crate::stage::{LONG, eventually};
use perennial::Runtime;
use perennial::prelude::*;
use perennial::process::{self, Watch};
use perennial::supervisor::{Shutdown, dynamic_supervisor};
use perennial::time::Clock;
use perennial::{ExitReason, supervisor};
use std::time::Duration;

/// Ends at once when it is told to, or only when it is killed.
struct Guest {
    stays: bool,
}

impl GenServer for Guest {
    type Args = bool;
    type Msg = ();
    const TRAP_EXIT: bool = true;

    fn init(stays: bool, cx: &mut Cx<Self>) -> Init<Self> {
        if !stays {
            cx.unlink(cx.parent());
        }
        Init::Ok(Guest { stays })
    }

    fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
        Next::Loop
    }

    fn terminate(&mut self, _: &ExitReason, _: &mut Cx<Self>) {
        if self.stays {
            process::sleep(Duration::MAX);
        }
    }
}

/// A server that ends as told.
struct Plain;

impl GenServer for Plain {
    type Args = ();
    type Msg = ();

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Plain)
    }

    fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> {
        Next::Loop
    }
}

#[test]
fn who_stops_a_child_hears_of_it_after_all_who_watch() {
    let runtime = Runtime::builder().workers(4).build().unwrap();
    let _entered = runtime.enter();
    let crowd = DynamicSupervisor::new().start().unwrap();
    // To tell so many takes far longer than an answer does, and the youngest is told last. A child on the pool wakes its
    // supervisor on its own worker, which is not to be had before its end.
    for _ in 0..5 {
        let plain = Child::server::<Plain>("plain", ()).thread();
        let child = dynamic_supervisor::start_child(&crowd, plain).unwrap();
        let mut watches: Vec<Watch> = (0..10_000).map(|_| process::watch(&child)).collect();
        dynamic_supervisor::terminate_child(&crowd, &child).unwrap();
        for watch in watches.iter_mut().rev() {
            let down = watch.wait(Duration::ZERO).expect("it has been told");
            assert_eq!(down.reason, ExitReason::Shutdown);
        }
    }
}

#[test]
fn child_without_a_link_is_known_to_have_ended() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let crowd = DynamicSupervisor::new().start().unwrap();
    let guest = || Child::server::<Guest>("guest", false).shutdown(Shutdown::BrutalKill);
    let child = dynamic_supervisor::start_child(&crowd, guest()).unwrap();
    assert_eq!(
        dynamic_supervisor::terminate_child(&crowd, &child),
        Ok(()),
        "it is stopped"
    );
    let gone = dynamic_supervisor::start_child(&crowd, guest()).unwrap();
    let mut watch = process::watch(&gone);
    process::exit(&gone, ExitReason::Kill);
    watch.wait(LONG).unwrap();
    // It had told nobody, as it had no link.
    assert_eq!(
        dynamic_supervisor::terminate_child(&crowd, &gone),
        Ok(()),
        "it had ended"
    );
    assert_eq!(dynamic_supervisor::which_children(&crowd), Ok(vec![]));
}

#[test]
fn each_child_has_its_own_time_to_end_and_one_timer_reminds_of_all() {
    let (clock, hand) = Clock::manual();
    let runtime = Runtime::builder().clock(clock).build().unwrap();
    let _entered = runtime.enter();
    let crowd = DynamicSupervisor::new().start().unwrap();
    let seconds = [30, 10, 20];
    let mut watches = seconds.map(|seconds| {
        let limit = Shutdown::Timeout(Duration::from_secs(seconds));
        let guest = Child::server::<Guest>("guest", true).shutdown(limit);
        process::watch(&dynamic_supervisor::start_child(&crowd, guest.thread()).unwrap())
    });
    let mut end = process::watch(&crowd);
    let stop = || {
        let _entered = runtime.enter();
        supervisor::stop_for(&crowd, ExitReason::Normal, Duration::MAX)
    };
    let all_stop = || {
        let children = supervisor::snapshot(&crowd).unwrap();
        children
            .iter()
            .all(|child| matches!(child.status, supervisor::ChildStatus::Stopping(_)))
    };
    std::thread::scope(|scope| {
        let stopper = scope.spawn(stop);
        eventually("they are told", all_stop);
        eventually("there is one timer", || runtime.counts().timers == 1);
        let mut left = watches.len();
        for at in [1, 2, 0] {
            hand.advance(Duration::from_secs(10));
            let down = watches[at].wait(LONG).expect("its time is over");
            assert_eq!(down.reason, ExitReason::Killed);
            left -= 1;
            let alive = watches
                .iter()
                .map(Watch::pid)
                .filter(|pid| process::is_alive(*pid));
            assert_eq!(alive.count(), left);
        }
        assert_eq!(end.wait(LONG).unwrap().reason, ExitReason::Normal);
        assert_eq!(stopper.join().unwrap(), Ok(()));
    });
    eventually("nothing is left", || runtime.counts().timers == 0);
}
