//! Where the partitions of a [`PartitionSupervisor`](crate::supervisor::PartitionSupervisor) are: a table that its
//! supervisor writes and everybody reads.

use crate::behaviour::supervisor::child::Child;
use crate::behaviour::supervisor::job::{Job, Purpose, Step};
use crate::behaviour::supervisor::machine::Machine;
use crate::pid::Pid;
use crate::process::{CallError, Ref, ReplyTo, StartError};
use crate::sync::{Arc, RwLock};
use std::any::Any;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a partition is chosen by: an integer is taken as it is, anything else by its hash.
///
/// The hash of a value is the same in all runs of one build.
///
/// ```
/// use perennial::supervisor::Key;
/// assert_eq!(Key::from(-1).of(3), Some(1));
/// assert_eq!(Key::from("lobby").of(3), Key::hash("lobby").of(3));
/// assert_eq!(Key::from(7).of(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u128);

impl Key {
    /// The key of any value that can be hashed.
    pub fn hash(value: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Key(hasher.finish().into())
    }

    /// Which of so many partitions it chooses: an integer's absolute value modulo that. `None` if there are none.
    pub fn of(self, partitions: usize) -> Option<usize> {
        let partition = self.0.checked_rem(partitions as u128)?;
        usize::try_from(partition).ok()
    }
}

macro_rules! integer_keys {
    ($signed:ident: $($integer:ident)+) => {
        $(impl From<$integer> for Key {
            fn from(integer: $integer) -> Self {
                Key(integer.$signed() as u128)
            }
        })+
    };
    ($($integer:ident)+) => {
        $(impl From<$integer> for Key {
            fn from(integer: $integer) -> Self {
                Key(integer as u128)
            }
        })+
    };
}

integer_keys!(unsigned_abs: i8 i16 i32 i64 i128 isize);
integer_keys!(u8 u16 u32 u64 u128 usize);

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Key::hash(text)
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Self {
        Key::hash(text.as_str())
    }
}

impl From<Pid> for Key {
    fn from(pid: Pid) -> Self {
        Key::hash(&pid)
    }
}

/// Why a key leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupError {
    /// There is no such supervisor, or it has no partitions by nature.
    NoSupervisor,
    /// It has been resized to none.
    NoPartitions,
    /// Its partitions take other messages.
    WrongMessageType,
    /// The partition has not come up for the first time.
    Starting,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LookupError::NoSupervisor => "no such partition supervisor",
            LookupError::NoPartitions => {
                "the partition supervisor has no partitions at this moment"
            }
            LookupError::WrongMessageType => "the partitions take other messages",
            LookupError::Starting => "the partition has not been started",
        })
    }
}

impl std::error::Error for LookupError {}

/// Why a partition supervisor was not resized.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ResizeError {
    /// It was started with fewer: that many, and it cannot have more.
    TooMany(usize),
    /// It has no partitions by nature.
    NotPartitioned,
    /// This partition did not start; those that were started with it have been stopped, and there are as many as
    /// before.
    Failed(usize, StartError),
    /// The supervisor did not answer.
    Call(CallError),
}

impl fmt::Display for ResizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResizeError::TooMany(max) => {
                write!(f, "more partitions than the {max} there were at the start")
            }
            ResizeError::NotPartitioned => {
                f.write_str("the supervisor has no partitions by nature")
            }
            ResizeError::Failed(at, error) => write!(f, "partition {at} did not start: {error}"),
            ResizeError::Call(error) => write!(f, "the supervisor did not answer: {error}"),
        }
    }
}

impl std::error::Error for ResizeError {}

impl From<CallError> for ResizeError {
    fn from(error: CallError) -> Self {
        ResizeError::Call(error)
    }
}

/// The table as a supervisor sees it, which does not know what messages partitions take.
pub(super) trait Routes: Any + Send + Sync {
    /// How many keys are spread over.
    fn routed(&self) -> usize;

    /// How many there may be.
    fn max(&self) -> usize;

    /// From now on keys are spread over so many.
    fn route(&self, count: usize);

    /// From now on so many may be started.
    fn allow(&self, count: usize);
}

/// Which process each partition is.
pub(super) struct Table<M: Send + 'static> {
    /// A leaf lock.
    partitions: RwLock<Partitions<M>>,
    max: usize,
}

struct Partitions<M: Send + 'static> {
    /// Invariant P1: its length is `max`, and neither count is more.
    refs: Vec<Option<Ref<M>>>,
    routed: usize,
    allowed: usize,
}

impl<M: Send + 'static> Table<M> {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Table {
            partitions: RwLock::new(Partitions {
                refs: (0..count).map(|_| None).collect(),
                routed: count,
                allowed: count,
            }),
            max: count,
        })
    }

    pub(super) fn lookup(&self, key: Key) -> Result<Ref<M>, LookupError> {
        let partitions = self.partitions.read();
        let at = key.of(partitions.routed).ok_or(LookupError::NoPartitions)?;
        partitions.refs[at].clone().ok_or(LookupError::Starting)
    }

    /// A child whose starts are written down as those of a partition; one that is not wanted is not started.
    pub(super) fn partition(self: &Arc<Self>, at: usize, child: Child) -> Child {
        let table = self.clone();
        child.around(move |child| {
            if at >= table.partitions.read().allowed {
                return Err(StartError::Ignored);
            }
            let begun = child()?;
            let reference = begun.reference.as_ref().and_then(|any| any.of());
            let before = std::mem::replace(&mut table.partitions.write().refs[at], reference);
            drop(before);
            Ok(begun)
        })
    }
}

impl<M: Send + 'static> Routes for Table<M> {
    fn routed(&self) -> usize {
        self.partitions.read().routed
    }

    fn max(&self) -> usize {
        self.max
    }

    fn route(&self, count: usize) {
        self.partitions.write().routed = count.min(self.max);
    }

    fn allow(&self, count: usize) {
        let mut partitions = self.partitions.write();
        partitions.allowed = count.min(self.max);
        let allowed = partitions.allowed;
        let gone: Vec<_> = partitions.refs[allowed..]
            .iter_mut()
            .map(Option::take)
            .collect();
        drop(partitions);
        drop(gone);
    }
}

/// A resize that is under way.
pub(super) struct Resize {
    routes: Arc<dyn Routes>,
    from: usize,
    to: usize,
    failed: Option<(usize, StartError)>,
    reply: ReplyTo<Result<usize, ResizeError>>,
}

impl Resize {
    /// All its steps are done.
    pub(super) fn done(self) {
        let Resize {
            routes,
            from,
            to,
            failed,
            reply,
        } = self;
        match failed {
            None => {
                routes.route(to);
                reply.send(Ok(from));
            }
            Some((at, error)) => reply.send(Err(ResizeError::Failed(at, error))),
        }
    }
}

impl Machine {
    pub(super) fn serve_resize(&mut self, to: usize, reply: ReplyTo<Result<usize, ResizeError>>) {
        let Some(routes) = self.board.routes.clone() else {
            return reply.send(Err(ResizeError::NotPartitioned));
        };
        let (from, max) = (routes.routed(), routes.max());
        if to > max {
            return reply.send(Err(ResizeError::TooMany(max)));
        }
        // First nobody is sent to those that are stopped, and only then do they stop.
        routes.route(from.min(to));
        routes.allow(to);
        let stops = (to..from)
            .rev()
            .filter_map(|at| self.partition(at))
            .map(Step::Stop);
        let starts = (from..to)
            .filter_map(|at| self.partition(at))
            .map(Step::Start);
        let steps: Vec<Step> = stops.chain(starts).collect();
        let resize = Resize {
            routes,
            from,
            to,
            failed: None,
            reply,
        };
        self.job = Some(Job::new(Purpose::Resize(resize), steps));
    }

    /// The child that is this partition.
    fn partition(&self, at: usize) -> Option<super::job::Key> {
        Some(self.children.by_id(&at.to_string())?.key)
    }

    /// A partition did not start: those that came up before it go down again.
    pub(super) fn resize_failed(&mut self, mut resize: Resize, failed: &str, error: StartError) {
        let at = failed.parse().unwrap_or(resize.from);
        resize.routes.allow(resize.from);
        resize.failed = Some((at, error));
        let steps = (resize.from..resize.to).rev();
        let steps: Vec<Step> = steps
            .filter_map(|at| self.partition(at))
            .map(Step::Stop)
            .collect();
        self.job = Some(Job::new(Purpose::Resize(resize), steps));
    }
}
