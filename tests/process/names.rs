//! Names: one a process, one process a name, free before anybody hears of the end.

use crate::support::puppet::{Msg, Record, Tell, all_pairs, both_kinds, both_kinds_in};
use crate::support::stage::builder;
use perennial::ExitReason;
use perennial::prelude::*;
use perennial::process::{
    self, CallError, DeadLetter, DeadLetterCause, RegisterError, TryCastError,
};
use std::sync::mpsc;

const NAME: Name<Msg> = Name::new("conformist");

fn died() -> ExitReason {
    ExitReason::other("died")
}

/// Rows: mon.named_down
#[test]
fn name_is_free_when_the_down_arrives() {
    all_pairs(|one, other| {
        let watcher = one.puppet();
        for _ in 0..30 {
            let target = other.named(&NAME);
            let me = watcher.me();
            watcher.run(|inside| inside.monitor(&NAME));
            process::exit(target.pid(), ExitReason::Kill);
            assert_eq!(watcher.next_down().pid, target.pid());
            process::register(&NAME, &me).expect("the name is free");
            assert_eq!(process::unregister("conformist"), Some(watcher.pid()));
        }
    });
}

/// The same without a way through the test's own thread: the watcher registers itself in the callback.
#[test]
fn name_is_free_for_whoever_handles_the_down() {
    both_kinds(|kind| {
        for _ in 0..100 {
            let target = kind.named(&NAME);
            let name_at_down = process::run::<(), _>(|cx| {
                let monitor = cx.monitor(&NAME);
                target.end(died());
                match cx.receive() {
                    process::Received::Down(down) if down.monitor == monitor => NAME.whereis(),
                    other => panic!("{other:?}"),
                }
            });
            assert_eq!(name_at_down, Ok(None));
        }
    });
}

/// Rows: v.name_free_before_exit
#[test]
fn name_is_free_when_the_exit_arrives() {
    both_kinds(|kind| {
        for _ in 0..100 {
            let name_at_exit = process::run::<(), _>(|cx| {
                cx.trap_exit(true);
                let target = kind.linked();
                process::register(&NAME, &target.me()).expect("the name is free");
                target.end(died());
                match cx.receive() {
                    process::Received::Exit(exit) => {
                        (exit.from == target.pid(), NAME.whereis(), exit.reason)
                    }
                    other => panic!("{other:?}"),
                }
            });
            assert_eq!(name_at_exit, Ok((true, None, died())));
        }
    });
}

/// Rows: proc.bad_register
#[test]
fn bad_names_are_refused() {
    both_kinds(|kind| {
        let (one, other, dead) = (kind.puppet(), kind.puppet(), kind.puppet());
        dead.end_and_wait(ExitReason::Normal);
        let register = |name: &str, whom: &Ref<Msg>| process::register(&Name::owned(name), whom);
        assert_eq!(register("dead", &dead.me()), Err(RegisterError::NoProc));
        assert_eq!(register("one", &one.me()), Ok(()));
        assert_eq!(
            register("one", &other.me()),
            Err(RegisterError::Taken(one.pid()))
        );
        assert_eq!(
            register("one", &one.me()),
            Err(RegisterError::Taken(one.pid()))
        );
        assert_eq!(
            register("second", &one.me()),
            Err(RegisterError::HasName("one".into()))
        );
        assert_eq!(register("", &other.me()), Err(RegisterError::BadName));
        assert_eq!(
            register("undefined", &other.me()),
            Err(RegisterError::BadName)
        );
        assert_eq!(process::registered(), vec!["one".into()]);
        assert_eq!(process::unregister("one"), Some(one.pid()));
        assert_eq!(process::unregister("one"), None);
        assert_eq!(register("second", &one.me()), Ok(()));
        assert_eq!(process::whereis("second"), Some(one.pid()));
    });
}

#[test]
fn process_names_itself() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        assert_eq!(puppet.run(|inside| inside.register(&NAME)), Ok(()));
        assert_eq!(NAME.whereis(), Some(puppet.me()));
        NAME.tell_by_name(4);
        assert_eq!(puppet.next(), Record::Told(4));
    });
}

trait TellByName {
    fn tell_by_name(&self, n: u64);
}

impl<D: Dest<Msg = Msg>> TellByName for D {
    fn tell_by_name(&self, n: u64) {
        self.cast(Msg::Tell(n));
    }
}

/// Rows: v.send_dead, v.send_unknown_name
#[test]
fn message_to_nobody_is_a_dead_letter() {
    both_kinds_in(builder, |kind, runtime| {
        let (sender, letters) = mpsc::channel();
        runtime.telemetry().attach(move |letter: &DeadLetter| {
            let _ = sender.send((letter.to, letter.message, letter.cause));
        });
        let (puppet, sender) = (kind.puppet(), kind.puppet());
        let dead = puppet.me();
        puppet.end_and_wait(ExitReason::Normal);
        let message = std::any::type_name::<Msg>();

        let to = dead.clone();
        sender.run(move |_| to.tell(1));
        let letter = letters.try_recv().expect("a dead letter");
        assert_eq!(letter, (Some(dead.pid()), message, DeadLetterCause::NoProc));
        sender.run(|_| NAME.tell_by_name(1));
        let letter = letters.try_recv().expect("a dead letter");
        assert_eq!(letter, (None, message, DeadLetterCause::NoProc));

        // Who wants to know is told, and gets the message back; and that is no dead letter.
        for back in [
            dead.try_cast(Msg::Tell(5)),
            NAME.try_cast(Msg::Tell(5)),
            sender.run(|_| NAME.try_cast(Msg::Tell(5))),
        ] {
            match back {
                Err(TryCastError::NoProc(Msg::Tell(5))) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            dead.call(|reply| Msg::Ask(1, reply)),
            Err(CallError::NoProc)
        );
        assert_eq!(
            NAME.call(|reply| Msg::Ask(1, reply)),
            Err(CallError::NoProc)
        );
        assert_eq!(letters.try_recv().ok(), None);
    });
}

/// Rows: exproc.info_registered_name
#[test]
fn info_knows_the_name() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        assert_eq!(puppet.info().registered_name, None);
        process::register(&NAME, &puppet.me()).expect("the name is free");
        assert_eq!(puppet.info().registered_name.as_deref(), Some("conformist"));
        assert_eq!(
            process::info("conformist").map(|info| info.pid),
            Some(puppet.pid())
        );
        puppet.end_and_wait(ExitReason::Normal);
        assert!(process::info(puppet.pid()).is_none());
        assert!(process::info("conformist").is_none());
    });
}

/// Rows: exproc.label
#[test]
fn label_is_what_was_set_last() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        assert_eq!(process::label(puppet.pid()), None);
        puppet.run(|inside| inside.set_label("first"));
        assert_eq!(process::label(puppet.pid()).as_deref(), Some("first"));
        puppet.run(|_| process::set_label(String::from("second")).expect("a puppet is a process"));
        assert_eq!(puppet.info().label.as_deref(), Some("second"));
        puppet.end_and_wait(ExitReason::Normal);
        assert_eq!(process::label(puppet.pid()), None);
        assert!(process::set_label("a plain thread").is_err());
    });
}

/// A name leads to whoever has it; a reference stays with the one it was made for.
#[test]
fn name_survives_a_restart() {
    all_pairs(|one, other| {
        let first = one.named(&NAME);
        let stale = NAME.whereis().expect("it has the name");
        assert_eq!(NAME.call(|reply| Msg::Ask(1, reply)), Ok(2));
        first.end_and_wait(died());
        assert_eq!(
            NAME.call(|reply| Msg::Ask(1, reply)),
            Err(CallError::NoProc)
        );
        let second = other.named(&NAME);
        assert_eq!(NAME.call(|reply| Msg::Ask(2, reply)), Ok(3));
        NAME.tell_by_name(9);
        assert_eq!(second.next(), Record::Told(9));
        assert_eq!(
            stale.call(|reply| Msg::Ask(2, reply)),
            Err(CallError::NoProc)
        );
        assert_ne!(stale.pid(), second.pid());
    });
}

#[test]
fn two_message_types_under_one_text_are_told_apart() {
    both_kinds(|kind| {
        let puppet = kind.named(&NAME);
        let other: Name<String> = Name::new("conformist");
        match other.try_cast("hello".to_owned()) {
            Err(TryCastError::WrongMessageType(text)) => assert_eq!(text, "hello"),
            delivered => panic!("{delivered:?}"),
        }
        assert_eq!(
            other.call(|_: ReplyTo<()>| String::new()),
            Err(CallError::WrongMessageType)
        );
        assert_eq!(other.whereis(), None);
        other.cast("lost".to_owned());
        puppet.nothing_more();
    });
}

#[test]
fn wrong_message_type_is_a_dead_letter() {
    both_kinds_in(builder, |kind, runtime| {
        let (sender, letters) = mpsc::channel();
        runtime.telemetry().attach(move |letter: &DeadLetter| {
            let _ = sender.send((letter.to, letter.cause));
        });
        let puppet = kind.named(&NAME);
        Name::<String>::new("conformist").cast("lost".to_owned());
        assert_eq!(
            letters.try_recv(),
            Ok((Some(puppet.pid()), DeadLetterCause::WrongMessageType))
        );
    });
}

#[test]
fn recipients_hide_the_message_type() {
    all_pairs(|one, other| {
        let (a, b) = (one.puppet(), other.puppet());
        let everyone = [
            a.me()
                .recipient(|text: String| Msg::Tell(text.len() as u64)),
            b.me()
                .recipient(|text: String| Msg::Tell(text.len() as u64 + 100)),
        ];
        for recipient in &everyone.clone() {
            recipient.cast("four".to_owned());
        }
        assert_eq!(a.next(), Record::Told(4));
        assert_eq!(b.next(), Record::Told(104));
        assert_eq!(everyone[0].pid(), a.pid());
        a.end_and_wait(ExitReason::Normal);
        assert_eq!(
            everyone[0].try_cast(String::new()),
            Err(process::Gone::NoProc)
        );
        assert_eq!(everyone[1].try_cast(String::new()), Ok(()));
        assert_eq!(b.next(), Record::Told(100));
    });
}
