//! Who hears of a crash when, however long its report takes.

use crate::support::LONG;
use crate::support::scripted::both_servers_in;
use crate::support::stage::builder;
use perennial::ExitReason;
use perennial::logger::{self, Handler, LogEvent};
use perennial::prelude::*;
use perennial::process::{self, CrashReport, Kind};
use perennial::supervisor::ChildState;
use std::time::Duration;

/// Stops without an answer when it is asked anything.
struct Tired;

static TIRED: Name<ReplyTo<()>> = Name::new("the tired one");

impl GenServer for Tired {
    type Args = ();
    type Msg = ReplyTo<()>;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Tired)
    }

    fn handle(&mut self, _: ReplyTo<()>, _: &mut Cx<Self>) -> Next<ReplyTo<()>> {
        Next::Stop(ExitReason::other("tired"))
    }
}

/// However long it takes to report a crash, a call that it ended fails after the supervisor has its exit signal: what
/// the caller asks next is answered by one who knows.
#[test]
fn who_called_hears_of_a_crash_after_its_supervisor() {
    const ROUNDS: usize = 20;
    both_servers_in(builder, |kind, _| {
        let slow = Handler::new(|_| process::sleep(Duration::from_millis(2)));
        let crashes = |event: &LogEvent| event.report::<CrashReport>().is_some();
        logger::add_handler("slow", slow.filter(crashes)).expect("the id is free");
        let child = Child::server::<Tired>("tired", ()).name(&TIRED);
        let tree = Supervisor::new(Strategy::OneForOne)
            .intensity(ROUNDS, LONG)
            .child(match kind {
                Kind::Pooled => child.pooled(),
                Kind::Thread => child.thread(),
            })
            .start()
            .unwrap();
        for _ in 0..ROUNDS {
            let first = TIRED.whereis().expect("it runs").pid();
            assert!(TIRED.call(|reply| reply).is_err());
            let children = supervisor::which_children(&tree).unwrap();
            assert_ne!(children[0].state, ChildState::Running(first));
        }
        supervisor::stop(&tree).unwrap();
    });
}
