//! Presence on the wire.
//!
//! Cases marked E104 come from Phoenix's `presence_test.exs`, those marked W from what a running Phoenix puts
//! on the wire.

use perennial::Pid;
use perennial::service::presence::state::State;
use perennial::web::channel::presence::{self, Fields};
use perennial::web::channel::{Payload, codec};
use serde_json::{Value, json};

fn pid(id: u32) -> Pid {
    Pid::from_parts(0, id, 1)
}

fn fields(value: Value) -> Fields {
    value.as_object().expect("an object").clone()
}

fn text(payload: &Payload) -> &str {
    payload.json().expect("JSON")
}

#[test]
fn state_has_the_metas_of_each_key() {
    // W.
    let mut tracked = State::new(1);
    let mut refs = Vec::new();
    for (id, key, at) in [(1, "u2", 10), (2, "u1", 11), (3, "u2", 12)] {
        let meta = fields(json!({ "online_at": at }));
        let phx_ref = tracked
            .track(pid(id), "room:p", key, meta)
            .expect("a track");
        refs.push(phx_ref.to_string());
    }
    let payload = presence::state(&tracked.presence_state("room:p"));
    let expected = format!(
        concat!(
            r#"{{"u1":{{"metas":[{{"online_at":11,"phx_ref":"{1}"}}]}},"#,
            r#""u2":{{"metas":[{{"online_at":10,"phx_ref":"{0}"}},{{"online_at":12,"phx_ref":"{2}"}}]}}}}"#
        ),
        refs[0], refs[1], refs[2]
    );
    assert_eq!(text(&payload), expected);
    let push = codec::push(&"1".into(), "room:p", presence::STATE_EVENT, &payload);
    let frame = String::from_utf8(push.expect("a push").bytes().to_vec()).expect("UTF-8");
    assert_eq!(
        frame,
        format!(r#"["1",null,"room:p","presence_state",{expected}]"#)
    );
}

#[test]
fn empty_topic_has_an_empty_state() {
    let mut tracked: State<Fields> = State::new(1);
    let payload = presence::state(&tracked.presence_state("room:p"));
    assert_eq!(text(&payload), "{}");
}

#[test]
fn diff_has_joins_and_leaves_and_an_update_both() {
    // W, E104.
    let mut tracked = State::new(1);
    let track = tracked.track(pid(1), "t", "u1", fields(json!({"s": "here"})));
    let old = track.expect("a track").to_string();
    let (_, joined) = tracked.take_diffs().remove(0);
    assert_eq!(
        text(&presence::diff(&joined)),
        format!(
            r#"{{"joins":{{"u1":{{"metas":[{{"phx_ref":"{old}","s":"here"}}]}}}},"leaves":{{}}}}"#
        )
    );
    let away = tracked.update(pid(1), "t", "u1", |_| fields(json!({"s": "away"})));
    let new = away.expect("an update").to_string();
    let (_, updated) = tracked.take_diffs().remove(0);
    assert_eq!(
        presence::diff(&updated).value(),
        Some(json!({
            "joins": {"u1": {"metas": [{"s": "away", "phx_ref": new, "phx_ref_prev": old}]}},
            "leaves": {"u1": {"metas": [{"s": "here", "phx_ref": old}]}},
        }))
    );
    tracked.untrack_all(pid(1));
    let (_, left) = tracked.take_diffs().remove(0);
    assert_eq!(
        presence::diff(&left).value(),
        Some(json!({
            "joins": {},
            "leaves": {"u1": {"metas": [{"s": "away", "phx_ref": new, "phx_ref_prev": old}]}},
        }))
    );
}

#[test]
fn application_cannot_forge_a_ref() {
    let mut tracked = State::new(1);
    let forged = fields(json!({"phx_ref": "mine"}));
    let phx_ref = tracked.track(pid(1), "t", "u", forged).expect("a track");
    let payload = presence::state(&tracked.presence_state("t"));
    assert_eq!(
        payload.value().expect("JSON")["u"]["metas"][0]["phx_ref"],
        json!(phx_ref.to_string())
    );
}
