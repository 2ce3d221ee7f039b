//! A server that breaks a promise: it stands between clients and the true one, understands what they say, and lies.
//! With it a test shows that it would notice.

mod lie;

pub(crate) use lie::Lie;

use lie::{Liar, Memory, To};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::{Error, Message, WebSocket};

/// How long it listens to one end before it looks at the other.
const LOOK: Duration = Duration::from_millis(2);

/// After so long without a frame it hands on what it holds.
const IDLE: Duration = Duration::from_millis(300);

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The liar at work. It ends when this is dropped.
pub(crate) struct Between {
    addr: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    lie: Lie,
    server: Mutex<SocketAddr>,
    memory: Mutex<Memory>,
    is_over: AtomicBool,
}

impl Between {
    pub(crate) fn start(lie: Lie, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            lie,
            server: Mutex::new(server),
            memory: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let work = shared.clone();
        let listener = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if work.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = work.clone();
                // Its end is that of its connection.
                thread::spawn(move || shared.stand_between(client));
            }
        });
        Between {
            addr,
            shared,
            listener: Some(listener),
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The true server is somewhere else now.
    pub(crate) fn moved(&self, server: SocketAddr) {
        *self.shared.server.lock().unwrap() = server;
        self.shared.memory.lock().unwrap().forget();
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Somebody has to come for it to look.
        let _ = TcpStream::connect(self.addr);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn stand_between(&self, client: TcpStream) -> Option<()> {
        let mut asked = Asked::default();
        client.set_read_timeout(Some(HANDSHAKE)).ok()?;
        let mut client = tungstenite::accept_hdr(client, &mut asked).ok()?;
        let server = *self.server.lock().unwrap();
        let url = format!("ws://{server}{}", asked.uri);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", asked.by?);
        let stream = TcpStream::connect(server).ok()?;
        stream.set_read_timeout(Some(HANDSHAKE)).ok()?;
        let (mut server, _) = tungstenite::client(request, stream).ok()?;
        for stream in [client.get_ref(), server.get_ref()] {
            stream.set_nodelay(true).ok()?;
            stream.set_read_timeout(Some(LOOK)).ok()?;
        }
        let mut liar = Liar::new(self.lie);
        let mut frame_at = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            let mut to = Vec::new();
            if let Some(text) = read(&mut client)? {
                to.extend(liar.up(text, &mut self.memory.lock().unwrap()));
            }
            if let Some(text) = read(&mut server)? {
                to.extend(liar.down(text, &mut self.memory.lock().unwrap()));
            }
            if !to.is_empty() {
                frame_at = Instant::now();
            } else if frame_at.elapsed() > IDLE {
                to = liar.idle();
            }
            for to in to {
                let (end, text) = match to {
                    To::Server(text) => (&mut server, text),
                    To::Client(text) => (&mut client, text),
                };
                end.send(Message::text(text)).ok()?;
            }
        }
        None
    }
}

/// What a client asked for, and by which right.
#[derive(Default)]
struct Asked {
    uri: String,
    by: Option<HeaderValue>,
}

impl Callback for &mut Asked {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        self.uri = request.uri().to_string();
        self.by = request.headers().get("authorization").cloned();
        Ok(response)
    }
}

/// The next text, if there is one now; `None` if the connection is lost.
fn read(end: &mut WebSocket<TcpStream>) -> Option<Option<String>> {
    match end.read() {
        Ok(Message::Text(text)) => Some(Some(text.to_string())),
        Ok(Message::Close(_)) => None,
        Ok(_) => Some(None),
        Err(Error::Io(error))
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
            ) =>
        {
            Some(None)
        }
        Err(_) => None,
    }
}
