//! The checker of histories is content with those in which all is well, and finds each kind of lie in one that was
//! changed. Otherwise its word would be worth nothing.

mod lies;
mod made;

use crate::history::{Fault, check, faults_by_name};
use lies::LIES;
pub(crate) use made::Dice;
use made::Size;

/// How many histories.
const SEEDS: u64 = 100;

const SMALL: Size = Size {
    clients: 5,
    posts: 150,
};

#[test]
fn a_history_in_which_all_is_well_has_no_faults() {
    let mut outcomes = crate::history::Outcomes::default();
    for seed in 0..SEEDS {
        let verdict = check(&made::history(seed, SMALL));
        assert_eq!(verdict.faults, [], "seed {seed}");
        outcomes.add(verdict.outcomes);
    }
    // All kinds of endings came.
    assert!(outcomes.stable > 5_000, "{outcomes:?}");
    assert!(outcomes.unknown_there > 50, "{outcomes:?}");
    assert!(outcomes.unknown_absent > 50, "{outcomes:?}");
    assert!(outcomes.refused > 50, "{outcomes:?}");
    assert_eq!((outcomes.lost, outcomes.never_read), (0, 0));
}

#[test]
fn every_lie_is_found_and_called_by_its_name() {
    for (at, (name, lie)) in LIES.iter().enumerate() {
        let mut told = 0;
        for seed in 0..SEEDS {
            let mut history = made::history(seed, SMALL);
            let mut dice = Dice::new(seed);
            if lie(&mut history, &mut dice).is_none() {
                continue;
            }
            told += 1;
            let faults = check(&history).faults;
            assert!(
                faults.iter().any(|fault| fault.name() == *name),
                "lie {at}, {name}, seed {seed}: {:?}",
                faults_by_name(&faults)
            );
        }
        assert!(told > SEEDS / 5, "lie {at}, {name}, was told {told} times");
    }
}

#[test]
fn one_message_lost_of_a_hundred_thousand_is_found() {
    let large = Size {
        clients: 4,
        posts: 100_000,
    };
    let whole = made::history(1, large);
    assert_eq!(check(&whole).faults, []);
    let mut history = whole.clone();
    let lost = history.stored.remove(history.stored.len() / 2);
    let faults = check(&history).faults;
    let is_it = |fault: &Fault| matches!(fault, Fault::Lost { id, .. } if *id == lost.id);
    assert_eq!(
        faults.iter().filter(|fault| is_it(fault)).count(),
        1,
        "{:?}",
        faults_by_name(&faults)
    );
    // And one that is told to one client only.
    let mut history = whole;
    let hears = |event: &crate::history::Event| matches!(event.what, crate::history::What::Hear(_));
    let events = &mut history.logs[3].events;
    let at = (events.len() / 2..).find(|at| hears(&events[*at])).unwrap();
    events.remove(at);
    let faults = check(&history).faults;
    assert!(
        matches!(
            faults[..],
            [Fault::Gap {
                client: Some(3),
                ..
            }]
        ),
        "{:?}",
        faults_by_name(&faults)
    );
}

#[test]
fn every_fault_says_which_promise_it_breaks() {
    let mut history = made::history(1, SMALL);
    history.stored.pop();
    for fault in check(&history).faults {
        assert!(fault.to_string().starts_with(fault.promise()), "{fault}");
    }
}
