//! Aliases: an address of a process that can be taken back, so that what comes too late is never received.
//!
//! A message that came through an alias carries it into the mailbox. Whether it counts is decided where it is met, by
//! the process itself: so once that has taken an alias back nothing comes through it any more, whatever was on its way.

use crate::pid::{MonitorRef, Pid};
use crate::process::core::Process;
use crate::process::recipient::Recipient;
use crate::process::reference::Ref;
use crate::process::{dest, monitor};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};
use std::fmt;

/// When an alias that was made with a monitor is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unalias {
    /// Only by [`Alias::unalias`].
    Explicit,
    /// Together with the monitor: by `demonitor`, or when its `Down` is received.
    Demonitor,
    /// As `Demonitor`, and with the first message that comes through it, which takes the monitor back as well.
    ReplyDemonitor,
}

/// An address that can be taken back, of the process that made it: OTP's `alias`.
///
/// [`recipient`](Alias::recipient) is what others are given. What they send after the alias was taken back, or had sent
/// and was not received by then, is dropped silently. Dropping the alias takes it back.
///
/// ```
/// use perennial::process::{self, Received};
/// use std::time::Duration;
/// process::run::<u32, _>(|cx| {
///     let alias = cx.alias(|n: u32| n + 1);
///     let others = alias.recipient();
///     others.cast(1);
///     assert_eq!(cx.receive(), Received::Message(2));
///     others.cast(2);
///     assert!(alias.unalias());
///     others.cast(3);
///     assert_eq!(cx.receive_timeout(Duration::ZERO), None);
/// }).unwrap();
/// ```
#[must_use = "an alias that is dropped is taken back"]
pub struct Alias<T> {
    pid: Pid,
    recipient: Recipient<T>,
    state: Arc<AliasState>,
}

/// What an alias, its recipients and their messages share.
#[derive(Debug)]
pub(crate) struct AliasState {
    active: AtomicBool,
    unalias: Unalias,
    monitor: Option<MonitorRef>,
}

impl<T: Send + 'static> Alias<T> {
    pub(crate) fn new<M: Send + 'static>(
        me: &Ref<M>,
        unalias: Unalias,
        monitor: Option<MonitorRef>,
        convert: impl Fn(T) -> M + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(AliasState {
            active: AtomicBool::new(true),
            unalias,
            monitor,
        });
        let (to, shared) = (me.clone(), state.clone());
        let send = move |value| {
            if shared.is_active() {
                dest::deliver_aliased(&to, convert(value), &shared)
            } else {
                Ok(())
            }
        };
        Alias {
            pid: me.pid(),
            recipient: Recipient::by(me.pid(), send),
            state,
        }
    }

    /// The address, for others.
    pub fn recipient(&self) -> Recipient<T> {
        self.recipient.clone()
    }
}

impl<T> Alias<T> {
    /// Takes the address back; `false` if it was before.
    pub fn unalias(&self) -> bool {
        self.state.switch_off()
    }

    /// Equals `true` until the address is taken back.
    pub fn is_active(&self) -> bool {
        self.state.is_active()
    }

    pub(crate) fn state(&self) -> Arc<AliasState> {
        self.state.clone()
    }
}

impl<T> Drop for Alias<T> {
    fn drop(&mut self) {
        self.state.switch_off();
    }
}

impl<T> fmt::Debug for Alias<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_active() { "active" } else { "off" };
        write!(f, "Alias({}, {state})", self.pid)
    }
}

impl AliasState {
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    fn switch_off(&self) -> bool {
        self.active.swap(false, Ordering::AcqRel)
    }

    /// The monitor that was made with the alias was taken back, or its down is being received.
    pub(crate) fn monitor_is_gone(&self) {
        if self.unalias != Unalias::Explicit {
            self.switch_off();
        }
    }

    /// The process meets a message that came through its alias; `false` if that does not count any more.
    pub(crate) fn meets(&self, me: &Arc<dyn Process>) -> bool {
        if self.unalias != Unalias::ReplyDemonitor {
            return self.is_active();
        }
        let counts = self.switch_off();
        if counts && let Some(monitor) = self.monitor {
            monitor::take_back_flush(me, monitor);
        }
        counts
    }
}
