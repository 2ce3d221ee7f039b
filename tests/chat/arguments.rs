//! The command line: what is accepted, which layer wins, and the exit code of what is not.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;

use perennial::chat::arguments::{self, Exit, Refusal};
use perennial::chat::config::{Config, Limit};

/// Loads with these arguments and variables, and with `file` as the content of whatever file is asked for.
fn load_with(args: &[&str], vars: &[(&str, &str)], file: &str) -> Result<Config, Refusal> {
    let args = ["perennial"].iter().chain(args).map(OsString::from);
    let vars = vars
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    arguments::load(args, vars, |_| Ok(file.to_owned()))
}

fn load(args: &[&str]) -> Result<Config, Refusal> {
    load_with(args, &[], "")
}

#[test]
fn no_arguments_mean_the_defaults() {
    assert_eq!(load(&[]).unwrap(), Config::default());
    assert_eq!(load(&["serve"]).unwrap(), Config::default());
}

#[test]
fn flags_stand_before_or_after_the_command() {
    for args in [
        &["--listen", "127.0.0.1:1", "--data", "d"][..],
        &["serve", "--listen", "127.0.0.1:1", "--data", "d"],
        &["--listen", "127.0.0.1:1", "serve", "--data", "d"],
        &["--listen=127.0.0.1:1", "--set", "data=d"],
        &["--set", "listen=127.0.0.1:1", "serve", "--set", "data=d"],
    ] {
        let config = load(args).unwrap();
        assert_eq!(
            (config.listen.port(), config.data.to_str()),
            (1, Some("d")),
            "{args:?}"
        );
    }
}

#[test]
fn flags_win_over_set_over_environment_over_file_over_default() {
    let file = "listen = '127.0.0.1:1'\n";
    let vars = [("PERENNIAL_LISTEN", "127.0.0.1:2")];
    let port =
        |args: &[&str], vars: &[(&str, &str)]| load_with(args, vars, file).unwrap().listen.port();
    assert_eq!(port(&[], &[]), 4000);
    assert_eq!(port(&["--config", "f"], &[]), 1);
    assert_eq!(port(&["--config", "f"], &vars), 2);
    assert_eq!(
        port(&["--config", "f", "--set", "listen=127.0.0.1:3"], &vars),
        3
    );
    let all = [
        "--listen",
        "127.0.0.1:4",
        "--config",
        "f",
        "--set",
        "listen=127.0.0.1:3",
    ];
    assert_eq!(port(&all, &vars), 4);
    assert_eq!(
        port(
            &["--set", "listen=127.0.0.1:3", "--set", "listen=127.0.0.1:5"],
            &vars
        ),
        5
    );
}

#[test]
fn the_environment_reaches_every_section() {
    let vars = [
        ("PERENNIAL_LIMITS_MESSAGES_PER_SECOND", "0"),
        (
            "PERENNIAL_WEB_ORIGINS",
            "https://a.example,https://b.example",
        ),
        ("PERENNIAL_DEFAULT_KIND", "thread"),
        ("HOME", "/"),
    ];
    let config = load_with(&[], &vars, "").unwrap();
    assert_eq!(config.limits.messages_per_second, Limit::Off);
    assert_eq!(config.web.origins.len(), 2);
}

#[test]
fn only_the_named_file_is_read() {
    let asked = Cell::new(None);
    let args = ["perennial", "--config", "chat.toml"].map(OsString::from);
    let config = arguments::load(args, [], |path| {
        asked.set(Some(path.to_owned()));
        Ok("data = 'from-file'".into())
    });
    assert_eq!(config.unwrap().data.to_str(), Some("from-file"));
    assert_eq!(asked.take().unwrap().to_str(), Some("chat.toml"));
    arguments::load(["perennial".into()], [], |path| panic!("{path:?} was read")).unwrap();
}

#[test]
fn bad_arguments_are_refused_with_2_and_words() {
    for (args, words) in [
        (&["--lisen", "x"][..], "--lisen"),
        (&["talk"], "talk"),
        (&["--listen"], "--listen"),
        (
            &["--listen", "nowhere"],
            "--listen nowhere: expected an address",
        ),
        (
            &["--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2"],
            "--listen",
        ),
        (&["--set", "data"], "expected KEY=VALUE"),
        (
            &["--set", "dta=x"],
            "--set dta=x: unknown key; did you mean data?",
        ),
        (
            &["--set", "limits.messages_burst=many"],
            "expected a whole number, 0 for no limit",
        ),
    ] {
        let refusal = load(args).unwrap_err();
        assert_eq!(refusal.exit, Exit::BadArguments, "{args:?}");
        assert!(refusal.to_string().contains(words), "{refusal}");
        assert!(refusal.to_string().ends_with('\n'));
    }
}

#[test]
fn a_bad_environment_or_file_is_refused_with_2() {
    let refusal = load_with(&[], &[("PERENNIAL_LISTNE", "x")], "").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "error: PERENNIAL_LISTNE=x: unknown key; did you mean PERENNIAL_LISTEN?\n"
    );
    assert_eq!(refusal.exit, Exit::BadArguments);

    let refusal = load_with(&["--config", "chat.toml"], &[], "\nlistne = 1").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "error: chat.toml:2: listne = 1: unknown key; did you mean listen?\n"
    );
    assert_eq!(refusal.exit, Exit::BadArguments);

    let args = ["perennial", "--config", "nowhere.toml"].map(OsString::from);
    let missing = |_: &std::path::Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let refusal = arguments::load(args, [], missing).unwrap_err();
    assert!(
        refusal
            .to_string()
            .starts_with("error: reading nowhere.toml: "),
        "{refusal}"
    );
    assert_eq!(refusal.exit, Exit::BadArguments);

    let not_text = OsString::from_vec(vec![0xff]);
    let refusal = arguments::load(
        ["perennial".into()],
        [("PERENNIAL_DATA".into(), not_text)],
        missing,
    );
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "error: PERENNIAL_DATA: not UTF-8\n"
    );
}

#[test]
fn help_is_no_failure_and_names_every_key() {
    for args in [&["--help"][..], &["serve", "--help"]] {
        let help = load(args).unwrap_err();
        assert_eq!(help.exit, Exit::Stopped);
        let help = help.to_string();
        for flag in [
            "--listen <ADDR:PORT>",
            "--data <DIR>",
            "--config <FILE>",
            "--set <KEY=VALUE>",
            "serve",
        ] {
            assert!(help.contains(flag), "{flag} is missing in:\n{help}");
        }
        for key in perennial::chat::config_key::KEYS {
            assert!(
                help.contains(&format!("  {}=", key.name)),
                "{} is missing in:\n{help}",
                key.name
            );
        }
    }
    assert_eq!(load(&["--version"]).unwrap_err().exit, Exit::Stopped);
}

#[test]
fn exit_codes_are_those_of_the_manual() {
    let codes = [
        Exit::Stopped,
        Exit::Failed,
        Exit::BadArguments,
        Exit::Forced,
    ]
    .map(u8::from);
    assert_eq!(codes, [0, 1, 2, 130]);
}
