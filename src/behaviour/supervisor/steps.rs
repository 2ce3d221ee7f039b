//! What a supervisor does at each step of what it is about, and what follows the last one.

use crate::behaviour::supervisor::SupervisorError;
use crate::behaviour::supervisor::api::{RestartChildError, StartChildError};
use crate::behaviour::supervisor::event::What;
use crate::behaviour::supervisor::job::{Job, Key, Purpose, Step};
use crate::behaviour::supervisor::machine::{Machine, SupCx};
use crate::behaviour::supervisor::restart::Restart;
use crate::behaviour::supervisor::slot::{Slot, Status};
use crate::process::{Exit, StartError, start};
use crate::reason::ExitReason;

impl Machine {
    pub(super) fn begin_start(&mut self, cx: &SupCx, key: Key) {
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        if let Some(result) = slot.acked.take() {
            return self.settle(cx, key, *result);
        }
        if matches!(slot.status(), Status::Starting(_)) {
            return self.wait_for(key);
        }
        slot.forget_timer();
        slot.take_died();
        if slot.awaits_predecessor(cx.me()) {
            if let Some(job) = &mut self.job {
                job.steps.push_front(Step::Start(key));
            }
            return self.wait_for(key);
        }
        let group = slot.child.spec.group;
        match self.children.begin(key) {
            Ok(up) => {
                self.wait_for(key);
                self.begin_group(group);
                if up {
                    self.settle(cx, key, Ok(()));
                }
            }
            Err(error) => self.settle(cx, key, Err(error)),
        }
    }

    /// Begins the starts that come next and belong to the same group; each is settled when its own step is due.
    fn begin_group(&mut self, group: Option<u32>) {
        if group.is_none() {
            return;
        }
        for next in 0.. {
            let key = self.job.as_ref().and_then(|job| job.starts_at(next));
            let Some(slot) = key.and_then(|key| self.children.get_mut(key)) else {
                return;
            };
            if slot.child.spec.group != group {
                return;
            }
            let begun = slot.acked.is_some() || matches!(slot.status(), Status::Starting(_));
            // One that has to wait for its predecessor is begun in its turn.
            let waits = slot.child.spec.exclusive && slot.last.is_some();
            if begun || waits {
                continue;
            }
            slot.forget_timer();
            slot.take_died();
            let key = slot.key;
            let begun = self.children.begin(key);
            if let Some(slot) = self.children.get_mut(key) {
                slot.acked = match begun {
                    Ok(true) => Some(Box::new(Ok(()))),
                    Ok(false) => None,
                    Err(error) => Some(Box::new(Err(error))),
                };
            }
        }
    }

    fn wait_for(&mut self, key: Key) {
        if let Some(job) = &mut self.job {
            job.waits_for = Some(key);
        }
    }

    /// What came of the start whose step this is.
    pub(super) fn settle(&mut self, cx: &SupCx, key: Key, result: Result<(), StartError>) {
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        match result {
            Ok(()) => {
                self.came_up(cx, key);
                self.step_done(key);
            }
            Err(error) => {
                if let Some(pid) = slot.failed() {
                    self.children.forget_pid(pid);
                }
                self.start_failed(key, error);
            }
        }
    }

    fn came_up(&mut self, cx: &SupCx, key: Key) {
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        let Status::Starting(pid) = slot.status() else {
            return;
        };
        let died = slot.take_died();
        slot.comes_up(pid, || cx.now());
        slot.tell(What::Started(pid));
        if let Some(reason) = died {
            self.child_ended(Exit { from: pid, reason });
        }
    }

    pub(super) fn begin_stop(&mut self, cx: &SupCx, key: Key) {
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        slot.forget_timer();
        match slot.acked.take().map(|result| *result) {
            Some(Ok(())) => self.came_up(cx, key),
            Some(Err(error)) => {
                let had = slot.failed();
                tell_failure(slot, &error);
                if let Some(pid) = had {
                    self.children.forget_pid(pid);
                }
            }
            None => {}
        }
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        match slot.status() {
            Status::Starting(pid) | Status::Running(pid) => {
                slot.stop(cx, pid, cx.now(), &mut self.patience);
                self.wait_for(key);
            }
            // It was being stopped for another purpose.
            Status::Stopping(_) => self.wait_for(key),
            // One that has died is taken care of by this, as if it had been stopped.
            Status::Undefined | Status::Dead { .. } | Status::Restarting(_) => {
                slot.becomes(Status::Undefined);
                self.forget_temporary(key);
            }
        }
    }

    fn start_failed(&mut self, key: Key, error: StartError) {
        self.step_done(key);
        let Some(slot) = self.children.get_mut(key) else {
            return;
        };
        let id = slot.child.spec.id.clone();
        tell_failure(slot, &error);
        if error == StartError::Ignored {
            return;
        }
        let Some(job) = self.job.take() else { return };
        match job.purpose {
            Purpose::Boot => {
                let error = SupervisorError::FailedToStartChild(id, error);
                self.shut_down(ExitReason::shutdown_with(error));
            }
            Purpose::Restart(_) => self.retry(key),
            Purpose::StartChild(key, reply) => {
                self.children.remove(key);
                reply.send(Err(StartChildError::Failed(error)));
            }
            Purpose::RestartChild(_, reply) => reply.send(Err(RestartChildError::Failed(error))),
            Purpose::Resize(resize) => self.resize_failed(resize, &id, error),
            purpose => {
                self.job = Some(Job {
                    purpose,
                    steps: job.steps,
                    waits_for: job.waits_for,
                })
            }
        }
    }

    /// What follows the last step; the reason of the supervisor's end if that is what follows.
    pub(super) fn finish(&mut self, cx: &SupCx, purpose: Purpose) -> Option<ExitReason> {
        match purpose {
            Purpose::Boot => {
                self.forget_ignored_temporaries();
                start::up(cx.me().mailbox().core(), self.starter.take().as_ref());
            }
            Purpose::Restart(key) => {
                self.forget_temporary(key);
            }
            Purpose::Clear(key) => self.put_off(cx, key),
            Purpose::StartChild(key, reply) => {
                let pid = self
                    .children
                    .get_mut(key)
                    .and_then(|slot| slot.status().pid());
                if pid.is_none() {
                    self.forget_ignored_temporaries();
                }
                reply.send(Ok(pid));
            }
            Purpose::RestartChild(key, reply) => {
                reply.send(Ok(self
                    .children
                    .get_mut(key)
                    .and_then(|slot| slot.status().pid())));
            }
            Purpose::Terminate(key, reply) => {
                self.forget_temporary(key);
                reply.send(Ok(()));
            }
            Purpose::Resize(resize) => resize.done(),
            Purpose::Shutdown(reason) => return Some(reason),
        }
        None
    }

    /// A temporary child that does not run is no child any more.
    pub(super) fn forget_temporary(&mut self, key: Key) {
        let temporary = |slot: &mut Slot| {
            slot.child.spec.restart == Restart::Temporary && slot.status() == Status::Undefined
        };
        if self.children.get_mut(key).is_some_and(temporary) {
            self.children.remove(key);
        }
    }

    fn forget_ignored_temporaries(&mut self) {
        self.children.remove_if(|slot| {
            slot.status() == Status::Undefined && slot.child.spec.restart == Restart::Temporary
        });
    }
}

fn tell_failure(slot: &Slot, error: &StartError) {
    if *error != StartError::Ignored {
        slot.tell(What::StartFailed(ExitReason::other(error.clone())));
    }
}
