//! PURE. The names that people and rooms bear. The same word written on two keyboards must be one name, and a
//! name must be something a reader can see: so it is put in NFC first, and only letters, digits, `-` and `_` pass.
//!
//! Three decisions behind [`Name::new`]:
//! - *Marks are allowed where a script needs them.* हिन्दी and ภาษาไทย have vowel signs, viramas and tone marks
//!   that NFC leaves apart from their letter, and half of them are no letters for Unicode. A mark is accepted
//!   after a letter, a digit or another mark, never at the front or after `-` or `_`, where it would sit on a
//!   character that is not its own. Burmese stacks six on one letter; eight in a row is the end, or a name would
//!   climb over its neighbours.
//! - *What cannot be seen is refused*, the zero width joiners too, although Persian likes them: two names that
//!   look alike must not differ. `-` and `_` are there to join words.
//! - *Compared exactly*: `Ada` and `ada` are two names. Folding case differs by language (Turkish dotless i).

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::text;
use crate::sync::Arc;

/// The name of a user or of a room, in NFC. Cheap to clone, ordered by code point.
///
/// ```
/// use perennial::chat::name::{Name, NameError};
/// let composed = Name::new("caf\u{e9}").unwrap();
/// let decomposed = Name::new("cafe\u{301}").unwrap();
/// assert_eq!(composed, decomposed);
/// assert_ne!(composed, Name::new("Caf\u{e9}").unwrap());
/// assert_eq!(Name::new("two words"), Err(NameError::Forbidden(' ')));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is no name. `Display` gives a sentence that can be shown to the one who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There was no character at all.
    Empty,
    /// There were more than [`Name::LETTERS_MAX`] code points after NFC.
    TooLong,
    /// This character is neither letter, digit, `-` nor `_`.
    Forbidden(char),
    /// This mark stands where there is no letter to bear it, or is the ninth in a row.
    LooseMark(char),
}

impl Name {
    /// The longest name, in code points after NFC. As long as a subdomain may be: enough for any name, and it
    /// fits on one line of a telephone.
    pub const LETTERS_MAX: usize = 64;

    /// A text longer than this many bytes is not looked at: a code point of NFC comes from four at most, and
    /// one takes four bytes at most, so what is longer cannot become a name.
    const BYTES_MAX: usize = Self::LETTERS_MAX * 4 * 4;

    /// The longest row of marks on one letter.
    const MARKS_MAX: usize = 8;

    /// Puts `text` in NFC and checks it. Nothing is cut or replaced: white space round a name is an error too.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn new(text: &str) -> Result<Name, NameError> {
        if text.len() > Self::BYTES_MAX {
            return Err(NameError::TooLong);
        }
        let name: String = text.nfc().collect();
        check(&name)?;
        Ok(Name(name.into()))
    }

    /// The name as text, in NFC.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        Name::new(text)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("a name needs at least one letter"),
            NameError::TooLong => write!(f, "a name has at most {} letters", Name::LETTERS_MAX),
            NameError::Forbidden(' ') => f.write_str("a name has no spaces; write - or _ instead"),
            NameError::Forbidden(c) if c.is_control() || text::is_blank(*c) => {
                write!(
                    f,
                    "a name cannot have the invisible character U+{:04X}",
                    *c as u32
                )
            }
            NameError::Forbidden(c) => {
                write!(
                    f,
                    "a name cannot have {c}; letters, digits, - and _ are allowed"
                )
            }
            NameError::LooseMark(c) => {
                write!(
                    f,
                    "a name cannot have the mark U+{:04X} at this place",
                    *c as u32
                )
            }
        }
    }
}

impl std::error::Error for NameError {}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.chars().count() > Name::LETTERS_MAX {
        return Err(NameError::TooLong);
    }
    // How many marks may still follow: none where no letter is.
    let mut marks_left = 0;
    for c in name.chars() {
        marks_left = match kind(c) {
            Kind::Base => Name::MARKS_MAX,
            Kind::Joiner => 0,
            Kind::Mark if marks_left > 0 => marks_left - 1,
            Kind::Mark => return Err(NameError::LooseMark(c)),
            Kind::Forbidden => return Err(NameError::Forbidden(c)),
        };
    }
    Ok(())
}

enum Kind {
    /// A letter or a digit: something that can bear marks.
    Base,
    /// `-` or `_`.
    Joiner,
    Mark,
    Forbidden,
}

fn kind(c: char) -> Kind {
    match c {
        '-' | '_' => Kind::Joiner,
        // Before the letters: most vowel signs are both, and must not begin a name.
        _ if text::is_mark(c) => Kind::Mark,
        _ if text::is_digit(c) || (c.is_alphabetic() && !text::is_invisible(c)) => Kind::Base,
        _ => Kind::Forbidden,
    }
}
