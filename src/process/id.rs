//! What names a process, whatever messages it takes: a pid, a reference or a name.

use crate::pid::Pid;
use crate::process::core::Process;
use crate::process::name::Name;
use crate::process::reference::Ref;
use crate::process::runtime::Shared;
use crate::sync::Arc;

/// A process by its pid or by its name; made with `into` from a [`Pid`], a [`Ref`], a [`Name`] or a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProcessId {
    /// This incarnation and no other.
    Pid(Pid),
    /// Whoever has the name at the moment of use.
    Name(Arc<str>),
}

impl ProcessId {
    /// Whom it names now: the pid ([`Pid::INIT`] for a name that nobody has), the name if it is one, and the
    /// process if it lives.
    pub(crate) fn resolve(
        self,
        shared: &Shared,
    ) -> (Pid, Option<Arc<str>>, Option<Arc<dyn Process>>) {
        match self {
            ProcessId::Pid(pid) => (pid, None, shared.process(pid)),
            ProcessId::Name(name) => {
                let process = shared.whereis(&name);
                let pid = process
                    .as_ref()
                    .map_or(Pid::INIT, |process| process.core().pid);
                (pid, Some(name), process)
            }
        }
    }
}

impl From<Pid> for ProcessId {
    fn from(pid: Pid) -> Self {
        ProcessId::Pid(pid)
    }
}

impl<M: Send + 'static> From<&Ref<M>> for ProcessId {
    fn from(reference: &Ref<M>) -> Self {
        ProcessId::Pid(reference.pid())
    }
}

impl<M: Send + 'static> From<&Name<M>> for ProcessId {
    fn from(name: &Name<M>) -> Self {
        ProcessId::Name(name.as_str().into())
    }
}

impl From<&str> for ProcessId {
    fn from(name: &str) -> Self {
        ProcessId::Name(name.into())
    }
}
