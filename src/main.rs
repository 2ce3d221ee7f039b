//! The `perennial` program: arguments, logging, signals; the rest is [`perennial::chat`].

use perennial::application::{self, Why};
use perennial::chat::arguments::{self, Exit};
use perennial::chat::config::Config;
use perennial::chat::{Opened, ProgramError};
use perennial::signals;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// The name of the application.
const CHAT: &str = "perennial";

fn main() -> ExitCode {
    match arguments::from_process() {
        Ok(config) => {
            let env = env_logger::Env::default().default_filter_or("info");
            env_logger::Builder::from_env(env).init();
            serve(&config).into()
        }
        Err(refusal) => {
            say(refusal.exit == Exit::Stopped, &refusal.to_string());
            refusal.exit.into()
        }
    }
}

fn serve(config: &Config) -> Exit {
    match run(config) {
        Ok(exit) => exit,
        Err(error) => {
            say(false, &format!("perennial: {error}\n"));
            match error.downcast_ref() {
                Some(ProgramError::Origin(_)) => Exit::BadArguments,
                _ => Exit::Failed,
            }
        }
    }
}

/// Runs the chat until it is told to stop, or gives up.
fn run(config: &Config) -> Result<Exit, Box<dyn Error>> {
    let chat = Opened::open(config)?;
    let addr = chat.local_addr();
    application::load(chat.application(CHAT).permanent())?;
    application::ensure_all_started(CHAT)?;
    // Before anybody is told that it runs, so that whoever was told may stop it.
    signals::halt_on_signal(config.shutdown.deadline)?;
    say(true, &format!("listening on http://{addr}\n"));
    let halted = application::wait();
    match halted.why {
        Why::Ended(_, reason) => Err(format!("the chat has given up: {reason}").into()),
        _ if halted.forced => Err("not all had stopped when the time was over".into()),
        _ => Ok(Exit::Stopped),
    }
}

/// Writes to stdout or stderr. If that is gone there is nobody to tell.
fn say(out: bool, text: &str) {
    let _ = if out {
        std::io::stdout()
            .write_all(text.as_bytes())
            .and_then(|()| std::io::stdout().flush())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
}
