//! What a supervisor does about a child that ended by itself: restart it and whom its strategy says, put that
//! off, forget it, or give up.

use crate::behaviour::supervisor::event::What;
use crate::behaviour::supervisor::job::{Job, Key, Purpose, Step};
use crate::behaviour::supervisor::machine::{Machine, Pending, SupCx};
use crate::behaviour::supervisor::restart::{AutoShutdown, Restart, Strategy, plan};
use crate::behaviour::supervisor::slot::Status;
use crate::reason::ExitReason;

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
                let Some(slot) = self.children.get_mut(key) else {
                    return;
                };
                match slot.status() {
                    Status::Dead { due: true } => self.restart(cx, key, Wait::AsItSays),
                    Status::Dead { due: false } => self.gone(key),
                    // A group's restart in the meantime has taken care of it.
                    _ => {}
                }
            }
            Pending::Due(key, attempt) => {
                let Some(slot) = self.children.get_mut(key) else {
                    return;
                };
                match slot.status() {
                    Status::Restarting(_) if slot.attempt == attempt => {
                        let wait = if slot.has_waited() {
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
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        slot.becomes(Status::Undefined);
        let (significant, temporary) = (
            slot.child.spec.significant,
            slot.child.spec.restart == Restart::Temporary,
        );
        if temporary {
            self.children.remove(key);
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
        let now = cx.now();
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        if wait == Wait::AsItSays {
            if !slot.allows(now) || !self.intensity.allows(now) {
                slot.tell(What::GaveUp);
                return self.shut_down(ExitReason::Shutdown);
            }
            let delay = slot.next_delay(now);
            slot.tell(What::Restarting(slot.attempt, delay.unwrap_or_default()));
            if delay.is_some() {
                slot.waits(delay);
                let (stops, _) = self.plan(key);
                self.job = Some(Job::new(Purpose::Clear(key), stops));
                return;
            }
        }
        let purpose = Purpose::Restart(key);
        self.job = Some(match self.strategy {
            Strategy::OneForOne => Job::new(purpose, [Step::Start(key)]),
            _ => {
                let (stops, starts) = self.plan(key);
                Job::new(purpose, stops.into_iter().chain(starts))
            }
        });
    }

    /// The steps that a restart of a child means: whom to stop, and then whom to start. Temporary siblings are gone
    /// when they have been stopped, so that they do not come back.
    fn plan(&self, key: Key) -> (Vec<Step>, Vec<Step>) {
        if self.strategy == Strategy::OneForOne {
            return (Vec::new(), vec![Step::Start(key)]);
        }
        let all = self.children.in_order().into_iter();
        let all: Vec<Key> = all.map(|slot| slot.key).collect();
        let failed = all.binary_search(&key).unwrap_or_default();
        let plan = plan(self.strategy, all.len(), failed);
        let keys = |places: Vec<usize>| places.into_iter().map(|at| all[at]);
        let stops = keys(plan.stop).map(Step::Stop).collect();
        (stops, keys(plan.start).map(Step::Start).collect())
    }

    /// A restart failed: it is tried again, after whatever else waits, and counts again.
    ///
    /// one_for_all: those that were started before the failing one are stopped again. rest_for_one: those stay; but
    /// those after it may have been started in parallel.
    pub(super) fn retry(&mut self, key: Key) {
        let (stops, _) = self.plan(key);
        self.job = Some(Job::new(Purpose::Clear(key), stops));
    }

    /// Marks a child as about to be restarted, and arms what reminds of it.
    pub(super) fn put_off(&mut self, cx: &SupCx, key: Key) {
        let me = cx.me().clone();
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        slot.put_off(&me);
    }
}
