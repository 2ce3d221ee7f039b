//! The whole chat as one tree, from start to orderly stop: what the `perennial` program runs, and what a test can.

use super::application::Chat;
use super::config::{Config, Limit};
use super::web::Site;
use crate::behaviour::supervisor::{self, Child, Msg, Strategy, Supervisor};
use crate::process::{Ref, StartError};
use crate::reason::ExitReason;
use crate::service::application::Application;
use crate::store::OpenError;
use crate::sync::Mutex;
use crate::web::Server;
use crate::web::http::InvalidOrigin;
use crate::web::net::{self, BindError, Listener};
use crate::web::websocket;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Restarts of the whole chat, or of the whole web server, that are allowed. Their own supervisors have tried before.
const RESTARTS: (usize, Duration) = (3, Duration::from_secs(60));

/// A running chat server.
///
/// ```
/// use perennial::chat::Program;
/// use perennial::chat::config::Config;
/// # let data = std::env::temp_dir().join(format!("perennial-doc-program-{}", std::process::id()));
/// # let config = Config { data: data.clone(), ..Config::default() };
/// let config = Config { listen: "127.0.0.1:0".parse()?, ..config };
/// let program = Program::start(&config)?;
/// println!("listening on http://{}", program.local_addr());
/// program.stop();
/// # drop(program);
/// # std::fs::remove_dir_all(&data)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Program {
    chat: Chat,
    tree: Ref<Msg>,
    addr: SocketAddr,
}

/// Why the chat could not be started.
#[derive(Debug)]
pub enum ProgramError {
    /// The data directory is in use, newer than this program, damaged, or cannot be read.
    Data(OpenError),
    /// The address cannot be listened on.
    Listen(BindError),
    /// One of `web.origins` is no origin.
    Origin(InvalidOrigin),
    /// A process did not start.
    Start(StartError),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramError::Data(error) => error.fmt(f),
            ProgramError::Listen(error) => error.fmt(f),
            ProgramError::Origin(error) => error.fmt(f),
            ProgramError::Start(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProgramError {}

impl Program {
    /// Starts the chat and its web server in the current runtime; returns when it takes connections.
    ///
    /// # Errors
    /// See [`ProgramError`]. Nothing is left running then.
    pub fn start(config: &Config) -> Result<Program, ProgramError> {
        Program::start_with(config, crate::store::Config::new(&config.data))
    }

    /// As [`start`](Program::start), with settings of the store that the chat's configuration does not know.
    ///
    /// # Errors
    /// As [`start`](Program::start).
    pub fn start_with(
        config: &Config,
        store: crate::store::Config,
    ) -> Result<Program, ProgramError> {
        Opened::new(config, store)?.start()
    }

    /// Where it waits for connections.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The chat behind it.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// The top of its tree.
    pub fn tree(&self) -> &Ref<Msg> {
        &self.tree
    }

    /// Stops in reverse order: no more connections, WebSockets are closed with 1012, rooms end, and the store commits
    /// what it has taken. Returns when that is done.
    pub fn stop(&self) {
        if let Err(error) = supervisor::stop(&self.tree) {
            log::warn!(target: "perennial::chat", "the tree had ended before it was stopped: {error}");
        }
    }
}

/// A chat server that has its data and its address, and does not run yet.
///
/// ```
/// use perennial::application;
/// use perennial::chat::Opened;
/// use perennial::chat::config::Config;
/// # use std::time::Duration;
/// # let data = std::env::temp_dir().join(format!("perennial-doc-opened-{}", std::process::id()));
/// # let config = Config { data: data.clone(), ..Config::default() };
/// let config = Config { listen: "127.0.0.1:0".parse()?, ..config };
/// let chat = Opened::open(&config)?;
/// application::load(chat.application("chat").permanent())?;
/// application::ensure_all_started("chat")?;
/// # application::halt(Duration::from_secs(10));
/// let halted = application::wait();
/// # assert!(!halted.forced);
/// # std::fs::remove_dir_all(&data)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a chat that is opened runs when it is started"]
pub struct Opened {
    chat: Chat,
    tree: Supervisor,
    addr: SocketAddr,
}

impl Opened {
    /// Opens the data and binds the address.
    ///
    /// # Errors
    /// See [`ProgramError`].
    pub fn open(config: &Config) -> Result<Opened, ProgramError> {
        Opened::new(config, crate::store::Config::new(&config.data))
    }

    fn new(config: &Config, store: crate::store::Config) -> Result<Opened, ProgramError> {
        let listener =
            Listener::bind(config.listen, net_config(config)).map_err(ProgramError::Listen)?;
        let addr = listener.local_addr();
        let chat = Chat::open_with(config, store).map_err(ProgramError::Data)?;
        let site = Site::new(chat.clone()).map_err(ProgramError::Origin)?;
        let presence = site.child();
        let server = Server::new(listener, site).drain(config.shutdown.deadline / 2);
        let (restarts, period) = RESTARTS;
        let rebuilt = chat.clone();
        // The server needs the chat: a chat that starts again has its server start again after it.
        let tree = Supervisor::new(Strategy::RestForOne)
            .label("perennial")
            .intensity(restarts, period)
            .child(Child::supervisor("chat", move || rebuilt.supervisor()))
            .child(presence)
            .child(server.child("web"));
        Ok(Opened { chat, tree, addr })
    }

    /// Where it will wait for connections.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Starts it in the current runtime; returns when it takes connections.
    ///
    /// # Errors
    /// `Start` if a process does not.
    pub fn start(self) -> Result<Program, ProgramError> {
        let Opened { chat, tree, addr } = self;
        let tree = tree.start().map_err(ProgramError::Start)?;
        Ok(Program { chat, tree, addr })
    }

    /// It as an application, which can be started once: the data and the address are open once.
    pub fn application(self, name: &str) -> Application {
        let tree = Mutex::new(Some(self.tree));
        Application::new(name, move || {
            let tree = tree.lock().take();
            tree.ok_or_else(|| ExitReason::other("a chat is opened anew before it starts again"))
        })
    }
}

/// As long as nothing waits: ten years.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn off_is_never(time: Duration) -> Duration {
    if time.is_zero() { NEVER } else { time }
}

fn net_config(config: &Config) -> net::Config {
    let limits = &config.limits;
    let off_is_zero = |limit: Limit| limit.max().unwrap_or(0) as usize;
    let frame_bytes = limits.frame_bytes.max_or_all();
    // A silent client is asked twice before it is given up.
    let silence_max = off_is_never(limits.idle_timeout);
    net::Config {
        websocket: websocket::Limits {
            message_max: frame_bytes,
            ..websocket::Limits::default()
        },
        connections_max: limits.connections.max_or_all(),
        connections_per_ip: off_is_zero(limits.connections_per_ip),
        http_connections_max: off_is_zero(limits.connections_unauthenticated),
        out_frames_max: limits.outbound_frames.max_or_all(),
        out_bytes_max: limits.outbound_bytes.max_or_all(),
        ping_after: silence_max / 3,
        silence_max,
        write_timeout: off_is_never(limits.write_timeout),
        keep_alive: off_is_never(limits.keep_alive),
        ..net::Config::default()
    }
}
