//! Frames: S-48 to S-51 of the security list, RFC 6455 §5 to §8, and the cases of the Autobahn suite by their kinds.

use perennial::web::websocket::{CloseCode, Event, Frame, Limits, Message, MessageDecoder};
use proptest::prelude::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FIN: u8 = 0x80;
const CONTINUE: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// A masked frame in the shortest form.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

fn text(text: &str) -> Event {
    Event::Message(Message::Text(text.to_owned()))
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(Message::Binary(bytes.to_vec()))
}

fn close(code: u16, reason: &str) -> Event {
    Event::Close(CloseCode::new(code), reason.to_owned())
}

/// The events of these pieces, and the code of the error that ended them.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<u16>) {
    let mut decoder = MessageDecoder::new(Limits {
        message_max: 1024,
        fragments_max: 4,
    });
    let mut events = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error.code.get())),
            }
        }
        assert!(piece.is_empty(), "None means that all was taken");
    }
    (events, None)
}

type Case = (&'static str, Vec<Vec<u8>>, Vec<Event>, Option<u16>);

fn cases() -> Vec<Case> {
    let mut cases = messages();
    cases.extend(bad_frames());
    cases.extend(sizes());
    cases.extend(utf8());
    cases.extend(closes());
    cases
}

/// Sugar that rustfmt leaves alone: `name: frames => events, error;`.
macro_rules! cases {
    ($($name:literal: [$($frame:expr),*] => [$($event:expr),*], $error:expr;)*) => {
        vec![$(($name, vec![$(Vec::from($frame)),*], vec![$($event),*], $error)),*]
    };
}

fn messages() -> Vec<Case> {
    let long = "a".repeat(126);
    cases! {
        "nothing": [] => [], None;
        "empty text": [frame(FIN | TEXT, b"")] => [text("")], None;
        "text": [frame(FIN | TEXT, b"hi")] => [text("hi")], None;
        "text of 125": [frame(FIN | TEXT, &[b'a'; 125])] => [text(&long[1..])], None;
        "text of 126": [frame(FIN | TEXT, &[b'a'; 126])] => [text(&long)], None;
        "empty binary": [frame(FIN | BINARY, b"")] => [binary(b"")], None;
        "binary of no utf-8": [frame(FIN | BINARY, b"\xff\x00")] => [binary(b"\xff\x00")], None;
        "ping": [frame(FIN | PING, b"p")] => [Event::Ping(b"p".to_vec())], None;
        "ping of 125": [frame(FIN | PING, &[7; 125])] => [Event::Ping(vec![7; 125])], None;
        "pong nobody asked for": [frame(FIN | PONG, b"x")] => [Event::Pong], None;
        "two texts": [frame(FIN | TEXT, b"a"), frame(FIN | TEXT, b"b")] => [text("a"), text("b")], None;
        "two fragments": [frame(TEXT, b"a"), frame(FIN | CONTINUE, b"b")] => [text("ab")], None;
        "four fragments": [frame(BINARY, b"a"), frame(CONTINUE, b"b"), frame(CONTINUE, b""), frame(FIN | CONTINUE, b"c")] => [binary(b"abc")], None;
        "empty fragments": [frame(TEXT, b""), frame(CONTINUE, b""), frame(FIN | CONTINUE, b"")] => [text("")], None;
        "ping between fragments": [frame(TEXT, b"a"), frame(FIN | PING, b"p"), frame(FIN | CONTINUE, b"b")] => [Event::Ping(b"p".to_vec()), text("ab")], None;
        "half a message": [frame(TEXT, b"a")] => [], None;
        "half a header": [[FIN | TEXT]] => [], None;
        "half a payload": [&frame(FIN | TEXT, b"abc")[..7]] => [], None;
    }
}

fn bad_frames() -> Vec<Case> {
    let bad = Some(1002);
    cases! {
        "without a mask": [b"\x81\x02hi"] => [], bad;
        "ping without a mask": [b"\x89\x00"] => [], bad;
        "first reserved bit": [frame(FIN | 0x40 | TEXT, b"")] => [], bad;
        "second reserved bit": [frame(FIN | 0x20 | TEXT, b"")] => [], bad;
        "third reserved bit": [frame(FIN | 0x10 | PING, b"")] => [], bad;
        "opcode 3": [frame(FIN | 0x3, b"")] => [], bad;
        "opcode 7": [frame(FIN | 0x7, b"")] => [], bad;
        "opcode 11": [frame(FIN | 0xb, b"")] => [], bad;
        "opcode 15": [frame(FIN | 0xf, b"")] => [], bad;
        "fragmented ping": [frame(PING, b"")] => [], bad;
        "fragmented close": [frame(CLOSE, b"")] => [], bad;
        "ping of 126": [frame(FIN | PING, &[0; 126])] => [], bad;
        "close of 126": [frame(FIN | CLOSE, &[0; 126])] => [], bad;
        "length of 125 in 16 bit": [b"\x82\xfe\x00\x7d\x00\x00\x00\x00"] => [], bad;
        "length of 0xffff in 64 bit": [b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00"] => [], bad;
        "length with the sign bit": [b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"] => [], bad;
        "continuation of nothing": [frame(FIN | CONTINUE, b"")] => [], bad;
        "continuation after a message": [frame(FIN | TEXT, b"a"), frame(FIN | CONTINUE, b"")] => [text("a")], bad;
        "text inside a text": [frame(TEXT, b"a"), frame(FIN | TEXT, b"b")] => [], bad;
        "binary inside a text": [frame(TEXT, b"a"), frame(BINARY, b"b")] => [], bad;
        "good before bad": [frame(FIN | TEXT, b"a"), b"\x81\x00"] => [text("a")], bad;
    }
}

fn sizes() -> Vec<Case> {
    let big = Some(1009);
    cases! {
        "message at the limit": [frame(FIN | BINARY, &[1; 1024])] => [binary(&[1; 1024])], None;
        "message above the limit": [frame(FIN | BINARY, &[1; 1025])] => [], big;
        "refused by its announced length": [b"\x82\xff\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00"] => [], big;
        "largest length there is": [b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"] => [], big;
        "fragments at the limit": [frame(BINARY, &[1; 512]), frame(FIN | CONTINUE, &[1; 512])] => [binary(&[1; 1024])], None;
        "fragments above the limit": [frame(BINARY, &[1; 512]), frame(FIN | CONTINUE, &[1; 513])] => [], big;
        "fifth fragment": [frame(TEXT, b""), frame(CONTINUE, b""), frame(CONTINUE, b""), frame(CONTINUE, b""), frame(FIN | CONTINUE, b"")] => [], big;
        "fragments are counted by message": [frame(TEXT, b""), frame(FIN | CONTINUE, b""), frame(TEXT, b""), frame(CONTINUE, b""), frame(FIN | CONTINUE, b"")] => [text(""), text("")], None;
    }
}

fn utf8() -> Vec<Case> {
    let bad = Some(1007);
    let whole = "κόσμε 방 🦀";
    cases! {
        "many scripts": [frame(FIN | TEXT, whole.as_bytes())] => [text(whole)], None;
        "character cut by a fragment": [frame(TEXT, b"\xf0\x9f"), frame(CONTINUE, b"\xa6"), frame(FIN | CONTINUE, b"\x80")] => [text("🦀")], None;
        "ping inside a character": [frame(TEXT, b"\xf0\x9f"), frame(FIN | PING, b""), frame(FIN | CONTINUE, b"\xa6\x80")] => [Event::Ping(Vec::new()), text("🦀")], None;
        "stray byte": [frame(FIN | TEXT, b"a\xff")] => [], bad;
        "surrogate": [frame(FIN | TEXT, b"\xed\xa0\x80")] => [], bad;
        "overlong": [frame(FIN | TEXT, b"\xc0\xaf")] => [], bad;
        "above U+10FFFF": [frame(FIN | TEXT, b"\xf4\x90\x80\x80")] => [], bad;
        "cut character at the end": [frame(FIN | TEXT, b"a\xf0\x9f\xa6")] => [], bad;
        "cut character at the end of fragments": [frame(TEXT, b"a"), frame(FIN | CONTINUE, b"\xf0\x9f")] => [], bad;
        "fails before the message ends": [frame(TEXT, b"a\xff")] => [], bad;
        "fails before the frame ends": [&frame(FIN | TEXT, b"\xff and a lot that never comes")[..7]] => [], bad;
        "fails at the first impossible byte": [frame(TEXT, b"\xf4\x90")] => [], bad;
        "fails before the next frame": [frame(TEXT, b"\xff"), frame(FIN | PING, b"")] => [], bad;
        "binary fragments may be anything": [frame(BINARY, b"\xff"), frame(FIN | CONTINUE, b"\xf0")] => [binary(b"\xff\xf0")], None;
    }
}

fn closes() -> Vec<Case> {
    let reason = "r".repeat(123);
    let code = |code: u16| frame(FIN | CLOSE, &code.to_be_bytes());
    let with = |code: u16, reason: &str| {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        frame(FIN | CLOSE, &payload)
    };
    let mut cases = cases! {
        "close without a code": [frame(FIN | CLOSE, b"")] => [close(1005, "")], None;
        "close of one byte": [frame(FIN | CLOSE, b"\x03")] => [], Some(1002);
        "close with a reason": [with(1001, "방")] => [close(1001, "방")], None;
        "close with the longest reason": [with(1000, &reason)] => [close(1000, &reason)], None;
        "close with a reason of no utf-8": [frame(FIN | CLOSE, b"\x03\xe8\xff")] => [], Some(1007);
        "close inside a message": [frame(TEXT, b"a"), code(1000)] => [close(1000, "")], None;
        "nothing after a close": [code(1000), frame(FIN | TEXT, b"a"), b"\xff\xff"] => [close(1000, "")], None;
    };
    for good in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        cases.push((
            "good close code",
            vec![code(good)],
            vec![close(good, "")],
            None,
        ));
    }
    for bad in [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
    ] {
        cases.push(("bad close code", vec![code(bad)], Vec::new(), Some(1002)));
    }
    cases
}

#[test]
fn every_case_ends_as_the_table_says() {
    for (name, frames, events, error) in cases() {
        let bytes = frames.concat();
        assert_eq!(decode([bytes.as_slice()]), (events, error), "{name}");
    }
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    for (name, frames, events, error) in cases() {
        let bytes = frames.concat();
        assert_eq!(decode(bytes.chunks(1)), (events, error), "{name}");
    }
}

#[test]
fn error_is_said_again() {
    let mut decoder = MessageDecoder::new(Limits::default());
    let first = decoder.next(&mut &b"\x81\x00"[..]).unwrap_err();
    let good = frame(FIN | TEXT, b"a");
    assert_eq!(decoder.next(&mut good.as_slice()), Err(first));
}

fn wire(frame: &Frame) -> Vec<u8> {
    [frame.header(), frame.payload()].concat()
}

#[test]
fn shared_bytes_are_not_copied() {
    let bytes: std::sync::Arc<[u8]> = b"{}".as_slice().into();
    for frame in [
        Frame::shared_text(bytes.clone()),
        Frame::shared_binary(bytes.clone()),
    ] {
        assert!(std::ptr::eq(frame.payload(), &*bytes));
    }
}

#[test]
fn frames_to_send_are_short_and_unmasked() {
    let table: [(Frame, &[u8]); 8] = [
        (Frame::text("hi"), b"\x81\x02hi"),
        (Frame::text(""), b"\x81\x00"),
        (Frame::binary(b"\xff"), b"\x82\x01\xff"),
        (Frame::ping(b"p"), b"\x89\x01p"),
        (Frame::pong(b""), b"\x8a\x00"),
        (
            Frame::close(CloseCode::RESTART, "back soon"),
            b"\x88\x0b\x03\xf4back soon",
        ),
        (
            Frame::close(CloseCode::NO_STATUS, "never sent"),
            b"\x88\x00",
        ),
        (Frame::close(CloseCode::ABNORMAL, ""), b"\x88\x00"),
    ];
    for (frame, bytes) in table {
        assert_eq!(wire(&frame), bytes);
        assert_eq!(frame.len(), bytes.len());
    }
    assert_eq!(Frame::binary(&[0; 126]).header(), b"\x82\x7e\x00\x7e");
    assert_eq!(
        Frame::binary(&[0; 65536]).header(),
        b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"
    );
    assert_eq!(Frame::ping(&[0; 200]).len(), 127);
    let long = Frame::close(CloseCode::POLICY, &"방".repeat(60));
    assert_eq!(long.len(), 2 + 2 + 123);
    assert!(std::str::from_utf8(&long.payload()[2..]).is_ok());
}

#[test]
fn debug_of_a_message_hides_the_words() {
    let debug = format!("{:?} {:?}", text("hush"), Frame::text("hush"));
    assert!(!debug.contains("hush"), "{debug}");
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        cuts in prop::collection::vec(1_usize..30, 0..60),
    ) {
        let cases = cases();
        let bytes: Vec<u8> = picks.iter().flat_map(|pick| pick.get(&cases).1.concat()).collect();
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(decode(pieces), decode([bytes.as_slice()]));
    }

    #[test]
    fn noise_gives_the_same_events_in_any_cut(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cut in 1_usize..20,
    ) {
        prop_assert_eq!(decode(bytes.chunks(cut)), decode([bytes.as_slice()]));
    }

    #[test]
    fn text_survives_any_fragmentation(words in "\\PC{0,60}", sizes in prop::collection::vec(0_usize..9, 0..3)) {
        let mut bytes = Vec::new();
        let mut rest = words.as_bytes();
        let mut opcode = TEXT;
        for size in sizes {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            bytes.extend(frame(opcode, piece));
            opcode = CONTINUE;
            rest = after;
        }
        bytes.extend(frame(FIN | opcode, rest));
        prop_assert_eq!(decode([bytes.as_slice()]), (vec![text(&words)], None));
    }
}
