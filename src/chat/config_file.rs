//! PURE. A configuration file in TOML as a list of settings, in the order of its lines.

use std::fmt;

use toml::de::{DeTable, DeValue};

use super::config::{Place, Setting};
use super::config_key::Value;

/// The text is not TOML, or has a value that no key takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file, as it was named on the command line.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

/// Reads `text`, the content of the file `path`. Tables become the front of the key: `[limits]` and
/// `limits.messages_per_second = 5` mean the same as in `--set`. Keys are not checked here.
///
/// # Errors
/// [`FileError`] with the line.
///
/// ```
/// use perennial::chat::{config::Config, config_file};
/// let text = "listen = '0.0.0.0:80'\n[limits]\nmessages_per_second = 10\n";
/// let config = Config::new(config_file::parse("chat.toml", text).unwrap()).unwrap();
/// assert_eq!(config.limits.messages_per_second.max(), Some(10));
/// ```
pub fn parse(path: &str, text: &str) -> Result<Vec<Setting>, FileError> {
    let file = File { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        file.error(at, error.message())
    })?;
    let mut settings = Vec::new();
    file.collect("", table.get_ref(), &mut settings)?;
    settings.sort_by_key(|(at, _)| *at);
    Ok(settings.into_iter().map(|(_, setting)| setting).collect())
}

struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    /// Appends the settings of a table, each with its place in the text. The depth is bounded by the parser.
    fn collect(
        &self,
        section: &str,
        table: &DeTable<'_>,
        settings: &mut Vec<(usize, Setting)>,
    ) -> Result<(), FileError> {
        for (name, value) in table {
            let key = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            let at = name.span().start;
            match value.get_ref() {
                DeValue::Table(inner) => self.collect(&key, inner, settings)?,
                value => {
                    let value = self.value(at, value)?;
                    let place = Place::File {
                        path: self.path.to_owned(),
                        line: self.line(at),
                    };
                    settings.push((at, Setting { key, value, place }));
                }
            }
        }
        Ok(())
    }

    fn value(&self, at: usize, value: &DeValue<'_>) -> Result<Value, FileError> {
        let DeValue::Array(items) = value else {
            return Ok(Value::Text(self.scalar(at, value)?));
        };
        let items = items.iter().map(|item| self.scalar(at, item.get_ref()));
        Ok(Value::List(items.collect::<Result<_, _>>()?))
    }

    /// A single value as text: what it may be is for its key to say.
    fn scalar(&self, at: usize, value: &DeValue<'_>) -> Result<String, FileError> {
        match value {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map(|number| number.to_string())
                .map_err(|_| self.error(at, "a number too large")),
            DeValue::Float(number) => Ok(number.as_str().to_owned()),
            DeValue::Boolean(truth) => Ok(truth.to_string()),
            DeValue::Datetime(time) => Ok(time.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => {
                Err(self.error(at, "a list has plain values, not lists or tables"))
            }
        }
    }

    fn error(&self, at: usize, message: &str) -> FileError {
        FileError {
            path: self.path.to_owned(),
            line: self.line(at),
            message: message.to_owned(),
        }
    }

    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl std::error::Error for FileError {}
