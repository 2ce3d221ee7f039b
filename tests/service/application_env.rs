//! The environment of applications; ids as in the table of conformance cases.

use crate::application::{application, with_applications};
use perennial::Runtime;
use perennial::application::{self, Env};

/// Rows: app.set_env, app.set_env_persistent, app.get_env
#[test]
fn environment_has_defaults_and_what_was_set() {
    static PORT: Env<u16> = Env::new("chat", "port");
    static HOST: Env<String> = Env::new("chat", "host");
    static OTHER: Env<u16> = Env::new("other", "port");
    with_applications(|log| {
        assert_eq!((PORT.get(), PORT.get_or(1)), (None, 1));
        assert!(!PORT.unset());
        HOST.set("example".to_owned());
        let chat = application("chat", log);
        application::load(chat.env(&PORT, 4000).env(&HOST, "localhost".to_owned())).unwrap();
        assert_eq!((PORT.get(), OTHER.get()), (Some(4000), None));
        // What was set before the defaults were known wins over them.
        assert_eq!(HOST.get().unwrap(), "example");
        PORT.set(4001);
        assert_eq!(PORT.get(), Some(4001));
        assert!(PORT.unset());
        assert!(HOST.unset());
        assert_eq!(
            (PORT.get(), HOST.get().unwrap()),
            (Some(4000), "localhost".to_owned())
        );
        // A default goes with the application and comes with it again; what was set persists.
        HOST.set("example".to_owned());
        application::unload("chat").unwrap();
        assert_eq!(
            (PORT.get(), HOST.get().unwrap()),
            (None, "example".to_owned())
        );
        let chat = application("chat", log);
        application::load(chat.env(&PORT, 4000).env(&HOST, "localhost".to_owned())).unwrap();
        assert_eq!(
            (PORT.get(), HOST.get().unwrap()),
            (Some(4000), "example".to_owned())
        );
    });
    with_applications(|_| assert_eq!(PORT.get(), None));
}

/// Rows: app.get_env
#[test]
fn whole_environment_is_listed_by_key() {
    static PORT: Env<u16> = Env::new("chat", "port");
    static HOST: Env<&str> = Env::new("chat", "host");
    static OTHER: Env<u16> = Env::new("other", "port");
    with_applications(|log| {
        OTHER.set(1);
        assert!(application::get_all_env("chat").is_empty());
        application::load(application("chat", log).env(&PORT, 4000)).unwrap();
        HOST.set("example");
        let all = application::get_all_env("chat");
        assert_eq!(
            all.iter().map(|it| it.key()).collect::<Vec<_>>(),
            ["host", "port"]
        );
        assert_eq!(
            (all[0].value::<&str>(), all[1].value::<u16>()),
            (Some(&"example"), Some(&4000))
        );
        assert_eq!(all[1].value::<u32>(), None);
        PORT.set(1);
        assert_eq!(application::get_all_env("chat")[1].value::<u16>(), Some(&1));
    });
}

#[test]
#[should_panic(expected = "use one constant for one key")]
fn environment_with_two_types_for_one_key_is_a_bug() {
    static NUMBER: Env<u16> = Env::new("chat", "confused");
    static TEXT: Env<&str> = Env::new("chat", "confused");
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    NUMBER.set(1);
    TEXT.get();
}
