//! The serializer: exact bytes out, exact values in, and limits.
//!
//! Cases marked E99 and E100 come from Phoenix's `socket/v2_json_serializer_test.exs`, J158 from
//! `assets/test/serializer_test.js`.

use perennial::web::channel::codec::{self, DecodeError, EncodeError, Field, Limits};
use perennial::web::channel::{Frame, FrameKind, Message, Payload, Status, WireRef};
use proptest::prelude::*;
use serde_json::{Value, json};

fn text(frame: &Frame) -> &str {
    assert_eq!(frame.kind(), FrameKind::Text);
    std::str::from_utf8(frame.bytes()).expect("text frames are UTF-8")
}

fn decode(text: &str) -> Result<Message, DecodeError> {
    codec::decode_text(text, &Limits::default())
}

fn push_frame(lens: [u8; 4], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&lens);
    bytes.extend_from_slice(rest);
    bytes
}

// ## Text in

#[test]
fn text_frame_is_taken_apart() {
    // E99.
    let message = decode(r#"["12","1","topic","event",{"payload":"m"}]"#).unwrap();
    assert_eq!(message.join_ref, "12".into());
    assert_eq!(message.msg_ref, "1".into());
    assert_eq!(&*message.topic, "topic");
    assert_eq!(&*message.event, "event");
    assert_eq!(message.payload.value(), Some(json!({"payload": "m"})));
}

#[test]
fn refs_keep_the_type_the_client_gave_them() {
    let table = [
        ("null", WireRef::Null),
        ("\"7\"", WireRef::Text("7".into())),
        ("\"\"", WireRef::Text("".into())),
        ("\"a\\u00e9\"", WireRef::Text("aé".into())),
        ("7", WireRef::Scalar("7".into())),
        ("-1.50", WireRef::Scalar("-1.50".into())),
        ("true", WireRef::Scalar("true".into())),
    ];
    for (spelled, expected) in table {
        let message = decode(&format!("[{spelled}, {spelled} ,\"t\",\"e\",{{}}]")).unwrap();
        assert_eq!(message.join_ref, expected, "{spelled}");
        assert_eq!(message.msg_ref, expected, "{spelled}");
    }
}

#[test]
fn refs_come_back_as_they_went() {
    for spelled in ["null", "\"7\"", "7", "-1.50", "false", r#""a\"b""#] {
        let message = decode(&format!("[{spelled},{spelled},\"t\",\"e\",{{}}]")).unwrap();
        let reply = codec::reply(
            &message.join_ref,
            &message.msg_ref,
            "t",
            &Status::OK,
            &Payload::empty(),
        );
        let expected =
            format!(r#"[{spelled},{spelled},"t","phx_reply",{{"response":{{}},"status":"ok"}}]"#);
        assert_eq!(text(&reply.unwrap()), expected);
    }
}

#[test]
fn any_json_is_a_payload() {
    // E76: list payloads work; and joins with `null` do.
    for payload in ["null", "[1,2]", "\"x\"", "3.0", "{\"a\":{}}"] {
        let message = decode(&format!("[\"1\",\"2\",\"t\",\"e\",{payload}]")).unwrap();
        assert_eq!(message.payload.json(), Some(payload));
    }
}

#[test]
fn elements_after_the_fifth_are_ignored() {
    let message = decode(r#"["1","2","t","e",{},"more",[{"and":1}]]"#).unwrap();
    assert_eq!(message.payload, Payload::empty());
    let many = format!("[\"1\",\"2\",\"t\",\"e\",{{}}{}]", ",0".repeat(5_000));
    assert_eq!(decode(&many), Err(DecodeError::Malformed));
}

#[test]
fn what_is_no_message_is_malformed() {
    let table = [
        "",
        "null",
        "{}",
        "[]",
        r#"["1","2","t","e"]"#,
        r#"["1","2","t","e",{}"#,
        r#"["1","2","t","e",{}]]"#,
        r#"["1","2","t","e",{"a":}]"#,
        r#"["1","2","t","e",{"a"}]"#,
        r#"["1","2","t","e",}]"#,
        r#"["1","2","t","e","\x"]"#,
        r#"["1","2","t","e","open]"#,
        r#"["1","2",3,"e",{}]"#,
        r#"["1","2","t",null,{}]"#,
        r#"["1","2","\ud800","e",{}]"#,
        r#"[["1"],"2","t","e",{}]"#,
        r#"["1",{},"t","e",{}]"#,
        r#"{"topic":"t","event":"e","payload":{},"ref":"1"}"#,
    ];
    for frame in table {
        let error = decode(frame).unwrap_err();
        assert_eq!(error, DecodeError::Malformed, "{frame}");
        assert_eq!(error.close_code(), 1011, "{frame}");
    }
}

// ## Limits

#[test]
fn fields_over_their_limit_are_refused_and_at_it_accepted() {
    let limits = Limits {
        topic_len_max: 8,
        event_len_max: 6,
        ref_len_max: 4,
        ..Limits::default()
    };
    let table = [
        ("1234", "1234", "12345678", "123456", None),
        ("12345", "1", "t", "e", Some(Field::Ref)),
        ("1", "12345", "t", "e", Some(Field::Ref)),
        ("1", "1", "123456789", "e", Some(Field::Topic)),
        ("1", "1", "ééééé", "e", Some(Field::Topic)),
        ("1", "1", "t", "1234567", Some(Field::Event)),
    ];
    for (join_ref, msg_ref, topic, event, over) in table {
        let frame = json!([join_ref, msg_ref, topic, event, {}]).to_string();
        let decoded = codec::decode_text(&frame, &limits);
        let lens = [join_ref, msg_ref, topic, event].map(|field| field.len() as u8);
        let fields = [join_ref, msg_ref, topic, event].concat();
        let binary = codec::decode_binary(&push_frame(lens, fields.as_bytes()), &limits);
        for decoded in [decoded, binary] {
            match over {
                None => assert!(decoded.is_ok(), "{frame}"),
                Some(field) => {
                    let error = decoded.unwrap_err();
                    assert_eq!(error, DecodeError::FieldTooLong(field), "{frame}");
                    assert_eq!(error.close_code(), 1008);
                }
            }
        }
    }
}

#[test]
fn frame_over_its_limit_is_refused_before_it_is_read() {
    let limits = Limits {
        frame_len_max: 32,
        ..Limits::default()
    };
    let fits = r#"["1","2","t","e",{"a":"aaaaaaa"}]"#;
    assert_eq!(fits.len(), 33);
    assert!(codec::decode_text(&fits.replace("aaaaaaa", "aaaaaa"), &limits).is_ok());
    let error = codec::decode_text(fits, &limits).unwrap_err();
    assert_eq!(
        (error.clone(), error.close_code()),
        (DecodeError::FrameTooLong, 1009)
    );
    let binary = codec::decode_binary(&[0; 33], &limits);
    assert_eq!(binary, Err(DecodeError::FrameTooLong));
}

#[test]
fn payload_has_sixteen_levels_and_no_more() {
    let nested = |depth: usize| {
        let payload = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        decode(&format!(r#"["1","2","t","e",{payload}]"#))
    };
    assert!(nested(16).is_ok());
    assert_eq!(nested(17), Err(DecodeError::TooDeep));
    // Deep enough to overflow the stack of a recursive parser.
    assert_eq!(nested(30_000), Err(DecodeError::TooDeep));
}

#[test]
fn brackets_in_strings_are_no_levels() {
    let frame = format!(
        r#"["1","2","t","e",{{"a\\\"{}":":,{{"}}]"#,
        "[{".repeat(100)
    );
    assert!(decode(&frame).is_ok());
}

#[test]
fn payload_has_256_keys_and_no_more() {
    let object = |keys: usize| {
        let fields: Vec<String> = (0..keys).map(|key| format!("\"{key}\":0")).collect();
        decode(&format!(r#"["1","2","t","e",{{{}}}]"#, fields.join(",")))
    };
    assert!(object(256).is_ok());
    assert_eq!(object(257), Err(DecodeError::TooManyKeys));
}

// ## Text out

#[test]
fn push_is_an_array_with_join_ref_and_no_ref() {
    // E99.
    let frame = codec::push(&"12".into(), "t", "e", &json!({"m": 1}).into()).unwrap();
    assert_eq!(text(&frame), r#"["12",null,"t","e",{"m":1}]"#);
}

#[test]
fn reply_is_an_array_with_response_and_status() {
    // E99.
    let frame = codec::reply(
        &"12".into(),
        &"1".into(),
        "t",
        &Status::OK,
        &json!({"m": 1}).into(),
    );
    assert_eq!(
        text(&frame.unwrap()),
        r#"["12","1","t","phx_reply",{"response":{"m":1},"status":"ok"}]"#
    );
}

#[test]
fn reply_has_any_status_and_any_response() {
    let status = Status::new("st\"ale");
    let frame = codec::reply(
        &WireRef::Null,
        &"1".into(),
        "t",
        &status,
        &json!([1, null]).into(),
    );
    assert_eq!(
        text(&frame.unwrap()),
        r#"[null,"1","t","phx_reply",{"response":[1,null],"status":"st\"ale"}]"#
    );
}

#[test]
fn broadcast_has_no_refs() {
    // E99.
    let frame = codec::broadcast("t", "e", &json!({"m": 1}).into()).unwrap();
    assert_eq!(text(&frame), r#"[null,null,"t","e",{"m":1}]"#);
}

#[test]
fn broadcast_is_encoded_once_and_shared() {
    let frame = codec::broadcast("t", "e", &Payload::empty()).unwrap();
    assert!(frame.clone().shares_bytes_with(&frame));
    let other = codec::broadcast("t", "e", &Payload::empty()).unwrap();
    assert_eq!(other, frame);
    assert!(!other.shares_bytes_with(&frame));
}

#[test]
fn end_of_a_channel_carries_its_join_ref_twice() {
    assert_eq!(
        text(&codec::close(&"3".into(), "t")),
        r#"["3","3","t","phx_close",{}]"#
    );
    assert_eq!(
        text(&codec::error(&"3".into(), "t")),
        r#"["3","3","t","phx_error",{}]"#
    );
}

#[test]
fn push_and_broadcast_refuse_what_is_no_object() {
    // E99: a payload that is not a map raises.
    for payload in [json!(1), json!(["a"]), json!("s"), Value::Null] {
        let payload = Payload::from(payload);
        let pushed = codec::push(&"1".into(), "t", "e", &payload);
        assert_eq!(pushed, Err(EncodeError::NotAnObject));
        let sent = codec::broadcast("t", "e", &payload);
        assert_eq!(sent, Err(EncodeError::NotAnObject));
    }
}

#[test]
fn text_is_raw_utf8_with_only_the_necessary_escapes() {
    let payload = json!({"body": "한국어 </script> \u{1F600} \"q\" \n"});
    let frame = codec::broadcast("방:\"1\"", "e", &payload.into()).unwrap();
    assert_eq!(
        text(&frame),
        "[null,null,\"방:\\\"1\\\"\",\"e\",{\"body\":\"한국어 </script> \u{1F600} \\\"q\\\" \\n\"}]"
    );
}

// ## Binary

#[test]
fn binary_push_of_a_client_is_taken_apart() {
    // E100; the bytes are those a real client sends.
    let bytes = b"\x00\x01\x01\x06\x0312room:bbin\x01\x02\xff";
    let message = codec::decode_binary(bytes, &Limits::default()).unwrap();
    assert_eq!(message.join_ref, "1".into());
    assert_eq!(message.msg_ref, "2".into());
    assert_eq!((&*message.topic, &*message.event), ("room:b", "bin"));
    assert_eq!(message.payload, Payload::binary(b"\x01\x02\xff".as_slice()));
}

#[test]
fn binary_refs_equal_text_refs() {
    let bytes = push_frame([1, 0, 1, 1], b"1te");
    let binary = codec::decode_binary(&bytes, &Limits::default()).unwrap();
    let text = decode(r#"["1",null,"t","e",null]"#).unwrap();
    assert_eq!(binary.join_ref, text.join_ref);
    assert_eq!(binary.msg_ref, text.msg_ref);
}

#[test]
fn binary_frames_out_are_exact() {
    // E100, J158.
    let data = Payload::binary(b"\x01\x02\xff".as_slice());
    let (one, two) = (&"1".into(), &"2".into());
    let table = [
        (
            codec::push(one, "room:b", "bin", &data),
            b"\x00\x01\x06\x031room:bbin\x01\x02\xff".as_slice(),
        ),
        (
            codec::reply(one, two, "room:b", &Status::OK, &data),
            b"\x01\x01\x01\x06\x0212room:bok\x01\x02\xff",
        ),
        (
            codec::broadcast("room:b", "bin", &data),
            b"\x02\x06\x03room:bbin\x01\x02\xff",
        ),
    ];
    for (frame, expected) in table {
        let frame = frame.unwrap();
        assert_eq!(frame.kind(), FrameKind::Binary);
        assert_eq!(frame.bytes(), expected);
    }
}

#[test]
fn binary_fields_over_255_bytes_do_not_encode() {
    // E100.
    let data = Payload::binary(b"".as_slice());
    let long = "x".repeat(256);
    let fits = "x".repeat(255);
    let wire = |text: &str| WireRef::Text(text.into());
    let table = [
        (codec::push(&wire(&long), "t", "e", &data), Field::Ref),
        (codec::push(&wire("1"), &long, "e", &data), Field::Topic),
        (codec::push(&wire("1"), "t", &long, &data), Field::Event),
        (codec::broadcast(&long, "e", &data), Field::Topic),
        (codec::broadcast("t", &long, &data), Field::Event),
        (
            codec::reply(&wire("1"), &wire(&long), "t", &Status::OK, &data),
            Field::Ref,
        ),
        (
            codec::reply(&wire("1"), &wire("2"), &long, &Status::OK, &data),
            Field::Topic,
        ),
        (
            codec::reply(
                &wire("1"),
                &wire("2"),
                "t",
                &Status::new(long.clone()),
                &data,
            ),
            Field::Status,
        ),
    ];
    for (frame, field) in table {
        assert_eq!(frame, Err(EncodeError::FieldTooLong(field)));
    }
    assert!(codec::push(&wire(&fits), &fits, &fits, &data).is_ok());
    // Text frames have no such length bytes.
    assert!(codec::push(&wire(&long), &long, &long, &Payload::empty()).is_ok());
}

#[test]
fn broken_binary_frames_are_refused() {
    let table: [(&[u8], DecodeError); 6] = [
        (b"", DecodeError::Malformed),
        (b"\x00\x01\x01", DecodeError::Malformed),
        (b"\x00\x01\x01\x06\x0312room:bbi", DecodeError::Malformed),
        (b"\x00\x00\x00\x01\x01\xffe", DecodeError::Malformed),
        (
            b"\x01\x01\x01\x06\x0212room:bok",
            DecodeError::UnknownKind(1),
        ),
        (b"\x09", DecodeError::UnknownKind(9)),
    ];
    for (bytes, expected) in table {
        let error = codec::decode_binary(bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.close_code(), 1011);
        assert_eq!(error, expected);
    }
}

// ## Properties

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn short() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn every_message_survives_text(
        join_ref in short(), msg_ref in short(), topic in short(), event in short(), payload in any_json(),
    ) {
        let frame = json!([join_ref, msg_ref, topic, event, payload]).to_string();
        let message = decode(&frame).unwrap();
        prop_assert_eq!(&*message.topic, topic.as_str());
        prop_assert_eq!(&*message.event, event.as_str());
        prop_assert_eq!(message.payload.value(), Some(payload.clone()));
        let reply = codec::reply(&message.join_ref, &message.msg_ref, &topic, &Status::OK, &message.payload);
        let back: Value = serde_json::from_str(text(&reply.unwrap())).unwrap();
        prop_assert_eq!(
            back,
            json!([join_ref, msg_ref, topic, "phx_reply", {"response": payload, "status": "ok"}])
        );
    }

    #[test]
    fn no_text_panics_and_what_passes_is_within_limits(frame in any::<String>()) {
        if let Ok(message) = decode(&frame) {
            prop_assert!(message.topic.len() <= Limits::default().topic_len_max);
        }
    }

    #[test]
    fn no_soup_of_json_panics(
        pieces in prop::collection::vec(
            prop::sample::select(vec!["[", "]", "{", "}", ",", ":", "\"", "\\", "\"t\"", "1", "null", "\\u"]), 0..40
        )
    ) {
        let _ = decode(&pieces.concat());
        let _ = decode(&format!(r#"["1","2","t","e",{}]"#, pieces.concat()));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = codec::decode_binary(&bytes, &Limits::default());
        let mut push = vec![0];
        push.extend_from_slice(&bytes);
        if let Ok(message) = codec::decode_binary(&push, &Limits::default()) {
            let fields = [&message.topic, &message.event].map(|field| field.len());
            prop_assert!(fields.iter().sum::<usize>() + message.payload.len() <= bytes.len());
        }
    }
}
