//! Passwords: only the length counts, in code points after NFC.

use perennial::chat::password::{Password, PasswordError};

#[test]
fn length_is_counted_in_code_points() {
    for letter in ["a", " ", "é", "가", "😀", "\0"] {
        assert_eq!(
            Password::new(&letter.repeat(7)).unwrap_err(),
            PasswordError::TooShort
        );
        assert!(Password::new(&letter.repeat(8)).is_ok());
        assert!(Password::new(&letter.repeat(128)).is_ok());
        assert_eq!(
            Password::new(&letter.repeat(129)).unwrap_err(),
            PasswordError::TooLong
        );
    }
    assert_eq!(Password::new("").unwrap_err(), PasswordError::TooShort);
    assert_eq!(
        Password::new(&"a".repeat(1_000_000)).unwrap_err(),
        PasswordError::TooLong
    );
    // Eight on the screen, eight after NFC, sixteen as typed.
    assert!(Password::new(&"e\u{301}".repeat(8)).is_ok());
    assert!(Password::new(&"\u{3b1}\u{313}\u{300}\u{345}".repeat(128)).is_ok());
}

#[test]
fn nothing_is_cut() {
    let all = "a".repeat(127) + "b";
    assert_eq!(Password::new(&all).unwrap().as_bytes(), all.as_bytes());
    assert_eq!(
        Password::new("  spaces stay  ").unwrap().as_bytes(),
        b"  spaces stay  "
    );
}

#[test]
fn the_same_password_on_two_keyboards_has_the_same_bytes() {
    let composed = Password::new("caf\u{e9}caf\u{e9}").unwrap();
    let decomposed = Password::new("cafe\u{301}cafe\u{301}").unwrap();
    assert_eq!(composed.as_bytes(), decomposed.as_bytes());
}

#[test]
fn debug_keeps_the_secret() {
    let shown = format!("{:?}", Password::new("hunter2hunter2").unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn refusals_can_be_shown_to_people() {
    assert_eq!(
        PasswordError::TooShort.to_string(),
        "a password has at least 8 characters"
    );
    assert_eq!(
        PasswordError::TooLong.to_string(),
        "a password has at most 128 characters"
    );
}
