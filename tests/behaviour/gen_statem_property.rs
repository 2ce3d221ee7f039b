//! GenStatem: whatever a machine does with its events, they come in the order that a few plain lists give.

use crate::machine::on;
use crate::support::LONG;
use crate::support::scripted::both_servers;
use perennial::gen_statem::{self, Cx, Enter, Event, Init, Next, Timeout};
use perennial::prelude::{Dest, GenStatem, ReplyTo};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::VecDeque;
use std::time::Duration;

type Label = Timeout<u8>;

/// What a machine does with one event.
#[derive(Clone, Debug, Default)]
struct Step {
    goes: Goes,
    postpones: bool,
    inserts: usize,
    timeouts: Vec<(Label, Act)>,
    /// What the enter call does, if there is one.
    enter: Vec<(Label, Act)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Goes {
    #[default]
    Nowhere,
    Again,
    To(u8),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Zero,
    /// So far away that it never comes in this test.
    Far,
    Cancel,
    Update,
}

/// What a machine was called back with.
#[derive(Clone, Debug, PartialEq)]
enum Record {
    Entered(u8, u8),
    Message(u32, u8),
    Internal(u32, u8),
    Timeout(Label, u32, u8),
}

fn acts() -> impl Strategy<Value = Vec<(Label, Act)>> {
    let label = prop_oneof![
        Just(Timeout::Event),
        Just(Timeout::State),
        (0..2u8).prop_map(Timeout::Named),
    ];
    let act = prop_oneof![
        4 => Just(Act::Zero),
        1 => Just(Act::Far),
        1 => Just(Act::Cancel),
        2 => Just(Act::Update),
    ];
    prop::collection::vec((label, act), 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let goes = prop_oneof![
        4 => Just(Goes::Nowhere),
        1 => Just(Goes::Again),
        3 => (0..3u8).prop_map(Goes::To),
    ];
    let inserts = prop_oneof![3 => Just(0usize), 1 => 1..3usize];
    (goes, any::<bool>(), inserts, acts(), acts()).prop_map(
        |(goes, postpones, inserts, timeouts, enter)| Step {
            goes,
            postpones,
            inserts,
            timeouts,
            enter,
        },
    )
}

/// The machine: takes a step with each event, and writes down what it was called back with.
struct Machine {
    steps: VecDeque<Step>,
    enter: Vec<(Label, Act)>,
    last: u32,
    log: Vec<Record>,
}

enum Msg {
    Number(u32),
    Log(ReplyTo<Vec<Record>>),
}

impl Machine {
    fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }
}

/// Adds the acts to a transition or an enter call.
macro_rules! act {
    ($to:expr, $machine:expr, $acts:expr) => {{
        let mut to = $to;
        for (label, act) in $acts {
            let payload = Msg::Number($machine.number());
            let delay = match act {
                Act::Zero => Duration::ZERO,
                _ => Duration::from_secs(1_000),
            };
            to = match (act, label) {
                (Act::Cancel, _) => to.cancel(label),
                (Act::Update, _) => to.update(label, payload),
                (_, Timeout::Event) => to.event_timeout(delay, payload),
                (_, Timeout::State) => to.state_timeout(delay, payload),
                (_, Timeout::Named(name)) => to.timeout(name, delay, payload),
            };
        }
        to
    }};
}

impl GenStatem for Machine {
    type Args = (Vec<Step>, u32);
    type Msg = Msg;
    type State = u8;
    type Timer = u8;

    const STATE_ENTER: bool = true;

    fn init((steps, messages): Self::Args, cx: &mut Cx<Self>) -> Init<Self> {
        (1..=messages).for_each(|n| cx.me().cast(Msg::Number(n)));
        let machine = Machine {
            steps: steps.into(),
            enter: Vec::new(),
            last: messages,
            log: Vec::new(),
        };
        Init::ok(0, machine)
    }

    fn enter(&mut self, old: &u8, state: &u8, _: &mut Cx<Self>) -> Enter<Self> {
        self.log.push(Record::Entered(*old, *state));
        let acts = std::mem::take(&mut self.enter);
        act!(Enter::keep_state(), self, acts)
    }

    fn handle(&mut self, event: Event<Self>, state: &u8, _: &mut Cx<Self>) -> Next<Self> {
        self.log.push(match &event {
            Event::Message(Msg::Number(n)) => Record::Message(*n, *state),
            Event::Internal(Msg::Number(n)) => Record::Internal(*n, *state),
            Event::Timeout(label, Msg::Number(n)) => Record::Timeout(*label, *n, *state),
            _ => {
                let Event::Message(Msg::Log(reply)) = event else {
                    panic!("{event:?}");
                };
                let log = std::mem::take(&mut self.log);
                return Next::keep_state().reply(reply, log);
            }
        });
        let step = self.steps.pop_front().unwrap_or_default();
        self.enter = step.enter;
        let mut next = match step.goes {
            Goes::Nowhere => Next::keep_state(),
            Goes::Again => Next::repeat_state(),
            Goes::To(state) => Next::next_state(state),
        };
        if step.postpones {
            next = next.postpone(event);
        }
        for _ in 0..step.inserts {
            next = next.next_event(Event::Internal(Msg::Number(self.number())));
        }
        act!(next, self, step.timeouts)
    }
}

/// What is handled: a message, an internal event or a timeout, each with its number.
#[derive(Clone, Copy)]
enum Item {
    Message(u32),
    Internal(u32),
    Timeout(Label, u32),
}

/// What a machine is called back with, by lists.
#[derive(Default)]
struct Model {
    state: u8,
    last: u32,
    pile: Vec<Item>,
    postponed: Vec<Item>,
    /// In the order in which they were set; those that are far away are never handled.
    set: Vec<(Label, u32, Act)>,
    log: Vec<Record>,
}

impl Model {
    fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    fn next(&mut self) -> Option<Item> {
        if !self.pile.is_empty() {
            return Some(self.pile.remove(0));
        }
        let zero = self.set.iter().position(|(.., act)| *act == Act::Zero)?;
        let (label, number, _) = self.set.remove(zero);
        Some(Item::Timeout(label, number))
    }

    fn take(&mut self, step: Step, item: Item) {
        self.log.push(match item {
            Item::Message(n) => Record::Message(n, self.state),
            Item::Internal(n) => Record::Internal(n, self.state),
            Item::Timeout(label, n) => Record::Timeout(label, n, self.state),
        });
        let mut first: Vec<Item> = Vec::new();
        for _ in 0..step.inserts {
            first.push(Item::Internal(self.number()));
        }
        let mut changes: Vec<(Label, Act, u32)> = Vec::new();
        for (label, act) in step.timeouts {
            changes.push((label, act, self.number()));
        }
        self.set.retain(|(label, ..)| *label != Timeout::Event);
        if step.postpones {
            self.postponed.push(item);
        }
        let old = self.state;
        if let Goes::To(state) = step.goes
            && state != old
        {
            self.state = state;
            first.append(&mut self.postponed);
            self.set.retain(|(label, ..)| *label != Timeout::State);
        }
        if step.goes == Goes::Again || old != self.state {
            self.log.push(Record::Entered(old, self.state));
            for (label, act) in step.enter {
                changes.push((label, act, self.number()));
            }
        }
        first.append(&mut self.pile);
        self.pile = first;
        self.change(&changes);
    }

    fn change(&mut self, changes: &[(Label, Act, u32)]) {
        for (at, &(label, act, number)) in changes.iter().enumerate() {
            if changes[at + 1..].iter().any(|(later, ..)| *later == label) {
                continue;
            }
            let is_set = self.set.iter_mut().find(|(set, ..)| *set == label);
            match (act, is_set) {
                (Act::Update, Some(set)) => set.1 = number,
                (Act::Cancel, _) => self.set.retain(|(set, ..)| *set != label),
                _ => {
                    self.set.retain(|(set, ..)| *set != label);
                    let act = if act == Act::Far { Act::Far } else { Act::Zero };
                    self.set.push((label, number, act));
                }
            }
        }
    }
}

fn expected(steps: Vec<Step>, messages: u32) -> Vec<Record> {
    let mut model = Model {
        last: messages,
        log: vec![Record::Entered(0, 0)],
        ..Model::default()
    };
    let mut steps = steps.into_iter();
    let mut mailbox = 1..=messages;
    while let Some(item) = model.next().or_else(|| mailbox.next().map(Item::Message)) {
        model.take(steps.next().unwrap_or_default(), item);
    }
    model.log
}

#[test]
fn machine_is_called_back_as_lists_would_have_it() {
    both_servers(|kind| {
        let config = Config {
            cases: 100,
            failure_persistence: None,
            ..Config::default()
        };
        let programs = (prop::collection::vec(step(), 0..40), 0..12u32);
        let played = TestRunner::new(config).run(&programs, |(steps, messages)| {
            let spec = on(gen_statem::spec::<Machine>((steps.clone(), messages)), kind);
            let machine = spec.start().expect("it starts");
            let log = machine.call_for(LONG, Msg::Log).expect("it answers");
            gen_statem::stop(&machine).expect("it stops");
            prop_assert_eq!(log, expected(steps, messages));
            Ok(())
        });
        played.unwrap_or_else(|error| panic!("{error}"));
    });
}
