//! A scope: groups by name.

use crate::pid::{MonitorRef, Pid};
use crate::process::core::Process;
use crate::process::runtime::Shared;
use crate::process::{Recipient, runtime};
use crate::service::entries::{self, Entries, Entry, Keys};
use crate::service::pg::monitors::{Event, Monitors};
use crate::service::registry::Key;
use crate::sync::Arc;
use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

/// Groups with names of type `G`, whose members take events of type `T`. See the [module](super) for an example.
pub struct Scope<G, T> {
    name: Cow<'static, str>,
    types: PhantomData<fn(G, T)>,
}

/// Why a process did not join a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// It has ended.
    NoProc,
    /// It is a process of another node, where it has to join: OTP's `nolocal`.
    NotLocal,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JoinError::NoProc => "joining a group for a process that is not alive",
            JoinError::NotLocal => "joining a group for a process of another node",
        })
    }
}

impl Error for JoinError {}

/// A process that is to leave a group is not in it: OTP's `not_joined`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJoined;

impl fmt::Display for NotJoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("leaving a group that was not joined")
    }
}

impl Error for NotJoined {}

/// The groups of a scope with their members, as they were at one moment.
pub type Members<G, T> = HashMap<G, Vec<Recipient<T>>>;

type Table<G, T> = Entries<G, Recipient<T>, Monitors<G, T>>;

/// The members of this node in one runtime. Those of others would have a table of their own.
struct Groups<G, T> {
    local: Arc<Table<G, T>>,
}

impl<G, T> Default for Groups<G, T> {
    fn default() -> Self {
        Groups {
            local: Arc::default(),
        }
    }
}

impl<G, T> Scope<G, T> {
    /// A scope for a `static`. Two of one name and the same types are the same.
    pub const fn new(name: &'static str) -> Self {
        Scope {
            name: Cow::Borrowed(name),
            types: PhantomData,
        }
    }

    /// A scope whose name is made at run time.
    pub fn owned(name: impl Into<String>) -> Self {
        Scope {
            name: Cow::Owned(name.into()),
            types: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<G: Key, T: Send + 'static> Scope<G, T> {
    fn groups(&self, shared: &Shared) -> Arc<Groups<G, T>> {
        entries::table(shared, &self.name)
    }

    fn local(&self) -> Arc<Table<G, T>> {
        self.groups(&runtime::current()).local.clone()
    }

    /// Has a process join a group, once more if it is in it.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn join(&self, group: impl Into<G>, member: Recipient<T>) -> Result<(), JoinError> {
        let shared = runtime::current();
        let process = local(&shared, member.pid())?;
        let groups = self.groups(&shared).local.clone();
        let joined = groups.add(&process, group.into(), member, Keys::Duplicate);
        joined.map_err(|_| JoinError::NoProc)
    }

    /// Has processes join a group as one change; those that have ended, or are not of this node, are left out. How
    /// many joined.
    pub fn join_all(
        &self,
        group: impl Into<G>,
        members: impl IntoIterator<Item = Recipient<T>>,
    ) -> usize {
        let shared = runtime::current();
        let found = |member: Recipient<T>| Some((local(&shared, member.pid()).ok()?, member));
        let members: Vec<_> = members.into_iter().filter_map(found).collect();
        let groups = self.groups(&shared).local.clone();
        groups.add_all(group.into(), &members)
    }

    /// Has a process leave a group, once if it joined several times.
    ///
    /// # Errors
    /// [`NotJoined`] if it is not in it.
    pub fn leave<Q: Eq + Hash + ?Sized>(
        &self,
        group: &Q,
        member: impl Into<Pid>,
    ) -> Result<(), NotJoined>
    where
        G: Borrow<Q>,
    {
        self.leave_all(group, [member.into()]).map(|_| ())
    }

    /// Has processes leave a group as one change, each once for each time it is named; those that are not in it are
    /// left out. How many memberships ended.
    ///
    /// # Errors
    /// [`NotJoined`] if none of them is in it.
    pub fn leave_all<Q: Eq + Hash + ?Sized>(
        &self,
        group: &Q,
        members: impl IntoIterator<Item = Pid>,
    ) -> Result<usize, NotJoined>
    where
        G: Borrow<Q>,
    {
        let mut leaving: HashMap<Pid, usize> = HashMap::new();
        for member in members {
            *leaving.entry(member).or_default() += 1;
        }
        let goes = |entry: &Entry<Recipient<T>>| match leaving.get_mut(&entry.pid) {
            Some(times) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        };
        match self.local().remove_where(group, Pid::INIT, goes) {
            0 => Err(NotJoined),
            left => Ok(left),
        }
    }

    /// The members of a group on all nodes, in no order.
    pub fn get_members<Q: Eq + Hash + ?Sized>(&self, group: &Q) -> Vec<Recipient<T>>
    where
        G: Borrow<Q>,
    {
        self.get_local_members(group)
    }

    /// The members of a group on this node, in no order.
    pub fn get_local_members<Q: Eq + Hash + ?Sized>(&self, group: &Q) -> Vec<Recipient<T>>
    where
        G: Borrow<Q>,
    {
        self.local()
            .get(group)
            .map_or(Vec::new(), |entries| members(&entries))
    }

    /// The groups that have members, in no order.
    pub fn which_groups(&self) -> Vec<G> {
        self.which_local_groups()
    }

    /// The groups that have members on this node, in no order.
    pub fn which_local_groups(&self) -> Vec<G> {
        let all = self.local().all();
        all.into_iter().map(|(group, _)| group).collect()
    }

    /// Tells a recipient of each change of a group from now on, in order, until the monitor is
    /// [taken back](Scope::demonitor) or the recipient's process ends. The members as they are now, to which the
    /// changes apply; a group without any can be monitored, too. One that is full misses an event.
    ///
    /// ```
    /// use perennial::pg::{Change, Event, Scope};
    /// use perennial::{prelude::*, process};
    /// static ROOMS: Scope<&str, ()> = Scope::new("monitored rooms");
    /// process::run::<Event<&str, ()>, _>(|cx| {
    ///     let guest = process::spawn::<()>(|cx| drop(cx.receive()));
    ///     let (monitor, members) = ROOMS.monitor("lobby", cx.me().recipient(|event| event)).unwrap();
    ///     assert!(members.is_empty());
    ///     ROOMS.join("lobby", guest.recipient(|()| ())).unwrap();
    ///     guest.cast(());
    ///     for change in [Change::Join, Change::Leave] {
    ///         let event = cx.receive().message().unwrap();
    ///         assert_eq!((event.change, event.pids()), (change, vec![guest.pid()]));
    ///     }
    ///     assert!(ROOMS.demonitor(monitor));
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn monitor(
        &self,
        group: impl Into<G>,
        to: Recipient<Event<G, T>>,
    ) -> Result<(MonitorRef, Vec<Recipient<T>>), JoinError> {
        let shared = runtime::current();
        let watcher = local(&shared, to.pid())?;
        let (groups, monitor) = (self.groups(&shared).local.clone(), shared.monitor_ref());
        let group = group.into();
        let wanted = Some(group.clone());
        let (now, added) = groups.look(&group, || {
            groups.observer.add(&watcher, monitor, wanted, to)
        });
        if !added {
            return Err(JoinError::NoProc);
        }
        Ok((monitor, now.map_or(Vec::new(), |entries| members(&entries))))
    }

    /// [`monitor`](Scope::monitor) for all groups; the members of each as they are now.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn monitor_scope(
        &self,
        to: Recipient<Event<G, T>>,
    ) -> Result<(MonitorRef, Members<G, T>), JoinError> {
        let shared = runtime::current();
        let watcher = local(&shared, to.pid())?;
        let (groups, monitor) = (self.groups(&shared).local.clone(), shared.monitor_ref());
        let (now, added) = groups.look_at_all(|| groups.observer.add(&watcher, monitor, None, to));
        if !added {
            return Err(JoinError::NoProc);
        }
        let now = now.into_iter();
        let now = now.map(|(group, entries)| (group, members(&entries)));
        Ok((monitor, now.collect()))
    }

    /// Takes a monitor back; `false` if there is none. No event is sent from now on; one that was under way says that
    /// it is not [active](Event::is_active) any more.
    pub fn demonitor(&self, monitor: MonitorRef) -> bool {
        self.local().observer.remove(monitor)
    }

    /// How many monitors there are.
    pub fn monitors(&self) -> usize {
        self.local().observer.len()
    }

    /// How many memberships there are on this node.
    pub fn count(&self) -> usize {
        self.local().len()
    }

    /// Begins anew: all members on this node leave, which the monitors are told, and then the monitors end. So it is
    /// in OTP when the process that keeps a scope ends; here it happens when somebody says so.
    pub fn stop(&self) {
        let groups = self.local();
        groups.clear();
        groups.observer.clear();
    }
}

fn local(shared: &Shared, pid: Pid) -> Result<Arc<dyn Process>, JoinError> {
    if pid.node() != Pid::INIT.node() {
        return Err(JoinError::NotLocal);
    }
    shared.process(pid).ok_or(JoinError::NoProc)
}

fn members<T>(entries: &[Entry<Recipient<T>>]) -> Vec<Recipient<T>> {
    entries.iter().map(|entry| entry.value.clone()).collect()
}

impl<G, T> Clone for Scope<G, T> {
    fn clone(&self) -> Self {
        Scope {
            name: self.name.clone(),
            types: PhantomData,
        }
    }
}

impl<G, T> fmt::Debug for Scope<G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.name)
    }
}
