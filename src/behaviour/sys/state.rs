//! The state of a process, seen and replaced from outside.

use crate::process::ProcessId;
use crate::process::system::{SysError, ask, guarded};

/// The state of a process as its [`inspect`](crate::GenServer::inspect) shows it, whatever its `format_status`
/// hides; `None` if it shows nothing. Whoever knows the type of the state uses [`with_state`].
///
/// # Errors
/// See [`SysError`].
pub fn get_state(process: impl Into<ProcessId>) -> Result<Option<String>, SysError> {
    ask(process.into(), |system| Ok(system.inspect()))
}

/// Looks at the state of a server of type `S`, inside of its process, between two callbacks. That of a
/// [`GenStatem`](crate::GenStatem) `D` is `(D::State, D)`.
///
/// ```
/// use perennial::prelude::*;
/// use perennial::sys;
/// struct Tray { sheets: u32 }
/// impl GenServer for Tray {
///     type Args = u32;
///     type Msg = ();
///     fn init(sheets: u32, _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Tray { sheets }) }
///     fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop }
/// }
/// let tray = gen_server::start::<Tray>(3).unwrap();
/// assert_eq!(sys::with_state(&tray, |tray: &Tray| tray.sheets), Ok(3));
/// assert_eq!(sys::with_state(&tray, |_: &String| ()), Err(sys::SysError::OtherState));
/// ```
///
/// # Errors
/// `OtherState` if its state is no `S`, `CallbackFailed` if `look` panics; see [`SysError`].
pub fn with_state<S: 'static, T: Send + 'static>(
    process: impl Into<ProcessId>,
    look: impl FnOnce(&S) -> T + Send + 'static,
) -> Result<T, SysError> {
    ask(process.into(), |system| {
        let state = system.state().and_then(|state| state.downcast_ref::<S>());
        let state = state.ok_or(SysError::OtherState)?;
        guarded(|| look(state)).map_err(SysError::CallbackFailed)
    })
}

/// Replaces the state of a server of type `S` by what `replace` makes of it; the state before.
///
/// # Errors
/// `OtherState` if its state is no `S`; `CallbackFailed` if `replace` panics: the state is as it was. See
/// [`SysError`].
pub fn replace_state<S: Send + 'static>(
    process: impl Into<ProcessId>,
    replace: impl FnOnce(&S) -> S + Send + 'static,
) -> Result<S, SysError> {
    ask(process.into(), |system| {
        let state = system
            .state_mut()
            .and_then(|state| state.downcast_mut::<S>());
        let state = state.ok_or(SysError::OtherState)?;
        let made = guarded(|| replace(state)).map_err(SysError::CallbackFailed)?;
        Ok(std::mem::replace(state, made))
    })
}
