//! The web: HTTP/1.1 and WebSocket on a reactor that owns the sockets, and Phoenix Channels on top of it.
//!
//! ```
//! use perennial::prelude::*;
//! use perennial::web::http::{Request, Response, Status};
//! use perennial::web::net::{Config, Listener, Responder};
//! use perennial::web::Server;
//! use std::io::{Read, Write};
//!
//! let listener = Listener::bind("127.0.0.1:0".parse()?, Config::default())?;
//! let server = Server::new(listener.clone(), |_: Request, responder: Responder| {
//!     responder.send(Response::new(Status::OK).text("hello"));
//! });
//! let tree = Supervisor::new(Strategy::OneForOne).child(server.child("web")).start()?;
//!
//! let mut client = std::net::TcpStream::connect(listener.local_addr())?;
//! client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.ends_with("hello"));
//! # drop(client);
//! supervisor::stop(&tree)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What answers requests is a [`Service`](net::Service): a closure, a [`Router`], or what a program makes of them.
//! It runs on the reactor's thread and must not wait; the [`Responder`](net::Responder) may go to a process that
//! answers later. Browsers that stay connected speak [channels](channel), each topic of each client a process.
//!
//! # How it dies
//! A client that goes away, or breaks the protocol, ends its own connection and nothing else. A service that panics
//! has answered 500, a sink closed its WebSocket with 1011. A reactor that dies takes its connections along, and
//! clients come back to its successor: the listening socket outlives it. Told to stop, a [`Server`] takes no more
//! connections, answers what has come, closes WebSockets with 1012, and cuts off what is not through after
//! [`drain`](Server::drain).
//!
//! # Options
//! [`net::Config`] bounds what a stranger can fill and what a stranger can hold up; [`http::Limits`] bounds a request;
//! [`Server`] has the number of reactors and the time to drain.
//!
//! # Inside
//! L5. Reading order: [`http`] and [`websocket`] decide (no socket, clock, thread or process in them), [`net`] acts,
//! [`router`] says who answers what, [`Server`] makes processes of it; [`cursor`] and [`channel`] speak to browsers.

pub mod http;

pub mod websocket;

pub mod net;

pub mod router;

mod server;

pub mod cursor;

pub mod channel;

pub use router::Router;
pub use server::Server;
