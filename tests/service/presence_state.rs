//! The tracker's state: diffs, metas, and the one promise that a watcher ends with what the server has.
//!
//! Cases marked E102–E104 come from Phoenix's `presence_test.exs`, T107–T109 from phoenix_pubsub's tracker
//! tests, J153–J157 from `assets/test/presence_test.js`.

use perennial::Pid;
use perennial::service::presence::state::{
    AlreadyTracked, Diff, Meta, NoPresence, PhxRef, Presences, State,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

fn pid(id: u32) -> Pid {
    Pid::from_parts(0, id, 1)
}

type Seen = BTreeMap<String, Vec<&'static str>>;

fn seen(presences: &Presences<&'static str>) -> Seen {
    let keys = presences.iter();
    keys.map(|(key, metas)| (key.to_string(), metas.iter().map(|it| it.meta).collect()))
        .collect()
}

fn is(keys: &[(&str, &[&'static str])]) -> Seen {
    keys.iter()
        .map(|(key, metas)| (key.to_string(), metas.to_vec()))
        .collect()
}

/// The one diff that there is, as (topic, joins, leaves).
fn one_diff(state: &mut State<&'static str>) -> (String, Seen, Seen) {
    let mut diffs = state.take_diffs();
    assert_eq!(diffs.len(), 1, "{diffs:?}");
    let (topic, diff) = diffs.remove(0);
    (topic.to_string(), seen(&diff.joins), seen(&diff.leaves))
}

#[test]
fn track_is_a_join_and_untrack_a_leave() {
    // E103, E104, T107.
    let mut state = State::new(0);
    state.track(pid(1), "t", "u1", "a").unwrap();
    assert_eq!(seen(&state.list("t")), is(&[("u1", &["a"])]));
    assert_eq!(
        one_diff(&mut state),
        ("t".into(), is(&[("u1", &["a"])]), is(&[]))
    );
    assert!(state.untrack(pid(1), "t", "u1"));
    assert_eq!(
        one_diff(&mut state),
        ("t".into(), is(&[]), is(&[("u1", &["a"])]))
    );
    assert!(state.list("t").is_empty());
    assert!(state.is_empty());
}

#[test]
fn several_devices_are_metas_of_one_key_oldest_first() {
    let mut state = State::new(0);
    state.track(pid(3), "t", "u1", "a").unwrap();
    state.track(pid(1), "t", "u1", "b").unwrap();
    state.track(pid(2), "t", "u2", "c").unwrap();
    let all = is(&[("u1", &["a", "b"]), ("u2", &["c"])]);
    assert_eq!(seen(&state.list("t")), all);
    assert_eq!(one_diff(&mut state), ("t".into(), all, is(&[])));
    state.untrack_all(pid(3));
    assert_eq!(one_diff(&mut state).2, is(&[("u1", &["a"])]));
    assert_eq!(
        seen(&state.list("t")),
        is(&[("u1", &["b"]), ("u2", &["c"])])
    );
}

#[test]
fn second_track_of_the_same_is_an_error() {
    // T109.
    let mut state = State::new(0);
    state.track(pid(1), "t", "u1", "a").unwrap();
    assert_eq!(state.track(pid(1), "t", "u1", "b"), Err(AlreadyTracked));
    assert_eq!(state.get_by_key("t", "u1").len(), 1);
    // Another key, another topic or another process is not the same.
    state.track(pid(1), "t", "u2", "b").unwrap();
    state.track(pid(1), "other", "u1", "b").unwrap();
    state.track(pid(2), "t", "u1", "b").unwrap();
    assert!(state.untrack(pid(1), "t", "u1"));
    state.track(pid(1), "t", "u1", "again").unwrap();
}

#[test]
fn untrack_of_nothing_changes_nothing() {
    // E104.
    // E104.
    let mut state = State::new(0);
    state.track(pid(1), "t", "u1", "a").unwrap();
    state.take_diffs();
    assert!(!state.untrack(pid(1), "t", "u2"));
    assert!(!state.untrack(pid(1), "other", "u1"));
    assert!(!state.untrack(pid(2), "t", "u1"));
    state.untrack_all(pid(2));
    assert!(!state.has_diffs());
    assert!(state.take_diffs().is_empty());
}

#[test]
fn death_of_a_process_ends_all_its_presences() {
    // T107: untrack by pid.
    let mut state = State::new(0);
    state.track(pid(1), "a", "u1", "x").unwrap();
    state.track(pid(1), "b", "u1", "y").unwrap();
    state.track(pid(1), "b", "u2", "z").unwrap();
    state.track(pid(2), "b", "u1", "w").unwrap();
    state.take_diffs();
    state.untrack_all(pid(1));
    let diffs = state.take_diffs();
    let topics: Vec<&str> = diffs.iter().map(|(topic, _)| &**topic).collect();
    assert_eq!(topics, ["a", "b"]);
    assert_eq!(seen(&diffs[0].1.leaves), is(&[("u1", &["x"])]));
    assert_eq!(
        seen(&diffs[1].1.leaves),
        is(&[("u1", &["y"]), ("u2", &["z"])])
    );
    assert_eq!(seen(&state.list("b")), is(&[("u1", &["w"])]));
}

#[test]
fn update_is_a_join_and_a_leave_in_one_diff() {
    // E104, T109: the new meta carries the ref of the old.
    let mut state = State::new(0);
    let old = state.track(pid(1), "t", "u1", "here").unwrap();
    state.take_diffs();
    let new = state.update(pid(1), "t", "u1", |_| "away").unwrap();
    assert_ne!(old, new);
    let (_, diff) = state.take_diffs().remove(0);
    assert_eq!(seen(&diff.joins), is(&[("u1", &["away"])]));
    assert_eq!(seen(&diff.leaves), is(&[("u1", &["here"])]));
    let joined = &diff.joins["u1"][0];
    assert_eq!((joined.phx_ref, joined.phx_ref_prev), (new, Some(old)));
    assert_eq!(diff.leaves["u1"][0].phx_ref, old);
    // It can still be untracked afterwards.
    assert!(state.untrack(pid(1), "t", "u1"));
    assert!(state.list("t").is_empty());
}

#[test]
fn update_sees_the_present_meta() {
    // T107: update by function.
    let mut state = State::new(0);
    state.track(pid(1), "t", "u1", 1).unwrap();
    state.update(pid(1), "t", "u1", |n| n + 1).unwrap();
    state.update(pid(1), "t", "u1", |n| n * 10).unwrap();
    assert_eq!(state.get_by_key("t", "u1")[0].meta, 20);
}

#[test]
fn update_of_nothing_is_an_error() {
    // E104.
    // E104.
    let mut state = State::new(0);
    assert_eq!(state.update(pid(1), "t", "u1", |m| *m), Err(NoPresence));
    state.track(pid(1), "t", "u1", "a").unwrap();
    assert_eq!(state.update(pid(2), "t", "u1", |m| *m), Err(NoPresence));
    assert_eq!(state.update(pid(1), "t", "u2", |m| *m), Err(NoPresence));
}

#[test]
fn one_key_is_looked_up_alone() {
    // E102.
    // E102.
    let mut state = State::new(0);
    state.track(pid(1), "t", "u1", "a").unwrap();
    state.track(pid(2), "t", "u2", "b").unwrap();
    assert_eq!(state.get_by_key("t", "u1")[0].meta, "a");
    assert!(state.get_by_key("t", "u3").is_empty());
    assert!(state.get_by_key("other", "u1").is_empty());
}

#[test]
fn thousand_joins_between_two_looks_are_one_diff() {
    let mut state = State::new(0);
    for id in 0..1000 {
        state.track(pid(id), "t", &format!("u{id}"), "x").unwrap();
    }
    let diffs = state.take_diffs();
    assert_eq!(diffs.len(), 1);
    assert_eq!(diffs[0].1.joins.len(), 1000);
    assert!(!state.has_diffs());
}

#[test]
fn join_and_leave_that_nobody_saw_cancel_out() {
    let mut state = State::new(0);
    state.track(pid(1), "t", "u1", "a").unwrap();
    state.update(pid(1), "t", "u1", |_| "b").unwrap();
    state.untrack_all(pid(1));
    assert!(state.take_diffs().is_empty());
    assert!(state.is_empty());
}

#[test]
fn leave_of_a_join_that_somebody_copied_is_told() {
    let mut state = State::new(0);
    state.track(pid(1), "t", "u1", "a").unwrap();
    let copied = state.presence_state("t");
    assert_eq!(seen(&copied), is(&[("u1", &["a"])]));
    state.untrack_all(pid(1));
    assert_eq!(
        one_diff(&mut state),
        ("t".into(), is(&[]), is(&[("u1", &["a"])]))
    );
    assert!(state.is_empty());
}

#[test]
fn updates_between_two_looks_are_one_update() {
    let mut state = State::new(0);
    let told = state.track(pid(1), "t", "u1", "a").unwrap();
    state.take_diffs();
    state.update(pid(1), "t", "u1", |_| "b").unwrap();
    let last = state.update(pid(1), "t", "u1", |_| "c").unwrap();
    let (_, diff) = state.take_diffs().remove(0);
    let expected = Meta {
        phx_ref: last,
        phx_ref_prev: Some(told),
        meta: "c",
    };
    assert_eq!(diff.joins["u1"], [expected]);
    assert_eq!(seen(&diff.leaves), is(&[("u1", &["a"])]));
}

#[test]
fn refs_are_sixteen_url_safe_characters_and_never_come_again() {
    let mut refs = HashSet::new();
    for epoch in [0, 1, 0x7fff_ffff_ffff, 0xffff_ffff_ffff, u64::MAX - 1] {
        let mut state = State::new(epoch);
        for id in 0..500 {
            let phx_ref: PhxRef = state.track(pid(id), "t", "u", ()).unwrap();
            let text = phx_ref.to_string();
            assert_eq!(text.len(), 16);
            let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(text.chars().all(safe), "{text}");
            assert!(refs.insert(text));
        }
    }
}

#[test]
fn keys_named_like_object_prototype_members_are_keys() {
    // J155.
    let mut state = State::new(0);
    for key in ["__proto__", "constructor", "toString", ""] {
        state.track(pid(1), "t", key, "a").unwrap();
    }
    assert_eq!(state.list("t").len(), 4);
}

// ## The promise

/// What the official client keeps, by its rules: joins first, then leaves (J154, J157).
#[derive(Clone, Debug, Default, PartialEq)]
struct Client(BTreeMap<String, Vec<Meta<u32>>>);

impl Client {
    fn sync_state(presences: &Presences<u32>) -> Self {
        let keys = presences.iter();
        Client(
            keys.map(|(key, metas)| (key.to_string(), metas.clone()))
                .collect(),
        )
    }

    fn sync_diff(&mut self, diff: &Diff<u32>) {
        for (key, joined) in &diff.joins {
            let metas = self.0.entry(key.to_string()).or_default();
            metas.retain(|known| joined.iter().all(|new| new.phx_ref != known.phx_ref));
            metas.extend(joined.iter().cloned());
        }
        for (key, left) in &diff.leaves {
            if let Some(metas) = self.0.get_mut(&**key) {
                metas.retain(|known| left.iter().all(|old| old.phx_ref != known.phx_ref));
                if metas.is_empty() {
                    self.0.remove(&**key);
                }
            }
        }
    }

    /// Without the order of metas and without what only a diff says.
    fn people(&self) -> BTreeMap<String, BTreeMap<PhxRef, u32>> {
        let keys = self.0.iter();
        keys.map(|(key, metas)| {
            let metas = metas.iter().map(|it| (it.phx_ref, it.meta)).collect();
            (key.clone(), metas)
        })
        .collect()
    }
}

#[derive(Clone, Debug)]
enum Op {
    Track(u32, u32, u32),
    Untrack(u32, u32, u32),
    Update(u32, u32, u32),
    Die(u32),
    Watch(u32),
    Tick,
}

fn op() -> impl Strategy<Value = Op> {
    let place = || (0..4_u32, 0..2_u32, 0..3_u32);
    prop_oneof![
        5 => place().prop_map(|(p, t, k)| Op::Track(p, t, k)),
        2 => place().prop_map(|(p, t, k)| Op::Untrack(p, t, k)),
        2 => place().prop_map(|(p, t, k)| Op::Update(p, t, k)),
        1 => (0..4_u32).prop_map(Op::Die),
        2 => (0..2_u32).prop_map(Op::Watch),
        2 => Just(Op::Tick),
    ]
}

proptest! {
    /// Whoever copies a topic at any moment and hears every later diff has the topic as it is, whenever
    /// nothing is left to tell.
    #[test]
    fn every_watcher_ends_with_what_the_server_has(ops in prop::collection::vec(op(), 0..80)) {
        let mut state = State::new(9);
        let mut watchers: Vec<(String, Client)> = Vec::new();
        let mut value = 0;
        for op in ops.into_iter().chain([Op::Tick]) {
            value += 1;
            match op {
                Op::Track(p, t, k) => {
                    let _ = state.track(pid(p), &t.to_string(), &k.to_string(), value);
                }
                Op::Untrack(p, t, k) => {
                    state.untrack(pid(p), &t.to_string(), &k.to_string());
                }
                Op::Update(p, t, k) => {
                    let _ = state.update(pid(p), &t.to_string(), &k.to_string(), |_| value);
                }
                Op::Die(p) => state.untrack_all(pid(p)),
                Op::Watch(t) => {
                    let topic = t.to_string();
                    let client = Client::sync_state(&state.presence_state(&topic));
                    watchers.push((topic, client));
                }
                Op::Tick => {
                    for (topic, diff) in state.take_diffs() {
                        for (watched, client) in &mut watchers {
                            if **watched == *topic {
                                client.sync_diff(&diff);
                            }
                        }
                    }
                    for (topic, client) in &watchers {
                        let truth = Client::sync_state(&state.list(topic));
                        prop_assert_eq!(client.people(), truth.people());
                    }
                }
            }
        }
        for id in 0..4 {
            state.untrack_all(pid(id));
        }
        state.take_diffs();
        prop_assert!(state.is_empty());
    }
}
