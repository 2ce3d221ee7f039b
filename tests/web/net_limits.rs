//! Who may come in: S-41 of the security list.

use crate::support::{Client, PATIENCE, Server, echo, echo_path, eventually};
use perennial::web::net::{BindError, Config, ConnectionRefused, Listener, Refusal};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// What was refused so far, and why.
fn refusals(server: &Server) -> Arc<Mutex<Vec<Refusal>>> {
    let refusals = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&refusals);
    server.telemetry.attach(move |event: &ConnectionRefused| {
        list.lock().expect("not poisoned").push(event.why);
    });
    refusals
}

#[track_caller]
fn expect_refused(server: &Server) {
    let mut client = server.client();
    // A request that is on its way already does not cost the client its answer.
    client.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.header("retry-after").is_some());
    client.expect_end();
}

/// Connections up to a limit are served, one more is told 503, and a place that is left is taken again.
#[track_caller]
fn limit_holds(config: Config, limit: usize, why: Refusal) {
    let server = Server::start(config, echo_path);
    let refusals = refusals(&server);
    let mut clients: Vec<Client> = (0..limit).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/a").status, 200);
    }
    expect_refused(&server);
    expect_refused(&server);
    assert_eq!(*refusals.lock().expect("not poisoned"), [why, why]);
    for client in &mut clients {
        assert_eq!(client.get("/b").status, 200);
    }
    clients.pop();
    eventually("the place is free", || {
        server.listener.connections() < limit
    });
    assert_eq!(server.client().get("/c").status, 200);
}

#[test]
fn connections_in_total_are_limited() {
    let config = Config {
        connections_max: 5,
        ..Config::default()
    };
    limit_holds(config, 5, Refusal::Total);
}

#[test]
fn connections_of_one_address_are_limited() {
    let config = Config {
        connections_per_ip: 6,
        ..Config::default()
    };
    limit_holds(config, 6, Refusal::Address);
}

#[test]
fn connections_of_unknown_people_are_limited() {
    let config = Config {
        http_connections_max: 7,
        ..Config::default()
    };
    limit_holds(config, 7, Refusal::Unknown);
}

#[test]
fn websocket_does_not_count_as_unknown() {
    let config = Config {
        http_connections_max: 2,
        ..Config::default()
    };
    let server = Server::start(config, echo);
    let mut sockets: Vec<Client> = (0..10).map(|_| server.socket()).collect();
    for socket in &mut sockets {
        socket.text("in");
        socket.expect_text("in");
    }
    assert_eq!(server.listener.connections(), 10);
    sockets.clear();
    eventually("all places are free", || server.listener.connections() == 0);
}

#[test]
fn zero_is_no_limit_for_an_address() {
    let config = Config {
        connections_per_ip: 0,
        ..Config::default()
    };
    let server = Server::start(config, echo_path);
    let mut clients: Vec<Client> = (0..100).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/a").status, 200);
    }
}

#[test]
fn crowd_of_refused_clients_takes_no_room() {
    let config = Config {
        connections_max: 1,
        ..Config::default()
    };
    let server = Server::start(config, echo_path);
    let mut first = server.client();
    assert_eq!(first.get("/a").status, 200);
    // More than may linger; none of them leaves by itself.
    let mut crowd: Vec<Client> = (0..200).map(|_| server.client()).collect();
    for client in &mut crowd {
        assert_eq!(client.answer().status, 503);
    }
    assert_eq!(server.listener.connections(), 1);
    assert_eq!(first.get("/b").status, 200);
    drop(first);
    eventually("the place is free", || server.listener.connections() == 0);
    assert_eq!(server.client().get("/c").status, 200);
}

#[test]
fn taken_port_and_bad_settings_are_errors_that_say_so() {
    let server = Server::start(Config::default(), echo_path);
    let addr = server.listener.local_addr();
    let error = Listener::bind(addr, Config::default()).expect_err("the port is taken");
    assert!(
        matches!(error, BindError::Io(at, _) if at == addr),
        "{error}"
    );
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    let config = Config {
        out_frames_max: 0,
        ..Config::default()
    };
    let error = Listener::bind(addr, config).expect_err("no frame could be sent");
    assert!(error.to_string().contains("out_frames_max"), "{error}");
}

#[test]
fn ipv6_is_served_and_counted_by_its_network() {
    // E64.
    let config = Config {
        connections_per_ip: 1,
        ..Config::default()
    };
    let addr: SocketAddr = "[::1]:0".parse().expect("an address");
    let listener = match Listener::bind(addr, config) {
        Ok(listener) => listener,
        Err(error) => {
            println!("skipped, as this machine has no IPv6: {error}");
            return;
        }
    };
    let clock = perennial::time::Clock::system();
    let server = Server::on(listener, clock, None, echo_path);
    let mut client = server.client();
    assert_eq!(client.get("/a").status, 200);
    expect_refused(&server);
}

const CHILD: &str = "PERENNIAL_TEST_SERVER_WITHOUT_FILES";

/// A server whose program has a handful of descriptors left. It runs in a program of its own, as the limit would
/// hit every other test of this one; the test below starts it.
#[test]
fn server_of_the_next_test() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let server = Server::start(Config::default(), echo_path);
    let refusals = refusals(&server);
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
        assert!(
            files.len() < 100_000,
            "this program has a limit of open files"
        );
    }
    files.truncate(files.len() - 10);
    println!("port {}", server.listener.local_addr().port());
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .expect("the parent lives");
    let refusals = refusals.lock().expect("not poisoned");
    assert!(
        refusals.iter().all(|why| *why == Refusal::NoFile),
        "{refusals:?}"
    );
    println!("refused {}", refusals.len());
}

#[test]
fn program_without_descriptors_refuses_and_recovers() {
    let test = std::env::current_exe().expect("this test");
    // The gate keeps 256 descriptors for others, so it lets 44 in where there is room for 10.
    let mut child = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 300 && exec \"$0\" --exact net_limits::server_of_the_next_test --nocapture",
        ])
        .arg(test)
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a program");
    let mut input = child.stdin.take().expect("piped");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut number_after = move |word: &str| -> u16 {
        loop {
            let line = output.next().expect("the child speaks").expect("text");
            if let Some((_, number)) = line.split_once(word) {
                return number.trim().parse().expect("a number");
            }
        }
    };
    let addr = SocketAddr::from(([127, 0, 0, 1], number_after("port ")));
    let mut clients: Vec<Client> = (0..30).map(|_| Client::connect(addr)).collect();
    let mut served = 0;
    for client in &mut clients {
        match client.try_get("/a") {
            Some(200) => served += 1,
            Some(503) | None => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((5..=10).contains(&served), "{served} served");
    drop(clients);
    let deadline = std::time::Instant::now() + PATIENCE;
    while Client::connect(addr).try_get("/a") != Some(200) {
        assert!(std::time::Instant::now() < deadline, "it does not recover");
    }
    writeln!(input, "enough").expect("the child listens");
    assert!(number_after("refused ") >= 20);
    assert!(child.wait().expect("an end").success());
}
