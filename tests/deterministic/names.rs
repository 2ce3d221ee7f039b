//! Names, keys and subscriptions against the death of those who have them.

use crate::actor::{Heard, Msg, deaf, job, start};
use crate::each_seed;
use crate::support::puppet::BREEDS;
use crate::support::seeds::Dice;
use perennial::prelude::*;
use perennial::process::{self, StartError};
use perennial::{ExitReason, PubSub, Registry};
use std::sync::{Arc, Mutex};

static NAME: Name<Msg> = Name::new("heir");
static KEYS: Registry<u32, Msg> = Registry::new("keys");
const TOPIC: PubSub<u32> = PubSub::new("topics");

/// Whoever hears of an end finds the name, the key and the subscription gone.
#[test]
fn what_the_dead_had_is_free_when_their_end_is_heard() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let (wrong, heirs): (Arc<Mutex<Vec<String>>>, Arc<Mutex<u32>>) = Default::default();
        let owner = deaf(BREEDS[dice.below(3)]);
        process::register(&NAME, &owner).unwrap();
        KEYS.register(1, &owner).unwrap();
        TOPIC.subscribe("all", owner.recipient(|n| Msg::Tell(0, n)));
        let pid = owner.pid();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let (wrong, heirs, dead) = (wrong.clone(), heirs.clone(), owner.clone());
                let heir = start(BREEDS[dice.below(3)], move |heard, cx| {
                    let Heard::Down(down) = heard else { return };
                    let mut seen = Vec::new();
                    if NAME.whereis().is_some_and(|now| now.pid() == down.pid) {
                        seen.push("the name".to_owned());
                    }
                    if KEYS.whereis(&1).is_some_and(|now| now.pid() == down.pid) {
                        seen.push("the key".to_owned());
                    }
                    if dead.try_cast(Msg::Tell(0, 0)).is_ok() {
                        seen.push("the mailbox".to_owned());
                    }
                    if TOPIC.unsubscribe("all", down.pid) > 0 {
                        seen.push("the subscription".to_owned());
                    }
                    if NAME.whereis().is_none() && cx.register(&NAME).is_ok() {
                        *heirs.lock().unwrap() += 1;
                    }
                    wrong.lock().unwrap().extend(seen);
                });
                heir.cast(job(move |cx| {
                    cx.monitor(pid);
                }));
                heir
            })
            .collect();
        TOPIC.broadcast("all", 7);
        match dice.below(3) {
            0 => owner.cast(Msg::End(ExitReason::other("over"))),
            1 => process::exit(&owner, ExitReason::Kill),
            _ => owner.cast(job(|cx| cx.exit(ExitReason::Normal))),
        }
        hand.run_until_idle();
        assert_eq!(*wrong.lock().unwrap(), [""; 0]);
        assert_eq!(*heirs.lock().unwrap(), 1);
        assert_eq!((KEYS.count(), TOPIC.count()), (0, 0));
        waiting
            .iter()
            .for_each(|heir| heir.cast(Msg::End(ExitReason::Normal)));
    });
}

struct Holder;

impl GenServer for Holder {
    type Args = ();
    type Msg = Msg;

    fn init(_: (), _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Holder)
    }

    fn handle(&mut self, msg: Msg, _: &mut Cx<Self>) -> Next<Msg> {
        match msg {
            Msg::End(reason) => Next::Stop(reason),
            _ => Next::Loop,
        }
    }
}

/// Several start a server under one key at the same time, while the one who has it ends: at each moment one has it.
#[test]
fn key_belongs_to_one_at_a_time() {
    each_seed(|_, hand| {
        let mut dice = Dice::new(hand.seed());
        let won: Arc<Mutex<Vec<Ref<Msg>>>> = Arc::default();
        let wrong: Arc<Mutex<Vec<StartError>>> = Arc::default();
        for _ in 0..4 {
            let starter = deaf(BREEDS[dice.below(3)]);
            let (thread, ends) = (dice.below(2) == 0, dice.below(2) == 0);
            let (won, wrong) = (won.clone(), wrong.clone());
            starter.cast(job(move |_| {
                let spec = gen_server::spec::<Holder>(()).via(KEYS.via(9_u32));
                let spec = if thread { spec.thread() } else { spec.pooled() };
                match spec.start() {
                    Ok(server) if ends => server.cast(Msg::End(ExitReason::Normal)),
                    Ok(server) => won.lock().unwrap().push(server),
                    Err(StartError::AlreadyStarted(_)) => {}
                    Err(error) => wrong.lock().unwrap().push(error),
                }
            }));
            starter.cast(Msg::End(ExitReason::Normal));
        }
        hand.run_until_idle();
        assert_eq!(*wrong.lock().unwrap(), []);
        let won = won.lock().unwrap();
        assert!(won.len() <= 1, "{won:?}");
        assert_eq!(KEYS.whereis(&9), won.first().cloned());
        won.iter()
            .for_each(|server| server.cast(Msg::End(ExitReason::Normal)));
    });
}
