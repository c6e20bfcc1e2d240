//! Reports by chance, the same in every run.

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Action, Batch, Identity, Incident, Password, Port, Protocol, Trap};

/// A sequence without a pattern, the same in every run. Its seed is not 0.
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number, below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        // xorshift: good enough to scatter kills and reports.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// So many reports of each kind, in the last quarter of an hour, day or two months before `now`.
    pub fn reports(&mut self, now: DateTime<Utc>, rows: u64) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..rows {
            let range = [900, 86_400, 60 * 86_400][self.below(3) as usize];
            let time = now - TimeDelta::seconds(self.below(range) as i64);
            let raw_count = 1 + self.below(4) as i64;
            batch.incidents.push(Incident {
                time,
                raw_count,
                identity: Identity { sn: String::new(), device_token: "a".repeat(64).parse().expect("64 digits") },
                trap: Trap::ALL[self.below(6) as usize],
                action: Action::ALL[self.below(6) as usize],
                ip: [192, 0, 2, self.below(50) as u8].into(),
                country: "CZ".parse().ok(),
            });
            let word = format!("w{}", self.below(30));
            batch.passwords.push(Password { time, raw_count, username: word.clone(), password: word });
            batch.ports.push(Port { time, raw_count, port: self.below(30) as u16, protocol: Protocol::Tcp });
        }
        batch
    }
}
