//! What a supervisor does about a request. It is asked only while nothing else is under way.

use crate::behaviour::supervisor::api::{
    ChildError, ChildInfo, ChildState, Counts, DeleteChildError, Request, RestartChildError,
    StartChildError,
};
use crate::behaviour::supervisor::child::Child;
use crate::behaviour::supervisor::job::{Job, Purpose, Step};
use crate::behaviour::supervisor::machine::Machine;
use crate::behaviour::supervisor::slot::Slot;
use crate::pid::Pid;
use crate::process::ReplyTo;

impl Machine {
    pub(super) fn serve(&mut self, request: Request) {
        match request {
            Request::StartChild(child, reply) => self.serve_start(*child, reply),
            Request::Terminate(id, reply) => match self.children.by_id(&id) {
                None => reply.send(Err(ChildError::NotFound)),
                Some(slot) => {
                    let key = slot.key;
                    self.job = Some(Job::new(Purpose::Terminate(key, reply), [Step::Stop(key)]));
                }
            },
            Request::Restart(id, reply) => {
                let Some(slot) = self.children.by_id(&id) else {
                    return reply.send(Err(RestartChildError::NotFound));
                };
                let key = slot.key;
                match slot.state() {
                    ChildState::Running(_) => reply.send(Err(RestartChildError::Running)),
                    ChildState::Restarting => reply.send(Err(RestartChildError::Restarting)),
                    ChildState::Undefined => {
                        self.job = Some(Job::new(
                            Purpose::RestartChild(key, reply),
                            [Step::Start(key)],
                        ));
                    }
                }
            }
            Request::Delete(id, reply) => {
                let Some(slot) = self.children.by_id(&id) else {
                    return reply.send(Err(DeleteChildError::NotFound));
                };
                let key = slot.key;
                reply.send(match slot.state() {
                    ChildState::Running(_) => Err(DeleteChildError::Running),
                    ChildState::Restarting => Err(DeleteChildError::Restarting),
                    ChildState::Undefined => {
                        self.children.remove(key);
                        Ok(())
                    }
                });
            }
            Request::Which(reply) => {
                let info = |slot: &Slot| ChildInfo {
                    id: Some(slot.child.spec.id.clone()),
                    state: slot.state(),
                    kind: slot.child.spec.kind,
                };
                let children = self.children.in_order().into_iter().rev();
                reply.send(children.map(info).collect());
            }
            Request::Count(reply) => {
                let mut counts = Counts::default();
                for slot in self.children.iter() {
                    let running = matches!(slot.state(), ChildState::Running(_));
                    counts.add(slot.child.spec.kind, running);
                }
                reply.send(counts);
            }
            Request::Resize(to, reply) => self.serve_resize(to, reply),
            Request::Spec(id, reply) => {
                let slot = self.children.by_id(&id);
                reply.send(slot.map(|slot| slot.child.spec.clone()));
            }
        }
    }

    fn serve_start(&mut self, child: Child, reply: ReplyTo<Result<Option<Pid>, StartChildError>>) {
        if let Some(slot) = self.children.by_id(&child.spec.id) {
            return reply.send(Err(match slot.state() {
                ChildState::Running(pid) => StartChildError::AlreadyStarted(pid),
                _ => StartChildError::AlreadyPresent,
            }));
        }
        if !self.admits(&child) {
            return reply.send(Err(StartChildError::BadCombination));
        }
        let key = self.add(child);
        self.job = Some(Job::new(
            Purpose::StartChild(key, reply),
            [Step::Start(key)],
        ));
    }
}
