//! Registries against a small model: whatever several processes do to their keys, and whenever they die, the
//! registry says what the model says. A failure prints the steps, cut down to the fewest that fail, and its seed.

use crate::registry_partitions::{idle, kill};
use crate::stage::{KINDS, in_runtime};
use perennial::process::Ref;
use perennial::process::{Kind, RegisterError};
use perennial::{DuplicateRegistry, Registry};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PROCESSES: usize = 4;
const KEYS: u32 = 5;

/// A step: who, with which key, and what.
#[derive(Clone, Debug)]
enum Step {
    Register(usize, u32, u32),
    Unregister(usize, u32),
    UnregisterMatch(usize, u32, u32),
    Update(usize, u32, u32),
    /// The process dies, and another takes its place.
    Die(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (who, key, value) = (0..PROCESSES, 0..KEYS, 0..3_u32);
    prop_oneof![
        4 => (who.clone(), key.clone(), value.clone()).prop_map(|(p, k, v)| Step::Register(p, k, v)),
        2 => (who.clone(), key.clone()).prop_map(|(p, k)| Step::Unregister(p, k)),
        1 => (who.clone(), key.clone(), value.clone()).prop_map(|(p, k, v)| Step::UnregisterMatch(p, k, v)),
        1 => (who.clone(), key, value).prop_map(|(p, k, v)| Step::Update(p, k, v)),
        1 => who.prop_map(Step::Die),
    ]
}

/// What is registered: key, process by its number, value; in that order, once for each entry.
type Model = Vec<(u32, usize, u32)>;

fn sorted(mut entries: Model) -> Model {
    entries.sort_unstable();
    entries
}

struct Crew {
    kind: Kind,
    processes: Vec<Ref<u32>>,
}

impl Crew {
    fn new(kind: Kind) -> Self {
        let processes = (0..PROCESSES).map(|_| idle(kind)).collect();
        Crew { kind, processes }
    }

    fn number(&self, process: &Ref<u32>) -> usize {
        let at = self.processes.iter().position(|one| one == process);
        at.expect("only the living are registered")
    }

    fn die(&mut self, who: usize) {
        kill(&self.processes[who]);
        self.processes[who] = idle(self.kind);
    }
}

fn unique(steps: &[Step], kind: Kind, partitions: usize) {
    let registry: Registry<u32, u32, u32> = Registry::owned("model").partitions(partitions);
    let (mut crew, mut model) = (Crew::new(kind), BTreeMap::<u32, (usize, u32)>::new());
    for step in steps {
        match step.clone() {
            Step::Register(who, key, value) => {
                let expected = match model.get(&key) {
                    Some((owner, _)) => Err(RegisterError::Taken(crew.processes[*owner].pid())),
                    None => Ok(()),
                };
                model.entry(key).or_insert((who, value));
                let registered = registry.register_with(key, &crew.processes[who], value);
                assert_eq!(registered, expected, "{step:?}");
            }
            Step::Unregister(who, key) => {
                let own = model.get(&key).is_some_and(|it| it.0 == who);
                own.then(|| model.remove(&key));
                assert_eq!(
                    registry.unregister(&key, &crew.processes[who]),
                    own,
                    "{step:?}"
                );
            }
            Step::UnregisterMatch(who, key, value) => {
                let own = model.get(&key) == Some(&(who, value));
                own.then(|| model.remove(&key));
                let gone = registry.unregister_match(&key, &crew.processes[who], |it| *it == value);
                assert_eq!(gone, own, "{step:?}");
            }
            Step::Update(who, key, value) => {
                let entry = model.get_mut(&key).filter(|it| it.0 == who);
                let expected = entry.map(|it| (value, std::mem::replace(&mut it.1, value)));
                let updated = registry.update_value(&key, &crew.processes[who], |_| value);
                assert_eq!(updated, expected, "{step:?}");
            }
            Step::Die(who) => {
                crew.die(who);
                model.retain(|_, it| it.0 != who);
            }
        }
        let expected: Model = model.iter().map(|(key, it)| (*key, it.0, it.1)).collect();
        let found =
            registry.select(|key, process, value| Some((*key, crew.number(process), *value)));
        assert_eq!(
            (sorted(found), registry.count()),
            (expected.clone(), expected.len()),
            "{step:?}"
        );
        for key in 0..KEYS {
            let found = registry.lookup(&key).map(|it| (crew.number(&it.0), it.1));
            assert_eq!(found, model.get(&key).copied(), "{step:?}");
        }
        for (who, process) in crew.processes.iter().enumerate() {
            let mut keys = registry.keys(process);
            keys.sort_unstable();
            let own = expected.iter().filter(|it| it.1 == who).map(|it| it.0);
            assert_eq!(keys, own.collect::<Vec<_>>(), "{step:?}");
        }
    }
    crew.processes.iter().for_each(kill);
    assert_eq!(registry.count(), 0);
}

fn duplicate(steps: &[Step], kind: Kind, partitions: usize) {
    let registry: DuplicateRegistry<u32, u32, u32> =
        DuplicateRegistry::owned("model").partitions(partitions);
    let (mut crew, mut model) = (Crew::new(kind), Model::new());
    for step in steps {
        let before = model.len();
        match *step {
            Step::Register(who, key, value) => {
                model.push((key, who, value));
                registry
                    .register_with(key, &crew.processes[who], value)
                    .unwrap();
            }
            Step::Unregister(who, key) => {
                model.retain(|it| (it.0, it.1) != (key, who));
                let gone = registry.unregister(&key, &crew.processes[who]);
                assert_eq!(gone, before - model.len(), "{step:?}");
            }
            Step::UnregisterMatch(who, key, value) => {
                model.retain(|it| *it != (key, who, value));
                let gone = registry.unregister_match(&key, &crew.processes[who], |it| *it == value);
                assert_eq!(gone, before - model.len(), "{step:?}");
            }
            // Only unique keys have one value.
            Step::Update(..) => {}
            Step::Die(who) => {
                crew.die(who);
                model.retain(|it| it.1 != who);
            }
        }
        let expected = sorted(model.clone());
        let found =
            registry.select(|key, process, value| Some((*key, crew.number(process), *value)));
        assert_eq!(
            (sorted(found), registry.count()),
            (expected.clone(), expected.len()),
            "{step:?}"
        );
        for key in 0..KEYS {
            let found = registry
                .lookup(&key)
                .iter()
                .map(|it| (key, crew.number(&it.0), it.1))
                .collect();
            let own = expected.iter().filter(|it| it.0 == key).copied();
            assert_eq!(sorted(found), own.collect::<Model>(), "{step:?}");
        }
        for (who, process) in crew.processes.iter().enumerate() {
            let mut keys = registry.keys(process);
            keys.sort_unstable();
            let own = expected.iter().filter(|it| it.1 == who).map(|it| it.0);
            assert_eq!(keys, own.collect::<Vec<_>>(), "{step:?}");
        }
    }
    crew.processes.iter().for_each(kill);
    assert_eq!(registry.count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn unique_registry_is_its_model(steps in proptest::collection::vec(step(), 1..40)) {
        for kind in KINDS {
            for partitions in [1, 3] {
                in_runtime(|| unique(&steps, kind, partitions));
            }
        }
    }

    #[test]
    fn duplicate_registry_is_its_model(steps in proptest::collection::vec(step(), 1..40)) {
        for kind in KINDS {
            for partitions in [1, 3] {
                in_runtime(|| duplicate(&steps, kind, partitions));
            }
        }
    }
}
