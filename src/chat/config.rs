//! PURE. Everything about the chat that its host may choose, with every default in one place.
//!
//! A program that embeds the chat takes [`Config::default`] and changes fields. The `perennial` program puts
//! layers of [`Setting`]s on it, the lowest first: file, environment, `--set`, flags. The names under which a
//! setting is known are the rows of [`KEYS`](super::config_key::KEYS).

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::body::Body;
use super::config_key::{self, Value};

/// What a host may choose.
///
/// ```
/// use perennial::chat::config::{Config, Limit};
/// let config = Config { data: "team-chat".into(), ..Config::default() };
/// assert_eq!(config.listen.to_string(), "127.0.0.1:4000");
/// assert_eq!(config.limits.messages_per_second, Limit::at(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the server waits for connections. Port 0 lets the system pick one.
    pub listen: SocketAddr,
    /// The directory that holds the database. It is made if it is not there.
    pub data: PathBuf,
    /// How the program stops.
    pub shutdown: Shutdown,
    /// What one user, one address or one connection may take from the others.
    pub limits: Limits,
    /// How long a sign-in lasts.
    pub sessions: Sessions,
    /// How messages get to the disk.
    pub store: Store,
    /// What signing up and in may cost.
    pub users: Users,
    /// What browsers may do.
    pub web: Web,
}

/// How the program stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// An orderly stop that takes longer than this is ended by force.
    pub deadline: Duration,
}

/// What one user, one address or one connection may take from the others. Each can be switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages that a user may send in a second, over a longer time.
    pub messages_per_second: Limit,
    /// Messages that a user who was silent may send at once.
    pub messages_burst: Limit,
    /// Rooms that a user may join in a second.
    pub joins_per_second: Limit,
    /// Read cursors that a user may move in a second. Each is a write.
    pub reads_per_second: Limit,
    /// Attempts to sign up or in from one address in a minute.
    pub sign_ins_per_minute: Limit,
    /// Connections in all. The system's limit of open files, less 256, holds in any case.
    pub connections: Limit,
    /// Connections from one address.
    pub connections_per_ip: Limit,
    /// Connections that have not signed in, from all addresses together.
    pub connections_unauthenticated: Limit,
    /// Frames that one socket may send in a second, and twice as many at once. Above it the socket is closed.
    pub frames_per_second: Limit,
    /// Bytes of one frame of a client. A longer one closes its socket.
    pub frame_bytes: Limit,
    /// Code points of one message.
    pub message_length: Limit,
    /// Bytes of one message.
    pub message_bytes: Limit,
    /// Rooms that one socket may have joined.
    pub topics_per_socket: Limit,
    /// Messages in the answer to a join. What is missing beyond it follows as pushes.
    pub join_messages: Limit,
    /// Posts of one room on their way to the disk. Above it the answer is `busy`.
    pub posts_in_flight: Limit,
    /// What may wait for the process of one room, beside the posts on their way. Above it the answer is `busy`.
    pub room_mailbox: Limit,
    /// What one client may have waiting for its channel in one room. Above it the answer is `busy`.
    pub channel_mailbox: Limit,
    /// What may wait for the writer of the store, and for each reader. Above it the answer is `busy` or `storage`.
    pub store_queue: Limit,
    /// Frames that wait for a slow reader before its connection is closed.
    pub outbound_frames: Limit,
    /// Bytes that wait for a slow reader before its connection is closed.
    pub outbound_bytes: Limit,
    /// A WebSocket from which nothing came for so long, not even an answer to a ping, is closed. Zero: never.
    pub idle_timeout: Duration,
    /// A connection that took no byte for so long although some waited is cut. Zero: never.
    pub write_timeout: Duration,
    /// A connection without a request for so long is closed. Zero: never.
    pub keep_alive: Duration,
}

/// How long a sign-in lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// A session that is not used for so long ends.
    pub idle_timeout: Duration,
    /// A session ends after so long, used or not.
    pub lifetime: Duration,
}

/// How messages get to the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// How long the writer waits for more posts to share a commit when they are coming fast. Zero: not at all.
    pub commit_wait: Duration,
    /// Threads that read history.
    pub readers: u32,
}

/// What signing up and in may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// Passwords that are hashed at the same time. Each takes a thread, a core and 19 MiB.
    pub hash_threads: u32,
    /// Passwords that wait to be hashed. Above it the answer is that the server is busy.
    pub hash_queue: u32,
}

/// What browsers may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Web {
    /// Origins whose pages may use a cookie, beside the server's own: `https://chat.example.org`.
    pub origins: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            data: PathBuf::from("perennial-data"),
            shutdown: Shutdown {
                deadline: Duration::from_secs(10),
            },
            limits: Limits {
                messages_per_second: Limit::at(5),
                messages_burst: Limit::at(20),
                joins_per_second: Limit::at(10),
                reads_per_second: Limit::at(10),
                sign_ins_per_minute: Limit::at(10),
                connections: Limit::at(10_000),
                connections_per_ip: Limit::at(64),
                connections_unauthenticated: Limit::at(1_024),
                frames_per_second: Limit::at(1_000),
                frame_bytes: Limit::at(64 * 1024),
                message_length: Limit::at(Body::LETTERS_MAX as u32),
                message_bytes: Limit::at(Body::BYTES_MAX as u32),
                topics_per_socket: Limit::at(100),
                join_messages: Limit::at(200),
                posts_in_flight: Limit::at(512),
                room_mailbox: Limit::at(4_096),
                channel_mailbox: Limit::at(64),
                store_queue: Limit::at(16_384),
                outbound_frames: Limit::at(256),
                outbound_bytes: Limit::at(1024 * 1024),
                idle_timeout: Duration::from_secs(75),
                write_timeout: Duration::from_secs(30),
                keep_alive: Duration::from_secs(60),
            },
            sessions: Sessions {
                idle_timeout: Duration::from_secs(14 * DAY),
                lifetime: Duration::from_secs(90 * DAY),
            },
            store: Store {
                commit_wait: Duration::from_micros(600),
                readers: 2,
            },
            users: Users {
                hash_threads: 2,
                hash_queue: 32,
            },
            web: Web::default(),
        }
    }
}

const DAY: u64 = 24 * 60 * 60;

/// A number that may not be exceeded, or nothing. As text, `0` is [`Limit::Off`].
///
/// ```
/// use perennial::chat::config::Limit;
/// assert!(Limit::at(5).allows(5));
/// assert!(!Limit::at(5).allows(6));
/// assert!(Limit::at(0).allows(u64::MAX));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// There is no limit.
    Off,
    /// So many are allowed, and not one more.
    At(NonZeroU32),
}

impl Limit {
    /// A limit of `max`; 0 is none.
    pub const fn at(max: u32) -> Limit {
        match NonZeroU32::new(max) {
            Some(max) => Limit::At(max),
            None => Limit::Off,
        }
    }

    /// The number, if there is one.
    pub const fn max(self) -> Option<u32> {
        match self {
            Limit::Off => None,
            Limit::At(max) => Some(max.get()),
        }
    }

    /// The number, or the largest there is.
    pub const fn max_or_all(self) -> usize {
        match self {
            Limit::Off => usize::MAX,
            Limit::At(max) => max.get() as usize,
        }
    }

    /// Tells whether `count` is within the limit.
    pub fn allows(self, count: u64) -> bool {
        self.max().is_none_or(|max| count <= u64::from(max))
    }
}

/// One line of a layer: which key gets which value, and where that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key as it was written, in the form `limits.messages_per_second`.
    pub key: String,
    /// The value as it was written.
    pub value: Value,
    /// Where it was written, for the one who has to correct it.
    pub place: Place,
}

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a configuration file.
    File {
        /// The file, as it was named on the command line.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// In the environment.
    Environment,
    /// In a `--set`.
    Set,
    /// In a flag of its own, such as `--listen`.
    Flag,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting.
    pub setting: Setting,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such key; this one is nearest to it, if any is near.
    UnknownKey(Option<&'static str>),
    /// The value does not fit; this would.
    BadValue(String),
}

impl Config {
    /// The defaults with `settings` applied in turn; of two for one key the later wins. Every one of them must be
    /// good, those that a later one replaces too.
    ///
    /// # Errors
    /// [`ConfigError`] with the first that cannot be used.
    ///
    /// ```
    /// use perennial::chat::config::{Config, Place, Setting};
    /// let set = |key: &str, value: &str| Setting {
    ///     key: key.into(),
    ///     value: value.into(),
    ///     place: Place::Set,
    /// };
    /// let config = Config::new([set("listen", "0.0.0.0:80"), set("shutdown.deadline", "3s")]).unwrap();
    /// assert_eq!(config.listen.port(), 80);
    /// let error = Config::new([set("listne", "0.0.0.0:80")]).unwrap_err();
    /// assert_eq!(error.to_string(), "--set listne=0.0.0.0:80: unknown key; did you mean listen?");
    /// ```
    pub fn new(settings: impl IntoIterator<Item = Setting>) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        for setting in settings {
            if let Err(problem) = config.apply(&setting) {
                return Err(ConfigError { setting, problem });
            }
        }
        Ok(config)
    }

    fn apply(&mut self, setting: &Setting) -> Result<(), Problem> {
        let Some(key) = config_key::find(&setting.key) else {
            return Err(Problem::UnknownKey(config_key::nearest(&setting.key)));
        };
        key.set(self, &setting.value).map_err(Problem::BadValue)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.max().unwrap_or(0).fmt(f)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { key, value, place } = &self.setting;
        match place {
            Place::File { path, line } => write!(f, "{path}:{line}: {key} = {value}")?,
            Place::Environment => write!(f, "{}={value}", config_key::variable(key))?,
            Place::Set => write!(f, "--set {key}={value}")?,
            Place::Flag => write!(f, "--{key} {value}")?,
        }
        match (&self.problem, place) {
            (Problem::BadValue(expected), _) => write!(f, ": expected {expected}"),
            (Problem::UnknownKey(None), _) => write!(f, ": unknown key"),
            (Problem::UnknownKey(Some(nearest)), Place::Environment) => {
                write!(
                    f,
                    ": unknown key; did you mean {}?",
                    config_key::variable(nearest)
                )
            }
            (Problem::UnknownKey(Some(nearest)), _) => {
                write!(f, ": unknown key; did you mean {nearest}?")
            }
        }
    }
}

impl std::error::Error for ConfigError {}
