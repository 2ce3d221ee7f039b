//! PURE: measures JSON before anything is built from it.
//!
//! Like a customs officer with a ruler: one pass over the bytes counts levels, keys and the elements of the
//! outer array. It does not check the grammar. What passes goes to the parser, which does; so whatever is
//! counted wrongly in broken JSON is refused there.

use super::codec::{DecodeError, Limits};

/// Elements of the outer array: five are read, a later version of the protocol may add a few.
const ELEMENTS_MAX: usize = 16;

/// Checks depth and keys of a frame; the array that every frame is does not count as a level.
pub(super) fn measure(json: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    let (mut depth, mut keys, mut elements) = (0_usize, 0_usize, 1_usize);
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(json, at),
            b'[' | b'{' => {
                depth += 1;
                if depth > limits.depth_max + 1 {
                    return Err(DecodeError::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b':' => {
                keys += 1;
                if keys > limits.keys_max {
                    return Err(DecodeError::TooManyKeys);
                }
            }
            b',' if depth <= 1 => {
                elements += 1;
                if elements > ELEMENTS_MAX {
                    return Err(DecodeError::Malformed);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where the string that begins at `at` ends, behind its closing quote.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}
