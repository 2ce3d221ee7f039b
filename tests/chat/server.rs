//! A chat server for one test: a runtime, a data directory and a port of its own.

use crate::http_client::{Answer, Request};
use crate::socket_client::Socket;
use perennial::chat::config::{Config, Limit};
use perennial::chat::name::Name;
use perennial::chat::password::Password;
use perennial::chat::{Account, Program};
use perennial::process::Kind;
use perennial::time::Clock;
use perennial::{Runtime, store};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const PASSWORD: &str = "correct horse";

/// A directory that is gone when the test is over.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("perennial-chat-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    /// A data directory in it, which does not exist yet.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that failed tells its own story; what it leaves behind is not part of it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) account: Account,
    pub(crate) token: String,
}

/// A running server. Dropped, it is stopped in order, and nothing of it may be left.
pub(crate) struct Server {
    program: Program,
    runtime: Option<Runtime>,
    scratch: Scratch,
}

/// The settings of a test: nothing is limited but what the test is about.
pub(crate) fn unlimited(data: &Path) -> Config {
    let mut config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.to_owned(),
        ..Config::default()
    };
    let limits = &mut config.limits;
    limits.messages_per_second = Limit::Off;
    limits.messages_burst = Limit::Off;
    limits.joins_per_second = Limit::Off;
    limits.reads_per_second = Limit::Off;
    limits.frames_per_second = Limit::Off;
    limits.sign_ins_per_minute = Limit::Off;
    limits.connections_per_ip = Limit::Off;
    limits.connections_unauthenticated = Limit::Off;
    config
}

/// The kind of every process that is not marked otherwise: the gate plays all of this once with threads.
fn default_kind() -> Kind {
    match std::env::var("PERENNIAL_DEFAULT_KIND").as_deref() {
        Ok("thread") => Kind::Thread,
        _ => Kind::Pooled,
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Server::with(|_| ())
    }

    /// Starts with settings that are not quite those of [`unlimited`].
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Server::with_store(change, |_| ())
    }

    pub(crate) fn with_store(
        change: impl FnOnce(&mut Config),
        change_store: impl FnOnce(&mut store::Config),
    ) -> Self {
        let config = |data: &Path| {
            let mut config = unlimited(data);
            // A busy machine keeps a test from reading for longer than anybody else would.
            config.limits.write_timeout = Duration::ZERO;
            config.limits.idle_timeout = Duration::ZERO;
            change(&mut config);
            config
        };
        Server::start_as(config, change_store, None)
    }

    /// Starts with a configuration of its own, and a clock that a test moves.
    pub(crate) fn with_clock(config: impl FnOnce(&Path) -> Config, clock: Option<Clock>) -> Self {
        Server::start_as(config, |_| (), clock)
    }

    /// Starts with all that may be changed.
    pub(crate) fn start_as(
        config: impl FnOnce(&Path) -> Config,
        change_store: impl FnOnce(&mut store::Config),
        clock: Option<Clock>,
    ) -> Self {
        let scratch = Scratch::new();
        let config = config(&scratch.data());
        let mut store = store::Config::new(&config.data);
        change_store(&mut store);
        let mut runtime = Runtime::builder().workers(2).default_kind(default_kind());
        if let Some(clock) = clock {
            runtime = runtime.clock(clock);
        }
        let runtime = runtime.build().unwrap();
        let entered = runtime.enter();
        let program = Program::start_with(&config, store).unwrap();
        drop(entered);
        Server {
            program,
            runtime: Some(runtime),
            scratch,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.program.local_addr()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.data()
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// Runs a closure in the server's runtime.
    pub(crate) fn inside<T>(&self, run: impl FnOnce() -> T) -> T {
        let _entered = self.runtime().enter();
        run()
    }

    pub(crate) fn send(&self, request: Request) -> Answer {
        request.send(self.addr())
    }

    /// Signs up and in past the network.
    pub(crate) fn user(&self, name: &str) -> User {
        let (name, password) = (Name::new(name).unwrap(), Password::new(PASSWORD).unwrap());
        let chat = self.program.chat();
        self.inside(|| {
            chat.sign_up(name.clone(), password.clone()).unwrap();
            let (token, account) = chat.sign_in(name, password).unwrap();
            User {
                account,
                token: token.to_string(),
            }
        })
    }

    pub(crate) fn room(&self, name: &str) {
        let name = Name::new(name).unwrap();
        let created = self.inside(|| self.program.chat().create_room(name));
        created.unwrap();
    }

    /// A WebSocket of somebody who is signed in.
    pub(crate) fn socket(&self, user: &User) -> Socket {
        Socket::connect(self.addr(), &user.token).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let runtime = self.runtime.take().unwrap();
        let entered = runtime.enter();
        self.program.stop();
        drop(entered);
        let report = runtime.shutdown(PATIENCE);
        assert_eq!(report.zombies, 0, "{report:?}");
    }
}
