//! PURE. A password before it is hashed. Any character is welcome, nothing is cut, there are no rules of
//! composition: length is what makes a password hard to guess.
//!
//! It is put in NFC (RFC 8265 §4.2.2), or `é` typed on a Mac and on Windows would be two passwords.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// A password of 8 to 128 code points after NFC. `Debug` does not show it, and there is
/// no `==`: passwords are compared by their hashes only.
///
/// ```
/// use perennial::chat::password::{Password, PasswordError};
/// let password = Password::new("correct horse battery").unwrap();
/// assert_eq!(password.as_bytes(), b"correct horse battery");
/// assert_eq!(format!("{password:?}"), "Password(…)");
/// assert_eq!(Password::new("short").unwrap_err(), PasswordError::TooShort);
/// ```
#[derive(Clone)]
pub struct Password(Box<str>);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordError {
    /// It has fewer than [`Password::LETTERS_MIN`] code points.
    TooShort,
    /// It has more than [`Password::LETTERS_MAX`] code points.
    TooLong,
}

impl Password {
    /// The shortest password in code points (OWASP ASVS 5.0, 6.2.1).
    pub const LETTERS_MIN: usize = 8;

    /// The longest password in code points. Longer ones are refused in words and never cut: whoever types 200
    /// characters must not be let in by the first 128.
    pub const LETTERS_MAX: usize = 128;

    /// A text longer than this many bytes is not looked at: a code point of NFC comes from four at most.
    const BYTES_MAX: usize = Self::LETTERS_MAX * 4 * 4;

    /// Puts `text` in NFC and checks its length.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub fn new(text: &str) -> Result<Password, PasswordError> {
        if text.len() > Self::BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let password: String = text.nfc().collect();
        match password.chars().count() {
            0..Self::LETTERS_MIN => Err(PasswordError::TooShort),
            Self::LETTERS_MIN..=Self::LETTERS_MAX => Ok(Password(password.into())),
            _ => Err(PasswordError::TooLong),
        }
    }

    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordError::TooShort => {
                write!(
                    f,
                    "a password has at least {} characters",
                    Password::LETTERS_MIN
                )
            }
            PasswordError::TooLong => {
                write!(
                    f,
                    "a password has at most {} characters",
                    Password::LETTERS_MAX
                )
            }
        }
    }
}

impl std::error::Error for PasswordError {}
