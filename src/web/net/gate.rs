//! Who may come in: connections in total, by address, and of people we do not know.

use super::Config;
use crate::sync::{Arc, Mutex};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Counts the connections of one listener, over all its reactors.
#[derive(Debug)]
pub(super) struct Gate {
    connections_max: usize,
    per_ip_max: usize,
    unknown_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Connections that are no WebSocket.
    unknown: usize,
    /// Only addresses that have a connection: no stranger makes it grow beyond `connections_max`.
    per_ip: HashMap<IpAddr, usize>,
}

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// [`Config::connections_max`](super::Config::connections_max) is reached.
    Total,
    /// [`Config::connections_per_ip`](super::Config::connections_per_ip) is reached for this address.
    Address,
    /// [`Config::http_connections_max`](super::Config::http_connections_max) is reached.
    Unknown,
    /// The program has no file descriptor left.
    NoFile,
}

impl Gate {
    pub(super) fn new(config: &Config) -> Self {
        let unlimited_if_0 = |max: usize| if max == 0 { usize::MAX } else { max };
        let files = open_files_max().map_or(usize::MAX, |max| max.saturating_sub(256).max(16));
        Gate {
            connections_max: config.connections_max.min(files),
            per_ip_max: unlimited_if_0(config.connections_per_ip),
            unknown_max: unlimited_if_0(config.http_connections_max),
            counts: Mutex::default(),
        }
    }

    /// Lets a connection in, or says why not.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, Refusal> {
        let ip = network_of(ip);
        let mut counts = self.counts.lock();
        if counts.total >= self.connections_max {
            return Err(Refusal::Total);
        }
        if counts.unknown >= self.unknown_max {
            return Err(Refusal::Unknown);
        }
        let of_address = counts.per_ip.entry(ip).or_default();
        if *of_address >= self.per_ip_max {
            return Err(Refusal::Address);
        }
        *of_address += 1;
        counts.total += 1;
        counts.unknown += 1;
        Ok(Permit {
            gate: Arc::clone(self),
            ip,
            is_unknown: true,
        })
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.counts.lock().total
    }
}

/// The right to be connected, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    ip: IpAddr,
    is_unknown: bool,
}

impl Permit {
    /// The connection has become a WebSocket, which somebody above has let in.
    pub(super) fn make_known(&mut self) {
        if std::mem::take(&mut self.is_unknown) {
            self.gate.counts.lock().unknown -= 1;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.gate.counts.lock();
        counts.total -= 1;
        counts.unknown -= usize::from(self.is_unknown);
        if let Some(count) = counts.per_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.per_ip.remove(&self.ip);
            }
        }
    }
}

/// What counts as one address: an IPv4 one, or the /64 that one IPv6 subscriber has to himself. Whoever limits by
/// address limits by this, or one subscriber is 2^64 of them.
///
/// ```
/// use perennial::web::net::network_of;
/// let network = |ip: &str| network_of(ip.parse().unwrap());
/// assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::7"));
/// assert_ne!(network("2001:db8:1:2::7"), network("2001:db8:1:3::7"));
/// assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
/// ```
pub fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip => ip,
    }
}

/// The soft limit of open files, where the system tells it in a file.
fn open_files_max() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
