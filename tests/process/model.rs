//! A model of the kernel: what commands to a few processes come to, by the rules alone. Nothing here runs a process.
//!
//! Picture a table of index cards, one a process. A command changes some cards; a death strikes a card out, tells those
//! who are linked, then those who watch, and may strike out theirs as well. What is written on the cards afterwards is
//! what the real processes have to look like once everything has settled.

use crate::support::puppet::Breed;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A process of a model, in the order of their starts.
pub(crate) type Id = usize;

/// A monitor of a model, in the order in which they are set.
pub(crate) type Monitor = usize;

/// A place for a process. Commands name places, so that they can be made at random.
pub(crate) type Place = usize;

/// A name, by its number.
pub(crate) type NameNo = usize;

pub(crate) const PLACES: usize = 5;
pub(crate) const NAMES: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Normal,
    Shutdown,
    Crash,
    Kill,
    Killed,
    NoProc,
}

/// How a process is related to the one that starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Alone,
    Linked,
    Monitored,
}

/// What is done to the processes of some places.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// By the first, in the second, unless somebody lives there.
    Spawn(Place, Place, Start, Breed),
    Link(Place, Place),
    Unlink(Place, Place),
    Monitor(Place, Place),
    MonitorName(Place, NameNo),
    /// The monitor that it set as the n-th, fired or not.
    Demonitor(Place, usize),
    /// An exit signal of the first to the second.
    Exit(Place, Place, Reason),
    /// An end of its own.
    End(Place, Reason),
    Trap(Place, bool),
    Register(Place, NameNo),
    Unregister(NameNo),
    Call(Place, Place),
    Tell(Place, Place, u64),
}

/// What a process that gives a command is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There is none, or nobody to have it.
    Nothing,
    Started,
    Flag(bool),
    NoProc,
    CallingSelf,
    Taken(Id),
    HasName(NameNo),
    Number(u64),
    /// Who had the name.
    Had(Option<Id>),
}

/// What a process receives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    Told(Id, u64),
    Exit(Id, Reason),
    Down(Option<Id>, Monitor, Reason),
}

impl Seen {
    /// Whom it comes from: between two of one sender there is an order.
    pub(crate) fn from(&self) -> Option<Id> {
        match self {
            Seen::Told(from, _) | Seen::Exit(from, _) => Some(*from),
            Seen::Down(from, ..) => *from,
        }
    }
}

/// The card of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Card {
    pub(crate) ended: Option<Reason>,
    pub(crate) traps: bool,
    /// Whose exits end it though it traps them.
    obeys: Option<Id>,
    pub(crate) links: BTreeSet<Id>,
    /// Monitors that it holds and that have not fired.
    pub(crate) monitors: BTreeMap<Monitor, Id>,
    /// All that it ever set.
    monitors_set: Vec<Monitor>,
    pub(crate) name: Option<NameNo>,
    /// What it was sent since somebody looked.
    pub(crate) inbox: Vec<Seen>,
}

/// All cards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) cards: Vec<Card>,
    pub(crate) places: [Option<Id>; PLACES],
    pub(crate) monitors: usize,
}

impl Model {
    /// Who lives in a place.
    pub(crate) fn alive(&self, place: Place) -> Option<Id> {
        self.places[place].filter(|id| self.lives(*id))
    }

    pub(crate) fn lives(&self, id: Id) -> bool {
        self.cards[id].ended.is_none()
    }

    pub(crate) fn living(&self) -> Vec<Id> {
        (0..self.cards.len()).filter(|id| self.lives(*id)).collect()
    }

    pub(crate) fn named(&self, name: NameNo) -> Option<Id> {
        let has = |id: &Id| self.lives(*id) && self.cards[*id].name == Some(name);
        (0..self.cards.len()).find(has)
    }

    /// Who watches a process, once for each monitor.
    pub(crate) fn watchers(&self, id: Id) -> Vec<Id> {
        let monitors = |holder: &Id| self.cards[*holder].monitors.values();
        let living = self.living();
        let each = living.iter().flat_map(|holder| {
            let count = monitors(holder).filter(|watched| **watched == id).count();
            std::iter::repeat_n(*holder, count)
        });
        each.collect()
    }

    /// The n-th monitor that a process set.
    pub(crate) fn nth_monitor(&self, id: Id, n: usize) -> Option<Monitor> {
        let set = &self.cards[id].monitors_set;
        (!set.is_empty()).then(|| set[n % set.len()])
    }

    /// Carries out a command; what whoever gives it is answered.
    pub(crate) fn apply(&mut self, command: &Command) -> Answer {
        match *command {
            Command::Spawn(by, place, start, breed) => self.spawn(by, place, start, breed),
            Command::Link(one, other) => self.between(one, other, Model::link),
            Command::Unlink(one, other) => self.between(one, other, Model::unlink),
            Command::Monitor(one, other) => self.between(one, other, |model, one, other| {
                model.monitor(one, Some(other));
                Answer::Nothing
            }),
            Command::MonitorName(one, name) => self.by(one, |model, one| {
                let named = model.named(name);
                model.monitor(one, named);
                Answer::Nothing
            }),
            Command::Demonitor(one, n) => self.by(one, |model, one| model.demonitor(one, n)),
            Command::Exit(one, other, reason) => self.between(one, other, |model, one, other| {
                model.exit(one, other, reason);
                Answer::Nothing
            }),
            Command::End(one, reason) => self.by(one, |model, one| {
                model.die(one, reason);
                Answer::Nothing
            }),
            Command::Trap(one, traps) => self.by(one, |model, one| {
                Answer::Flag(std::mem::replace(&mut model.cards[one].traps, traps))
            }),
            Command::Register(one, name) => self.by(one, |model, one| model.register(one, name)),
            Command::Unregister(name) => {
                let had = self.named(name);
                if let Some(id) = had {
                    self.cards[id].name = None;
                }
                Answer::Had(had)
            }
            Command::Call(one, other) => self.between(one, other, |model, one, other| {
                if one == other {
                    Answer::CallingSelf
                } else if model.lives(other) {
                    Answer::Number(1)
                } else {
                    Answer::NoProc
                }
            }),
            Command::Tell(one, other, n) => self.between(one, other, |model, one, other| {
                model.cards[other].inbox.push(Seen::Told(one, n));
                Answer::Nothing
            }),
        }
    }

    /// Nobody does anything where nobody lives.
    fn by(&mut self, one: Place, act: impl FnOnce(&mut Model, Id) -> Answer) -> Answer {
        self.alive(one)
            .map_or(Answer::Nothing, |one| act(self, one))
    }

    /// The other may be dead, but has to have lived.
    fn between(
        &mut self,
        one: Place,
        other: Place,
        act: impl FnOnce(&mut Model, Id, Id) -> Answer,
    ) -> Answer {
        match (self.alive(one), self.places[other]) {
            (Some(one), Some(other)) => act(self, one, other),
            _ => Answer::Nothing,
        }
    }

    fn spawn(&mut self, by: Place, place: Place, start: Start, breed: Breed) -> Answer {
        let by = self.alive(by);
        if self.alive(place).is_some() || by.is_none() && start != Start::Alone {
            return Answer::Nothing;
        }
        let id = self.cards.len();
        let parent = by.filter(|_| start != Start::Alone);
        self.cards.push(Card {
            // An exit of its parent is no message for a server that traps: it is the end.
            obeys: parent.filter(|_| breed != Breed::Thread),
            ..Card::default()
        });
        self.places[place] = Some(id);
        match (by, start) {
            (Some(by), Start::Linked) => drop(self.link(by, id)),
            (Some(by), Start::Monitored) => self.monitor(by, Some(id)),
            _ => {}
        }
        Answer::Started
    }

    fn link(&mut self, one: Id, other: Id) -> Answer {
        if one == other {
            return Answer::Nothing;
        }
        if self.lives(other) {
            self.cards[one].links.insert(other);
            self.cards[other].links.insert(one);
            return Answer::Nothing;
        }
        if !self.cards[one].traps {
            return Answer::NoProc;
        }
        self.exit(other, one, Reason::NoProc);
        Answer::Nothing
    }

    fn unlink(&mut self, one: Id, other: Id) -> Answer {
        self.cards[one].links.remove(&other);
        self.cards[other].links.remove(&one);
        Answer::Nothing
    }

    fn monitor(&mut self, one: Id, other: Option<Id>) {
        let monitor = self.monitors;
        self.monitors += 1;
        self.cards[one].monitors_set.push(monitor);
        match other {
            Some(other) if other == one => {}
            Some(other) if self.lives(other) => {
                self.cards[one].monitors.insert(monitor, other);
            }
            other => {
                let down = Seen::Down(other, monitor, Reason::NoProc);
                self.cards[one].inbox.push(down);
            }
        }
    }

    fn demonitor(&mut self, one: Id, n: usize) -> Answer {
        match self.nth_monitor(one, n) {
            Some(monitor) => {
                let was_there = self.cards[one].monitors.remove(&monitor).is_some();
                Answer::Flag(was_there)
            }
            None => Answer::Nothing,
        }
    }

    fn register(&mut self, one: Id, name: NameNo) -> Answer {
        match (self.named(name), self.cards[one].name) {
            (Some(other), _) => Answer::Taken(other),
            (None, Some(had)) => Answer::HasName(had),
            (None, None) => {
                self.cards[one].name = Some(name);
                Answer::Nothing
            }
        }
    }

    /// An exit signal that somebody sends.
    fn exit(&mut self, from: Id, to: Id, reason: Reason) {
        if !self.lives(to) {
            return;
        }
        if reason == Reason::Kill {
            self.die(to, Reason::Killed);
        } else if self.cards[to].traps && self.cards[to].obeys == Some(from) {
            self.die(to, reason);
        } else if self.cards[to].traps {
            self.cards[to].inbox.push(Seen::Exit(from, reason));
        } else if reason != Reason::Normal || from == to {
            self.die(to, reason);
        }
    }

    fn die(&mut self, first: Id, reason: Reason) {
        let mut dying = VecDeque::from([(first, reason)]);
        while let Some((id, reason)) = dying.pop_front() {
            if !self.lives(id) {
                continue;
            }
            let card = &mut self.cards[id];
            card.ended = Some(reason);
            card.name = None;
            card.monitors.clear();
            for linked in std::mem::take(&mut card.links) {
                let other = &mut self.cards[linked];
                other.links.remove(&id);
                if other.traps && other.obeys == Some(id) {
                    dying.push_back((linked, reason));
                } else if other.traps {
                    other.inbox.push(Seen::Exit(id, reason));
                } else if reason != Reason::Normal {
                    dying.push_back((linked, reason));
                }
            }
            for holder in self.living() {
                let card = &mut self.cards[holder];
                let fired =
                    |(monitor, watched): (&Monitor, &Id)| (*watched == id).then_some(*monitor);
                let fired: Vec<Monitor> = card.monitors.iter().filter_map(fired).collect();
                for monitor in fired {
                    card.monitors.remove(&monitor);
                    card.inbox.push(Seen::Down(Some(id), monitor, reason));
                }
            }
        }
    }
}
