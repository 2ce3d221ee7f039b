//! PURE: what users' values look like in a report, in so many characters at most.
//!
//! Think of a page that is torn off when it is full: whoever writes is told so and stops, so a value of a
//! gigabyte costs no more than one of a page. A value whose own `Debug` panics is a page that says that.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where a text was cut.
const CUT: &str = " …";

/// What stands where a value should and cannot.
const UNPRINTABLE: &str = "a value that cannot be printed";

/// A text that takes no more than so many characters.
struct Page {
    text: String,
    left: usize,
}

impl Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (chars, (at, _)) in text.char_indices().enumerate() {
            if chars == self.left {
                self.text.push_str(&text[..at]);
                self.left = 0;
                return Err(fmt::Error);
            }
        }
        // A byte is no more than a character, so nothing below zero comes of this.
        self.left -= text.chars().count();
        self.text.push_str(text);
        Ok(())
    }
}

/// The text of what `write` writes.
fn text(chars_max: usize, write: impl FnOnce(&mut Page) -> fmt::Result) -> String {
    let mut page = Page {
        text: String::new(),
        left: chars_max,
    };
    match catch_unwind(AssertUnwindSafe(|| write(&mut page))) {
        Ok(Ok(())) => page.text,
        Ok(Err(fmt::Error)) => page.text + CUT,
        Err(_) => UNPRINTABLE.to_owned(),
    }
}

/// A value as its `Debug` shows it.
pub(crate) fn debug(value: &dyn fmt::Debug, chars_max: usize) -> String {
    text(chars_max, |page| write!(page, "{value:?}"))
}

/// A value as its `Display` shows it.
pub(crate) fn display(value: &dyn fmt::Display, chars_max: usize) -> String {
    text(chars_max, |page| write!(page, "{value}"))
}
