//! Configuration: the defaults, what each key takes, which layer wins, and what is said about a slip.

use std::collections::HashSet;
use std::time::Duration;

use perennial::chat::config::{Config, ConfigError, Limit, Place, Problem, Setting};
use perennial::chat::config_file;
use perennial::chat::config_key::{self, KEYS, Value};
use proptest::prelude::*;

fn set(key: &str, value: &str) -> Setting {
    Setting {
        key: key.into(),
        value: value.into(),
        place: Place::Set,
    }
}

fn with(key: &str, value: &str) -> Config {
    Config::new([set(key, value)]).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(setting: Setting) -> ConfigError {
    Config::new([setting]).expect_err("the setting was taken")
}

fn from_file(text: &str) -> Result<Config, String> {
    let settings = config_file::parse("chat.toml", text).map_err(|error| error.to_string())?;
    Config::new(settings).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_the_manual() {
    let shown: Vec<(&str, String)> = KEYS
        .iter()
        .map(|key| (key.name, key.show(&Config::default())))
        .collect();
    let expected = [
        ("listen", "127.0.0.1:4000"),
        ("data", "perennial-data"),
        ("shutdown.deadline", "10s"),
        ("limits.messages_per_second", "5"),
        ("limits.messages_burst", "20"),
        ("limits.joins_per_second", "10"),
        ("limits.reads_per_second", "10"),
        ("limits.sign_ins_per_minute", "10"),
        ("limits.connections", "10000"),
        ("limits.connections_per_ip", "64"),
        ("limits.connections_unauthenticated", "1024"),
        ("limits.frames_per_second", "1000"),
        ("limits.frame_bytes", "65536"),
        ("limits.message_length", "4000"),
        ("limits.message_bytes", "16384"),
        ("limits.topics_per_socket", "100"),
        ("limits.join_messages", "200"),
        ("limits.posts_in_flight", "512"),
        ("limits.room_mailbox", "4096"),
        ("limits.channel_mailbox", "64"),
        ("limits.store_queue", "16384"),
        ("limits.outbound_frames", "256"),
        ("limits.outbound_bytes", "1048576"),
        ("limits.idle_timeout", "75s"),
        ("limits.write_timeout", "30s"),
        ("limits.keep_alive", "1m"),
        ("sessions.idle_timeout", "14d"),
        ("sessions.lifetime", "90d"),
        ("store.commit_wait", "600us"),
        ("store.readers", "2"),
        ("users.hash_threads", "2"),
        ("users.hash_queue", "32"),
        ("web.origins", ""),
    ];
    assert_eq!(shown, expected.map(|(key, value)| (key, value.to_owned())));
    assert_eq!(Config::new([]).unwrap(), Config::default());
}

#[test]
fn each_key_reads_what_it_shows_and_touches_one_field() {
    for key in KEYS {
        let default = Config::default();
        assert_eq!(with(key.name, &key.show(&default)), default, "{}", key.name);
        let other = match key.name {
            "listen" => "[::1]:80",
            "data" => "elsewhere",
            "web.origins" => "https://a.example",
            "shutdown.deadline" | "sessions.idle_timeout" | "sessions.lifetime" => "7m",
            "limits.idle_timeout" | "limits.write_timeout" | "limits.keep_alive" => "7s",
            "store.commit_wait" => "7ms",
            _ => "7",
        };
        let config = with(key.name, other);
        for observed in KEYS {
            let expected = if observed.name == key.name {
                other.to_owned()
            } else {
                observed.show(&default)
            };
            assert_eq!(
                observed.show(&config),
                expected,
                "{} after {}",
                observed.name,
                key.name
            );
        }
    }
}

#[test]
fn the_later_setting_wins() {
    let config = Config::new([
        set("limits.messages_per_second", "1"),
        set("limits.messages_burst", "2"),
        set("limits.messages_per_second", "3"),
    ]);
    let limits = config.unwrap().limits;
    assert_eq!(
        (limits.messages_per_second, limits.messages_burst),
        (Limit::at(3), Limit::at(2))
    );
}

#[test]
fn a_bad_setting_is_an_error_even_if_a_later_one_replaces_it() {
    assert!(Config::new([set("listen", "nowhere"), set("listen", "127.0.0.1:1")]).is_err());
}

#[test]
fn zero_switches_every_limit_off() {
    for key in KEYS.iter().filter(|key| key.name.starts_with("limits.")) {
        let shown = key.show(&with(key.name, "0"));
        assert!(["0", "0s"].contains(&&*shown), "{}: {shown}", key.name);
    }
    assert_eq!(
        with("limits.connections_per_ip", "0")
            .limits
            .connections_per_ip,
        Limit::Off
    );
    assert_eq!(Limit::at(0), Limit::Off);
    assert_eq!((Limit::Off.max(), Limit::at(3).max()), (None, Some(3)));
    assert!(Limit::Off.allows(u64::MAX) && Limit::at(3).allows(3) && !Limit::at(3).allows(4));
}

#[test]
fn times_have_units() {
    let deadline = |value| with("shutdown.deadline", value).shutdown.deadline;
    for (value, micros) in [
        ("0", 0),
        ("3", 3_000_000),
        ("3s", 3_000_000),
        (" 3 s ", 3_000_000),
        ("250ms", 250_000),
        ("9us", 9),
        ("2m", 120_000_000),
        ("1h", 3_600_000_000),
        ("60m", 3_600_000_000),
    ] {
        assert_eq!(deadline(value), Duration::from_micros(micros), "{value}");
    }
    for value in [
        "",
        "s",
        "-1",
        "1.5s",
        "3 sec",
        "61m",
        "99999999999999999999s",
        "18446744073709551615d",
        "٣s",
    ] {
        let error = refused(set("shutdown.deadline", value)).to_string();
        assert!(
            error.ends_with("expected a time from 0s to 1h (units: us, ms, s, m, h, d)"),
            "{error}"
        );
    }
    let error = refused(set("sessions.idle_timeout", "59s")).to_string();
    assert!(error.contains("a time from 1m to 3650d"), "{error}");
    // A bare 300 meant as microseconds is caught, not obeyed for five minutes.
    assert!(
        refused(set("store.commit_wait", "300"))
            .to_string()
            .contains("from 0s to 10ms")
    );
}

#[test]
fn values_that_do_not_fit_are_answered_with_what_would() {
    for (key, value, words) in [
        (
            "listen",
            "4000",
            "an address with a port, such as 127.0.0.1:4000 or [::1]:4000",
        ),
        (
            "listen",
            "127.0.0.1:65536",
            "an address with a port, such as 127.0.0.1:4000 or [::1]:4000",
        ),
        ("data", "", "the name of a directory"),
        (
            "limits.messages_per_second",
            "fast",
            "a whole number, 0 for no limit",
        ),
        (
            "limits.messages_per_second",
            "-1",
            "a whole number, 0 for no limit",
        ),
        (
            "limits.messages_per_second",
            "1.5",
            "a whole number, 0 for no limit",
        ),
        (
            "limits.messages_per_second",
            "4294967296",
            "a whole number, 0 for no limit",
        ),
        ("store.readers", "0", "a whole number from 1 to 64"),
        ("users.hash_threads", "65", "a whole number from 1 to 64"),
        (
            "web.origins",
            "chat.example.org",
            "origins as a browser writes them, such as https://chat.example.org",
        ),
    ] {
        let error = refused(set(key, value));
        assert_eq!(error.problem, Problem::BadValue(words.into()));
        assert_eq!(
            error.to_string(),
            format!("--set {key}={value}: expected {words}")
        );
    }
}

#[test]
fn origins_are_put_in_the_form_that_browsers_send() {
    for (written, sent) in [
        ("https://chat.example.org", "https://chat.example.org"),
        ("HTTPS://Chat.Example.ORG", "https://chat.example.org"),
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]"),
    ] {
        assert_eq!(with("web.origins", written).web.origins, [sent]);
    }
    assert_eq!(
        with("web.origins", " http://a.example , http://b.example ")
            .web
            .origins,
        ["http://a.example", "http://b.example"]
    );
    for bad in [
        "https://a.example/",
        "https://a.example/chat",
        "//a.example",
        "a.example",
        "null",
        "*",
        "https://*.example",
        "ftp://a.example",
        "https://",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a b",
        "https://u@a.example",
        "http://[::1",
        "http://[x]:1",
        "https://한국.example",
    ] {
        assert!(Config::new([set("web.origins", bad)]).is_err(), "{bad}");
    }
}

#[test]
fn an_unknown_key_is_named_and_the_nearest_with_it() {
    for (wrong, nearest) in [
        (
            "limits.mesages_per_second",
            Some("limits.messages_per_second"),
        ),
        (
            "limits.messages-per-second",
            Some("limits.messages_per_second"),
        ),
        (
            "limits.messages_per_minute",
            Some("limits.messages_per_second"),
        ),
        ("LIMITS.MESSAGES_BURST", Some("limits.messages_burst")),
        ("messages_burst", Some("limits.messages_burst")),
        ("limit.join_messages", Some("limits.join_messages")),
        ("shutdown.deadlin", Some("shutdown.deadline")),
        ("web.listen", Some("listen")),
        ("web.origin", Some("web.origins")),
        ("dta", Some("data")),
        ("colour", None),
        ("", None),
        ("x", None),
        ("limits", None),
    ] {
        assert_eq!(
            refused(set(wrong, "1")).problem,
            Problem::UnknownKey(nearest),
            "{wrong}"
        );
    }
    assert_eq!(
        config_key::nearest(&"limits.messages_per_second".repeat(1_000)),
        None
    );
}

#[test]
fn an_error_says_where_the_setting_was_written() {
    let at = |place| {
        let setting = Setting {
            key: "dta".into(),
            value: "x".into(),
            place,
        };
        refused(setting).to_string()
    };
    let file = Place::File {
        path: "chat.toml".into(),
        line: 7,
    };
    assert_eq!(
        at(file),
        "chat.toml:7: dta = x: unknown key; did you mean data?"
    );
    assert_eq!(
        at(Place::Environment),
        "PERENNIAL_DTA=x: unknown key; did you mean PERENNIAL_DATA?"
    );
    assert_eq!(
        at(Place::Set),
        "--set dta=x: unknown key; did you mean data?"
    );
    assert_eq!(
        refused(set("colour", "red")).to_string(),
        "--set colour=red: unknown key"
    );
    let flag = Setting {
        key: "listen".into(),
        value: "x".into(),
        place: Place::Flag,
    };
    assert!(
        refused(flag)
            .to_string()
            .starts_with("--listen x: expected an address")
    );
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let variables: HashSet<String> = KEYS
        .iter()
        .map(|key| config_key::variable(key.name))
        .collect();
    assert_eq!(variables.len(), KEYS.len());
    for key in KEYS {
        let variable = config_key::variable(key.name);
        assert_eq!(
            config_key::name_of_variable(&variable).as_deref(),
            Some(key.name)
        );
    }
    assert_eq!(
        config_key::variable("limits.messages_per_second"),
        "PERENNIAL_LIMITS_MESSAGES_PER_SECOND"
    );
}

#[test]
fn only_our_variables_are_looked_at() {
    for other in [
        "HOME",
        "perennial_data",
        "PERENNIAL",
        "XPERENNIAL_DATA",
        "PERENNIAL_DEFAULT_KIND",
    ] {
        assert_eq!(config_key::name_of_variable(other), None, "{other}");
    }
    let name = config_key::name_of_variable("PERENNIAL_LIMITS_MESAGES_BURST").unwrap();
    assert_eq!(config_key::nearest(&name), Some("limits.messages_burst"));
}

#[test]
fn a_file_can_set_every_kind_of_value() {
    let config = from_file(
        r#"
        listen = "0.0.0.0:80"
        data = '/var/lib/perennial'
        shutdown = { deadline = "30s" }
        web.origins = ["https://a.example", "https://b.example"]

        [limits]
        messages_per_second = 1_000   # with TOML's underscores
        connections_per_ip = 0x10
        join_messages = "50"
        "#,
    )
    .unwrap();
    assert_eq!(config.listen.port(), 80);
    assert_eq!(config.data.to_str(), Some("/var/lib/perennial"));
    assert_eq!(config.shutdown.deadline, Duration::from_secs(30));
    assert_eq!(
        config.web.origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.limits.messages_per_second, Limit::at(1_000));
    assert_eq!(config.limits.connections_per_ip, Limit::at(16));
    assert_eq!(config.limits.join_messages, Limit::at(50));
    assert_eq!(from_file("").unwrap(), Config::default());
    assert_eq!(from_file("[limits]\n").unwrap(), Config::default());
}

#[test]
fn a_bad_file_is_answered_with_its_line() {
    for (text, words) in [
        (
            "\n\n[limits]\nmesages_burst = 3\n",
            "chat.toml:4: limits.mesages_burst = 3: unknown key; did you mean limits.messages_burst?",
        ),
        ("limits = 3", "chat.toml:1: limits = 3: unknown key"),
        (
            "[listen]\nport = 3",
            "chat.toml:2: listen.port = 3: unknown key",
        ),
        (
            "listen = true",
            "chat.toml:1: listen = true: expected an address with a port, such as 127.0.0.1:4000 or [::1]:4000",
        ),
        (
            "listen = ['a']",
            "chat.toml:1: listen = [a]: expected a single value, not a list",
        ),
        (
            "\nweb.origins = [['a']]",
            "chat.toml:2: a list has plain values, not lists or tables",
        ),
        (
            "web.origins = [1]",
            "chat.toml:1: web.origins = [1]: expected origins as a browser writes them, such as https://chat.example.org",
        ),
        (
            "limits.messages_burst = 1.5",
            "chat.toml:1: limits.messages_burst = 1.5: expected a whole number, 0 for no limit",
        ),
        (
            "limits.messages_burst = 99999999999999999999",
            "chat.toml:1: a number too large",
        ),
    ] {
        assert_eq!(from_file(text).unwrap_err(), words);
    }
    for (text, line) in [
        ("listen", 1),
        ("data = 'a'\ndata = 'b'", 2),
        ("\n[limits", 2),
        ("data = 'a", 1),
    ] {
        let error = config_file::parse("chat.toml", text).unwrap_err();
        assert_eq!(
            (error.line, error.message.is_empty()),
            (line, false),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn of_two_errors_in_a_file_the_first_is_reported() {
    let error = from_file("zebra = 1\naardvark = 2\n").unwrap_err();
    assert_eq!(error, "chat.toml:1: zebra = 1: unknown key");
}

proptest! {
    #[test]
    fn no_text_makes_a_key_or_the_file_panic(key in any::<String>(), value in any::<String>()) {
        let _ = Config::new([set(&key, &value)]);
        for known in KEYS {
            let _ = Config::new([set(known.name, &value)]);
        }
        let _ = config_file::parse("chat.toml", &value);
        let _ = config_file::parse("chat.toml", &format!("{key} = {value}"));
    }

    #[test]
    fn limits_read_every_number(max in any::<u32>()) {
        let setting = Setting { key: "limits.outbound_bytes".into(), value: Value::Text(max.to_string()), place: Place::Set };
        prop_assert_eq!(Config::new([setting]).unwrap().limits.outbound_bytes, Limit::at(max));
    }
}
