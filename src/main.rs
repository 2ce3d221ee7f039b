//! The `perennial` program: arguments, logging, signals; the rest is [`perennial::chat`].

use perennial::chat::arguments::{self, Exit};
use perennial::chat::{Program, ProgramError};
use std::io::Write;
use std::process::ExitCode;

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

fn serve(config: &perennial::chat::config::Config) -> Exit {
    // Before anybody is told that it runs: who reads that line may stop it at once.
    let parker = perennial::sync::Arc::new(perennial::sync::Parker::new());
    let waker = parker.clone();
    let mut signals = 0;
    let handler = ctrlc::set_handler(move || {
        signals += 1;
        if signals > 1 {
            std::process::exit(130);
        }
        waker.unpark();
    });
    if let Err(error) = handler {
        say(false, &format!("perennial: {error}\n"));
        return Exit::Failed;
    }
    let program = match Program::start(config) {
        Ok(program) => program,
        Err(error) => {
            say(false, &format!("perennial: {error}\n"));
            return match error {
                ProgramError::Origin(_) => Exit::BadArguments,
                _ => Exit::Failed,
            };
        }
    };
    say(
        true,
        &format!("listening on http://{}\n", program.local_addr()),
    );
    parker.park();
    program.stop();
    Exit::Stopped
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
