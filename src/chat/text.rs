//! PURE. What the rules for names, bodies and passwords need to know of single code points, beyond what
//! `char` itself can tell: which have no shape, which is a digit that one counts with, which sits on a letter.

/// Tells whether `c` leaves no trace on a screen (Unicode's `Default_Ignorable_Code_Point`).
///
/// Some of these count as letters for Unicode (the Hangul fillers) or as marks (the variation selectors), so
/// that a name made of them would be accepted, and would show as nothing or as somebody else's name.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Tells whether a reader sees nothing where `c` stands: white space, what is invisible, the empty braille cell.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c) || c == '\u{2800}'
}

/// Tells whether `c` is drawn on the letter before it: an accent, a vowel sign, a tone mark, a virama.
///
/// Marks that draw a circle or a keycap round what precedes them belong to symbols, not to a script.
pub(super) fn is_mark(c: char) -> bool {
    let encloses = matches!(c,
        '\u{0488}'..='\u{0489}' | '\u{1ABE}' | '\u{20DD}'..='\u{20E0}' | '\u{20E2}'..='\u{20E4}'
        | '\u{A670}'..='\u{A672}');
    unicode_normalization::char::is_combining_mark(c) && !encloses && !is_invisible(c)
}

/// Tells whether `c` is a decimal digit of some script: `7`, `٧`, `७`, but not `²`, `½` or `⑦`.
///
/// `char::is_numeric` takes all of these, hence the table. Unicode keeps the ten digits of a script together, in
/// order; that makes the zeros enough. The bold and double-struck digits of mathematics are left out.
pub(super) fn is_digit(c: char) -> bool {
    let after = DIGIT_ZEROS.partition_point(|&zero| zero <= c);
    after > 0 && c as u32 - (DIGIT_ZEROS[after - 1] as u32) < 10
}

/// The zero of every script that has its own decimal digits, ascending (Unicode 14).
#[rustfmt::skip]
const DIGIT_ZEROS: [char; 61] = [
    '0', '\u{0660}', '\u{06F0}', '\u{07C0}', '\u{0966}', '\u{09E6}', '\u{0A66}', '\u{0AE6}', '\u{0B66}', '\u{0BE6}',
    '\u{0C66}', '\u{0CE6}', '\u{0D66}', '\u{0DE6}', '\u{0E50}', '\u{0ED0}', '\u{0F20}', '\u{1040}', '\u{1090}',
    '\u{17E0}', '\u{1810}', '\u{1946}', '\u{19D0}', '\u{1A80}', '\u{1A90}', '\u{1B50}', '\u{1BB0}', '\u{1C40}',
    '\u{1C50}', '\u{A620}', '\u{A8D0}', '\u{A900}', '\u{A9D0}', '\u{A9F0}', '\u{AA50}', '\u{ABF0}', '\u{FF10}',
    '\u{104A0}', '\u{10D30}', '\u{11066}', '\u{110F0}', '\u{11136}', '\u{111D0}', '\u{112F0}', '\u{11450}',
    '\u{114D0}', '\u{11650}', '\u{116C0}', '\u{11730}', '\u{118E0}', '\u{11950}', '\u{11C50}', '\u{11D50}',
    '\u{11DA0}', '\u{16A60}', '\u{16AC0}', '\u{16B50}', '\u{1E140}', '\u{1E2F0}', '\u{1E950}', '\u{1FBF0}',
];
