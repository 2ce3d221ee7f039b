//! The account of OTP's own cases of the state machine. Each row is held by a test of this folder, or has a reason why
//! there is none.

use crate::support::rows::{Excused, account};

/// The cases of gen_statem's suite by their names there.
const ROWS: &str = "
    statem.start1 statem.start2 statem.start3 statem.start4 statem.start5 statem.start6 statem.start7
    statem.start8 statem.start9 statem.start10 statem.start11 statem.start12 statem.stop1 statem.stop2
    statem.stop3 statem.stop4 statem.stop5 statem.stop6 statem.stop7 statem.stop8 statem.stop9 statem.stop10
    statem.abnormal1 statem.abnormal1clean statem.abnormal1dirty statem.abnormal2 statem.abnormal3
    statem.abnormal4 statem.shutdown statem.stop_and_reply statem.state_enter statem.event_order
    statem.next_events statem.state_timeout statem.timeout_cancel_and_update statem.generic_timers
    statem.event_types statem.undef_terminate1 statem.undef_terminate2 statem.undef_in_terminate
    statem.pop_too_many statem.sys1 statem.get_state statem.replace_state statem.format_status statem.reqid
    statem.enter_loop statem.reply_by_alias
";

const NO_NODES: &str = "there is one node";
const NO_OTHER_RETURN: &str =
    "a callback returns Init, Next or Enter with their actions; nothing else compiles";

const EXCUSED: &[Excused] = &[
    ("statem.start7", NO_NODES),
    ("statem.start9", NO_NODES),
    ("statem.stop6", NO_NODES),
    ("statem.stop8", NO_NODES),
    ("statem.stop9", NO_NODES),
    ("statem.stop10", NO_NODES),
    ("statem.abnormal2", NO_OTHER_RETURN),
    ("statem.abnormal3", NO_OTHER_RETURN),
    (
        "statem.abnormal4",
        "a timeout is a Duration, which is never negative, or an Instant",
    ),
    (
        "statem.pop_too_many",
        "a machine has the callbacks of its type, to the end: there is no stack of modules",
    ),
];

#[test]
fn every_row_is_held_or_excused() {
    let rows: Vec<&str> = ROWS.split_whitespace().collect();
    account(&["behaviour"], &rows, EXCUSED);
}
