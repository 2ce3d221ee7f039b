//! Those who send what is no frame, or no request, or nothing, and read nothing. Nobody else is to notice.

use crate::dice::Dice;
use crate::town::{ROOMS, room};
use crate::witness::{Crowd, NO_MESSAGES};
use serde_json::json;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// From one act to the next, of one vandal.
const PACE: Duration = Duration::from_millis(60);

/// How long a vandal waits to be cut off.
const PATIENCE: Duration = Duration::from_millis(300);

/// Connections that a vandal holds and does not read.
const HELD_MAX: usize = 6;

/// One vandal, until the crowd is over.
pub(crate) fn rage(
    crowd: &Crowd,
    token: &str,
    mut dice: Dice,
    acts: &Arc<AtomicUsize>,
) -> JoinHandle<()> {
    let (crowd, token, acts) = (crowd.clone(), token.to_owned(), acts.clone());
    thread::spawn(move || {
        let mut held = VecDeque::new();
        while !crowd.is_over() {
            if let Some(stream) = act(&crowd, &token, &mut dice) {
                held.push_back(stream);
                if held.len() > HELD_MAX {
                    held.pop_front();
                }
            }
            acts.fetch_add(1, Ordering::Relaxed);
            crowd.wait_until(PACE, |_| false);
        }
    })
}

/// A connection that is to stay is returned. Whatever the server does is right, so errors are no news.
fn act(crowd: &Crowd, token: &str, dice: &mut Dice) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(crowd.server()).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    match dice.below(8) {
        // Noise.
        0 => {
            let noise: Vec<u8> = (0..dice.below(4_000)).map(|_| dice.roll() as u8).collect();
            stream.write_all(&noise).ok()?;
            let _ = stream.read(&mut [0; 512]);
        }
        // Half a request.
        1 => {
            let request = handshake(token);
            let half = dice.below(request.len());
            stream.write_all(&request.as_bytes()[..half]).ok()?;
            reset(&stream);
        }
        // One that drips, and is left so.
        2 => {
            stream.write_all(b"GET / HTTP/1.1\r\nHo").ok()?;
            return Some(stream);
        }
        // Somebody in a busy room who never reads.
        3 => {
            shake_hands(&mut stream, token)?;
            let topic = format!("room:{}", room(dice.below(ROOMS as usize) as u32));
            let join = json!(["1", "1", topic, "phx_join", {}]).to_string();
            stream.write_all(&frame(0x81, join.as_bytes(), true)).ok()?;
            return Some(stream);
        }
        _ => {
            shake_hands(&mut stream, token)?;
            let bad = bad_frame(dice);
            stream.write_all(&bad).ok()?;
            let _ = stream.read(&mut [0; 512]);
            if dice.one_in(2) {
                reset(&stream);
            }
        }
    }
    None
}

fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn handshake(token: &str) -> String {
    format!(
        "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
}

fn shake_hands(stream: &mut TcpStream, token: &str) -> Option<()> {
    stream.write_all(handshake(token).as_bytes()).ok()?;
    let read = stream.read(&mut [0; 512]).ok()?;
    (read > 0).then_some(())
}

/// RFC 6455 §5.2, with a mask of zeros.
fn frame(head: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    let mut bytes = vec![head];
    match payload.len() {
        len @ 0..126 => bytes.push(mask | len as u8),
        len => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
    }
    if is_masked {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

/// What no client may send.
fn bad_frame(dice: &mut Dice) -> Vec<u8> {
    match dice.below(10) {
        // Not masked.
        0 => frame(0x81, b"[null,\"1\",\"phoenix\",\"heartbeat\",{}]", false),
        // An opcode that there is not, and a reserved bit.
        1 => frame(0x83, b"x", true),
        2 => frame(0xC1, b"x", true),
        // A control frame that is too long, and one in parts.
        3 => frame(0x89, &[b'x'; 200], true),
        4 => frame(0x09, b"x", true),
        // The second part of nothing.
        5 => frame(0x80, b"x", true),
        // No UTF-8.
        6 => frame(0x81, &[0xFF, 0xFE], true),
        // A length that nobody has.
        7 => vec![0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        _ => {
            let which = dice.below(NO_MESSAGES.len());
            frame(0x81, NO_MESSAGES[which].as_bytes(), true)
        }
    }
}
