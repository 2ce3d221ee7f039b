//! Dynamic supervisors that a server asks: its children may come up on its own stack.

use crate::actor::{Actor, ActorMsg, Door, DoorMsg, Log, Start, on_both_kinds};
use crate::stage::{LONG, eventually};
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{self, StartError};
use perennial::supervisor::dynamic_supervisor::{self as dynamic};
use perennial::supervisor::{self, ChildStatus, DynamicMsg, ServerChild, StartChildError};

fn start() -> Ref<DynamicMsg> {
    DynamicSupervisor::new().start().unwrap()
}

fn child(sup: &Ref<DynamicMsg>, child: ServerChild<Actor>) -> Ref<ActorMsg> {
    dynamic::start_child(sup, child).unwrap()
}

fn active(sup: &Ref<DynamicMsg>) -> usize {
    dynamic::count_children(sup).unwrap().active
}

/// A server that does what it is told to, within its callback.
struct Owner;

type Errand = Box<dyn FnOnce() + Send>;

impl GenServer for Owner {
    type Args = ();
    type Msg = Errand;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Owner)
    }

    fn handle(&mut self, errand: Errand, _: &mut Cx<Self>) -> Next<Errand> {
        errand();
        Next::Loop
    }
}

/// Children may come up on the stack of the server that has them started; nobody sees a difference.
#[test]
fn server_finds_the_children_that_it_has_started() {
    on_both_kinds(|| {
        let (log, sup) = (Log::default(), start());
        let owner = gen_server::start::<Owner>(()).unwrap();
        let (done, result) = std::sync::mpsc::channel();
        let (to, starts) = (sup.clone(), log.clone());
        owner.cast(Box::new(move || {
            let bad = |start| starts.script("bad").starts([start]).child();
            for n in 0..20 {
                let up = child(&to, starts.child("a"));
                let seen = supervisor::snapshot(&to).unwrap();
                assert_eq!(seen.len(), n + 1);
                assert_eq!(
                    seen[n].status,
                    ChildStatus::Running(up.pid()),
                    "start order"
                );
                assert_eq!(active(&to), n + 1);
                up.call(ActorMsg::Ping).unwrap();
            }
            let failed = dynamic::start_child(&to, bad(Start::Fail)).unwrap_err();
            let reason = ExitReason::other("no");
            assert_eq!(failed, StartChildError::Failed(StartError::Exit(reason)));
            let ignored = dynamic::start_child(&to, bad(Start::Ignore)).unwrap_err();
            assert_eq!(ignored, StartChildError::Failed(StartError::Ignored));
            assert_eq!(supervisor::snapshot(&to).unwrap().len(), 20);
            done.send(()).unwrap();
        }));
        result.recv_timeout(LONG).expect("all is as it is told");
        supervisor::stop(&sup).unwrap();
        gen_server::stop(&owner).unwrap();
    });
}

#[test]
fn init_that_waits_holds_up_the_server_that_wants_it_and_nobody_else() {
    on_both_kinds(|| {
        let (log, sup) = (Log::default(), start());
        let door = gen_server::start::<Door>(()).unwrap();
        let owner = gen_server::start::<Owner>(()).unwrap();
        let slow = log.script("slow").starts([Start::Wait]).door(&door).child();
        let (to, it) = (sup.clone(), owner.pid());
        owner.cast(Box::new(move || {
            let up = child(&to, slow);
            assert_eq!(process::self_pid(), Some(it));
            up.call(ActorMsg::Ping).unwrap();
        }));
        eventually("it begins", || log.len() == 1);
        let quick = child(&sup, log.child("quick"));
        dynamic::terminate_child(&sup, &quick).unwrap();
        door.cast(DoorMsg::Open("slow"));
        eventually("it is up", || active(&sup) == 1);
        gen_server::stop(&owner).unwrap();
        supervisor::stop(&sup).unwrap();
        gen_server::stop(&door).unwrap();
    });
}

/// What goes on after `init` is nobody's start any more: it may ask the one who wanted the child.
#[test]
fn child_that_goes_on_after_its_init_does_not_hold_up_who_started_it() {
    struct GoesOn(Ref<Errand>, std::sync::mpsc::Sender<bool>);
    impl GenServer for GoesOn {
        type Args = (Ref<Errand>, std::sync::mpsc::Sender<bool>);
        type Msg = ();

        fn init((owner, done): Self::Args, _: &mut Cx<Self>) -> Init<Self> {
            Init::Continue(GoesOn(owner, done), ())
        }

        fn handle(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
            Next::Loop
        }

        fn handle_continue(&mut self, (): (), _: &mut Cx<Self>) -> Next<()> {
            let asked = self
                .0
                .call(|reply| -> Errand { Box::new(move || reply.send(())) });
            self.1.send(asked.is_ok()).unwrap();
            Next::Loop
        }
    }
    on_both_kinds(|| {
        let sup = start();
        let owner = gen_server::start::<Owner>(()).unwrap();
        let (done, result) = std::sync::mpsc::channel();
        let (to, me) = (sup.clone(), owner.clone());
        owner.cast(Box::new(move || {
            let child = Child::server::<GoesOn>("a", (me, done));
            dynamic::start_child(&to, child).unwrap();
        }));
        assert_eq!(result.recv_timeout(LONG), Ok(true));
        supervisor::stop(&sup).unwrap();
        gen_server::stop(&owner).unwrap();
    });
}
