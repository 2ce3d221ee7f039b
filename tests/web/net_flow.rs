//! Many frames in either direction: order, bounds, and whom a slow client holds up.

use crate::support::{Client, Server, Told, closed, masked, next_told, opened, recorded};
use perennial::web::net::{ClosedBy, Config, SendError};
use perennial::web::websocket::{CloseCode, Frame, Message};

#[test]
fn broadcast_reaches_everybody_in_order() {
    // E56.
    const CLIENTS: usize = 40;
    const MESSAGES: usize = 100;
    let (service, told) = recorded();
    let config = Config {
        connections_per_ip: 0,
        ..Config::default()
    };
    let server = Server::start(config, service);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.socket()).collect();
    let connections: Vec<_> = (0..CLIENTS).map(|_| opened(&told)).collect();
    for at in 0..MESSAGES {
        let frame = Frame::text(&format!("message {at}"));
        for connection in &connections {
            connection.send(&frame).expect("sent");
        }
    }
    for client in &mut clients {
        for at in 0..MESSAGES {
            client.expect_text(&format!("message {at}"));
        }
    }
}

#[test]
fn threads_may_send_at_the_same_time() {
    let (service, told) = recorded();
    let config = Config {
        out_frames_max: 100_000,
        ..Config::default()
    };
    let server = Server::start(config, service);
    let mut client = server.socket();
    let connection = opened(&told);
    let senders: Vec<_> = (0..4)
        .map(|thread| {
            let connection = connection.clone();
            std::thread::spawn(move || {
                for at in 0..500 {
                    connection
                        .send(&Frame::text(&format!("{thread} {at}")))
                        .expect("sent");
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..2000 {
        let text = String::from_utf8(client.receive().payload).expect("text");
        let (thread, at) = text.split_once(' ').expect("two numbers");
        let thread: usize = thread.parse().expect("a number");
        assert_eq!(at, next[thread].to_string());
        next[thread] += 1;
    }
    for sender in senders {
        sender.join().expect("no panic");
    }
}

/// 64 KiB a frame: a few of them fill whatever the system buffers for a client that does not read.
fn large_frame() -> Frame {
    Frame::binary(&[7; 60_000])
}

#[test]
fn slow_consumer_is_closed_and_nobody_waits_for_it() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut slow = server.socket();
    let slow_connection = opened(&told);
    let mut quick = server.socket();
    let quick_connection = opened(&told);
    let frame = large_frame();
    let mut sent = 0;
    while slow_connection.send(&frame).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "a queue without a bound");
    }
    assert!(!slow_connection.is_open());
    quick_connection
        .send(&Frame::text("still here"))
        .expect("sent");
    quick.expect_text("still here");
    // It gets a part of what was sent, whole frames, and the reason.
    let mut received = 0;
    loop {
        let frame = slow.receive();
        if frame.opcode == 0x8 {
            assert_eq!(
                frame.payload,
                [&4408_u16.to_be_bytes()[..], b"slow consumer"].concat()
            );
            break;
        }
        assert_eq!((frame.opcode, frame.payload.len()), (0x2, 60_000));
        received += 1;
    }
    assert!(received < sent, "{received} of {sent}");
    slow.frame(0x88, &4408_u16.to_be_bytes());
    let closed = closed(&told);
    assert_eq!(
        (closed.by, closed.code),
        (ClosedBy::Local, CloseCode::SLOW_CONSUMER)
    );
}

#[test]
fn patient_sender_hears_when_there_is_room_and_nothing_is_lost() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    let connection = opened(&told);
    let frame = large_frame();
    let mut sent = 0;
    while connection.try_send(&frame).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "a queue without a bound");
    }
    assert_eq!(connection.try_send(&frame), Err(SendError::Full));
    assert!(connection.is_lagging() && connection.is_open());
    for _ in 0..sent {
        assert_eq!(client.receive().payload.len(), 60_000);
    }
    assert!(matches!(next_told(&told), Told::Drained));
    assert!(!connection.is_lagging());
    connection
        .try_send(&Frame::text("live again"))
        .expect("room");
    client.expect_text("live again");
}

#[test]
fn frame_above_the_bound_goes_out_when_nothing_waits() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    let connection = opened(&told);
    connection
        .try_send(&Frame::binary(&vec![1; 3 << 20]))
        .expect("taken");
    assert_eq!(client.receive().payload.len(), 3 << 20);
    connection
        .try_send(&Frame::binary(&vec![1; 3 << 20]))
        .expect("taken");
    assert_eq!(client.receive().payload.len(), 3 << 20);
}

#[test]
fn client_that_floods_is_read_no_faster_than_it_is_handled() {
    let (service, told) = recorded();
    let config = Config {
        in_frames_max: 8,
        ..Config::default()
    };
    let server = Server::start(config, service);
    let mut client = server.socket();
    opened(&told);
    let flood: Vec<u8> = (0..1000)
        .flat_map(|at| masked(0x81, at.to_string().as_bytes()))
        .collect();
    client.write(flood);
    let mut held = Vec::new();
    for at in 0..1000 {
        if held.len() == 8 {
            server.sync();
            assert!(told.try_recv().is_err(), "more under way than allowed");
            held.clear();
        }
        let Told::Message(message) = next_told(&told) else {
            panic!("a message");
        };
        assert_eq!(message.message(), &Message::Text(at.to_string()));
        held.push(message);
    }
}

#[test]
fn large_messages_are_held_back_by_their_bytes() {
    let (service, told) = recorded();
    let server = Server::start(Config::default(), service);
    let mut client = server.socket();
    opened(&told);
    let mut writer = client.stream.try_clone().expect("a second handle");
    let flood = masked(0x82, &[1; 60_000]).repeat(20);
    let sender = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &flood));
    let first: Vec<_> = (0..3).map(|_| next_told(&told)).collect();
    server.sync();
    assert!(
        told.try_recv().is_err(),
        "180,000 bytes are more than 128 KiB"
    );
    drop(first);
    for _ in 3..20 {
        assert!(matches!(next_told(&told), Told::Message(_)));
    }
    sender.join().expect("no panic").expect("written");
    client.frame(0x88, b"");
    client.expect_close(1005);
}
