//! What is done to the program from outside, and when.

use crate::dice::Dice;
use crate::inside::TREE_ENDED;
use crate::life::{Kind, Life, Toll};
use crate::server::PATIENCE;
use crate::witness::Crowd;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a pause lasts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(2_500));

/// So much goes wrong in the last life at least.
const DEATHS_MIN: usize = 8;

/// A recovery that takes longer is told by itself.
const SLOW: Duration = Duration::from_secs(2);

pub(crate) struct Nemesis {
    pub(crate) data: PathBuf,
    pub(crate) seed: u64,
    pub(crate) toll: Toll,
    pub(crate) dice: Dice,
    pub(crate) counts: Counts,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) lives_as_shipped: usize,
    pub(crate) lives_with_killer: usize,
    pub(crate) kills: usize,
    pub(crate) ends_of_the_tree: usize,
    pub(crate) pauses: usize,
    /// The longest time from an end of the program to the next post that was acknowledged.
    pub(crate) longest_recovery: Duration,
}

impl Nemesis {
    pub(crate) fn start(&mut self, kind: Kind) -> Life {
        let counts = &mut self.counts;
        match kind {
            Kind::AsShipped => counts.lives_as_shipped += 1,
            Kind::WithKiller => counts.lives_with_killer += 1,
        }
        let lives = (counts.lives_as_shipped + counts.lives_with_killer) as u64;
        Life::start(kind, &self.data, self.seed.wrapping_add(lives), &self.toll)
    }

    fn some_kind(&mut self) -> Kind {
        if self.dice.one_in(3) {
            Kind::AsShipped
        } else {
            Kind::WithKiller
        }
    }

    /// Does its worst for so long. In the end a program runs with a killer inside, for a fifth of the time.
    pub(crate) fn rage(&mut self, mut life: Life, crowd: &Crowd, length: Duration) -> Life {
        let (began, rest) = (Instant::now(), length / 5);
        // Some ten seconds from kill to kill in a long run, and two kills in a short one.
        let step = (length / 4).clamp(Duration::from_secs(2), Duration::from_secs(10));
        life.order("arm");
        while began.elapsed() + rest < length {
            let until = self.dice.between(step / 2, step * 3 / 2);
            life = self.live(life, crowd, until);
            let kind = self.some_kind();
            life = self.kill(life, crowd, kind);
        }
        if life.kind == Kind::AsShipped {
            life = self.kill(life, crowd, Kind::WithKiller);
        }
        self.live(
            life,
            crowd,
            length.saturating_sub(began.elapsed()).max(rest),
        )
    }

    /// Lets it live for so long, but for a pause now and then. What ends by itself because its top was killed is
    /// started again.
    fn live(&mut self, mut life: Life, crowd: &Crowd, length: Duration) -> Life {
        let until = Instant::now() + length;
        while Instant::now() < until {
            let look = Duration::from_millis(50).min(length);
            crowd.wait_until(look, |_| false);
            if let Some(status) = life.ended() {
                assert_eq!(
                    status.code(),
                    Some(TREE_ENDED),
                    "{:?} ends with {status}: {}",
                    life.kind,
                    life.last_words()
                );
                self.counts.ends_of_the_tree += 1;
                drop(life);
                life = self.succeed(crowd, Kind::WithKiller);
                life.order("arm");
            } else if self.dice.one_in(100) {
                self.counts.pauses += 1;
                let pause = self.dice.between(PAUSE.0, PAUSE.1);
                life.signal("STOP");
                crowd.wait_until(pause, |_| false);
                life.signal("CONT");
            }
        }
        life
    }

    /// Has the one inside stop, and waits until the tree is whole. If the top was among its last victims, or has given
    /// up since, the program is started once more.
    pub(crate) fn rest(
        &mut self,
        mut life: Life,
        crowd: &Crowd,
        is_whole: impl Fn(&Value) -> bool,
    ) -> Life {
        life.order("quiet");
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            assert!(
                Instant::now() < deadline,
                "the tree is not whole again: {}",
                life.last_words()
            );
            match life.census_or_end() {
                Some(census) if is_whole(&census) => return life,
                Some(_) => drop(crowd.wait_until(Duration::from_millis(50), |_| false)),
                None => {
                    self.counts.ends_of_the_tree += 1;
                    drop(life);
                    life = self.succeed(crowd, Kind::WithKiller);
                    life.order("quiet");
                }
            }
        }
    }

    fn kill(&mut self, mut life: Life, crowd: &Crowd, next: Kind) -> Life {
        if life.ended().is_none() {
            self.counts.kills += 1;
        }
        life.kill();
        let mut life = self.succeed(crowd, next);
        life.order("arm");
        life
    }

    /// The next life on what the last one left.
    fn succeed(&mut self, crowd: &Crowd, kind: Kind) -> Life {
        let ended_at = Instant::now();
        let before = crowd.acknowledged();
        let life = self.start(kind);
        let started = ended_at.elapsed();
        crowd.moved(life.addr());
        let is_back = crowd.wait_until(PATIENCE, |crowd| crowd.acknowledged() > before);
        assert!(is_back, "nobody talks again: {}", life.last_words());
        let recovered = ended_at.elapsed();
        if recovered > SLOW {
            println!(
                "chaos: {kind:?} was up after {started:.1?} and took posts after {recovered:.1?}"
            );
        }
        let longest = &mut self.counts.longest_recovery;
        *longest = recovered.max(*longest);
        life
    }
}
