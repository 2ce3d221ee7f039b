//! How a process leaves its code before the end: a private payload unwinds the stack, and the kernel catches it.
//!
//! The library never starts an unwind while the thread unwinds already (that would abort the program). An exit
//! stays pending in the process's relations until the kernel has caught its unwind, so that user code which
//! catches it meets it again.

use crate::process::{current, panic_hook};
use crate::reason::{ExitReason, Panic};
use crate::sync::{Arc, thread};
use std::any::Any;
use std::panic::resume_unwind;

/// The payload of a process that leaves by an exit.
struct Exiting {
    reason: ExitReason,
    by: By,
}

/// What made a process leave its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Its own code: `exit_self`, a panic, a stop.
    Itself,
    /// A signal from outside.
    Signal,
}

/// Leaves. Must not be called while the thread unwinds.
pub(crate) fn leave(reason: ExitReason, by: By) -> ! {
    assert!(
        !thread::panicking(),
        "no unwind may start while another is under way"
    );
    resume_unwind(Box::new(Exiting { reason, by }))
}

/// Leaves because of a signal. Must not be called while the thread unwinds.
pub(crate) fn by_signal(reason: ExitReason) -> ! {
    leave(reason, By::Signal)
}

/// Why an unwind that the kernel caught had begun. If it was an exit of the process's own, that is met now.
pub(crate) fn reason_of(payload: Box<dyn Any + Send>) -> (ExitReason, By) {
    match payload.downcast::<Exiting>() {
        Ok(exiting) => {
            if exiting.by == By::Itself {
                drop(current::take_raised());
            }
            (exiting.reason, exiting.by)
        }
        Err(payload) => (ExitReason::Panic(panic_of(payload)), By::Itself),
    }
}

fn panic_of(payload: Box<dyn Any + Send>) -> Panic {
    let location = panic_hook::take_location();
    let message: Arc<str> = if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).into()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.as_str().into()
    } else {
        "a payload that is not text".into()
    };
    // A payload whose own destructor panics must not end the kernel's thread.
    drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(
        move || drop(payload),
    )));
    Panic::new(message, location)
}
