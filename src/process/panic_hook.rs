//! The panic hook: chained once; for a thread that runs a process it keeps the place of the panic for the
//! crash report instead of printing, for any other thread the hook that was there before runs unchanged.

use crate::process::current;
use crate::sync::{Arc, Once};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;

thread_local! {
    static LAST: RefCell<Option<Place>> = const { RefCell::new(None) };
}

struct Place {
    location: Arc<str>,
    backtrace: Backtrace,
}

static INSTALL: Once = Once::new();

/// Installs the hook, once a program.
pub(crate) fn install() {
    INSTALL.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !current::with(|process| process.is_some()) {
                return previous(info);
            }
            let location = info
                .location()
                .map_or_else(|| "unknown".into(), ToString::to_string);
            let place = Place {
                location: location.into(),
                backtrace: Backtrace::capture(),
            };
            // A panic while the thread ends has nowhere to be kept, and nobody left to tell.
            let _ = LAST.try_with(|last| last.replace(Some(place)));
        }));
    });
}

/// Where the panic was that the kernel has just caught on this thread.
pub(crate) fn take_location() -> Option<Arc<str>> {
    let place = LAST.take()?;
    if place.backtrace.status() == BacktraceStatus::Captured {
        log::error!(target: "perennial::process", "backtrace of a panic at {}:\n{}", place.location, place.backtrace);
    }
    Some(place.location)
}
