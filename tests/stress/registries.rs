//! Keys and names that change hands while their holders end: nobody has one twice, and the dead have none.

use crate::storm::{Dice, crowd, rounds, storm};
use crate::support::puppet::{BREEDS, Msg, Puppet};
use crate::support::stage::builder;
use perennial::process::{self, Name, RegisterError};
use perennial::{DuplicateRegistry, ExitReason, Registry};

static KEYS: Registry<usize, Msg> = Registry::new("keys");
static GROUPS: DuplicateRegistry<usize, Msg> = DuplicateRegistry::new("groups");

const PLACES: usize = 8;

/// Ends a process in one of several ways, and waits until it has.
fn ends(puppet: &Puppet, way: usize) {
    let mut watch = process::watch(puppet.pid());
    match way {
        0 => puppet.end(ExitReason::Normal),
        1 => process::exit(puppet.pid(), ExitReason::other("storm")),
        _ => process::exit(puppet.pid(), ExitReason::Kill),
    }
    puppet.ended(&mut watch);
}

#[test]
fn keys_and_names_come_free_with_their_holders() {
    storm(builder(), |runtime| {
        crowd(runtime, 4, |member| {
            let mut dice = Dice::new(member as u64 + 50);
            for _ in 0..rounds(150) {
                let puppet = BREEDS[dice.roll(BREEDS.len())].puppet();
                let (key, me) = (dice.roll(PLACES), puppet.me());
                let name = Name::<Msg>::owned(format!("place {key}"));
                let has_key = match KEYS.register(key, &me) {
                    Ok(()) => true,
                    Err(RegisterError::Taken(other)) => {
                        assert_ne!(other, me.pid());
                        false
                    }
                    Err(error) => panic!("{error}"),
                };
                let has_name = process::register(&name, &me).is_ok();
                GROUPS.register(key, &me).unwrap();
                if has_key {
                    assert_eq!(KEYS.whereis(&key).as_ref(), Some(&me));
                }
                if has_name {
                    assert_eq!(name.whereis().as_ref(), Some(&me));
                }
                ends(&puppet, dice.roll(3));
                // What others may have by now is not this one's.
                assert_ne!(KEYS.whereis(&key).as_ref(), Some(&me));
                assert_ne!(name.whereis().as_ref(), Some(&me));
                assert!(!GROUPS.lookup(&key).iter().any(|(other, _)| *other == me));
            }
        });
        assert_eq!((KEYS.count(), GROUPS.count()), (0, 0));
        assert_eq!(process::registered().len(), 0);
    });
}
