//! How a list is followed: gaps, disorder, repetitions, restarts.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;
use sview_dynfw::{Change, Delta, Followed, Follower, List, Why};

fn ip(end: u64) -> IpAddr {
    IpAddr::V4((0xc000_0200 + end as u32).into())
}

fn list(version: u64, serial: u64, ends: impl IntoIterator<Item = u64>) -> List {
    List { version, serial, addresses: ends.into_iter().map(ip).collect(), ts: 1 }
}

fn add(serial: u64, end: u64) -> Delta {
    Delta { serial, change: Change::Added, ip: ip(end), ts: serial }
}

fn remove(serial: u64, end: u64) -> Delta {
    Delta { change: Change::Removed, ..add(serial, end) }
}

fn following(serial: u64) -> Follower {
    let mut follower = Follower::default();
    assert_eq!(follower.wants_list(), Some(Why::First));
    follower.take_list(list(100, serial, [1]));
    assert_eq!(follower.wants_list(), None);
    follower
}

fn has(follower: &Follower, ends: impl IntoIterator<Item = u64>) {
    let expected: BTreeSet<IpAddr> = ends.into_iter().map(ip).collect();
    assert_eq!(follower.list().unwrap().addresses, expected);
}

#[test]
fn deltas_follow_a_list() {
    let mut follower = Follower::default();
    assert_eq!(follower.take_delta(add(9, 9)), Followed::Ignored, "there is nothing to apply it to");
    follower.take_list(list(100, 10, [1]));
    assert_eq!(follower.take_delta(add(11, 2)), Followed::Applied);
    assert_eq!(follower.take_delta(remove(12, 1)), Followed::Applied);
    has(&follower, [2]);
    assert_eq!((follower.list().unwrap().serial, follower.wants_list()), (12, None));
}

#[test]
fn disorder_and_repetitions_are_survived() {
    let mut follower = following(10);
    follower.take_delta(add(12, 12));
    follower.take_delta(add(14, 14));
    assert_eq!(follower.take_delta(add(14, 14)), Followed::Ignored);
    follower.take_delta(add(11, 11));
    follower.take_delta(add(13, 13));
    assert_eq!(follower.take_delta(add(11, 11)), Followed::Ignored);
    has(&follower, [1, 11, 12, 13, 14]);
    assert_eq!((follower.list().unwrap().serial, follower.wants_list()), (14, None));
    // A late delta does not undo a later one.
    follower.take_delta(remove(16, 50));
    assert_eq!(follower.take_delta(add(15, 50)), Followed::Ignored);
    has(&follower, [1, 11, 12, 13, 14]);
    assert_eq!(follower.wants_list(), None);
}

#[test]
fn ten_may_be_missing_but_not_eleven() {
    let mut follower = following(10);
    follower.take_delta(add(21, 2));
    assert_eq!(follower.wants_list(), None, "10 are missing");
    follower.take_delta(add(23, 3));
    assert_eq!((follower.wants_list(), follower.asked_again(Why::Gap)), (Some(Why::Gap), 1), "11 are");
    let mut follower = following(10);
    follower.take_delta(add(u64::MAX, 2));
    assert_eq!(follower.wants_list(), Some(Why::Gap));
    has(&follower, [1, 2]);
    follower.take_list(list(101, 12, [5]));
    assert_eq!(follower.wants_list(), None);
    has(&follower, [5]);
}

#[test]
fn one_that_never_comes_is_not_waited_for_for_ever() {
    let mut follower = following(10);
    for serial in 12..112 {
        follower.take_delta(add(serial, serial));
        assert_eq!(follower.wants_list(), None, "{serial}");
    }
    follower.take_delta(add(112, 112));
    assert_eq!(follower.wants_list(), Some(Why::Gap));
}

#[test]
fn a_restart_and_a_version_that_goes_back_make_it_ask() {
    let mut follower = following(10);
    follower.take_delta(add(3, 3));
    assert_eq!(follower.wants_list(), Some(Why::Restart));
    follower.take_delta(add(4, 4));
    has(&follower, [1, 3, 4]);
    follower.take_list(list(101, 4, [7]));
    assert_eq!(follower.wants_list(), None);
    follower.take_list(list(0, 1, [8]));
    assert_eq!(follower.wants_list(), Some(Why::VersionBack));
    has(&follower, [8]);
    follower.take_list(list(0, 1, [8]));
    assert_eq!(follower.wants_list(), None);
    follower.reconnected();
    assert_eq!((follower.wants_list(), follower.asked_again(Why::Reconnect)), (Some(Why::Reconnect), 1));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Deltas that are shuffled within a few places, some of them doubled, make the list that they make in order.
    #[test]
    fn mild_disorder_changes_nothing(
        changes in proptest::collection::vec((any::<bool>(), 0u64..6, 0u64..4, any::<bool>()), 1..80),
    ) {
        let mut sent = Vec::new();
        let mut expected = BTreeSet::from([ip(1)]);
        for (i, (added, end, late, doubled)) in changes.into_iter().enumerate() {
            let serial = 11 + i as u64;
            let delta = if added { add(serial, end) } else { remove(serial, end) };
            if added { expected.insert(ip(end)) } else { expected.remove(&ip(end)) };
            sent.push((serial + late, delta));
            if doubled { sent.push((serial + late + 1, delta)); }
        }
        sent.sort_by_key(|(when, _)| *when);
        let mut follower = following(10);
        for (_, delta) in sent { follower.take_delta(delta); }
        prop_assert_eq!(follower.wants_list(), None);
        prop_assert_eq!(&follower.list().unwrap().addresses, &expected);
    }

    #[test]
    fn no_serial_does_harm(serials in proptest::collection::vec(any::<u64>(), 0..200)) {
        let mut follower = following(u64::MAX / 2);
        for serial in serials { follower.take_delta(add(serial, serial % 200)); }
    }
}
