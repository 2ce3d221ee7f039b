//! The table of processes: who is in it, and that no pid comes twice.

use crate::support::puppet::{Puppet, both_kinds};
use crate::support::scripted::{both_servers, plain, stop};
use perennial::process::{self, Kind};
use perennial::{ExitReason, Pid};
use std::collections::HashSet;

/// Rows: proc.processes_term_proc_list
#[test]
fn list_holds_who_lives_and_nobody_who_is_dead() {
    both_kinds(|kind| {
        for _ in 0..10 {
            let (dead, dying, alive) = (crowd(kind), crowd(kind), crowd(kind));
            for puppet in &dead {
                puppet.end_and_wait(ExitReason::Normal);
            }
            for puppet in &dying {
                puppet.end(ExitReason::Normal);
            }
            let listed = process::processes();
            let listed: HashSet<Pid> = listed.into_iter().collect();
            assert!(dead.iter().all(|puppet| !listed.contains(&puppet.pid())));
            assert!(alive.iter().all(|puppet| listed.contains(&puppet.pid())));
            let known: HashSet<Pid> = alive.iter().chain(&dying).map(Puppet::pid).collect();
            assert!(listed.is_subset(&known));
            for puppet in alive.iter().chain(&dying) {
                puppet.end(ExitReason::Normal);
                puppet.gone();
            }
        }
    });
}

fn crowd(kind: crate::support::puppet::Breed) -> Vec<Puppet> {
    (0..8).map(|_| kind.puppet()).collect()
}

/// Rows: proc.process_info_dead
#[test]
fn nothing_is_known_of_the_dead() {
    both_kinds(|kind| {
        let puppet = kind.puppet();
        assert!(process::is_alive(puppet.pid()));
        let pid = puppet.pid();
        puppet.end_and_wait(ExitReason::Normal);
        assert!(process::info(pid).is_none() && !process::is_alive(pid));
        assert!(!puppet.me().is_alive());
        assert!(process::info(Pid::INIT).is_none() && !process::is_alive(Pid::INIT));
    });
}

#[test]
fn info_tells_what_a_process_is() {
    both_kinds(|kind| {
        let parent = kind.puppet().traps();
        let child = parent.child(kind);
        let info = child.info();
        assert_eq!(info.pid, child.pid());
        assert_eq!(info.parent, parent.pid());
        assert_eq!(
            info.kind == Kind::Pooled,
            kind == crate::support::puppet::Breed::Pooled
        );
        assert!(!info.trap_exit && parent.info().trap_exit);
        let busy = child.busy();
        for n in 0..3 {
            crate::support::puppet::Tell::tell(&child.me(), n);
        }
        let info = child.info();
        assert_eq!(info.message_queue_len, 3);
        assert_eq!(info.status, process::Status::Running);
        drop(busy);
        child.sync();
        crate::support::eventually("it waits", || child.is_idle());
        let own = child.run(|inside| (process::self_pid(), inside.parent()));
        assert_eq!(own, (Some(child.pid()), parent.pid()));
        assert_eq!(process::self_pid(), None);
    });
}

#[test]
fn no_pid_comes_twice() {
    both_servers(|kind| {
        let mut seen = HashSet::new();
        for _ in 0..2_000 {
            let (server, _log) = plain(kind, None);
            stop(&server);
            assert!(seen.insert(server.pid()));
        }
    });
}
