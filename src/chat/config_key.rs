//! PURE. The keys of the configuration: one row each, from which the file, the environment, `--set`, `--help` and
//! the "did you mean" are served alike.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::config::{Config, Limit};

/// A setting's name, what it is for, and the field it fills.
#[derive(Debug)]
pub struct Key {
    /// The name in a file and in `--set`: `limits.messages_per_second`.
    pub name: &'static str,
    /// What it is for, in half a sentence.
    pub about: &'static str,
    field: Field,
}

/// A value as it was written, before a key has looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A single value; a list too, where no list can be written, with commas between.
    Text(String),
    /// An array of a file.
    List(Vec<String>),
}

/// The kinds of setting, each with access to its field. Numbers are inclusive bounds.
#[derive(Debug)]
enum Field {
    Address(fn(&mut Config) -> &mut SocketAddr),
    Path(fn(&mut Config) -> &mut PathBuf),
    Time(Duration, Duration, fn(&mut Config) -> &mut Duration),
    Limit(fn(&mut Config) -> &mut Limit),
    Count(u32, u32, fn(&mut Config) -> &mut u32),
    Origins(fn(&mut Config) -> &mut Vec<String>),
}

/// Every key there is. Bounds are there to catch a slip of the pen (a wait of 300 s for 300 µs), not to forbid.
pub const KEYS: &[Key] = &[
    Key {
        name: "listen",
        about: "address and port; port 0 picks a free one",
        field: Field::Address(|c| &mut c.listen),
    },
    Key {
        name: "data",
        about: "directory of the database",
        field: Field::Path(|c| &mut c.data),
    },
    Key {
        name: "shutdown.deadline",
        about: "time for an orderly stop",
        field: Field::Time(Duration::ZERO, HOUR, |c| &mut c.shutdown.deadline),
    },
    Key {
        name: "limits.messages_per_second",
        about: "messages per user and second",
        field: Field::Limit(|c| &mut c.limits.messages_per_second),
    },
    Key {
        name: "limits.messages_burst",
        about: "messages per user at once",
        field: Field::Limit(|c| &mut c.limits.messages_burst),
    },
    Key {
        name: "limits.joins_per_second",
        about: "joins per user and second",
        field: Field::Limit(|c| &mut c.limits.joins_per_second),
    },
    Key {
        name: "limits.reads_per_second",
        about: "read cursors moved per user and second",
        field: Field::Limit(|c| &mut c.limits.reads_per_second),
    },
    Key {
        name: "limits.sign_ins_per_minute",
        about: "attempts to sign up or in per address and minute",
        field: Field::Limit(|c| &mut c.limits.sign_ins_per_minute),
    },
    Key {
        name: "limits.connections",
        about: "connections in all",
        field: Field::Limit(|c| &mut c.limits.connections),
    },
    Key {
        name: "limits.connections_per_ip",
        about: "connections per address",
        field: Field::Limit(|c| &mut c.limits.connections_per_ip),
    },
    Key {
        name: "limits.connections_unauthenticated",
        about: "connections without a session, in all",
        field: Field::Limit(|c| &mut c.limits.connections_unauthenticated),
    },
    Key {
        name: "limits.frames_per_second",
        about: "frames per socket and second",
        field: Field::Limit(|c| &mut c.limits.frames_per_second),
    },
    Key {
        name: "limits.frame_bytes",
        about: "bytes of a frame of a client",
        field: Field::Limit(|c| &mut c.limits.frame_bytes),
    },
    Key {
        name: "limits.message_length",
        about: "code points of a message",
        field: Field::Limit(|c| &mut c.limits.message_length),
    },
    Key {
        name: "limits.message_bytes",
        about: "bytes of a message",
        field: Field::Limit(|c| &mut c.limits.message_bytes),
    },
    Key {
        name: "limits.topics_per_socket",
        about: "joined rooms per socket",
        field: Field::Limit(|c| &mut c.limits.topics_per_socket),
    },
    Key {
        name: "limits.join_messages",
        about: "messages in the answer to a join",
        field: Field::Limit(|c| &mut c.limits.join_messages),
    },
    Key {
        name: "limits.posts_in_flight",
        about: "posts per room on their way to the disk",
        field: Field::Limit(|c| &mut c.limits.posts_in_flight),
    },
    Key {
        name: "limits.room_mailbox",
        about: "what may wait for one room",
        field: Field::Limit(|c| &mut c.limits.room_mailbox),
    },
    Key {
        name: "limits.channel_mailbox",
        about: "what one client may have waiting in one room",
        field: Field::Limit(|c| &mut c.limits.channel_mailbox),
    },
    Key {
        name: "limits.store_queue",
        about: "what may wait for the writer, and for a reader",
        field: Field::Limit(|c| &mut c.limits.store_queue),
    },
    Key {
        name: "limits.outbound_frames",
        about: "frames that wait for a slow reader",
        field: Field::Limit(|c| &mut c.limits.outbound_frames),
    },
    Key {
        name: "limits.outbound_bytes",
        about: "bytes that wait for a slow reader",
        field: Field::Limit(|c| &mut c.limits.outbound_bytes),
    },
    Key {
        name: "limits.idle_timeout",
        about: "end of a socket that says nothing",
        field: Field::Time(Duration::ZERO, HOUR, |c| &mut c.limits.idle_timeout),
    },
    Key {
        name: "limits.write_timeout",
        about: "end of a connection that takes nothing",
        field: Field::Time(Duration::ZERO, HOUR, |c| &mut c.limits.write_timeout),
    },
    Key {
        name: "limits.keep_alive",
        about: "end of a connection without a request",
        field: Field::Time(Duration::ZERO, HOUR, |c| &mut c.limits.keep_alive),
    },
    Key {
        name: "sessions.idle_timeout",
        about: "end of a session that is not used",
        field: Field::Time(MINUTE, YEARS, |c| &mut c.sessions.idle_timeout),
    },
    Key {
        name: "sessions.lifetime",
        about: "end of any session",
        field: Field::Time(MINUTE, YEARS, |c| &mut c.sessions.lifetime),
    },
    Key {
        name: "store.commit_wait",
        about: "wait for company before a commit when busy",
        field: Field::Time(Duration::ZERO, Duration::from_millis(10), |c| {
            &mut c.store.commit_wait
        }),
    },
    Key {
        name: "store.readers",
        about: "threads that read history",
        field: Field::Count(1, 64, |c| &mut c.store.readers),
    },
    Key {
        name: "users.hash_threads",
        about: "passwords hashed at once, 19 MiB each",
        field: Field::Count(1, 64, |c| &mut c.users.hash_threads),
    },
    Key {
        name: "users.hash_queue",
        about: "passwords that wait to be hashed",
        field: Field::Count(1, 10_000, |c| &mut c.users.hash_queue),
    },
    Key {
        name: "web.origins",
        about: "other origins whose pages may use the cookie",
        field: Field::Origins(|c| &mut c.web.origins),
    },
];

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What all variables of the environment begin with.
pub const PREFIX: &str = "PERENNIAL_";

/// The key with exactly this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The variable of the environment for a key: `PERENNIAL_LIMITS_MESSAGES_PER_SECOND`.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

/// The key that a variable of the environment stands for. What stands for none comes back in the form of a key,
/// so that it can be named, and something near it be found. `None`: the variable is none of ours.
///
/// ```
/// use perennial::chat::config_key::name_of_variable;
/// let name = name_of_variable("PERENNIAL_LIMITS_MESSAGES_PER_SECOND");
/// assert_eq!(name.as_deref(), Some("limits.messages_per_second"));
/// assert_eq!(name_of_variable("HOME"), None);
/// ```
pub fn name_of_variable(variable_name: &str) -> Option<String> {
    let rest = variable_name.strip_prefix(PREFIX)?;
    // The runtime reads this one for itself, in every program, not only in this.
    if rest == "DEFAULT_KIND" {
        return None;
    }
    Some(
        match KEYS.iter().find(|key| variable(key.name) == variable_name) {
            Some(key) => key.name.to_owned(),
            None => rest.to_lowercase(),
        },
    )
}

/// The name nearest to `wrong`, if one is near enough to be what was meant: a third of its letters may be
/// different, and the section may be missing or another.
///
/// ```
/// use perennial::chat::config_key::nearest;
/// assert_eq!(nearest("limits.mesages_per_second"), Some("limits.messages_per_second"));
/// assert_eq!(nearest("deadline"), Some("shutdown.deadline"));
/// assert_eq!(nearest("colour"), None);
/// ```
pub fn nearest(wrong: &str) -> Option<&'static str> {
    // Far longer than any key: nobody meant one of ours, and the comparison below is quadratic.
    if wrong.len() > 100 {
        return None;
    }
    let wrong = wrong.to_lowercase().replace('-', "_");
    KEYS.iter()
        .map(|key| (distance_of_keys(&wrong, key.name), key.name))
        .min()
        .filter(|&(steps, name)| steps <= name.len().min(wrong.len()) / 3)
        .map(|(_, name)| name)
}

impl Key {
    /// Reads `value` into the key's field, or tells what would have fitted.
    pub(super) fn set(&self, config: &mut Config, value: &Value) -> Result<(), String> {
        match &self.field {
            Field::Address(field) => *field(config) = address(value.text()?)?,
            Field::Path(field) => *field(config) = path(value.text()?)?,
            Field::Time(min, max, field) => *field(config) = time(value.text()?, *min, *max)?,
            Field::Limit(field) => *field(config) = limit(value.text()?)?,
            Field::Count(min, max, field) => *field(config) = count(value.text()?, *min, *max)?,
            Field::Origins(field) => *field(config) = origins(value)?,
        }
        Ok(())
    }

    /// The value in `config`, in the form in which it would be written.
    ///
    /// ```
    /// use perennial::chat::{config::Config, config_key};
    /// let key = config_key::find("shutdown.deadline").unwrap();
    /// assert_eq!(key.show(&Config::default()), "10s");
    /// ```
    pub fn show(&self, config: &Config) -> String {
        let mut config = config.clone();
        match &self.field {
            Field::Address(field) => field(&mut config).to_string(),
            Field::Path(field) => field(&mut config).display().to_string(),
            Field::Time(_, _, field) => show_time(*field(&mut config)),
            Field::Limit(field) => field(&mut config).to_string(),
            Field::Count(_, _, field) => field(&mut config).to_string(),
            Field::Origins(field) => field(&mut config).join(","),
        }
    }
}

impl Value {
    fn text(&self) -> Result<&str, String> {
        match self {
            Value::Text(text) => Ok(text.trim()),
            Value::List(_) => Err("a single value, not a list".into()),
        }
    }

    fn items(&self) -> Vec<&str> {
        match self {
            Value::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect(),
            Value::List(items) => items.iter().map(String::as_str).collect(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::List(items) => write!(f, "[{}]", items.join(", ")),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "an address with a port, such as 127.0.0.1:4000 or [::1]:4000".into())
}

fn path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("the name of a directory".into()),
        _ => Ok(text.into()),
    }
}

fn limit(text: &str) -> Result<Limit, String> {
    let max = text
        .parse()
        .map_err(|_| "a whole number, 0 for no limit".to_owned())?;
    Ok(Limit::at(max))
}

fn count(text: &str, min: u32, max: u32) -> Result<u32, String> {
    let count = text
        .parse()
        .ok()
        .filter(|count| (min..=max).contains(count));
    count.ok_or_else(|| format!("a whole number from {min} to {max}"))
}

fn time(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let time = parse_time(text).filter(|time| (min..=max).contains(time));
    time.ok_or_else(|| {
        format!(
            "a time from {} to {} (units: us, ms, s, m, h, d)",
            show_time(min),
            show_time(max)
        )
    })
}

const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// A whole number and a unit; without a unit it is seconds.
fn parse_time(text: &str) -> Option<Duration> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit.trim_start() {
        "" => "s",
        unit => unit,
    };
    let &(_, micros) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_micros(
        number.parse::<u64>().ok()?.checked_mul(micros)?,
    ))
}

/// The time in the largest unit that leaves no rest.
fn show_time(time: Duration) -> String {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    match UNITS
        .iter()
        .find(|(_, unit)| micros >= *unit && micros % unit == 0)
    {
        Some((name, unit)) => format!("{}{name}", micros / unit),
        None => "0s".into(),
    }
}

fn origins(value: &Value) -> Result<Vec<String>, String> {
    let items = value.items();
    items
        .into_iter()
        .map(|item| origin(item).ok_or_else(expected_origin))
        .collect()
}

fn expected_origin() -> String {
    "origins as a browser writes them, such as https://chat.example.org".into()
}

/// An origin in the form in which browsers send it (RFC 6454 §6.2): lower case, without the port that belongs to
/// the scheme. Compared to that header byte by byte, anything else would never match.
fn origin(text: &str) -> Option<String> {
    let origin = text.to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://")?;
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let good_host = match in_brackets {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        }
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
    (good_host && good_port).then(|| format!("{scheme}://{authority}"))
}

/// How many letters must be put in, taken out or changed, with one step for another section.
fn distance_of_keys(wrong: &str, name: &str) -> usize {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = distance(wrong, name);
    whole.min(1 + distance(&last(wrong), &last(name)))
}

/// Levenshtein's distance, one row at a time.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
