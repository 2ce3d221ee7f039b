//! What a supervisor is to do, as a model without processes: a list of children, a budget of restarts, and the lines
//! that children write down when they start and end.

use crate::actor::Start;
use perennial::ExitReason;
use perennial::supervisor::{Restart, Strategy};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// What becomes of the next starts of each child; then all come up.
pub(crate) type Fates = HashMap<&'static str, VecDeque<Start>>;

/// A child as the model knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelChild {
    pub(crate) id: &'static str,
    pub(crate) restart: Restart,
    pub(crate) state: ModelState,
    /// How often it has come up.
    pub(crate) ups: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ModelState {
    Running,
    Undefined,
    /// It ended, which has not been looked at.
    Dead {
        due: bool,
    },
    Restarting,
}

/// What a request is answered with, as far as the model knows.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Started,
    Ignored,
    Failed,
    AlreadyStarted,
    AlreadyPresent,
    Done,
    NotFound,
    Running,
}

enum Pending {
    Death(&'static str),
    Due(&'static str),
}

/// A supervisor without processes.
pub(crate) struct Model {
    strategy: Strategy,
    intensity: usize,
    period: Duration,
    now: Duration,
    restarts: VecDeque<Duration>,
    pub(crate) children: Vec<ModelChild>,
    pub(crate) fates: Fates,
    pub(crate) log: Vec<String>,
    pub(crate) alive: bool,
    pending: VecDeque<Pending>,
}

impl Model {
    pub(crate) fn new(strategy: Strategy, intensity: usize, period: Duration) -> Self {
        Model {
            strategy,
            intensity,
            period,
            now: Duration::ZERO,
            restarts: VecDeque::new(),
            children: Vec::new(),
            fates: Fates::new(),
            log: Vec::new(),
            alive: true,
            pending: VecDeque::new(),
        }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    fn at(&self, id: &str) -> Option<usize> {
        self.children.iter().position(|child| child.id == id)
    }

    /// One start: what became of it is written down.
    fn start(&mut self, at: usize) -> Start {
        let id = self.children[at].id;
        let fate = self.fates.get_mut(id).and_then(VecDeque::pop_front);
        let fate = fate.unwrap_or(Start::Up);
        self.log.push(format!("{id} {fate:?}"));
        let child = &mut self.children[at];
        child.state = ModelState::Undefined;
        if fate == Start::Up {
            child.state = ModelState::Running;
            child.ups += 1;
        }
        fate
    }

    /// One stop; a temporary child is gone with it.
    fn stop(&mut self, id: &str) {
        let Some(at) = self.at(id) else { return };
        if self.children[at].state == ModelState::Running {
            self.log.push(format!("{id} ends: shutdown"));
        }
        self.children[at].state = ModelState::Undefined;
        if self.children[at].restart == Restart::Temporary {
            self.children.remove(at);
        }
    }

    pub(crate) fn start_child(&mut self, id: &'static str, restart: Restart) -> Answer {
        if let Some(at) = self.at(id) {
            return match self.children[at].state {
                ModelState::Running => Answer::AlreadyStarted,
                _ => Answer::AlreadyPresent,
            };
        }
        self.children.push(ModelChild {
            id,
            restart,
            state: ModelState::Undefined,
            ups: 0,
        });
        match self.start(self.children.len() - 1) {
            Start::Up => Answer::Started,
            Start::Ignore => {
                if restart == Restart::Temporary {
                    self.children.pop();
                }
                Answer::Ignored
            }
            _ => {
                self.children.pop();
                Answer::Failed
            }
        }
    }

    pub(crate) fn terminate_child(&mut self, id: &str) -> Answer {
        if self.at(id).is_none() {
            return Answer::NotFound;
        }
        self.stop(id);
        Answer::Done
    }

    pub(crate) fn restart_child(&mut self, id: &str) -> Answer {
        match self.at(id) {
            None => Answer::NotFound,
            Some(at) if self.children[at].state == ModelState::Running => Answer::Running,
            Some(at) => match self.start(at) {
                Start::Up => Answer::Started,
                Start::Ignore => Answer::Ignored,
                _ => Answer::Failed,
            },
        }
    }

    pub(crate) fn delete_child(&mut self, id: &str) -> Answer {
        match self.at(id) {
            None => Answer::NotFound,
            Some(at) if self.children[at].state == ModelState::Running => Answer::Running,
            Some(at) => {
                self.children.remove(at);
                Answer::Done
            }
        }
    }

    /// Children that run end by themselves, all before the supervisor looks at the first.
    pub(crate) fn end(&mut self, ends: &[(&'static str, ExitReason)]) {
        for (id, reason) in ends {
            let Some(at) = self.at(id) else { continue };
            if self.children[at].state != ModelState::Running {
                continue;
            }
            if *reason != ExitReason::Kill {
                self.log.push(format!("{id} ends: {reason}"));
            }
            let due = match self.children[at].restart {
                Restart::Permanent => true,
                Restart::Transient => !reason.is_clean(),
                Restart::Temporary => false,
            };
            self.children[at].state = ModelState::Dead { due };
            self.pending.push_back(Pending::Death(id));
        }
        while let (true, Some(pending)) = (self.alive, self.pending.pop_front()) {
            self.look_at(pending);
        }
    }

    fn look_at(&mut self, pending: Pending) {
        let (Pending::Death(id) | Pending::Due(id)) = pending;
        let Some(at) = self.at(id) else { return };
        match (pending, self.children[at].state) {
            (Pending::Death(_), ModelState::Dead { due: true })
            | (Pending::Due(_), ModelState::Restarting) => self.restart(id),
            (Pending::Death(_), ModelState::Dead { due: false }) => {
                self.children[at].state = ModelState::Undefined;
                if self.children[at].restart == Restart::Temporary {
                    self.children.remove(at);
                }
            }
            _ => {}
        }
    }

    /// Whether one more restart is within the budget.
    fn allowed(&mut self) -> bool {
        let (now, period) = (self.now, self.period);
        self.restarts.retain(|then| now - *then <= period);
        self.restarts.push_back(now);
        self.restarts.len() <= self.intensity
    }

    fn restart(&mut self, id: &'static str) {
        if !self.allowed() {
            return self.give_up();
        }
        self.clear(id);
        let ids: Vec<&str> = self.group(id).collect();
        for id in ids {
            let Some(at) = self.at(id) else { continue };
            if matches!(self.start(at), Start::Fail | Start::Panic) {
                let failed = self.children[at].id;
                self.clear(failed);
                if let Some(at) = self.at(failed) {
                    self.children[at].state = ModelState::Restarting;
                    self.pending.push_back(Pending::Due(failed));
                }
                return;
            }
        }
    }

    /// The child and whom its end concerns, in start order.
    fn group(&self, id: &'static str) -> impl DoubleEndedIterator<Item = &'static str> + use<> {
        let at = self.at(id).unwrap_or_default();
        let all: Vec<&'static str> = self.children.iter().map(|child| child.id).collect();
        match self.strategy {
            Strategy::OneForOne => vec![id],
            Strategy::OneForAll => all,
            Strategy::RestForOne => all[at..].to_vec(),
        }
        .into_iter()
    }

    /// Stops all of a group but the child itself.
    fn clear(&mut self, id: &'static str) {
        for other in self.group(id).rev().filter(|other| *other != id) {
            self.stop(other);
        }
    }

    fn give_up(&mut self) {
        let ids: Vec<&str> = self.children.iter().map(|child| child.id).collect();
        for id in ids.into_iter().rev() {
            self.stop(id);
        }
        self.children.clear();
        self.alive = false;
    }
}
