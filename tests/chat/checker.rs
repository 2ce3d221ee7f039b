//! PURE. Whether what clients were told is true of what the store holds, after everything is over.

use serde_json::Value;
use std::collections::HashMap;

/// A message as somebody got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) seq: u64,
    pub(crate) user: String,
    pub(crate) body: String,
    pub(crate) client_id: String,
}

/// A post that was answered with ok.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) client_id: String,
    pub(crate) body: String,
    pub(crate) seq: u64,
}

/// What one client of one room was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) room: String,
    pub(crate) user: String,
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Everything, in the order it came; empty for one who only speaks.
    pub(crate) heard: Vec<Heard>,
    pub(crate) connections: usize,
    pub(crate) joins: usize,
    pub(crate) crashes: usize,
    pub(crate) refusals: usize,
}

impl Heard {
    pub(crate) fn from_json(message: &Value) -> Self {
        let text = |key: &str| message[key].as_str().unwrap().to_owned();
        Heard {
            seq: message["seq"].as_u64().unwrap(),
            user: text("user"),
            body: text("body"),
            client_id: text("client_id"),
        }
    }
}

impl Log {
    pub(crate) fn new(room: &str, user: &str) -> Self {
        Log {
            room: room.to_owned(),
            user: user.to_owned(),
            ..Log::default()
        }
    }

    /// The number of the last message.
    pub(crate) fn seen(&self) -> u64 {
        self.heard.last().map_or(0, |last| last.seq)
    }

    /// R2: in order, without gaps, without doubles.
    #[track_caller]
    pub(crate) fn hear(&mut self, message: Heard) {
        assert_eq!(
            message.seq,
            self.seen() + 1,
            "what {} hears in {}",
            self.user,
            self.room
        );
        self.heard.push(message);
    }
}

/// What is wrong with a room's history and what its clients were told of it; nothing, if all is well.
pub(crate) fn faults(history: &[Heard], logs: &[Log]) -> Vec<String> {
    let mut faults = Vec::new();
    for (seq, message) in (1..).zip(history) {
        if message.seq != seq {
            faults.push(format!("R2: {} where {seq} should be", message.seq));
        }
    }
    let mut rows: HashMap<(&str, &str), &Heard> = HashMap::new();
    for message in history {
        let key = (&*message.user, &*message.client_id);
        if let Some(first) = rows.insert(key, message) {
            faults.push(format!("R6: stored twice: {first:?}, {message:?}"));
        }
    }
    for log in logs {
        for said in &log.acknowledged {
            match rows.remove(&(&*log.user, &*said.client_id)) {
                None => faults.push(format!("R5: {} lost {said:?}, or was told twice", log.user)),
                Some(row) if (row.seq, &row.body) != (said.seq, &said.body) => {
                    faults.push(format!("R1: {} was told {said:?} of {row:?}", log.user));
                }
                Some(_) => {}
            }
        }
        let heard = log.heard.iter().zip(history);
        for (heard, stored) in heard.filter(|(heard, stored)| heard != stored) {
            faults.push(format!("R1: {} heard {heard:?} of {stored:?}", log.user));
        }
        if !log.heard.is_empty() && log.heard.len() != history.len() {
            let (heard, stored) = (log.heard.len(), history.len());
            faults.push(format!("R2: {} heard {heard} of {stored}", log.user));
        }
    }
    // In the end every post was acknowledged, so every row is somebody's.
    let nobodys = rows.values().map(|row| format!("nobody said {row:?}"));
    faults.extend(nobodys);
    faults
}

/// Asserts that there is nothing wrong.
#[track_caller]
pub(crate) fn assert_faultless(history: &[Heard], logs: &[Log]) {
    let faults = faults(history, logs);
    assert!(
        faults.is_empty(),
        "{} faults, the first of them:\n  {}",
        faults.len(),
        faults[..faults.len().min(10)].join("\n  ")
    );
}

/// A run of two people in which all is well.
fn good_run() -> (Vec<Heard>, Vec<Log>) {
    let history: Vec<Heard> = (1..=20)
        .map(|seq| Heard {
            seq,
            user: ["ada", "bob"][seq as usize % 2].to_owned(),
            body: format!("message {seq}"),
            client_id: format!("c-{}", seq / 2),
        })
        .collect();
    let logs = ["ada", "bob"].map(|user| {
        let own = history.iter().filter(|message| message.user == user);
        Log {
            heard: history.clone(),
            acknowledged: own
                .map(|message| Acknowledged {
                    client_id: message.client_id.clone(),
                    body: message.body.clone(),
                    seq: message.seq,
                })
                .collect(),
            ..Log::new("lobby", user)
        }
    });
    (history, logs.into())
}

// A checker that is always content proves nothing.
#[test]
fn each_kind_of_lie_is_found() {
    type Lie = fn(&mut Vec<Heard>, &mut Vec<Log>);
    let lies: [(&str, Lie); 12] = [
        ("R5", |history, logs| {
            history.pop();
            logs.iter_mut().for_each(|log| drop(log.heard.pop()));
        }),
        ("R2", |history, logs| {
            history.remove(7);
            logs.iter_mut().for_each(|log| drop(log.heard.remove(7)));
        }),
        ("R2", |history, _| history.swap(3, 4)),
        ("R6", |history, _| {
            let mut again = history[5].clone();
            again.seq = 21;
            history.push(again);
        }),
        ("nobody", |history, logs| {
            let phantom = Heard {
                seq: 21,
                user: "eve".to_owned(),
                body: "boo".to_owned(),
                client_id: "c".to_owned(),
            };
            history.push(phantom.clone());
            logs.iter_mut()
                .for_each(|log| log.heard.push(phantom.clone()));
        }),
        ("R1", |history, _| history[9].body.push('!')),
        ("R1", |_, logs| logs[0].acknowledged[2].seq += 1),
        ("R1", |_, logs| logs[1].heard[11].body.clear()),
        ("R1", |_, logs| logs[1].heard.swap(0, 1)),
        ("R2", |_, logs| drop(logs[0].heard.pop())),
        ("R1", |_, logs| drop(logs[0].heard.remove(0))),
        ("R5", |_, logs| {
            let again = logs[0].acknowledged[0].clone();
            logs[0].acknowledged.push(again);
        }),
    ];
    let (history, logs) = good_run();
    assert_faultless(&history, &logs);
    for (at, (rule, lie)) in lies.into_iter().enumerate() {
        let (mut history, mut logs) = good_run();
        lie(&mut history, &mut logs);
        let faults = faults(&history, &logs);
        assert!(
            faults.iter().any(|fault| fault.starts_with(rule)),
            "lie {at}, {rule}: {faults:?}"
        );
    }
}
