//! Requests whose answers are waited for later, alone and together; ids as in the table of conformance cases.

use crate::stage::{LONG, eventually, in_runtime, nothing_left, on_both_kinds, play};
use perennial::prelude::*;
use perennial::process::{
    self, CallError, Kind, NoResponse, ReqId, ReqIdCollection, ThreadContext,
};
use perennial::{ExitReason, Pid, Runtime};
use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What a desk is asked.
enum Ask {
    Echo(u32, ReplyTo<u32>),
    /// Keep the request until it is released.
    Hold(ReplyTo<u32>),
    /// Answer what was held for the longest.
    Release(u32),
    /// Let go of what was held for the longest.
    Forget,
    /// Whether whoever asked first still waits.
    IsExpired(ReplyTo<bool>),
    /// Say so, and do nothing else until told.
    Pause(mpsc::Sender<()>, mpsc::Receiver<()>),
    End(ExitReason),
}

struct Desk(VecDeque<ReplyTo<u32>>);

impl GenServer for Desk {
    type Args = ();
    type Msg = Ask;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Desk(VecDeque::new()))
    }

    fn handle(&mut self, ask: Ask, _: &mut Cx<Self>) -> Next<Ask> {
        match ask {
            Ask::Echo(n, reply) => reply.send(n),
            Ask::Hold(reply) => self.0.push_back(reply),
            Ask::Release(n) => self.0.pop_front().unwrap().send(n),
            Ask::Forget => drop(self.0.pop_front()),
            Ask::IsExpired(reply) => reply.send(self.0[0].is_expired()),
            Ask::Pause(say, told) => {
                say.send(()).unwrap();
                let _ = told.recv();
            }
            Ask::End(reason) => return Next::Stop(reason),
        }
        Next::Loop
    }
}

fn desk(kind: Kind) -> Ref<Ask> {
    let spec = gen_server::spec::<Desk>(());
    let spec = match kind {
        Kind::Thread => spec.thread(),
        Kind::Pooled => spec.pooled(),
    };
    spec.start().unwrap()
}

fn stop(desk: &Ref<Ask>) {
    gen_server::stop(desk).unwrap();
}

/// Has handled all that it was sent before.
fn sync(desk: &Ref<Ask>) {
    assert_eq!(desk.call(|reply| Ask::Echo(0, reply)), Ok(0));
}

/// Plays a case in a process of either kind and on a plain thread, with desks of either kind.
fn both_kinds(case: impl Fn(Kind) + Clone + Send + 'static) {
    for to in [Kind::Thread, Kind::Pooled] {
        let played = case.clone();
        on_both_kinds(move |kind| {
            let case = played.clone();
            play(kind, move || {
                case(to);
                nothing_left();
            })
            .unwrap();
        });
        in_runtime(|| case(to));
    }
}

const SOON: Duration = Duration::from_millis(1);

/// Rows: gs.send_request_timeout
#[test]
fn request_is_kept_when_a_wait_times_out() {
    both_kinds(|to| {
        let desk = desk(to);
        let mut request = desk.send_request(Ask::Hold);
        assert_eq!(request.wait(Duration::ZERO), None);
        assert_eq!(request.wait(SOON), None);
        assert_eq!(request.wait_until(Instant::now()), None);
        assert_eq!(request.check(), None);
        desk.cast(Ask::Release(7));
        assert_eq!(request.wait(Duration::MAX), Some(Ok(7)));
        // It has had its answer.
        assert_eq!(request.wait(LONG), Some(Err(CallError::NoRequest)));
        assert_eq!(request.check(), Some(Err(CallError::NoRequest)));
        assert_eq!(request.receive(LONG), Err(CallError::NoRequest));
        stop(&desk);
    });
}

#[test]
fn request_is_abandoned_when_its_receive_times_out() {
    both_kinds(|to| {
        let desk = desk(to);
        let request = desk.send_request(Ask::Hold);
        assert_eq!(request.receive(SOON), Err(CallError::Timeout));
        assert_eq!(desk.call(Ask::IsExpired), Ok(true));
        desk.cast(Ask::Forget);
        let request = desk.send_request(Ask::Hold);
        assert_eq!(desk.call(Ask::IsExpired), Ok(false));
        let past = Instant::now();
        assert_eq!(request.receive_until(past), Err(CallError::Timeout));
        assert_eq!(desk.call(Ask::IsExpired), Ok(true));
        // Late answers are dropped.
        desk.cast(Ask::Release(1));
        sync(&desk);
        let request = desk.send_request(Ask::Hold);
        drop(request);
        assert_eq!(desk.call(Ask::IsExpired), Ok(true));
        stop(&desk);
    });
}

/// Rows: gs.send_request_errors
#[test]
fn request_that_reaches_nobody_says_so() {
    both_kinds(|to| {
        let (dead, ending) = (desk(to), desk(to));
        stop(&dead);
        let request: ReqId<u32> = dead.send_request(Ask::Hold);
        assert_eq!(request.receive(LONG), Err(CallError::NoProc));
        let nobody: Name<Ask> = Name::new("nobody");
        let mut request = nobody.send_request(Ask::Hold);
        assert_eq!(request.wait(Duration::ZERO), Some(Err(CallError::NoProc)));
        let other: Name<u32> = Name::new("desk");
        let named: Name<Ask> = Name::new("desk");
        process::register(&named, &ending).unwrap();
        let wrong = other.send_request(|_: ReplyTo<u32>| 1);
        assert_eq!(wrong.receive(LONG), Err(CallError::WrongMessageType));
        // Its end in the midst of it.
        let request = named.send_request(Ask::Hold);
        ending.cast(Ask::End(ExitReason::Shutdown));
        let ended = Err(CallError::Exited(ExitReason::Shutdown));
        assert_eq!(request.receive(LONG), ended);
        // And its answer first, if it gave one.
        let ending = desk(to);
        let request = ending.send_request(|reply| Ask::Echo(1, reply));
        ending.cast(Ask::End(ExitReason::Normal));
        eventually("it has ended", || !ending.is_alive());
        assert_eq!(request.receive(LONG), Ok(1));
    });
}

#[test]
fn dropped_request_fails_and_a_full_mailbox_refuses_it() {
    both_kinds(|to| {
        let desk = desk(to);
        let request = desk.send_request(Ask::Hold);
        desk.cast(Ask::Forget);
        assert_eq!(request.receive(LONG), Err(CallError::NoReply));
        stop(&desk);
        let full = gen_server::spec::<Desk>(()).mailbox(1, process::Overflow::Reject);
        let full = full.start().unwrap();
        let ((say, said), (tell, told)) = (mpsc::channel(), mpsc::channel());
        full.cast(Ask::Pause(say, told));
        said.recv().unwrap();
        let first = full.send_request(|reply| Ask::Echo(1, reply));
        let second = full.send_request(Ask::Hold);
        assert_eq!(second.receive(LONG), Err(CallError::Overloaded));
        tell.send(()).unwrap();
        assert_eq!(first.receive(LONG), Ok(1));
        stop(&full);
    });
}

/// Labels and answers in the order in which they came.
fn answers<const N: usize>(
    requests: &mut ReqIdCollection<&'static str, u32>,
) -> [(&'static str, Result<u32, CallError>); N] {
    std::array::from_fn(|_| requests.receive(LONG).unwrap())
}

/// Rows: gs.reqid_receive_collection
#[test]
fn collection_answers_in_the_order_of_arrival() {
    both_kinds(|to| {
        let desks = [desk(to), desk(to), desk(to)];
        let mut requests = ReqIdCollection::new();
        assert!(requests.is_empty());
        for (desk, label) in desks.iter().zip(["a", "b", "c"]) {
            requests.add(label, desk.send_request(Ask::Hold));
        }
        assert_eq!(requests.len(), 3);
        assert_eq!(requests.labels().collect::<Vec<_>>(), [&"a", &"b", &"c"]);
        for (n, desk) in [2, 0, 1].into_iter().map(|n| (n, &desks[n as usize])) {
            desk.cast(Ask::Release(n));
            sync(desk);
        }
        let three: [_; 3] = answers(&mut requests);
        assert_eq!(three, [("c", Ok(2)), ("a", Ok(0)), ("b", Ok(1))]);
        assert_eq!(requests.receive(LONG), Err(NoResponse::NoRequest));
        assert_eq!(requests.wait(Duration::MAX), Err(NoResponse::NoRequest));
        desks.iter().for_each(stop);
    });
}

/// As seen on the BEAM: what was answered before it was added has its place by when that was.
#[test]
fn answers_that_came_before_have_their_order() {
    both_kinds(|to| {
        let (first, second) = (desk(to), desk(to));
        let late = first.send_request(Ask::Hold);
        let early = second.send_request(|reply| Ask::Echo(1, reply));
        sync(&second);
        first.cast(Ask::Release(2));
        sync(&first);
        let mut requests = ReqIdCollection::new();
        requests.add("late", late);
        requests.add("early", early);
        let two: [_; 2] = answers(&mut requests);
        assert_eq!(two, [("early", Ok(1)), ("late", Ok(2))]);
        stop(&first);
        stop(&second);
    });
}

/// Rows: gs.reqid_receive_timeout
#[test]
fn collection_is_abandoned_when_a_receive_times_out() {
    both_kinds(|to| {
        let desk = desk(to);
        let mut requests = ReqIdCollection::new();
        for absolute in [false, true] {
            requests.add("held", desk.send_request(Ask::Hold));
            requests.add("there", desk.send_request(|reply| Ask::Echo(1, reply)));
            let first: [_; 1] = answers(&mut requests);
            assert_eq!(first, [("there", Ok(1))]);
            let late = if absolute {
                requests.receive_until(Instant::now() + SOON)
            } else {
                requests.receive(SOON)
            };
            assert_eq!(late, Err(NoResponse::Timeout));
            assert_eq!((requests.len(), requests.check()), (0, None));
            assert_eq!(desk.call(Ask::IsExpired), Ok(true));
            desk.cast(Ask::Release(9));
        }
        // What came too late is no answer to those that come now.
        requests.add("new", desk.send_request(|reply| Ask::Echo(2, reply)));
        let one: [_; 1] = answers(&mut requests);
        assert_eq!(one, [("new", Ok(2))]);
        stop(&desk);
    });
}

/// Rows: gs.reqid_wait_timeout
#[test]
fn collection_is_kept_when_a_wait_times_out() {
    both_kinds(|to| {
        let desk = desk(to);
        let mut requests = ReqIdCollection::new();
        requests.add("held", desk.send_request(Ask::Hold));
        assert_eq!(requests.wait(Duration::ZERO), Err(NoResponse::Timeout));
        assert_eq!(requests.wait(SOON), Err(NoResponse::Timeout));
        let past = Instant::now();
        assert_eq!(requests.wait_until(past), Err(NoResponse::Timeout));
        assert_eq!(requests.len(), 1);
        desk.cast(Ask::Release(3));
        assert_eq!(requests.wait(LONG), Ok(("held", Ok(3))));
        assert!(requests.is_empty());
        stop(&desk);
    });
}

/// Rows: gs.reqid_error
///
/// A request moves into its collection, so it cannot be added twice; one that had its answer says so.
#[test]
fn end_of_one_who_was_asked_is_the_answer_of_that_one_alone() {
    both_kinds(|to| {
        let (ending, living) = (desk(to), desk(to));
        let mut requests = ReqIdCollection::new();
        requests.add("living", living.send_request(Ask::Hold));
        requests.add("ending", ending.send_request(Ask::Hold));
        requests.add("queued", ending.send_request(Ask::Hold));
        sync(&ending);
        let (answered, mut taken) = (
            living.send_request(|reply| Ask::Echo(1, reply)),
            living.send_request(|reply| Ask::Echo(2, reply)),
        );
        assert_eq!(taken.wait(LONG), Some(Ok(2)));
        requests.add("taken", taken);
        requests.add("answered", answered);
        let first: [_; 2] = answers(&mut requests);
        let taken = ("taken", Err(CallError::NoRequest));
        assert_eq!(first, [taken, ("answered", Ok(1))]);
        process::exit(&ending, ExitReason::Kill);
        let mut two: [_; 2] = answers(&mut requests);
        two.sort_by_key(|(label, _)| *label);
        let killed = || Err(CallError::Exited(ExitReason::Killed));
        assert_eq!(two, [("ending", killed()), ("queued", killed())]);
        assert_eq!(requests.len(), 1);
        living.cast(Ask::Release(4));
        let last: [_; 1] = answers(&mut requests);
        assert_eq!(last, [("living", Ok(4))]);
        stop(&living);
    });
}

/// Rows: gs.reqid_check
///
/// An answer never is a message, so there are none to be mistaken for one: both are left where they are.
#[test]
fn check_looks_at_answers_and_at_nothing_else() {
    in_runtime(|| {
        let desk = desk(Kind::Pooled);
        process::run::<u32, _>(|cx: &mut ThreadContext<u32>| {
            cx.me().clone().cast(7);
            let mut alone = desk.send_request(Ask::Hold);
            let mut requests = ReqIdCollection::new();
            requests.add("held", desk.send_request(Ask::Hold));
            assert_eq!((alone.check(), requests.check()), (None, None));
            desk.cast(Ask::Release(1));
            desk.cast(Ask::Release(2));
            sync(&desk);
            assert_eq!(requests.check(), Some(("held", Ok(2))));
            assert_eq!(alone.check(), Some(Ok(1)));
            let received = cx.receive_timeout(Duration::ZERO);
            assert_eq!(received.and_then(|received| received.message()), Some(7));
            assert!(cx.receive_timeout(Duration::ZERO).is_none());
        })
        .unwrap();
        stop(&desk);
    });
}

/// A process may ask itself, and answers when it comes to it.
#[test]
fn request_to_oneself_is_answered_by_oneself() {
    in_runtime(|| {
        process::run::<ReplyTo<u32>, _>(|cx| {
            let mut request = cx.me().send_request(|reply| reply);
            assert_eq!(request.wait(Duration::ZERO), None);
            let reply = cx.receive().message().unwrap();
            reply.send(1);
            assert_eq!(request.wait(LONG), Some(Ok(1)));
            // Whoever waits for itself before that is told.
            let mut request = cx.me().send_request(|reply| reply);
            let me = cx.pid();
            let deadlock = CallError::Deadlock(vec![me]);
            assert_eq!(request.wait(LONG), Some(Err(deadlock)));
            cx.receive().message().unwrap().send(2);
            assert_eq!(request.wait(LONG), Some(Ok(2)));
        })
        .unwrap();
    });
}

/// Two that wait for each other's answer.
#[test]
fn waiting_in_a_circle_is_a_deadlock() {
    on_both_kinds(|kind| {
        let (send, receive) = mpsc::channel::<Ref<ReplyTo<bool>>>();
        let other = process::spawn::<ReplyTo<bool>>(move |cx| {
            let reply = cx.receive().message().unwrap();
            let first = receive.recv().unwrap();
            let answer = first.send_request(|reply| reply).receive(LONG);
            reply.send(matches!(answer, Err(CallError::Deadlock(_))));
        });
        // It can only be asked in its turn, and in that it waits for the other one.
        let first = process::spawn::<ReplyTo<bool>>(move |cx| {
            let asked = other.send_request(|reply| reply);
            send.send(cx.me().clone()).unwrap();
            let answer = asked.receive(LONG);
            let told = matches!(answer, Ok(true) | Err(CallError::Deadlock(_)));
            while let Some(reply) = cx.receive().message() {
                reply.send(told);
            }
        });
        let watched = first.clone();
        let told = play(kind, move || {
            first.send_request(|reply| reply).receive(LONG)
        });
        assert_eq!(told, Ok(Ok(true)));
        process::exit(&watched, ExitReason::Kill);
    });
}

/// A kill ends the wait; what was asked is left to whoever was.
#[test]
fn process_that_waits_for_answers_meets_its_end() {
    on_both_kinds(|kind| {
        for together in [false, true] {
            let desk = desk(kind);
            let asked = desk.clone();
            let (send, receive) = mpsc::channel::<Pid>();
            let killer = process::spawn::<()>(move |_| {
                process::exit(receive.recv().unwrap(), ExitReason::Kill);
            });
            let died = play(kind, move || {
                let mut request = asked.send_request(Ask::Hold);
                sync(&asked);
                send.send(process::self_pid().unwrap()).unwrap();
                if together {
                    let mut requests = ReqIdCollection::new();
                    requests.add((), request);
                    drop(requests.wait(Duration::MAX));
                } else {
                    drop(request.wait(Duration::MAX));
                }
            });
            assert_eq!(died, Err(ExitReason::Killed));
            assert_eq!(desk.call(Ask::IsExpired), Ok(true));
            eventually("the killer has ended", || !killer.is_alive());
            stop(&desk);
        }
    });
}

#[test]
fn pooled_process_without_a_spare_worker_is_told_and_keeps_its_requests() {
    let runtime = Runtime::builder().workers(1).spare_max(0).build().unwrap();
    let entered = runtime.enter();
    let desk = desk(Kind::Thread);
    let asked = desk.clone();
    play(Kind::Pooled, move || {
        let mut request = asked.send_request(Ask::Hold);
        let refused = Some(Err(CallError::PoolExhausted));
        assert_eq!(request.wait(LONG), refused);
        let mut requests = ReqIdCollection::new();
        requests.add((), request);
        assert_eq!(requests.receive(LONG), Err(NoResponse::PoolExhausted));
        asked.cast(Ask::Release(1));
        // It may look, and that takes no worker.
        let mut answer = None;
        eventually("the answer is there", || {
            answer = requests.check();
            answer.is_some()
        });
        assert_eq!(answer, Some(((), Ok(1))));
    })
    .unwrap();
    stop(&desk);
    drop(entered);
    assert_eq!(runtime.shutdown(LONG).zombies, 0);
}

/// Whoever unwinds may look, but not wait.
#[test]
fn process_that_unwinds_does_not_wait_for_answers() {
    type Seen = (
        Option<Result<u32, CallError>>,
        Result<((), Result<u32, CallError>), NoResponse>,
    );
    struct Last(Ref<Ask>, mpsc::Sender<Seen>);
    impl Drop for Last {
        fn drop(&mut self) {
            let mut request = self.0.send_request(Ask::Hold);
            let alone = request.wait(LONG);
            let mut requests = ReqIdCollection::new();
            requests.add((), request);
            self.1.send((alone, requests.wait(LONG))).unwrap();
        }
    }
    on_both_kinds(|kind| {
        let desk = desk(kind);
        let (send, receive) = mpsc::channel();
        let last = Last(desk.clone(), send);
        let died = play(kind, move || {
            let _last = last;
            panic!("the caller crashes");
        });
        assert!(Result::<(), _>::is_err(&died));
        let seen = receive.recv().unwrap();
        let exiting = (Some(Err(CallError::Exiting)), Err(NoResponse::Exiting));
        assert_eq!(seen, exiting);
        stop(&desk);
    });
}

/// Many at once, of whom each is answered once, from whichever thread.
#[test]
fn thousand_requests_are_answered_once_each() {
    both_kinds(|to| {
        let desks = [desk(to), desk(to), desk(to), desk(to)];
        let mut requests = ReqIdCollection::new();
        for n in 0..1_000 {
            let desk = &desks[n as usize % desks.len()];
            requests.add(n, desk.send_request(move |reply| Ask::Echo(n, reply)));
        }
        let mut seen: Vec<u32> = (0..1_000)
            .map(|_| match requests.receive(LONG) {
                Ok((label, Ok(n))) if label == n => n,
                other => panic!("{other:?}"),
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1_000).collect::<Vec<_>>());
        desks.iter().for_each(stop);
    });
}
