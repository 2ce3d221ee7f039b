//! Which tests hold which rows: a test says so in a line of its documentation, `/// Rows: link.links_trap, v.link_twice`.

use std::collections::BTreeMap;
use std::path::Path;

/// The tests of each row, by their paths in a binary.
pub(crate) type Holders = BTreeMap<String, Vec<String>>;

/// Reads the tests of some folders.
pub(crate) fn read(folders: &[&str]) -> Holders {
    let mut held = Holders::new();
    for folder in folders {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        read_modules(&tests.join(folder), "", &mut held);
    }
    held
}

fn read_modules(folder: &Path, parent: &str, held: &mut Holders) {
    let files = std::fs::read_dir(folder).expect("the tests are where they were built");
    for file in files {
        let path = file.expect("a folder can be read").path();
        let stem = path.file_stem().unwrap_or_default().display();
        let module = match stem.to_string().as_str() {
            "mod" | "main" => parent.to_owned(),
            stem => format!("{parent}{stem}::"),
        };
        if path.is_dir() {
            read_modules(&path, &module, held);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a test is text");
            read_file(&module, &text, held);
        }
    }
}

fn read_file(module: &str, text: &str, held: &mut Holders) {
    let mut rows: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if let Some(listed) = line.strip_prefix("/// Rows: ") {
            rows.extend(listed.trim_end_matches('.').split(", "));
        } else if let Some(rest) = line.strip_prefix("fn ") {
            let name = rest.split('(').next().unwrap_or_default();
            for row in rows.drain(..) {
                let test = format!("{module}{name}");
                held.entry(row.to_owned()).or_default().push(test);
            }
        }
    }
}
