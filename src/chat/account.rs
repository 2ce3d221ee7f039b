//! PURE. Who is signed in, and the token that proves it.

use super::store::{Session, TokenHash, UserId};
use crate::sync::Arc;
use std::fmt;

/// A user who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The identity.
    pub id: UserId,
    /// The name, in NFC.
    pub name: Arc<str>,
}

impl From<Session> for Account {
    fn from(session: Session) -> Self {
        Account {
            id: session.user,
            name: session.name,
        }
    }
}

/// What a signed-in program shows: 256 random bits. Only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; Token::BYTES]);

impl Token {
    const BYTES: usize = 32;

    pub(super) fn new(random: [u8; Token::BYTES]) -> Self {
        Token(random)
    }

    /// Reads what [`Display`](fmt::Display) writes: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Token> {
        if text.len() != 2 * Token::BYTES || !text.is_ascii() {
            return None;
        }
        let mut token = [0; Token::BYTES];
        for (byte, digits) in token.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |at: usize| char::from(digits[at]).to_digit(16);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Some(Token(token))
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_as_it_is_written() {
        let token = Token::new(std::array::from_fn(|at| (at * 37) as u8));
        assert_eq!(Token::parse(&token.to_string()), Some(token));
        for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(Token::parse(wrong), None, "{wrong:?}");
        }
    }
}
