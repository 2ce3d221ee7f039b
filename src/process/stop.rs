//! An orderly stop, asked for from outside: what a process makes of it is up to what it runs.

use crate::reason::ExitReason;

/// Asks a process to end with a reason. It waits in the mailbox like a message: a behaviour stops when it comes to it,
/// after `terminate`, and a closure leaves from the receive that meets it.
pub(crate) struct StopRequest(pub(crate) ExitReason);
