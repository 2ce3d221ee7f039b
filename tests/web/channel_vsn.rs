//! Version 1.0.0 of the serializer, by table: the cases of Phoenix's `socket/v1_json_serializer_test.exs`.

use perennial::web::channel::codec::{self, DecodeError, Field, Limits};
use perennial::web::channel::{Frame, Payload, Status, Vsn, WireRef};
use serde_json::json;

fn old(frame: &Frame) -> String {
    let frame = Vsn::V1.translate(frame).expect("a text frame");
    String::from_utf8(frame.bytes().to_vec()).expect("UTF-8")
}

#[test]
fn frames_for_old_clients_are_objects_without_a_join_ref() {
    // E101.
    let payload = Payload::from(json!({"m": 1}));
    let push = codec::push(&"5".into(), "t", "e", &payload).expect("a push");
    assert_eq!(
        old(&push),
        r#"{"event":"e","payload":{"m":1},"ref":null,"topic":"t"}"#
    );
    let broadcast = codec::broadcast("t", "e", &payload).expect("a broadcast");
    assert_eq!(
        old(&broadcast),
        r#"{"event":"e","payload":{"m":1},"ref":null,"topic":"t"}"#
    );
    let reply = codec::reply(
        &"5".into(),
        &"6".into(),
        "t",
        &Status::OK,
        &json!([1]).into(),
    );
    assert_eq!(
        old(&reply.expect("a reply")),
        r#"{"event":"phx_reply","payload":{"response":[1],"status":"ok"},"ref":"6","topic":"t"}"#
    );
    assert_eq!(
        old(&codec::close(&"5".into(), "t")),
        r#"{"event":"phx_close","payload":{},"ref":"5","topic":"t"}"#
    );
    let odd =
        codec::broadcast("a\"b\\방", "e", &json!({"x": "\u{1}\"]"}).into()).expect("a broadcast");
    assert_eq!(
        old(&odd),
        r#"{"event":"e","payload":{"x":"\u0001\"]"},"ref":null,"topic":"a\"b\\방"}"#
    );
    let bytes = codec::broadcast("t", "e", &Payload::binary([1])).expect("a broadcast");
    assert_eq!(Vsn::V1.translate(&bytes), None, "it has no bytes");
    assert!(
        Vsn::V2
            .translate(&bytes)
            .is_some_and(|same| same.shares_bytes_with(&bytes))
    );
}

#[test]
fn message_of_an_old_client_is_an_object_with_four_keys() {
    // E93, E101.
    let limits = Limits::default();
    let read = |text: &str| Vsn::V1.decode_text(text, &limits);
    let message =
        read(r#"{"ref":"1","topic":"t","event":"e","payload":"m","more":[1]}"#).expect("a message");
    assert_eq!(
        (&message.join_ref, &message.msg_ref),
        (&WireRef::Null, &"1".into())
    );
    assert_eq!(
        (&*message.topic, &*message.event, message.payload.json()),
        ("t", "e", Some("\"m\""))
    );
    // A join is known by its ref from then on.
    let join = read(r#"{"topic":"t","event":"phx_join","payload":{},"ref":7}"#).expect("a join");
    assert_eq!(
        (join.join_ref.clone(), join.join_ref),
        (join.msg_ref, WireRef::Scalar("7".into()))
    );
    let newer = read(r#"{"join_ref":"3","ref":null,"topic":"t","event":"e","payload":{}}"#)
        .expect("a message");
    assert_eq!((newer.join_ref, newer.msg_ref), ("3".into(), WireRef::Null));
    let escaped =
        read(r#"{"\u0072ef":"1","topic":"t","event":"e","payload":{}}"#).expect("a message");
    assert_eq!(escaped.msg_ref, "1".into());
    let long = format!(
        r#"{{"ref":"1","topic":"{}","event":"e","payload":{{}}}}"#,
        "t".repeat(513)
    );
    let deep = format!(
        r#"{{"ref":"1","topic":"t","event":"e","payload":{}1{}}}"#,
        "[".repeat(17),
        "]".repeat(17)
    );
    let wide = format!(
        r#"{{"ref":"1","topic":"t","event":"e","payload":"{}"}}"#,
        "x".repeat(64 * 1024)
    );
    for (text, error) in [
        (
            r#"{"ref":"1","topic":"t","event":"e"}"#,
            DecodeError::Malformed,
        ),
        (
            r#"{"ref":"1","topic":"t","payload":{}}"#,
            DecodeError::Malformed,
        ),
        (
            r#"{"ref":"1","event":"e","payload":{}}"#,
            DecodeError::Malformed,
        ),
        (
            r#"{"topic":"t","event":"e","payload":{}}"#,
            DecodeError::Malformed,
        ),
        (
            r#"{"ref":[],"topic":"t","event":"e","payload":{}}"#,
            DecodeError::Malformed,
        ),
        (
            r#"{"ref":"1","topic":1,"event":"e","payload":{}}"#,
            DecodeError::Malformed,
        ),
        (r#"["1","1","t","e",{}]"#, DecodeError::Malformed),
        ("{", DecodeError::Malformed),
        ("1", DecodeError::Malformed),
        (&long, DecodeError::FieldTooLong(Field::Topic)),
        (&deep, DecodeError::TooDeep),
        (&wide, DecodeError::FrameTooLong),
    ] {
        assert_eq!(read(text), Err(error), "{}", &text[..text.len().min(80)]);
    }
    assert_eq!(
        Vsn::V1.decode_binary(b"\x00\x00\x00\x00\x00", &limits),
        Err(DecodeError::Malformed)
    );
}
