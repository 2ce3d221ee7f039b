//! What it costs to tell many clients something over plain sockets, with nothing of a chat around it: the floor beside
//! which the chat's own fan-out is to be read.
//!
//! `cargo run --release --example bare_fanout --features web -- N K` writes N messages, 40 a second, to each of K connections
//! over loopback, one after another, and reads them on another thread as they come. You will see one line of JSON: how
//! long a message took to the reader of any connection, and to the last, in microseconds. K needs twice as many
//! open files (`ulimit -n`).
#![allow(clippy::print_stdout, reason = "a bench is read in a terminal")]

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use perennial::process;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// As long as a frame of the chat that carries a short message.
const MESSAGE: usize = 160;

/// Between two messages.
const PACE: Duration = Duration::from_millis(25);

/// A message that has not come by then is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// The reading side: everybody who is told.
struct Readers {
    poll: Poll,
    sockets: Vec<TcpStream>,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut number = |default| {
        args.next()
            .map_or(Ok(default), |text| text.parse::<usize>())
    };
    let (messages, clients) = (number(240)?, number(1000)?);
    let (mut writers, readers) = connect(clients)?;
    let epoch = Instant::now();
    let reading = thread::spawn(move || readers.read_all(messages, epoch));
    for message in 0..messages {
        let due = PACE * u32::try_from(message + 1)?;
        process::sleep(due.saturating_sub(epoch.elapsed()));
        let mut bytes = [b'x'; MESSAGE];
        bytes[..8].copy_from_slice(&micros(epoch).to_le_bytes());
        for writer in &mut writers {
            writer.write_all(&bytes)?;
        }
    }
    let mut each = reading.join().map_err(|_| "the reader panicked")??;
    // Each message's slowest, by the time at which it was written.
    let mut last: Vec<u64> = each
        .chunk_by(|(sent, _), (next, _)| sent == next)
        .filter_map(|of_one| of_one.iter().map(|(_, took)| *took).max())
        .collect();
    each.sort_unstable_by_key(|(_, took)| *took);
    last.sort_unstable();
    let any: Vec<u64> = each.into_iter().map(|(_, took)| took).collect();
    println!(
        "{{\"peer\":\"bare sockets\",\"workload\":\"fanout\",\"n\":{messages},\"k\":{clients},\
         \"p50_us\":{},\"p99_us\":{},\"last_p50_us\":{},\"last_p99_us\":{}}}",
        percentile(&any, 50),
        percentile(&any, 99),
        percentile(&last, 50),
        percentile(&last, 99),
    );
    Ok(())
}

/// Connections over loopback: who writes to them, and who reads.
fn connect(clients: usize) -> Result<(Vec<std::net::TcpStream>, Readers)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let poll = Poll::new()?;
    let (mut writers, mut sockets) = (Vec::new(), Vec::new());
    for client in 0..clients {
        let socket = std::net::TcpStream::connect(address)?;
        let (writer, _) = listener.accept()?;
        writer.set_nodelay(true)?;
        writers.push(writer);
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry()
            .register(&mut socket, Token(client), Interest::READABLE)?;
        sockets.push(socket);
    }
    Ok((writers, Readers { poll, sockets }))
}

impl Readers {
    /// When each message was written, in microseconds, and how long it took to one reader; sorted by the first.
    fn read_all(mut self, messages: usize, epoch: Instant) -> Result<Vec<(u64, u64)>> {
        let mut came = Vec::new();
        let mut events = Events::with_capacity(1024);
        while came.len() < messages * self.sockets.len() {
            self.poll.poll(&mut events, Some(PATIENCE))?;
            if events.is_empty() {
                return Err("messages were lost".into());
            }
            for event in &events {
                self.read(event.token().0, epoch, &mut came)?;
            }
        }
        came.sort_unstable();
        Ok(came)
    }

    /// Reads what one connection has. A message comes in one piece, as it is written at once and short.
    fn read(&mut self, client: usize, epoch: Instant, came: &mut Vec<(u64, u64)>) -> Result<()> {
        let mut bytes = [0; MESSAGE];
        loop {
            match self.sockets[client].read(&mut bytes) {
                Ok(MESSAGE) => {
                    let (sent, _) = bytes.split_first_chunk().ok_or("a message has a time")?;
                    let sent = u64::from_le_bytes(*sent);
                    came.push((sent, micros(epoch).saturating_sub(sent)));
                }
                Ok(0) => return Err("a connection was closed".into()),
                Ok(_) => return Err("a message came in pieces".into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn micros(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or(0)
}
