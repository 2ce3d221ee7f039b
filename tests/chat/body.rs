//! Bodies and client ids: what is kept as written, what is cleaned, what is refused and with which reason.

use perennial::chat::body::{Body, BodyError, ClientId};
use proptest::prelude::*;

#[test]
fn a_body_is_kept_as_written() {
    for text in [
        "hello",
        " indented",
        "trailing ",
        "a\tb",
        "two\nlines\n",
        "안녕하세요",
        "👩‍👩‍👧‍👦",
        "cafe\u{301}",
        "\u{fa19}",
        "<b>&amp;</b>",
        "\u{202e}rtl",
        "a\u{2028}b",
        "'; DROP TABLE messages; --",
        "0",
        ".",
    ] {
        assert_eq!(Body::new(text).unwrap().as_str(), text);
    }
}

#[test]
fn control_characters_are_dropped_and_line_ends_become_one() {
    for (text, kept) in [
        ("a\0b", "ab"),
        ("bell\u{7}", "bell"),
        ("\u{1b}[31mred", "[31mred"),
        ("a\u{7f}b\u{85}c\u{9b}d", "abcd"),
        ("one\r\ntwo", "one\ntwo"),
        ("one\rtwo", "one\ntwo"),
        ("one\r\r\ntwo\r", "one\n\ntwo\n"),
    ] {
        assert_eq!(Body::new(text).unwrap().as_str(), kept, "{text:?}");
    }
}

#[test]
fn a_body_has_something_to_read() {
    for text in [
        "",
        " ",
        "\n\t \r\n",
        "\0",
        "\u{1b}",
        "\u{a0}\u{3000}",
        "\u{200b}",
        "\u{feff}",
        "\u{3164}",
        "\u{2800}",
        "\u{fe0f}",
        "\u{200d}\u{200d}",
        "\u{e0041}",
    ] {
        assert_eq!(Body::new(text), Err(BodyError::Blank), "{text:?}");
    }
}

#[test]
fn a_body_ends_at_4000_code_points_and_at_16_kib() {
    for letter in ["a", "é", "가", "😀"] {
        assert!(Body::new(&letter.repeat(4_000)).is_ok());
        assert_eq!(Body::new(&letter.repeat(4_001)), Err(BodyError::TooLong));
    }
    // 4,000 code points are at most 16,000 bytes, so the limit in bytes can only be met together with the other;
    // it is there for the reader who counts bytes.
    assert_eq!(Body::new(&"😀".repeat(4_096)), Err(BodyError::TooLong));
    // What is dropped does not count.
    assert!(Body::new(&format!("{}{}", "\0".repeat(20_000), "a".repeat(4_000))).is_ok());
    // Too long comes before blank: the sender learns that it was the length.
    assert_eq!(Body::new(&" ".repeat(4_001)), Err(BodyError::TooLong));
}

#[test]
fn refusals_have_a_reason_for_the_wire_and_words_for_people() {
    assert_eq!(BodyError::Blank.reason(), "invalid");
    assert_eq!(BodyError::TooLong.reason(), "too_long");
    assert_eq!(
        BodyError::Blank.to_string(),
        "a message needs something to read"
    );
    assert_eq!(BodyError::TooLong.to_string(), "the message is too long");
}

#[test]
fn a_client_id_has_1_to_64_bytes() {
    for text in ["x", " ", "\0", "3f2a-17", "가"] {
        assert_eq!(ClientId::new(text).unwrap().as_str(), text);
    }
    assert!(ClientId::new(&"x".repeat(64)).is_ok());
    assert!(ClientId::new(&"x".repeat(65)).is_err());
    assert!(ClientId::new(&"가".repeat(22)).is_err());
    let error = ClientId::new("").unwrap_err();
    assert_eq!(error.to_string(), "a client id has 1 to 64 bytes");
}

proptest! {
    #[test]
    fn cleaning_twice_is_cleaning_once(text in any::<String>()) {
        if let Ok(body) = Body::new(&text) {
            let again = Body::new(body.as_str()).unwrap();
            prop_assert_eq!(again, body);
        }
    }

    #[test]
    fn a_body_has_no_control_characters_but_tab_and_line_feed(text in "[\\x00-\\x20\\x7f-\\x9fa]{0,40}") {
        if let Ok(body) = Body::new(&text) {
            prop_assert!(body.as_str().chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            prop_assert_eq!(body.as_str().matches('a').count(), text.matches('a').count());
        }
    }
}
