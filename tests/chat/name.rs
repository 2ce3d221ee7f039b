//! Names: which texts are one, which are the same, and what is said about the others.

use perennial::chat::name::{Name, NameError};
use proptest::prelude::*;

fn refused(text: &str) -> NameError {
    Name::new(text).expect_err(&format!("{text:?} was taken for a name"))
}

#[test]
fn letters_of_any_script_make_a_name() {
    for text in [
        "a",
        "Ada",
        "ada_lovelace-2",
        "0",
        "-",
        "_",
        "__proto__",
        "일반",
        "김민준",
        "東京",
        "ひらがな",
        "カタカナー",
        "Ελλάδα",
        "Кирилл",
        "עברית",
        "שָׁלוֹם",
        "العربية",
        "مُحَمَّد",
        "हिन्दी",
        "क्षत्रिय",
        "ज़िंदगी",
        "বাংলা",
        "தமிழ்",
        "తెలుగు",
        "ภาษาไทย",
        "ที่นี่",
        "ລາວ",
        "မြန်မာ",
        "မြွှေ့",
        "ខ្មែរ",
        "བསྒྲུབས",
        "ქართული",
        "አማርኛ",
        "Ọ̀ṣun",
        "ẹ́",
        "Việt",
        "İstanbul",
        "٤٢",
        "५६",
        "๗",
        "room７",
        "𠮷野家",
    ] {
        let name = Name::new(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(
            name,
            Name::new(name.as_str()).unwrap(),
            "{text:?} is not stable"
        );
    }
}

#[test]
fn canonically_equal_texts_are_one_name() {
    for (one, other) in [
        ("caf\u{e9}", "cafe\u{301}"),
        ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
        ("\u{212b}", "\u{c5}"),
        ("Vi\u{1ec7}t", "Vie\u{323}\u{302}t"),
        ("Vi\u{1ec7}t", "Vie\u{302}\u{323}t"),
        // Excluded from composition: here NFC is the longer form.
        ("\u{95b}", "\u{91c}\u{93c}"),
    ] {
        let (one, other) = (Name::new(one).unwrap(), Name::new(other).unwrap());
        assert_eq!(one, other);
        assert_eq!(one.as_str().as_bytes(), other.as_str().as_bytes());
    }
}

#[test]
fn names_are_compared_exactly() {
    for (one, other) in [
        ("ada", "Ada"),
        ("ß", "ss"),
        ("ﬁ", "fi"),
        ("Ａ", "A"),
        ("а", "a"),
        ("a-b", "a_b"),
    ] {
        assert_ne!(Name::new(one).unwrap(), Name::new(other).unwrap());
    }
}

#[test]
fn names_are_ordered_by_code_point() {
    let mut names: Vec<Name> = ["b", "é", "a", "B", "가"]
        .map(|n| Name::new(n).unwrap())
        .into();
    names.sort();
    let order: Vec<&str> = names.iter().map(Name::as_str).collect();
    assert_eq!(order, ["B", "a", "b", "é", "가"]);
}

#[test]
fn length_counts_code_points_after_nfc() {
    assert_eq!(refused(""), NameError::Empty);
    for letter in ["a", "가", "𠮷"] {
        assert!(Name::new(&letter.repeat(64)).is_ok());
        assert_eq!(refused(&letter.repeat(65)), NameError::TooLong);
    }
    // Each of these is one letter in NFC, two and three before.
    assert!(Name::new(&"e\u{301}".repeat(64)).is_ok());
    assert!(Name::new(&"\u{1112}\u{1161}\u{11ab}".repeat(64)).is_ok());
    assert_eq!(
        refused(&"\u{1112}\u{1161}\u{11ab}".repeat(65)),
        NameError::TooLong
    );
    // One letter before, two in NFC.
    assert!(Name::new(&"\u{95b}".repeat(32)).is_ok());
    assert_eq!(refused(&"\u{95b}".repeat(33)), NameError::TooLong);
    // The longest text that can become a name: four code points for a letter.
    assert!(Name::new(&"\u{3b1}\u{313}\u{300}\u{345}".repeat(64)).is_ok());
    assert_eq!(refused(&"a".repeat(1_000_000)), NameError::TooLong);
}

#[test]
fn what_is_no_letter_is_refused_and_named() {
    for (text, c) in [
        (" ", ' '),
        (" a", ' '),
        ("a ", ' '),
        ("a b", ' '),
        ("a\tb", '\t'),
        ("a\nb", '\n'),
        ("a\0b", '\0'),
        ("a.b", '.'),
        ("../etc", '.'),
        ("a/b", '/'),
        ("a:b", ':'),
        ("a@b", '@'),
        ("#a", '#'),
        ("<b>", '<'),
        ("a\"", '"'),
        ("a%20", '%'),
        ("a\u{a0}b", '\u{a0}'),
        ("a\u{3000}b", '\u{3000}'),
        ("a\u{2028}", '\u{2028}'),
        ("a😀", '😀'),
        ("a²", '²'),
        ("½", '½'),
        ("①", '①'),
        ("a\u{2010}b", '\u{2010}'),
        ("€", '€'),
        ("a\u{fffd}", '\u{fffd}'),
    ] {
        assert_eq!(refused(text), NameError::Forbidden(c), "{text:?}");
    }
}

#[test]
fn what_cannot_be_seen_is_refused_even_if_it_counts_as_a_letter() {
    for c in [
        '\u{115f}',
        '\u{1160}',
        '\u{3164}',
        '\u{ffa0}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{202e}',
        '\u{2066}',
        '\u{feff}',
        '\u{ad}',
        '\u{34f}',
        '\u{fe0f}',
        '\u{e0100}',
        '\u{e0041}',
        '\u{180b}',
        '\u{17b4}',
        '\u{2800}',
    ] {
        assert_eq!(
            refused(&format!("a{c}b")),
            NameError::Forbidden(c),
            "U+{:04X}",
            c as u32
        );
    }
}

#[test]
fn a_mark_needs_a_letter_to_sit_on() {
    for text in ["\u{301}a", "\u{93e}", "-\u{301}", "_\u{e48}", "a-\u{94d}"] {
        assert!(matches!(refused(text), NameError::LooseMark(_)), "{text:?}");
    }
    assert!(Name::new("1\u{301}").is_ok());
    let row = |marks| format!("q{}", "\u{316}".repeat(marks));
    assert!(Name::new(&row(8)).is_ok());
    assert_eq!(refused(&row(9)), NameError::LooseMark('\u{316}'));
    // A circle round a letter is a symbol.
    assert_eq!(refused("a\u{20dd}"), NameError::Forbidden('\u{20dd}'));
}

#[test]
fn refusals_can_be_shown_to_people() {
    for (text, words) in [
        ("", "a name needs at least one letter"),
        ("a b", "a name has no spaces; write - or _ instead"),
        (
            "a.b",
            "a name cannot have .; letters, digits, - and _ are allowed",
        ),
        (
            "a\u{200b}",
            "a name cannot have the invisible character U+200B",
        ),
        (
            "\u{301}",
            "a name cannot have the mark U+0301 at this place",
        ),
    ] {
        assert_eq!(refused(text).to_string(), words);
    }
    assert_eq!(
        refused(&"a".repeat(65)).to_string(),
        "a name has at most 64 letters"
    );
}

proptest! {
    /// Whatever is accepted is in NFC, short, free of white space and control characters, and is accepted again.
    #[test]
    fn an_accepted_name_is_fit_to_be_stored(text in any::<String>()) {
        if let Ok(name) = Name::new(&text) {
            prop_assert!((1..=64).contains(&name.as_str().chars().count()));
            prop_assert!(!name.as_str().contains(|c: char| c.is_whitespace() || c.is_control()));
            prop_assert_eq!(Name::new(name.as_str()).unwrap(), name);
        }
    }

    #[test]
    fn plain_words_are_always_names(text in "[a-zA-Z0-9_-]{1,64}") {
        let name = Name::new(&text).unwrap();
        prop_assert_eq!(name.as_str(), text);
    }
}
