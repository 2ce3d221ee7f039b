//! Tidy: the rules of the house that no compiler knows. Each is shown snippets that break it, which it must
//! catch, and snippets that keep it, before it is trusted with the tree.

#[path = "tidy/acts.rs"]
mod acts;
#[path = "tidy/manners.rs"]
mod manners;
#[path = "tidy/package.rs"]
mod package;
#[path = "tidy/phoenix.rs"]
mod phoenix;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/walls.rs"]
mod walls;

use source::{Tree, read_tree};
use std::path::Path;

type Files = &'static [(&'static str, &'static str)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tree_of(files: Files) -> Tree {
    files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}

/// Shows the rule what it must catch and what it must let pass, then the tree.
fn hold(rule: fn(&Tree) -> Vec<String>, bad: &[Files], good: &[Files]) {
    for files in bad {
        assert!(
            !rule(&tree_of(files)).is_empty(),
            "the rule does not catch {files:?}"
        );
    }
    for files in good {
        let faults = rule(&tree_of(files));
        assert!(faults.is_empty(), "the rule catches {files:?}: {faults:?}");
    }
    assert_none(&rule(&read_tree(root())));
}
