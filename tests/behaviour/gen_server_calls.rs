//! GenServer: calls, answers given later, and requests that do not block.

use crate::support::scripted::{
    Event, Msg, Script, Scripted, ask, both_servers, both_servers_in, busy, echo, plain, run, stop,
    sync,
};
use crate::support::stage::builder;
use crate::support::{LONG, eventually};
use perennial::prelude::*;
use perennial::process::{self, CallError};
use perennial::{ExitReason, RequestId};
use std::sync::mpsc;
use std::time::Duration;

type Answer = Result<u64, CallError>;

const SOON: Duration = Duration::from_millis(5);

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// A request that the server keeps.
fn hold() -> impl FnOnce(ReplyTo<u64>) -> Msg {
    ask(|server, reply, _| {
        server.held.push_back(reply);
        Next::Loop
    })
}

/// Answers the oldest kept request.
fn answer(server: &Ref<Msg>, n: u64) {
    server.cast(run(move |server, _| {
        server.held.pop_front().expect("it keeps one").send(n);
        Next::Loop
    }));
}

/// Rows: gs.call_reply, gs.call_delayed
#[test]
fn call_is_answered_at_once_or_later() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        assert_eq!(server.call(echo(7)), Ok(7));
        let later = server.call(ask(|server, reply, cx| {
            server.held.push_back(reply);
            cx.send_after(
                SOON,
                run(|server, _| {
                    server.held.pop_front().expect("it keeps one").send(8);
                    Next::Loop
                }),
            );
            Next::Loop
        }));
        assert_eq!(later, Ok(8));
        // By a timeout of its own as well.
        let script = Script::new().0.on_info(|_, cx| {
            cx.me().cast(run(|server, _| {
                server.held.pop_front().expect("it keeps one").send(9);
                Next::Loop
            }));
            Next::Loop
        });
        let other = script.on(kind).start().expect("it starts");
        let later = other.call(ask(|server, reply, _| {
            server.held.push_back(reply);
            Next::Timeout(SOON)
        }));
        assert_eq!(later, Ok(9));
        stop(&other);
        stop(&server);
    });
}

/// Rows: gs.call_timeout
#[test]
fn call_to_a_slow_server_times_out_and_leaves_it_alone() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        assert_eq!(server.call_for(SOON, hold()), Err(CallError::Timeout));
        let gate = busy(&server);
        assert_eq!(server.call_for(SOON, echo(1)), Err(CallError::Timeout));
        drop(gate);
        assert_eq!(server.call(echo(2)), Ok(2));
        stop(&server);
    });
}

/// Rows: v.late_reply_dropped
#[test]
fn answer_after_the_timeout_is_dropped() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        let played = process::run::<u64, _>(|cx| {
            assert_eq!(server.call_for(SOON, hold()), Err(CallError::Timeout));
            answer(&server, 5);
            sync(&server);
            cx.receive_timeout(Duration::ZERO)
        });
        assert_eq!(played, Ok(None));
        stop(&server);
    });
}

/// Rows: gs.crash_in_call
#[test]
fn crash_in_a_call_is_its_answer() {
    both_servers_in(builder, |kind, runtime| {
        let (sender, reports) = mpsc::channel();
        runtime
            .telemetry()
            .attach(move |report: &process::CrashReport| {
                let _ = sender.send(report.pid);
            });
        let (server, log) = plain(kind, None);
        match server.call(ask(|_, _reply, _| panic!("out of paper"))) {
            Err(CallError::Exited(ExitReason::Panic(panic))) => {
                assert_eq!(panic.message(), "out of paper");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(reports.recv_timeout(LONG), Ok(server.pid()));
        let events = log.all();
        assert!(matches!(events[1], Event::Terminated(ExitReason::Panic(_))));
        assert_eq!(events.len(), 3);
    });
}

/// Rows: gs.calling_self, exgs.calling_self_names
#[test]
fn server_that_calls_itself_is_told_so() {
    both_servers(|kind| {
        let name: Name<Msg> = Name::new("narcissus");
        let server = Script::new()
            .0
            .on(kind)
            .name(&name)
            .start()
            .expect("it starts");
        let refused = server.call(ask(move |_, reply, cx| {
            assert_eq!(cx.me().call(echo(1)), Err(CallError::CallingSelf));
            assert_eq!(name.call(echo(1)), Err(CallError::CallingSelf));
            cx.request(name, echo(1), |_, answer, _| {
                assert_eq!(answer, Err(CallError::CallingSelf));
                reply.send(3);
                Next::Loop
            });
            Next::Loop
        }));
        assert_eq!(refused, Ok(3));
        stop(&server);
    });
}

/// Rows: exgs.call_exit_messages
#[test]
fn call_to_nobody_says_so() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        stop(&server);
        assert_eq!(server.call(echo(1)), Err(CallError::NoProc));
        let nobody: Name<Msg> = Name::new("nobody");
        let error = nobody.call(echo(1)).expect_err("there is nobody");
        assert_eq!(error, CallError::NoProc);
        assert_eq!(error.to_string(), "no such process");
    });
}

/// Rows: v.stop_reply_order
#[test]
fn answer_of_a_stop_comes_behind_what_terminate_sends() {
    both_servers(|kind| {
        for panics in [false, true] {
            let (asker, log) = plain(kind, None);
            let to = asker.clone();
            let script = Script::new().0.on_terminate(move |_, _| {
                to.cast(Msg::Note(1));
                assert!(!panics, "broken");
            });
            let server = script.on(kind).start().expect("it starts");
            let mut watch = process::watch(&server);
            asker.cast(run(move |_, cx| {
                let request = ask(|_, reply, _| Next::stop_reply(died(), reply, 2));
                cx.request(
                    server,
                    request,
                    |server: &mut Scripted, answer: Answer, _| {
                        server.log(Event::Noted(answer.expect("it was answered")));
                        Next::Loop
                    },
                );
                Next::Loop
            }));
            watch.wait(LONG).expect("it ends");
            stop(&asker);
            assert_eq!(log.noted(), [1, 2]);
        }
    });
}

/// Rows: v.stop_reply_order
#[test]
fn answer_of_a_stop_comes_after_terminate() {
    both_servers(|kind| {
        for panics in [false, true] {
            let (script, log) = Script::new();
            let (sender, order) = mpsc::channel();
            let (cleaned, stopped) = (sender.clone(), sender);
            let script = script.on_terminate(move |_, _| {
                let _ = cleaned.send("terminate");
                assert!(!panics, "broken");
            });
            let server = script.on(kind).start().expect("it starts");
            let mut watch = process::watch(&server);
            let answer = server.call(ask(|_, reply, _| {
                Next::stop_reply(ExitReason::Normal, reply, 4)
            }));
            let _ = stopped.send("reply");
            assert_eq!(answer, Ok(4));
            assert_eq!(order.try_iter().collect::<Vec<_>>(), ["terminate", "reply"]);
            let down = watch.wait(LONG).expect("it ends");
            match down.reason {
                ExitReason::Panic(panic) if panics => assert_eq!(panic.message(), "broken"),
                reason => assert_eq!((reason, panics), (ExitReason::Normal, false)),
            }
            assert_eq!(log.all().len(), 3);
        }
    });
}

/// A plain answer before the stop is there before `terminate` runs, as what it is.
#[test]
fn answer_before_a_stop_is_an_answer() {
    both_servers(|kind| {
        let (gate, wait) = crate::support::scripted::gate();
        let script = Script::new().0.on_terminate(move |_, _| wait());
        let server = script.on(kind).start().expect("it starts");
        let mut watch = process::watch(&server);
        let answer = server.call(ask(|_, reply, _| {
            reply.send(6);
            Next::Stop(died())
        }));
        assert_eq!(answer, Ok(6));
        assert!(server.is_alive());
        drop(gate);
        assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(died()));
    });
}

/// Rows: v.stop_noreply
#[test]
fn stop_without_an_answer_fails_the_call_with_the_reason() {
    both_servers(|kind| {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let (server, _log) = plain(kind, None);
            let other = {
                let (server, reason) = (server.clone(), reason.clone());
                move || server.call(ask(move |_, _reply, _| Next::Stop(reason)))
            };
            assert_eq!(other(), Err(CallError::Exited(reason)));
        }
        // Those that the server keeps fail the same way.
        let (server, _log) = plain(kind, None);
        let to = server.clone();
        let kept = std::thread::spawn(move || to.call_for(LONG, hold()));
        eventually("it keeps the request", || {
            server.call(ask(|server, reply, _| {
                reply.send(server.held.len() as u64);
                Next::Loop
            })) == Ok(1)
        });
        server.cast(run(|_, _| Next::Stop(died())));
        assert_eq!(kept.join().ok(), Some(Err(CallError::Exited(died()))));
    });
}

/// Rows: gs.call_with_huge_message_queue
#[test]
fn messages_that_wait_do_not_slow_calls() {
    both_servers(|kind| {
        let (server, _log) = plain(kind, None);
        let (caller, _log) = plain(kind, None);
        let gate = busy(&caller);
        let to = server.clone();
        let (sender, sum) = mpsc::channel();
        caller.cast(run(move |_, _| {
            let answers = (0..10_000).map(|n| to.call(echo(n)));
            let _ = sender.send(answers.sum::<Answer>());
            Next::Loop
        }));
        for n in 0..500_000 {
            caller.cast(Msg::Note(n));
        }
        drop(gate);
        // Were the mailbox looked through at each call, this would be five thousand million looks.
        assert_eq!(sum.recv_timeout(3 * LONG), Ok(Ok(49_995_000)));
        process::exit(&caller, ExitReason::Kill);
        stop(&server);
    });
}

/// Has a server ask another, and tells what came of it.
fn asks(
    from: &Ref<Msg>,
    to: &Ref<Msg>,
    timeout: Duration,
    make: impl FnOnce(ReplyTo<u64>) -> Msg + Send + 'static,
) -> mpsc::Receiver<Answer> {
    let (sender, answer) = mpsc::channel();
    let to = to.clone();
    from.cast(run(move |_, cx| {
        cx.request_for(timeout, &to, make, move |_, answer, _| {
            let _ = sender.send(answer);
            Next::Loop
        });
        Next::Loop
    }));
    answer
}

fn requests(server: &Ref<Msg>) -> Answer {
    server.call(ask(|_, reply, cx| {
        reply.send(cx.requests() as u64);
        Next::Loop
    }))
}

#[test]
fn request_is_answered_while_the_server_works_on() {
    both_servers_in(builder, |kind, runtime| {
        let ((from, log), (to, _log)) = (plain(kind, None), plain(kind, None));
        let gate = busy(&to);
        let answer = asks(&from, &to, LONG, echo(1));
        from.cast(Msg::Note(1));
        assert_eq!(requests(&from), Ok(1));
        assert_eq!(log.noted(), [1]);
        assert!(answer.try_recv().is_err());
        drop(gate);
        assert_eq!(answer.recv_timeout(LONG), Ok(Ok(1)));
        assert_eq!(requests(&from), Ok(0));
        // Nothing of it is left: neither its timer nor what it told the other.
        assert_eq!(runtime.scheduler_stats().timers, 0);
        stop(&from);
        stop(&to);
    });
}

/// An answer keeps its place among the messages of whoever answered.
#[test]
fn answers_of_requests_keep_their_order() {
    both_servers(|kind| {
        let ((from, log), (to, _log)) = (plain(kind, None), plain(kind, None));
        let back = from.clone();
        let asked = to.clone();
        from.cast(run(move |_, cx| {
            let request = ask(move |_, reply, _| {
                back.cast(Msg::Note(1));
                reply.send(2);
                back.cast(Msg::Note(3));
                Next::Loop
            });
            cx.request(
                &asked,
                request,
                |server: &mut Scripted, answer: Answer, _| {
                    server.log(Event::Noted(answer.expect("it was answered")));
                    Next::Loop
                },
            );
            Next::Loop
        }));
        sync(&from);
        sync(&to);
        stop(&from);
        assert_eq!(log.noted(), [1, 2, 3]);
        stop(&to);
    });
}

/// What a continuation wants to happen next happens.
#[test]
fn continuation_decides_what_is_next() {
    both_servers(|kind| {
        let ((from, log), (to, _log)) = (plain(kind, None), plain(kind, None));
        let mut watch = process::watch(&from);
        let asked = to.clone();
        from.cast(run(move |_, cx| {
            cx.request(asked, echo(1), |_, answer, cx| {
                assert_eq!(answer, Ok(1));
                cx.me().cast(Msg::Note(1));
                Next::Continue(run(|_, _| Next::Stop(died())))
            });
            Next::Loop
        }));
        assert_eq!(watch.wait(LONG).map(|down| down.reason), Some(died()));
        assert!(log.noted().is_empty());
        stop(&to);
    });
}

/// Rows: gs.send_request_timeout, gs.reqid_receive_timeout
#[test]
fn request_times_out_by_itself() {
    both_servers_in(builder, |kind, runtime| {
        let ((from, _log), (to, _to)) = (plain(kind, None), plain(kind, None));
        let at_once = asks(&from, &to, Duration::ZERO, hold());
        let soon = asks(&from, &to, SOON, hold());
        let for_ever = asks(&from, &to, Duration::MAX, hold());
        assert_eq!(at_once.recv_timeout(LONG), Ok(Err(CallError::Timeout)));
        assert_eq!(soon.recv_timeout(LONG), Ok(Err(CallError::Timeout)));
        assert_eq!(requests(&from), Ok(1));
        // Late answers are dropped, each by itself.
        for n in 0..3 {
            answer(&to, n);
        }
        assert_eq!(for_ever.recv_timeout(LONG), Ok(Ok(2)));
        assert_eq!(requests(&from), Ok(0));
        assert_eq!(runtime.scheduler_stats().timers, 0);
        stop(&from);
        stop(&to);
    });
}

/// Rows: gs.send_request_errors, gs.reqid_error
#[test]
fn request_fails_like_a_call() {
    both_servers(|kind| {
        let ((from, _log), (to, _to)) = (plain(kind, None), plain(kind, None));
        let (dead, _dead) = plain(kind, None);
        stop(&dead);
        let other = asks(&from, &to, LONG, hold());
        let error = |answer: mpsc::Receiver<Answer>| answer.recv_timeout(LONG);
        assert_eq!(
            error(asks(&from, &dead, LONG, echo(1))),
            Ok(Err(CallError::NoProc))
        );
        let dropped = asks(
            &from,
            &to,
            LONG,
            ask(|_, reply, _| {
                drop(reply);
                Next::Loop
            }),
        );
        assert_eq!(error(dropped), Ok(Err(CallError::NoReply)));
        let (sender, unknown) = mpsc::channel();
        from.cast(run(move |_, cx| {
            let nobody: Name<Msg> = Name::new("nobody");
            cx.request(nobody, echo(1), move |_, answer, _| {
                let _ = sender.send(answer);
                Next::Loop
            });
            Next::Loop
        }));
        assert_eq!(error(unknown), Ok(Err(CallError::NoProc)));
        // The end of one does nothing to the requests to another.
        let (ending, _log) = plain(kind, None);
        let ended = asks(&from, &ending, LONG, ask(|_, _reply, _| Next::Stop(died())));
        assert_eq!(error(ended), Ok(Err(CallError::Exited(died()))));
        assert_eq!(requests(&from), Ok(1));
        answer(&to, 6);
        assert_eq!(error(other), Ok(Ok(6)));
        let last = asks(&from, &to, LONG, hold());
        sync(&from);
        sync(&to);
        process::exit(&to, ExitReason::Kill);
        assert_eq!(error(last), Ok(Err(CallError::Exited(ExitReason::Killed))));
        stop(&from);
    });
}

/// Rows: gs.reqid_receive_collection
#[test]
fn several_requests_are_answered_as_they_come() {
    both_servers(|kind| {
        let ((from, _log), (to, _to)) = (plain(kind, None), plain(kind, None));
        let (sender, answers) = mpsc::channel();
        let asked = to.clone();
        from.cast(run(move |_, cx| {
            let mut ids: Vec<RequestId> = Vec::new();
            for label in ["a", "b", "c"] {
                let sender = sender.clone();
                ids.push(cx.request(&asked, hold(), move |_, answer, cx| {
                    let _ = sender.send((label, answer, cx.requests()));
                    Next::Loop
                }));
            }
            ids.dedup();
            assert_eq!(ids.len(), 3);
            Next::Loop
        }));
        eventually("all are kept", || requests(&from) == Ok(3));
        to.cast(run(|server, _| {
            // The last one first.
            while let Some(reply) = server.held.pop_back() {
                reply.send(server.held.len() as u64);
            }
            Next::Loop
        }));
        for (label, n) in [("c", 2), ("b", 1), ("a", 0)] {
            let answer = answers.recv_timeout(LONG);
            assert_eq!(answer, Ok((label, Ok(n), n as usize)));
        }
        stop(&from);
        stop(&to);
    });
}

#[test]
fn cancelled_request_is_forgotten() {
    both_servers(|kind| {
        let ((from, _log), (to, _to)) = (plain(kind, None), plain(kind, None));
        let asked = to.clone();
        let cancelled = from.call(ask(move |_, reply, cx| {
            let id = cx.request(asked, hold(), |_, _, _| unreachable!("it was cancelled"));
            let first = cx.cancel_request(id);
            reply.send(u64::from(first && !cx.cancel_request(id)) + cx.requests() as u64);
            Next::Loop
        }));
        assert_eq!(cancelled, Ok(1));
        answer(&to, 1);
        sync(&to);
        sync(&from);
        stop(&from);
        stop(&to);
    });
}

/// A server that ends takes its continuations along; the other never notices.
#[test]
fn request_of_the_dead_is_dropped() {
    both_servers(|kind| {
        let ((from, _log), (to, _to)) = (plain(kind, None), plain(kind, None));
        let answer_of = asks(&from, &to, LONG, hold());
        sync(&from);
        stop(&from);
        answer(&to, 1);
        sync(&to);
        assert!(answer_of.recv_timeout(LONG).is_err());
        stop(&to);
    });
}

/// Two pooled servers ask each other at the same time: where calls would lock, requests do not.
#[test]
fn servers_ask_each_other_in_a_circle() {
    both_servers(|kind| {
        let servers: Vec<_> = (0..3).map(|_| plain(kind, None).0).collect();
        let gates: Vec<_> = servers.iter().map(busy).collect();
        let answers: Vec<_> = (0..3)
            .map(|at| asks(&servers[at], &servers[(at + 1) % 3], LONG, echo(at as u64)))
            .collect();
        drop(gates);
        for (at, answer) in answers.iter().enumerate() {
            assert_eq!(answer.recv_timeout(LONG), Ok(Ok(at as u64)));
        }
        for server in &servers {
            stop(server);
        }
    });
}

/// A request that is made while another is handled is due with it.
#[test]
fn requests_inherit_the_deadline() {
    both_servers(|kind| {
        let ((from, _log), (to, _to)) = (plain(kind, None), plain(kind, None));
        let (sender, deadlines) = mpsc::channel();
        let asked = to.clone();
        let answer = from.call_for(
            LONG,
            ask(move |_, reply, cx| {
                let own = reply.deadline();
                let inner = ask(move |_, inner: ReplyTo<u64>, _| {
                    let _ = sender.send((own, inner.deadline(), inner.caller()));
                    inner.send(1);
                    Next::Loop
                });
                cx.request_for(10 * LONG, asked, inner, |_, answer, _| {
                    reply.send(answer.expect("it was answered"));
                    Next::Loop
                });
                Next::Loop
            }),
        );
        assert_eq!(answer, Ok(1));
        let (own, inner, caller) = deadlines.recv_timeout(LONG).expect("it was asked");
        assert!(own.is_some());
        assert_eq!(own, inner);
        assert_eq!(caller, from.pid());
        stop(&from);
        stop(&to);
    });
}
