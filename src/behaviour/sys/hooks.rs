//! Hooks: closures that see what a process does, inside of it.

use crate::process::ProcessId;
use crate::process::debug::{Debug, Hook, HookFn, HookId, SysEvent};
use crate::process::system::{SysError, ask, guarded};
use crate::sync::Arc;
use std::any::Any;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The name of the hook that writes to a file.
const LOG_TO_FILE: &str = "log_to_file";

/// Installs a hook: it sees each thing that the process does, until it answers [`Hook::Done`], panics, or is
/// [removed](remove) by the id that is returned. Each call installs one more; the newest is called first.
///
/// ```
/// use perennial::{agent, sys::{self, Hook, Incoming, SysEvent}};
/// let number = agent::start(|| 1)?;
/// let (seen, events) = std::sync::mpsc::channel();
/// sys::install(&number, move |event| {
///     match seen.send(event.clone()) {
///         Ok(()) => Hook::Stays,
///         Err(_) => Hook::Done,
///     }
/// })?;
/// agent::cast(&number, |n| *n += 1);
/// assert_eq!(events.recv()?, SysEvent::In(Incoming::Message(None)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `TooManyHooks` if there are 64; see [`SysError`].
pub fn install(
    process: impl Into<ProcessId>,
    mut hook: impl FnMut(&SysEvent) -> Hook + Send + 'static,
) -> Result<HookId, SysError> {
    let hook: HookFn = Box::new(move |event, _| hook(event));
    let installed = put(process.into(), None, hook)?;
    match installed {
        Some(id) => Ok(id),
        None => unreachable!("a number of its own is no hook's before"),
    }
}

/// Installs a hook under a name; `false` if there is one of that name, which stays.
///
/// # Errors
/// As [`install`].
pub fn install_as(
    process: impl Into<ProcessId>,
    name: impl Into<Arc<str>>,
    mut hook: impl FnMut(&SysEvent) -> Hook + Send + 'static,
) -> Result<bool, SysError> {
    let hook: HookFn = Box::new(move |event, _| hook(event));
    Ok(put(process.into(), Some(name.into()), hook)?.is_some())
}

/// Installs a hook that sees the state of a server of type `S` as well, as it is at each event.
///
/// # Errors
/// `OtherState` if its state is no `S`; otherwise as [`install`].
pub fn install_with_state<S: 'static>(
    process: impl Into<ProcessId>,
    mut hook: impl FnMut(&SysEvent, &S) -> Hook + Send + 'static,
) -> Result<HookId, SysError> {
    let hook: HookFn = Box::new(move |event, state: Option<&dyn Any>| {
        let state = state.and_then(|state| state.downcast_ref::<S>());
        state.map_or(Hook::Done, |state| hook(event, state))
    });
    ask(process.into(), |system| {
        if !system.state().is_some_and(|state| state.is::<S>()) {
            return Err(SysError::OtherState);
        }
        match system.debug().install(None, hook)? {
            Some(id) => Ok(id),
            None => unreachable!("a number of its own is no hook's before"),
        }
    })
}

fn put(
    process: ProcessId,
    name: Option<Arc<str>>,
    hook: HookFn,
) -> Result<Option<HookId>, SysError> {
    ask(process, |system| system.debug().install(name, hook))
}

/// Removes a hook by its name or its id; `false` if there is none.
///
/// # Errors
/// See [`SysError`].
pub fn remove(process: impl Into<ProcessId>, id: impl Into<HookId>) -> Result<bool, SysError> {
    let id = id.into();
    ask(process.into(), move |system| {
        let removed = system.debug().remove(&id);
        let was_there = removed.is_some();
        // What it owns is its maker's, and so is what becomes of that.
        drop(guarded(|| drop(removed)));
        Ok(was_there)
    })
}

/// Writes each thing that a process does to a file, a line each, until [`log_to_file_off`], or until the file
/// takes no more. The file is made, or begun anew, here; the process writes to it.
///
/// # Errors
/// `File` if it cannot be opened; otherwise as [`install`].
pub fn log_to_file(process: impl Into<ProcessId>, path: impl AsRef<Path>) -> Result<(), SysError> {
    let mut file = File::create(path).map_err(|error| SysError::File(error.kind()))?;
    let hook: HookFn = Box::new(move |event, _| match writeln!(file, "{event}") {
        Ok(()) => Hook::Stays,
        Err(_) => Hook::Done,
    });
    ask(process.into(), |system| {
        let debug = system.debug();
        // A file that was written to before is closed.
        drop(debug.remove(&HookId::from(LOG_TO_FILE)));
        debug.install(Some(LOG_TO_FILE.into()), hook)?;
        Ok(())
    })
}

/// Stops what [`log_to_file`] began. Nothing happens if it was not.
///
/// # Errors
/// See [`SysError`].
pub fn log_to_file_off(process: impl Into<ProcessId>) -> Result<(), SysError> {
    remove(process, LOG_TO_FILE).map(drop)
}

/// Switches everything off: statistics, trace, log and hooks.
///
/// # Errors
/// See [`SysError`].
pub fn no_debug(process: impl Into<ProcessId>) -> Result<(), SysError> {
    ask(process.into(), |system| {
        let was_on = std::mem::take(system.debug());
        drop(guarded(|| drop::<Debug>(was_on)));
        Ok(())
    })
}
