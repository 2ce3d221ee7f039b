//! PURE: who is tracked where, and what to tell those who watch.
//!
//! Think of a guest book with a page for each topic and a paragraph for each guest (a *key*, say a user).
//! Every device of the guest has a line of its own in the paragraph (a *meta*), with a number that is never
//! used again (its `phx_ref`). Readers take a copy of the page once and then follow a list of lines added
//! and lines struck out. The list is not read out after every stroke of the pen but when somebody asks for
//! it ([`State::take_diffs`]): a thousand guests who enter together make one list, not a thousand.
//!
//! A line that was added and struck out between two readings is on no list, because nobody knows of it,
//! unless somebody copied the page in between ([`State::presence_state`]); then the line is *exposed*, and
//! striking it out must be read out. Whoever copies a page and then hears all later lists has the page as it
//! is: that is the one promise of this file, and a property test holds it.

use crate::pid::Pid;
use crate::sync::Arc;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::fmt;

/// The identity of one meta: stable while its device stays, new when it comes again or is updated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhxRef {
    epoch: u64,
    count: u64,
}

/// RFC 4648 §5.
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Half of a reference: 48 bits are 8 characters.
const HALF_BITS: u32 = 48;

impl fmt::Display for PhxRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 16];
        for (half, out) in [self.epoch, self.count].iter().zip(text.chunks_mut(8)) {
            for (place, out) in out.iter_mut().enumerate() {
                let shift = HALF_BITS - 6 * (place as u32 + 1);
                *out = BASE64_URL[(half >> shift) as usize % 64];
            }
        }
        f.write_str(std::str::from_utf8(&text).expect("base64 is ASCII"))
    }
}

impl fmt::Debug for PhxRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One tracked process under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta<M> {
    /// Its identity.
    pub phx_ref: PhxRef,
    /// What it replaces, if it came by an update of something that watchers may know.
    pub phx_ref_prev: Option<PhxRef>,
    /// What the application says about it.
    pub meta: M,
}

/// Metas by key, the oldest of each key first.
pub type Presences<M> = BTreeMap<Arc<str>, Vec<Meta<M>>>;

/// What changed on one topic. Watchers apply the joins first and then the leaves, so an update, which is in
/// both, never makes a key vanish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff<M> {
    /// Metas that came.
    pub joins: Presences<M>,
    /// Metas that went.
    pub leaves: Presences<M>,
}

/// The process is tracked there under that key already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyTracked;

impl fmt::Display for AlreadyTracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "tracking a process that is tracked there already; use update to change its meta",
        )
    }
}

impl Error for AlreadyTracked {}

/// The process is not tracked there under that key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPresence;

impl fmt::Display for NoPresence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("updating the presence of a process that is not tracked there")
    }
}

impl Error for NoPresence {}

/// All topics of one tracker.
///
/// It holds one entry for each (process, topic, key), so its size is bounded by whoever bounds the processes
/// and their topics.
///
/// ```
/// use perennial::Pid;
/// use perennial::service::presence::state::State;
/// let (phone, laptop) = (Pid::from_parts(0, 1, 1), Pid::from_parts(0, 2, 1));
/// let mut state = State::new(1);
/// state.track(phone, "room:1", "anna", "phone")?;
/// state.track(laptop, "room:1", "anna", "laptop")?;
/// let (topic, diff) = state.take_diffs().remove(0);
/// assert_eq!((&*topic, diff.joins["anna"].len()), ("room:1", 2));
/// state.untrack_all(phone);
/// assert_eq!(state.get_by_key("room:1", "anna")[0].meta, "laptop");
/// # Ok::<(), perennial::service::presence::state::AlreadyTracked>(())
/// ```
#[derive(Debug)]
pub struct State<M> {
    epoch: u64,
    count: u64,
    topics: HashMap<Arc<str>, Topic<M>>,
    owners: HashMap<Pid, Vec<Place>>,
    /// Topics with something to tell.
    dirty: BTreeSet<Arc<str>>,
}

type Place = (Arc<str>, Arc<str>);

#[derive(Debug)]
struct Topic<M> {
    present: BTreeMap<Arc<str>, Vec<(Pid, Meta<M>)>>,
    /// Not yet told. P1: every ref in here is present.
    joins: BTreeMap<Arc<str>, Vec<Pending<M>>>,
    /// Not yet told. P2: no ref in here is present, each was told or exposed before.
    leaves: Presences<M>,
}

#[derive(Debug)]
struct Pending<M> {
    meta: Meta<M>,
    /// Equals `true` once a copy of the state that was handed out contains it.
    exposed: bool,
}

impl<M: Clone> State<M> {
    /// Nobody anywhere. `epoch` makes the references of this state differ from those of any other: the 48
    /// low bits of a clock in microseconds do, as they come again after nine years.
    pub fn new(epoch: u64) -> Self {
        State {
            epoch: epoch % (1 << HALF_BITS),
            count: 0,
            topics: HashMap::new(),
            owners: HashMap::new(),
            dirty: BTreeSet::new(),
        }
    }

    /// Tracks a process on a topic under a key.
    ///
    /// # Errors
    /// [`AlreadyTracked`] if it is there under that key.
    pub fn track(
        &mut self,
        pid: Pid,
        topic: &str,
        key: &str,
        meta: M,
    ) -> Result<PhxRef, AlreadyTracked> {
        if self.is_tracked(pid, topic, key) {
            return Err(AlreadyTracked);
        }
        let (topic, key) = self.intern(topic, key);
        self.owners
            .entry(pid)
            .or_default()
            .push((topic.clone(), key.clone()));
        Ok(self.join(pid, topic, key, None, meta))
    }

    /// Ends what [`track`](State::track) began; `false` if there was nothing to end.
    pub fn untrack(&mut self, pid: Pid, topic: &str, key: &str) -> bool {
        let Some(places) = self.owners.get_mut(&pid) else {
            return false;
        };
        let is_it = |place: &Place| &*place.0 == topic && &*place.1 == key;
        let Some(at) = places.iter().position(is_it) else {
            return false;
        };
        let place = places.swap_remove(at);
        if places.is_empty() {
            self.owners.remove(&pid);
        }
        self.leave(pid, &place);
        self.forget_empty(&place.0);
        true
    }

    /// Ends everything that was tracked for a process, as its death does.
    pub fn untrack_all(&mut self, pid: Pid) {
        for place in self.owners.remove(&pid).unwrap_or_default() {
            self.leave(pid, &place);
            self.forget_empty(&place.0);
        }
    }

    /// Replaces the meta of a tracked process; watchers see the new one come and the old one go at once.
    ///
    /// # Errors
    /// [`NoPresence`] if it is not tracked there under that key.
    pub fn update(
        &mut self,
        pid: Pid,
        topic: &str,
        key: &str,
        change: impl FnOnce(&M) -> M,
    ) -> Result<PhxRef, NoPresence> {
        let old = self.meta_of(pid, topic, key).ok_or(NoPresence)?;
        let meta = change(&old.meta);
        let place = self.intern(topic, key);
        let prev = self.leave(pid, &place);
        Ok(self.join(pid, place.0, place.1, prev, meta))
    }

    /// Everybody on a topic.
    pub fn list(&self, topic: &str) -> Presences<M> {
        let topic = self.topics.get(topic);
        let keys = topic.iter().flat_map(|topic| &topic.present);
        keys.map(|(key, entries)| (key.clone(), metas(entries)))
            .collect()
    }

    /// The metas of one key on a topic, the oldest first.
    pub fn get_by_key(&self, topic: &str, key: &str) -> Vec<Meta<M>> {
        let topic = self.topics.get(topic);
        let entries = topic.and_then(|topic| topic.present.get(key));
        entries.map(|entries| metas(entries)).unwrap_or_default()
    }

    /// As [`list`](State::list), for a watcher who will follow the diffs from now on.
    pub fn presence_state(&mut self, topic: &str) -> Presences<M> {
        if let Some(topic) = self.topics.get_mut(topic) {
            for pending in topic.joins.values_mut().flatten() {
                pending.exposed = true;
            }
        }
        self.list(topic)
    }

    /// What changed on each topic since it was last asked; topics without a change are left out.
    pub fn take_diffs(&mut self) -> Vec<(Arc<str>, Diff<M>)> {
        let dirty = std::mem::take(&mut self.dirty);
        let mut diffs = Vec::with_capacity(dirty.len());
        for name in dirty {
            let Some(topic) = self.topics.get_mut(&name) else {
                continue;
            };
            let joins = std::mem::take(&mut topic.joins).into_iter();
            let diff = Diff {
                joins: joins
                    .map(|(key, metas)| (key, metas.into_iter().map(|it| it.meta).collect()))
                    .collect(),
                leaves: std::mem::take(&mut topic.leaves),
            };
            if !diff.joins.is_empty() || !diff.leaves.is_empty() {
                diffs.push((name.clone(), diff));
            }
            self.forget_empty(&name);
        }
        diffs
    }

    /// Equals `true` if [`take_diffs`](State::take_diffs) may have something to tell.
    pub fn has_diffs(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Equals `true` if the process is tracked anywhere.
    pub fn tracks(&self, pid: Pid) -> bool {
        self.owners.contains_key(&pid)
    }

    /// Equals `true` if nobody is tracked and nothing is left to tell.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.owners.is_empty()
    }

    fn is_tracked(&self, pid: Pid, topic: &str, key: &str) -> bool {
        let places = self.owners.get(&pid).into_iter().flatten();
        places
            .into_iter()
            .any(|place| &*place.0 == topic && &*place.1 == key)
    }

    fn meta_of(&self, pid: Pid, topic: &str, key: &str) -> Option<&Meta<M>> {
        let entries = self.topics.get(topic)?.present.get(key)?;
        let (_, meta) = entries.iter().find(|(owner, _)| *owner == pid)?;
        Some(meta)
    }

    /// The names as they are stored, so that a thousand devices share the text of one topic.
    fn intern(&self, topic: &str, key: &str) -> Place {
        let Some((name, known)) = self.topics.get_key_value(topic) else {
            return (topic.into(), key.into());
        };
        let key = known
            .present
            .get_key_value(key)
            .map_or_else(|| key.into(), |(key, _)| key.clone());
        (name.clone(), key)
    }

    fn next_ref(&mut self) -> PhxRef {
        self.count += 1;
        assert!(
            self.count < 1 << HALF_BITS,
            "a reference is never used again"
        );
        PhxRef {
            epoch: self.epoch,
            count: self.count,
        }
    }

    fn join(
        &mut self,
        pid: Pid,
        topic: Arc<str>,
        key: Arc<str>,
        prev: Option<PhxRef>,
        meta: M,
    ) -> PhxRef {
        let phx_ref = self.next_ref();
        let meta = Meta {
            phx_ref,
            phx_ref_prev: prev,
            meta,
        };
        self.dirty.insert(topic.clone());
        let topic = self.topics.entry(topic).or_insert_with(Topic::new);
        topic.join(pid, key, meta);
        phx_ref
    }

    /// The ref that watchers know of what went, to which a successor may point.
    fn leave(&mut self, pid: Pid, place: &Place) -> Option<PhxRef> {
        self.dirty.insert(place.0.clone());
        self.topics.get_mut(&place.0)?.leave(pid, &place.1)
    }

    fn forget_empty(&mut self, topic: &Arc<str>) {
        if self.topics.get(topic).is_some_and(Topic::is_empty) {
            self.topics.remove(topic);
            self.dirty.remove(topic);
        }
    }
}

impl<M: Clone> Topic<M> {
    fn new() -> Self {
        Topic {
            present: BTreeMap::new(),
            joins: BTreeMap::new(),
            leaves: BTreeMap::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.present.is_empty() && self.joins.is_empty() && self.leaves.is_empty()
    }

    fn join(&mut self, pid: Pid, key: Arc<str>, meta: Meta<M>) {
        self.joins.entry(key.clone()).or_default().push(Pending {
            meta: meta.clone(),
            exposed: false,
        });
        self.present.entry(key).or_default().push((pid, meta));
    }

    fn leave(&mut self, pid: Pid, key: &Arc<str>) -> Option<PhxRef> {
        let entries = self.present.get_mut(key)?;
        let at = entries.iter().position(|(owner, _)| *owner == pid)?;
        let (_, meta) = entries.remove(at);
        if entries.is_empty() {
            self.present.remove(key);
        }
        match self.take_pending(key, meta.phx_ref) {
            // Nobody was told of it: watchers know only what it replaced, which is in the leaves already.
            Some(pending) if !pending.exposed => pending.meta.phx_ref_prev,
            _ => {
                let phx_ref = meta.phx_ref;
                self.leaves.entry(key.clone()).or_default().push(meta);
                Some(phx_ref)
            }
        }
    }

    fn take_pending(&mut self, key: &Arc<str>, phx_ref: PhxRef) -> Option<Pending<M>> {
        let pending = self.joins.get_mut(key)?;
        let at = pending.iter().position(|it| it.meta.phx_ref == phx_ref)?;
        let taken = pending.remove(at);
        if pending.is_empty() {
            self.joins.remove(key);
        }
        Some(taken)
    }
}

fn metas<M: Clone>(entries: &[(Pid, Meta<M>)]) -> Vec<Meta<M>> {
    entries.iter().map(|(_, meta)| meta.clone()).collect()
}
