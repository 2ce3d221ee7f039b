//! The command line of the `perennial` program, and how it, the environment and a file become one [`Config`].
//!
//! ```text
//! perennial [serve] --listen ADDR:PORT --data DIR --config FILE --set key=value
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use super::config::{Config, Place, Setting};
use super::config_file;
use super::config_key::{self, KEYS, Value};

/// How the program ends, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: an orderly stop, or help was asked for.
    Stopped,
    /// 1: it could not start or not go on: the port is taken, the data are locked or of a newer version.
    Failed,
    /// 2: the arguments or the configuration are wrong.
    BadArguments,
    /// 130: a second signal did not wait for the orderly stop.
    Forced,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        match exit {
            Exit::Stopped => 0,
            Exit::Failed => 1,
            Exit::BadArguments => 2,
            Exit::Forced => 130,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        std::process::ExitCode::from(u8::from(exit))
    }
}

/// There is no configuration to run with: the arguments are wrong, or they asked for words only. `Display` gives
/// the text, which ends with a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `Stopped` for `--help` and `--version`, whose text belongs on stdout; else `BadArguments`, and stderr.
    pub exit: Exit,
    text: String,
}

/// The configuration of this very process.
///
/// # Errors
/// [`Refusal`], which has the text for the user and the exit code: also for `--help` and `--version`.
pub fn from_process() -> Result<Config, Refusal> {
    load(std::env::args_os(), std::env::vars_os(), |path| {
        fs::read_to_string(path)
    })
}

/// PURE but for `read`. The configuration from arguments (the program's name first), variables of the environment,
/// and the file that the arguments name, if any. Flags win over `--set`, that over the environment, that over the
/// file, that over the defaults.
///
/// # Errors
/// As [`from_process`].
///
/// ```
/// use perennial::chat::arguments::load;
/// let args = ["perennial", "serve", "--listen", "127.0.0.1:0"].map(Into::into);
/// let vars = [("PERENNIAL_LISTEN".into(), "0.0.0.0:80".into())];
/// let config = load(args, vars, |_| unreachable!("no file is named")).unwrap();
/// assert_eq!(config.listen.to_string(), "127.0.0.1:0");
/// ```
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<Config, Refusal> {
    let arguments = Arguments::parse(args)?;
    let Command::Serve = arguments.command;
    let mut settings = match &arguments.config {
        Some(path) => from_file(path, read)?,
        None => Vec::new(),
    };
    settings.extend(from_variables(vars)?);
    settings.extend(arguments.settings());
    Config::new(settings).map_err(Refusal::bad)
}

/// A team chat that loses no acknowledged message.
#[derive(Debug, Parser)]
#[command(name = "perennial", version, max_term_width = 100)]
struct Arguments {
    /// What to do; serving the chat is all there is
    #[arg(
        value_name = "COMMAND",
        value_enum,
        default_value = "serve",
        hide_default_value = true
    )]
    command: Command,

    /// Where to wait for connections [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,

    /// The directory of the database [default: perennial-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,

    /// A configuration file in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// A setting, such as limits.messages_per_second=10; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Command {
    /// Serve the chat
    Serve,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.to_owned())),
        None => Err("expected KEY=VALUE".into()),
    }
}

impl Arguments {
    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Arguments, Refusal> {
        let mut command = Arguments::command().after_long_help(help_on_keys());
        let matches = command
            .try_get_matches_from_mut(args)
            .map_err(Refusal::by_clap)?;
        Arguments::from_arg_matches(&matches)
            .map_err(|error| Refusal::by_clap(error.format(&mut command)))
    }

    fn settings(self) -> impl Iterator<Item = Setting> {
        let set = self
            .set
            .into_iter()
            .map(|(key, value)| (Place::Set, key, value));
        let flags = [("listen", self.listen), ("data", self.data)];
        let flags = flags
            .into_iter()
            .filter_map(|(key, value)| Some((Place::Flag, key.into(), value?)));
        set.chain(flags).map(|(place, key, value)| Setting {
            key,
            value: Value::Text(value),
            place,
        })
    }
}

fn help_on_keys() -> String {
    let defaults = Config::default();
    let mut help = String::from(
        "Keys, with their defaults, for --set, for the file, and for the environment as\n\
         PERENNIAL_LIMITS_MESSAGES_PER_SECOND. Limits are switched off by 0.\n",
    );
    for key in KEYS {
        let setting = format!("{}={}", key.name, key.show(&defaults));
        help.push_str(&format!("  {setting:<40} {}\n", key.about));
    }
    help
}

fn from_file(
    path: &Path,
    read: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<Vec<Setting>, Refusal> {
    let shown = path.display().to_string();
    let text = read(path).map_err(|error| Refusal::bad(format!("reading {shown}: {error}")))?;
    config_file::parse(&shown, &text).map_err(Refusal::bad)
}

fn from_variables(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Setting>, Refusal> {
    let mut settings = Vec::new();
    for (variable, value) in vars {
        let Some(key) = variable.to_str().and_then(config_key::name_of_variable) else {
            continue;
        };
        let value = value
            .into_string()
            .map_err(|_| Refusal::bad(format!("{}: not UTF-8", variable.display())))?;
        settings.push(Setting {
            key,
            value: Value::Text(value),
            place: Place::Environment,
        });
    }
    Ok(settings)
}

impl Refusal {
    fn bad(error: impl fmt::Display) -> Refusal {
        Refusal {
            exit: Exit::BadArguments,
            text: format!("error: {error}\n"),
        }
    }

    fn by_clap(error: clap::Error) -> Refusal {
        let exit = if error.use_stderr() {
            Exit::BadArguments
        } else {
            Exit::Stopped
        };
        Refusal {
            exit,
            text: error.render().to_string(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}
