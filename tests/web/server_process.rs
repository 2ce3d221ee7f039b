//! Reactors as processes under a supervisor.

use crate::support::{Client, PATIENCE, UPGRADE, closed, eventually, masked, opened, recorded};
use perennial::prelude::*;
use perennial::process::{self, wait_quiesced, watch};
use perennial::web::Server;
use perennial::web::http::{Request, Response, Status};
use perennial::web::net::{Closed, ClosedBy, Config, Incoming, Listener, Responder, Service, Sink};
use perennial::web::websocket::{CloseCode, Frame, Handshake};
use perennial::{ExitReason, Pid, Runtime};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

struct Stage {
    runtime: Option<Runtime>,
    listener: Listener,
    supervisor: Ref<supervisor::Msg>,
}

impl Stage {
    fn new(reactors: usize, service: impl Service) -> Stage {
        let runtime = Runtime::new().expect("a runtime");
        let _entered = runtime.enter();
        let addr = ([127, 0, 0, 1], 0).into();
        let listener = Listener::bind(addr, Config::default()).expect("a free port");
        let server = Server::new(listener.clone(), service).reactors(reactors);
        let supervisor = server.drain(PATIENCE).start().expect("a supervisor");
        Stage {
            runtime: Some(runtime),
            listener,
            supervisor,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.listener.local_addr())
    }

    fn socket(&self) -> Client {
        let mut client = self.client();
        client.write(UPGRADE);
        assert!(client.head().starts_with("HTTP/1.1 101 "));
        client
    }

    fn in_runtime<T>(&self, act: impl FnOnce() -> T) -> T {
        let _entered = self.runtime.as_ref().expect("not ended").enter();
        act()
    }

    /// The pids of the reactors that run.
    fn reactors(&self) -> Vec<Pid> {
        let children = self.in_runtime(|| supervisor::which_children(&self.supervisor));
        let children = children.expect("the supervisor lives");
        let running = children.iter().filter_map(|child| match child.state {
            supervisor::ChildState::Running(pid) => Some(pid),
            _ => None,
        });
        running.collect()
    }

    fn kill(&self, pid: Pid) {
        self.in_runtime(|| {
            process::exit(pid, ExitReason::Kill);
            assert!(wait_quiesced(pid, PATIENCE), "the reactor ends");
        });
    }

    fn stop(&self) {
        self.in_runtime(|| supervisor::stop(&self.supervisor))
            .expect("stopped");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown(PATIENCE);
        }
    }
}

#[test]
fn killed_reactor_is_back_on_the_same_port() {
    let (service, told) = recorded();
    let stage = Stage::new(1, service);
    let mut socket = stage.socket();
    let connection = opened(&told);
    let mut client = stage.client();
    assert_eq!(client.get("/a").body, "/a");
    for _ in 0..3 {
        let [reactor] = stage.reactors()[..] else {
            panic!("one reactor");
        };
        stage.kill(reactor);
        client.expect_gone();
        client = stage.client();
        assert_eq!(client.get("/b").body, "/b");
        let [successor] = stage.reactors()[..] else {
            panic!("one reactor");
        };
        assert_ne!(reactor, successor);
    }
    socket.expect_gone();
    assert_eq!(closed(&told).by, ClosedBy::Lost);
    assert!(connection.send(&Frame::text("late")).is_err());
    assert_eq!(stage.listener.connections(), 1);
}

#[test]
fn idle_reactor_hears_a_kill_at_once() {
    let runtime_grace = Duration::from_secs(3600);
    let runtime = Runtime::builder()
        .kill_grace(runtime_grace)
        .build()
        .expect("a runtime");
    let entered = runtime.enter();
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Config::default()).expect("a port");
    let server = Server::new(listener.clone(), crate::support::echo_path);
    let tree = server.start().expect("a supervisor");
    assert_eq!(Client::connect(listener.local_addr()).get("/a").status, 200);
    let children = supervisor::which_children(&tree).expect("the supervisor lives");
    let supervisor::ChildState::Running(pid) = children[0].state else {
        panic!("one reactor");
    };
    // Nothing happens on any socket, and no grace ends the wait: only the kill itself can.
    let mut watch = watch(pid);
    process::exit(pid, ExitReason::Kill);
    let down = watch.wait(PATIENCE).expect("it ends");
    assert_eq!(down.reason, ExitReason::Killed);
    drop(entered);
    runtime.shutdown(PATIENCE);
}

#[test]
fn exit_of_somebody_else_means_nothing_to_a_reactor() {
    let stage = Stage::new(1, crate::support::echo_path);
    let mut client = stage.client();
    assert_eq!(client.get("/a").status, 200);
    let reactors = stage.reactors();
    stage.in_runtime(|| process::exit(reactors[0], ExitReason::other("mind your business")));
    assert_eq!(client.get("/b").status, 200);
    assert_eq!(stage.reactors(), reactors);
}

#[test]
fn other_reactors_serve_on_when_one_is_killed() {
    let (service, told) = recorded();
    let stage = Stage::new(2, service);
    let mut sockets: Vec<Client> = (0..20).map(|_| stage.socket()).collect();
    let connections: Vec<_> = (0..20).map(|_| opened(&told)).collect();
    let reactors = stage.reactors();
    assert_eq!(reactors.len(), 2);
    stage.kill(reactors[0]);
    let lost = connections.iter().filter(|one| !one.is_open()).count();
    for (socket, connection) in sockets.iter_mut().zip(&connections) {
        if connection.send(&Frame::text("still here")).is_ok() {
            socket.expect_text("still here");
        } else {
            socket.expect_gone();
        }
    }
    for _ in 0..lost {
        assert_eq!(closed(&told).by, ClosedBy::Lost);
    }
    let mut client = stage.client();
    assert_eq!(client.get("/a").status, 200);
}

#[test]
fn server_that_is_stopped_says_goodbye() {
    // E63, E95.
    let (requests, request) = mpsc::channel();
    let requests = Mutex::new(requests);
    let (service, told) = recorded();
    let stage = Stage::new(1, move |request: Request, responder: Responder| {
        if request.path() == "/wait" {
            requests
                .lock()
                .expect("not poisoned")
                .send(responder)
                .expect("the test listens");
        } else {
            service.call(request, responder);
        }
    });
    let mut socket = stage.socket();
    opened(&told);
    let mut busy = stage.client();
    busy.write("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    let responder: Responder = request.recv().expect("the request");
    std::thread::scope(|scope| {
        scope.spawn(|| stage.stop());
        socket.expect_close(1012);
        socket.frame(0x88, &1012_u16.to_be_bytes());
        socket.expect_end();
        responder.send(Response::new(Status::OK).text("last"));
        assert_eq!(busy.answer().body, "last");
        drop(busy);
    });
    assert_eq!(closed(&told).code, CloseCode::RESTART);
    assert_eq!(stage.listener.connections(), 0);
}

#[test]
fn runtime_that_shuts_down_stops_its_server_in_order() {
    let (service, told) = recorded();
    let mut stage = Stage::new(1, service);
    let mut socket = stage.socket();
    opened(&told);
    let runtime = stage.runtime.take().expect("not ended");
    std::thread::scope(|scope| {
        let report = scope.spawn(|| runtime.shutdown(PATIENCE));
        socket.expect_close(1012);
        socket.frame(0x88, b"");
        socket.expect_end();
        assert_eq!(report.join().expect("no panic").zombies, 0);
    });
    assert_eq!(closed(&told).code, CloseCode::RESTART);
}

/// One pooled process for each client, started by the service, which runs in the reactor's process.
struct Parrot(perennial::web::net::Connection);

impl GenServer for Parrot {
    type Args = perennial::web::net::Connection;
    type Msg = Incoming;

    fn init(connection: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Parrot(connection))
    }

    fn handle(&mut self, incoming: Incoming, _: &mut Cx<Self>) -> Next<Incoming> {
        let perennial::web::websocket::Message::Text(text) = incoming.message() else {
            return Next::Stop(ExitReason::other("speaks text"));
        };
        // A client that has gone is told of by its sink.
        let _ = self.0.send(&Frame::text(text));
        Next::Loop
    }
}

struct ToParrot(Ref<Incoming>);

impl Sink for ToParrot {
    fn message(&mut self, message: Incoming) {
        self.0.cast(message);
    }

    fn closed(&mut self, _: Closed) {
        process::exit(self.0.pid(), ExitReason::Shutdown);
    }
}

#[test]
fn one_process_for_each_client() {
    let stage = Stage::new(1, |request: Request, responder: Responder| {
        let handshake = Handshake::check(&request).expect("nothing else is asked");
        responder.upgrade(handshake, |connection| {
            let parrot = perennial::gen_server::spec::<Parrot>(connection.clone()).pooled();
            ToParrot(parrot.start().expect("room for a parrot"))
        });
    });
    let before = stage.in_runtime(|| process::counts().processes);
    let mut sockets: Vec<Client> = (0..10).map(|_| stage.socket()).collect();
    for _ in 0..50 {
        for (at, socket) in sockets.iter_mut().enumerate() {
            socket.text(&format!("hello {at}"));
        }
        for (at, socket) in sockets.iter_mut().enumerate() {
            socket.expect_text(&format!("hello {at}"));
        }
    }
    assert_eq!(
        stage.in_runtime(|| process::counts().processes),
        before + 10
    );
    drop(sockets);
    eventually("the parrots are gone", || {
        stage.in_runtime(|| process::counts().processes) == before
    });
}

/// Tells a process what happens to its WebSocket, and holds its reactor up at every message.
struct Warden {
    cell: Ref<Cell>,
    gate: Arc<Gate>,
}

/// Where a callback waits until the test lets it through.
struct Gate {
    reached: Mutex<mpsc::Sender<()>>,
    open: Mutex<mpsc::Receiver<()>>,
}

impl Gate {
    fn new() -> (Arc<Self>, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((reached, at_gate), (opener, open)) = (mpsc::channel(), mpsc::channel());
        let gate = Gate {
            reached: Mutex::new(reached),
            open: Mutex::new(open),
        };
        (Arc::new(gate), at_gate, opener)
    }

    fn pass(&self) {
        let reached = self.reached.lock().expect("not poisoned");
        reached.send(()).expect("the test listens");
        let open = self.open.lock().expect("not poisoned");
        open.recv_timeout(PATIENCE).expect("the test opens");
    }
}

#[derive(Debug, PartialEq)]
enum Cell {
    Message,
    Closed(ClosedBy),
}

/// Passes on what it hears.
struct Prisoner(mpsc::Sender<Cell>);

impl GenServer for Prisoner {
    type Args = mpsc::Sender<Cell>;
    type Msg = Cell;

    fn init(told: Self::Args, _: &mut Cx<Self>) -> Init<Self> {
        Init::Ok(Prisoner(told))
    }

    fn handle(&mut self, heard: Cell, _: &mut Cx<Self>) -> Next<Cell> {
        let _ = self.0.send(heard);
        Next::Loop
    }
}

impl Sink for Warden {
    fn message(&mut self, _: Incoming) {
        self.gate.pass();
        self.cell.cast(Cell::Message);
    }

    fn closed(&mut self, closed: Closed) {
        self.cell.cast(Cell::Closed(closed.by));
    }
}

/// What the sinks of a reactor tell others while it has been killed already and does not know: a process that is not
/// told of the end of its WebSocket would live for ever.
#[test]
fn sinks_of_a_killed_reactor_are_heard() {
    let (gate, at_gate, opener) = Gate::new();
    let (told, heard) = mpsc::channel();
    let told = Mutex::new(told);
    let stage = Stage::new(1, move |request: Request, responder: Responder| {
        let handshake = Handshake::check(&request).expect("nothing else is asked");
        let told = told.lock().expect("not poisoned").clone();
        let cell = perennial::gen_server::start::<Prisoner>(told).expect("a process");
        let gate = gate.clone();
        responder.upgrade(handshake, |_| Warden { cell, gate });
    });
    let mut socket = stage.socket();
    // A message, and a Close that the reactor sees in the same turn.
    let mut bytes = masked(0x81, b"hold");
    bytes.extend(masked(0x88, &1000_u16.to_be_bytes()));
    socket.write(bytes);
    at_gate.recv_timeout(PATIENCE).expect("the message");
    let [reactor] = stage.reactors()[..] else {
        panic!("one reactor");
    };
    stage.in_runtime(|| process::exit(reactor, ExitReason::Kill));
    opener.send(()).expect("the reactor waits");
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(Cell::Message));
    assert_eq!(
        heard.recv_timeout(PATIENCE),
        Ok(Cell::Closed(ClosedBy::Peer))
    );
    stage.in_runtime(|| assert!(wait_quiesced(reactor, PATIENCE), "the reactor ends"));
    assert!(heard.try_recv().is_err(), "told once");
}

/// The process that a service has started for a WebSocket hears of its end, although the reactor was killed before the
/// WebSocket had a sink.
#[test]
fn upgrade_of_a_killed_reactor_is_completed_and_its_sink_told() {
    let (gate, at_gate, opener) = Gate::new();
    let (told, heard) = mpsc::channel();
    let told = Mutex::new(told);
    let stage = Stage::new(1, move |request: Request, responder: Responder| {
        let handshake = Handshake::check(&request).expect("nothing else is asked");
        gate.pass();
        let told = told.lock().expect("not poisoned").clone();
        responder.upgrade(handshake, |_| Warden {
            cell: perennial::gen_server::start::<Prisoner>(told).expect("a process"),
            gate: gate.clone(),
        });
    });
    let mut client = stage.client();
    client.write(UPGRADE);
    at_gate.recv_timeout(PATIENCE).expect("the request");
    let [reactor] = stage.reactors()[..] else {
        panic!("one reactor");
    };
    stage.in_runtime(|| process::exit(reactor, ExitReason::Kill));
    opener.send(()).expect("the reactor waits");
    assert_eq!(
        heard.recv_timeout(PATIENCE),
        Ok(Cell::Closed(ClosedBy::Lost))
    );
    client.expect_gone();
}
