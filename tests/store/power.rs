//! The power goes at some call to the disk: of what was not yet synced, any sectors may be lost.

use crate::ledger::{Append, config, entries, item, texts_without_gaps, try_open};
use crate::scratch::Scratch;
use crate::vfs::{Disk, Fault};
use perennial::store::{Config, WriterCore};
use std::fs;
use std::sync::{Arc, Mutex};

/// How many times the power goes. The calls of one life are few hundred, so most of them are met.
const CUTS: u64 = 500;

/// One life on a disk whose power goes at its `cut`-th call; what was acknowledged, by number.
fn live(scratch: &Scratch, disk: Disk, cut: u64, seed: u64) -> Vec<(i64, String)> {
    let config = Config {
        vfs: Some(disk.name()),
        batch_max: 3,
        checkpoint_pages: 4,
        checkpoint_pages_max: 6,
        ..config(scratch)
    };
    disk.fail(cut, Fault::PowerCut, seed);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let Ok(database) = try_open(config) else {
        return Vec::new();
    };
    let Ok(mut writer) = WriterCore::open(&database) else {
        return Vec::new();
    };
    for round in 0..16 {
        let batch = (0..1 + round % 5).map(|at| {
            let text = format!(
                "{round}-{at}-{}",
                "x".repeat((round * 211 + at * 89) % 1500)
            );
            let (list, said) = (acknowledged.clone(), text.clone());
            perennial::store::Item::new(Append::new(1, text), move |answer| {
                if let Ok(seq) = answer {
                    list.lock().unwrap().push((seq, said));
                }
            })
        });
        writer.drain_and_commit(batch.collect());
        writer.maintain_after(round % 2 == 0);
    }
    // A second writer and an orderly stop are part of the life too.
    drop(writer);
    if let Ok(mut writer) = WriterCore::open(&database) {
        let (item, answer) = item(Append::new(1, "last"));
        writer.drain_and_commit(vec![item]);
        if let Ok(Ok(seq)) = answer.try_recv() {
            acknowledged.lock().unwrap().push((seq, "last".to_owned()));
        }
        // After a power cut there is nobody to tell.
        let _ = writer.close();
    }
    acknowledged.lock().unwrap().clone()
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let mut cut_after_an_answer = 0;
    for n in 0..CUTS {
        let (scratch, disk) = (Scratch::new(), Disk::new());
        let cut = 1 + (n * 7) % 230;
        let acknowledged = live(&scratch, disk, cut, n);
        let found = Scratch::new();
        fs::create_dir(found.data()).unwrap();
        assert!(
            disk.restore(&found.data()),
            "cut {cut}: the life has fewer calls"
        );
        let database = match try_open(Config {
            vfs: Some(Disk::new().name()),
            ..config(&found)
        }) {
            Ok(database) => database,
            Err(error) => panic!("cut {cut}, seed {n}: {error}"),
        };
        let texts = texts_without_gaps(&entries(&database, 1));
        for (seq, text) in &acknowledged {
            assert_eq!(
                texts.get(*seq as usize - 1),
                Some(text),
                "cut {cut}, seed {n}"
            );
        }
        cut_after_an_answer += u64::from(!acknowledged.is_empty());
    }
    assert!(
        cut_after_an_answer > CUTS / 2,
        "most cuts have something to lose"
    );
}
