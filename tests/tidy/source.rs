//! The tree as text, and Rust text as tokens: enough of a lexer to tell code from comments and strings, and
//! to read the paths that a file names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files of the package by their path from its root, `/` between parts.
pub(crate) type Tree = BTreeMap<String, String>;

/// What the package is made of; everything else at the top is a dot file or not committed.
pub(crate) const FOLDERS: [&str; 4] = ["src", "tests", "examples", "benches"];

/// The most bytes a file may have to be read as text: pictures and fonts are skipped by their content anyway.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads every text file of the package: the folders, the files at the top, and `.ci`.
pub(crate) fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    for entry in entries(root) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_file = entry.path().is_file() && name != ".git";
        if is_file || FOLDERS.contains(&name.as_str()) || name == ".ci" {
            read_into(&mut tree, &entry.path(), &name);
        }
    }
    tree
}

fn read_into(tree: &mut Tree, path: &Path, name: &str) {
    if path.is_dir() {
        for entry in entries(path) {
            let child = entry.file_name().to_string_lossy().into_owned();
            if child != "node_modules" {
                read_into(tree, &entry.path(), &format!("{name}/{child}"));
            }
        }
    } else if fs::metadata(path).is_ok_and(|meta| meta.len() <= FILE_BYTES_MAX)
        && let Ok(text) = fs::read_to_string(path)
    {
        tree.insert(name.to_owned(), text);
    }
}

fn entries(folder: &Path) -> Vec<fs::DirEntry> {
    let listing = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    listing
        .map(|entry| entry.expect("a folder of the package can be listed"))
        .collect()
}

/// The Rust files of the tree whose path begins with one of `folders`.
pub(crate) fn rust<'t>(
    tree: &'t Tree,
    folders: &[&str],
) -> impl Iterator<Item = (&'t str, &'t str)> {
    let folders: Vec<String> = folders.iter().map(|folder| format!("{folder}/")).collect();
    tree.iter()
        .filter(move |(path, _)| {
            path.ends_with(".rs") && folders.iter().any(|folder| path.starts_with(folder))
        })
        .map(|(path, text)| (path.as_str(), text.as_str()))
}

/// One word or sign of Rust code. Comments, strings and character literals leave none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// Splits Rust code into tokens.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut lexer = Lexer {
        chars,
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn bump(&mut self) {
        if self.peek(0) == '\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn bump_until(&mut self, done: impl Fn(&Self) -> bool) {
        while self.at < self.chars.len() && !done(self) {
            self.bump();
        }
    }

    fn push(&mut self, text: String, line: usize) {
        self.tokens.push(Token { text, line });
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.bump_until(|lexer| lexer.peek(0) == '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.quote(),
            (c, _) if c.is_alphanumeric() || c == '_' => self.word(),
            (':', ':') => {
                self.push("::".into(), self.line);
                self.at += 2;
            }
            (c, _) => {
                if !c.is_whitespace() {
                    self.push(c.into(), self.line);
                }
                self.bump();
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.bump();
                    if self.at >= self.chars.len() {
                        return;
                    }
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.bump();
        while self.at < self.chars.len() && self.peek(0) != '"' {
            if self.peek(0) == '\\' {
                self.bump();
            }
            self.bump();
        }
        self.bump();
    }

    /// `r"…"`, `r#"…"#` and so on; the caller stands on the first `#` or on the quote.
    fn raw_string(&mut self) {
        let mut hashes = 0;
        while self.peek(0) == '#' {
            hashes += 1;
            self.bump();
        }
        self.bump();
        self.bump_until(|lexer| {
            lexer.peek(0) == '"' && (1..=hashes).all(|ahead| lexer.peek(ahead) == '#')
        });
        self.at += 1 + hashes;
    }

    /// A character literal, or a lifetime, of which nothing is kept.
    fn quote(&mut self) {
        self.bump();
        if self.peek(0) == '\\' {
            self.bump();
            self.bump();
            self.bump_until(|lexer| lexer.peek(0) == '\'');
            self.bump();
        } else if self.peek(1) == '\'' {
            self.bump();
            self.bump();
        } else {
            self.bump_until(|lexer| !(lexer.peek(0).is_alphanumeric() || lexer.peek(0) == '_'));
        }
    }

    fn word(&mut self) {
        let (start, line) = (self.at, self.line);
        self.bump_until(|lexer| !(lexer.peek(0).is_alphanumeric() || lexer.peek(0) == '_'));
        let text: String = self.chars[start..self.at].iter().collect();
        let raw_text = self.peek(0) == '"' || (self.peek(0) == '#' && "#\"".contains(self.peek(1)));
        match text.as_str() {
            "r" | "br" | "cr" if raw_text => self.raw_string(),
            "r" if self.peek(0) == '#' => self.bump(),
            "b" | "c" if self.peek(0) == '"' => self.string(),
            "b" if self.peek(0) == '\'' => self.quote(),
            _ => self.push(text, line),
        }
    }
}

/// A path that code names, such as `crate::pid::Pid`, with groups written out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// The name it is given by `as`, else its last segment.
    pub(crate) name: String,
    /// Equals `true` if it stands in a `use` that hands it on (`pub use`, `pub(crate) use`).
    pub(crate) handed_on: bool,
    /// The modules that are written out in this file around the place, outermost first.
    pub(crate) inside: Vec<String>,
}

/// Every path in the code, in order.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Named> {
    let mut reader = Reader {
        tokens,
        at: 0,
        depth: 0,
        modules: Vec::new(),
        place: Place::Code,
        found: Vec::new(),
    };
    while reader.at < tokens.len() {
        reader.step();
    }
    reader.found
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Code,
    Use,
    PubUse,
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    modules: Vec<(usize, String)>,
    place: Place,
    found: Vec<Named>,
}

impl Reader<'_> {
    fn is(&self, ahead: usize, text: &str) -> bool {
        self.tokens
            .get(self.at + ahead)
            .is_some_and(|token| token.is(text))
    }

    fn is_word(&self, ahead: usize) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(Token::is_word)
    }

    fn step(&mut self) {
        if self.is(0, "mod") && self.is_word(1) && self.is(2, "{") {
            self.depth += 1;
            self.modules
                .push((self.depth, self.tokens[self.at + 1].text.clone()));
            self.at += 3;
        } else if self.is(0, "{") {
            self.depth += 1;
            self.at += 1;
        } else if self.is(0, "}") {
            self.modules.retain(|(depth, _)| *depth < self.depth);
            self.depth = self.depth.saturating_sub(1);
            self.at += 1;
        } else if self.is(0, "use") && !self.is(1, "<") {
            let before = self.at.checked_sub(1).map(|at| &self.tokens[at]);
            let handed_on = before.is_some_and(|token| token.is("pub") || token.is(")"));
            self.place = if handed_on { Place::PubUse } else { Place::Use };
            self.at += 1;
            self.path(&mut Vec::new());
        } else if self.is_word(0) || self.is(0, "::") {
            self.place = Place::Code;
            self.path(&mut Vec::new());
        } else {
            self.at += 1;
        }
    }

    /// Reads a path or a tree of them that begins here; `prefix` is what stands before it.
    fn path(&mut self, prefix: &mut Vec<String>) {
        let above = prefix.len();
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        while self.is(0, "::") {
            self.at += 1;
        }
        if self.is(0, "{") {
            self.at += 1;
            while self.at < self.tokens.len() && !self.is(0, "}") {
                if self.is(0, ",") {
                    self.at += 1;
                } else {
                    self.path(prefix);
                }
            }
            self.at += 1;
            return;
        }
        if !self.is_word(0) && !self.is(0, "*") {
            self.at += 1;
            return;
        }
        prefix.push(self.tokens[self.at].text.clone());
        self.at += 1;
        if self.is(0, "::") && (self.is_word(1) || self.is(1, "{") || self.is(1, "*")) {
            self.path(prefix);
        } else {
            self.record(prefix, line);
        }
        prefix.truncate(above);
    }

    fn record(&mut self, segments: &[String], line: usize) {
        let mut segments = segments.to_vec();
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let mut name = segments.last().cloned().unwrap_or_default();
        if self.place != Place::Code && self.is(0, "as") && self.is_word(1) {
            name = self.tokens[self.at + 1].text.clone();
            self.at += 2;
        }
        let inside = self.modules.iter().map(|(_, name)| name.clone()).collect();
        let handed_on = self.place == Place::PubUse;
        self.found.push(Named {
            line,
            segments,
            name,
            handed_on,
            inside,
        });
    }
}
