//! PURE: the two events by which a client follows who is here, `presence_state` and `presence_diff`.
//!
//! Both carry `{key: {"metas": [meta, …]}}`; a diff carries it twice, for those who came and those who went.
//! A client applies diffs only once it has a state of its present join, so every join is to be followed by a
//! state; whatever comes before it is kept until then.

use super::message::Payload;
use crate::service::presence::state::{Diff, Meta, Presences};
use serde_json::{Map, Value, json};

/// The event that carries everybody on a topic, pushed once after a join.
pub const STATE_EVENT: &str = "presence_state";

/// The event that carries what changed, broadcast to everybody on the topic.
pub const DIFF_EVENT: &str = "presence_diff";

/// What the application says about one process, as the client sees it. `phx_ref` and `phx_ref_prev` are added.
pub type Fields = Map<String, Value>;

/// The payload of [`STATE_EVENT`].
///
/// ```
/// use perennial::Pid;
/// use perennial::service::presence::state::State;
/// use perennial::web::channel::presence::{self, Fields};
/// use serde_json::json;
///
/// let mut tracked = State::new(7);
/// let mut fields = Fields::new();
/// fields.insert("online_at".into(), json!(1_795_368_340));
/// let phx_ref = tracked.track(Pid::from_parts(0, 1, 1), "room:1", "anna", fields)?.to_string();
/// assert_eq!(
///     presence::state(&tracked.presence_state("room:1")).value(),
///     Some(json!({"anna": {"metas": [{"online_at": 1_795_368_340, "phx_ref": phx_ref}]}})),
/// );
/// # Ok::<(), perennial::service::presence::state::AlreadyTracked>(())
/// ```
pub fn state(presences: &Presences<Fields>) -> Payload {
    keys(presences).into()
}

/// The payload of [`DIFF_EVENT`].
pub fn diff(diff: &Diff<Fields>) -> Payload {
    json!({"joins": keys(&diff.joins), "leaves": keys(&diff.leaves)}).into()
}

fn keys(presences: &Presences<Fields>) -> Value {
    let keys = presences.iter().map(|(key, metas)| {
        let metas: Vec<Value> = metas.iter().map(fields).collect();
        (key.to_string(), json!({ "metas": metas }))
    });
    Value::Object(keys.collect())
}

fn fields(meta: &Meta<Fields>) -> Value {
    let mut fields = meta.meta.clone();
    fields.insert("phx_ref".into(), meta.phx_ref.to_string().into());
    if let Some(prev) = meta.phx_ref_prev {
        fields.insert("phx_ref_prev".into(), prev.to_string().into());
    }
    Value::Object(fields)
}
