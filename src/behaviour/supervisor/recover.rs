//! What a supervisor does about a child that ended by itself: restart it and whom its strategy says, put that
//! off, forget it, or give up.

use crate::behaviour::supervisor::event::What;
use crate::behaviour::supervisor::job::{Job, Key, Purpose, Step};
use crate::behaviour::supervisor::machine::{Machine, Pending, SupCx};
use crate::behaviour::supervisor::restart::{AutoShutdown, Restart, plan};
use crate::behaviour::supervisor::slot::Status;
use crate::reason::ExitReason;
use std::time::Duration;

/// Whether a restart counts and may be put off, or has been and is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    AsItSays,
    Over,
}

impl Machine {
    pub(super) fn look_at(&mut self, cx: &mut SupCx, pending: Pending) {
        match pending {
            Pending::Death(key) => {
                let Some(slot) = self.slot(key) else { return };
                match slot.status() {
                    Status::Dead { due: true } => self.restart(cx, key, Wait::AsItSays),
                    Status::Dead { due: false } => self.gone(key),
                    // A group's restart in the meantime has taken care of it.
                    _ => {}
                }
            }
            Pending::Due(key, attempt) => {
                let Some(slot) = self.slot(key) else { return };
                match slot.status() {
                    Status::Restarting(_) if slot.attempt == attempt => {
                        let wait = if slot.wait.take().is_some() {
                            Wait::Over
                        } else {
                            Wait::AsItSays
                        };
                        self.restart(cx, key, wait);
                    }
                    _ => {}
                }
            }
        }
    }

    /// A child ended by itself and is not restarted.
    fn gone(&mut self, key: Key) {
        let Some(slot) = self.slot(key) else { return };
        slot.becomes(Status::Undefined);
        let (significant, temporary) = (
            slot.child.spec.significant,
            slot.child.spec.restart == Restart::Temporary,
        );
        if temporary {
            self.remove(key);
        }
        let ends = significant
            && match self.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => !self.children.iter().any(|slot| {
                    slot.child.spec.significant && !matches!(slot.status(), Status::Undefined)
                }),
            };
        if ends {
            self.shut_down(ExitReason::Shutdown);
        }
    }

    fn restart(&mut self, cx: &mut SupCx, key: Key, wait: Wait) {
        let Some(at) = self.at(key) else { return };
        let now = cx.now();
        let slot = &mut self.children[at];
        let id = slot.child.spec.id.clone();
        if wait == Wait::AsItSays {
            let own = slot
                .intensity
                .as_mut()
                .is_none_or(|intensity| intensity.allows(now));
            if !own || !self.intensity.allows(now) {
                self.board.tell(&id, What::GaveUp);
                return self.shut_down(ExitReason::Shutdown);
            }
        }
        let slot = &mut self.children[at];
        let delay = if wait == Wait::AsItSays {
            slot.next_delay(now)
        } else {
            None
        };
        let attempt = slot.attempt;
        let plan = plan(self.strategy, self.children.len(), at);
        let stop = |at: &usize| Step::Stop(self.children[*at].key);
        if let Some(delay) = delay {
            self.board.tell(&id, What::Restarting(attempt, delay));
            let steps: Vec<Step> = plan.stop.iter().map(stop).collect();
            self.job = Some(Job::new(Purpose::Clear(key), steps));
            self.children[at].wait = Some(delay);
            return;
        }
        if wait == Wait::AsItSays {
            self.board
                .tell(&id, What::Restarting(attempt, Duration::ZERO));
        }
        // Temporary siblings that are taken down this way do not come back.
        let comes_back = |at: &&usize| {
            self.children[**at].key == key
                || self.children[**at].child.spec.restart != Restart::Temporary
        };
        let start = |at: &usize| Step::Start(self.children[*at].key);
        let starts: Vec<Step> = plan.start.iter().filter(comes_back).map(start).collect();
        let steps: Vec<Step> = plan.stop.iter().map(stop).chain(starts).collect();
        self.job = Some(Job::new(Purpose::Restart(key), steps));
    }

    /// A restart failed: it is tried again, after whatever else waits, and counts again.
    ///
    /// one_for_all: those that were started before the failing one are stopped again. rest_for_one: those stay; but
    /// those after it may have been started in parallel.
    pub(super) fn retry(&mut self, key: Key) {
        let Some(at) = self.at(key) else { return };
        let plan = plan(self.strategy, self.children.len(), at);
        let steps = plan
            .stop
            .iter()
            .map(|at| Step::Stop(self.children[*at].key));
        let steps: Vec<Step> = steps.collect();
        self.job = Some(Job::new(Purpose::Clear(key), steps));
    }

    /// Marks a child as about to be restarted, and arms what reminds of it.
    pub(super) fn put_off(&mut self, cx: &SupCx, key: Key) {
        let me = cx.me().clone();
        let Some(slot) = self.slot(key) else { return };
        slot.put_off(&me);
    }
}
