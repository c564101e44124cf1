//! The counters of a day, against what a plain sum says.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-11-20T12:00:00Z")
}

fn person(name: &str) -> Identity {
    Identity::for_test(name, "ingest")
}

fn quota(objects: u64, bytes: u64, per: Per) -> Quota {
    Quota { objects_per_day: Some(objects), bytes_per_day: Some(bytes), requests_per_second: None, per }
}

fn written(objects: u64, bytes: u64) -> Written {
    Written { objects, bytes }
}

/// Counters of a day of which everything is known.
fn counted() -> Arc<Quotas> {
    let quotas = Arc::new(Quotas::new(noon()));
    quotas.earlier_is_known(noon(), Ok(()));
    quotas
}

#[test]
fn what_fails_is_given_back_and_what_is_done_is_not() {
    let (quotas, quota, ada) = (counted(), quota(2, 100, Per::Subject), person("ada"));
    let take = |bytes| quotas.reserve(Some(quota), &ada, written(1, bytes), noon());
    let left = || quotas.left(&quota, &ada, noon()).map(|left| (left.objects, left.bytes));
    let first = take(60).unwrap();
    assert!(matches!(take(41), Err(Exceeded::Bytes { left: 40, asked: 41, .. })), "reserved before it is written");
    drop(first);
    assert_eq!(left(), Ok((Some(2), Some(100))));
    take(60).unwrap().keep();
    take(40).unwrap().keep();
    assert_eq!(left(), Ok((Some(0), Some(0))));
    assert!(matches!(take(0), Err(Exceeded::Objects { allowed: 2, .. })));
    let resets = at("2026-11-21T00:00:00Z");
    assert_eq!(take(0).unwrap_err(), Exceeded::Objects { allowed: 2, resets });
    quotas.reserve(Some(quota), &ada, written(1, 100), resets).unwrap().keep();
    assert!(quotas.reserve(Some(quota), &ada, written(1, 0), noon()).is_ok(), "a clock that goes back changes no day");
}

#[test]
fn subjects_are_counted_apart_and_a_role_as_a_whole() {
    let quotas = counted();
    let (each, all) = (quota(1, 100, Per::Subject), quota(3, 100, Per::Role));
    for name in ["ada", "bob"] {
        quotas.reserve(Some(each), &person(name), written(1, 1), noon()).unwrap().keep();
        assert!(quotas.reserve(Some(each), &person(name), written(1, 1), noon()).is_err(), "{name}");
    }
    quotas.reserve(Some(all), &person("eve"), written(1, 1), noon()).unwrap().keep();
    let eve = quotas.reserve(Some(all), &person("eve"), written(1, 1), noon());
    assert!(matches!(eve, Err(Exceeded::Objects { allowed: 3, .. })), "what others wrote counts, too");
    let other = Identity::for_test("ada", "another");
    assert!(quotas.reserve(Some(all), &other, written(1, 1), noon()).is_ok(), "another role's is another's");
}

#[test]
fn a_quota_that_comes_during_the_day_counts_all_of_it() {
    let (quotas, ada) = (counted(), person("ada"));
    quotas.reserve(None, &ada, written(1, 5), noon()).unwrap().keep();
    assert_eq!(quotas.left(&quota(3, 10, Per::Subject), &ada, noon()).unwrap().bytes, Some(5));
    assert_eq!(quotas.left(&quota(3, 10, Per::Role), &person("bob"), noon()).unwrap().objects, Some(2));
}

#[test]
fn while_the_earlier_day_is_unknown_a_days_quota_admits_nothing() {
    let (quotas, ada) = (Arc::new(Quotas::new(noon())), person("ada"));
    let take = |quota, now| quotas.reserve(Some(quota), &ada, written(1, 1), now);
    let unknown = take(quota(9, 99, Per::Role), noon()).unwrap_err();
    assert!(matches!(&unknown, Exceeded::Unknown(why) if why.contains("being counted")), "{unknown}");
    assert!(matches!(quotas.left(&quota(9, 99, Per::Role), &ada, noon()), Err(Exceeded::Unknown(_))));
    let pace =
        Quota { objects_per_day: None, bytes_per_day: None, requests_per_second: NonZeroU32::new(9), per: Per::Role };
    assert!(take(pace, noon()).is_ok(), "a pace needs no past");
    assert!(quotas.reserve(None, &ada, written(1, 1), noon()).is_ok(), "nor does a role without a quota");
    quotas.add_earlier("ingest".parse().unwrap(), ada.issuer(), "ada", written(4, 40), noon());
    quotas.add_earlier("ingest".parse().unwrap(), ada.issuer(), "ada", written(4, 40), at("2026-11-19T23:59:59Z"));
    quotas.earlier_is_known(noon(), Ok(()));
    assert_eq!(quotas.left(&quota(9, 99, Per::Subject), &ada, noon()).unwrap().objects, Some(5));
    quotas.earlier_is_known(noon(), Err("the log was removed".into()));
    assert!(take(quota(9, 99, Per::Role), noon()).is_err());
    assert!(take(quota(9, 99, Per::Role), at("2026-11-21T00:00:00Z")).is_ok(), "a new day begins at nothing");
}

#[test]
fn the_size_of_a_copy_is_taken_once_it_is_known() {
    let (quotas, quota, ada) = (counted(), quota(9, 100, Per::Subject), person("ada"));
    let mut copy = quotas.reserve(Some(quota), &ada, written(1, 0), noon()).unwrap();
    assert!(matches!(copy.grow(101, noon()), Err(Exceeded::Bytes { left: 100, asked: 101, .. })));
    copy.grow(100, noon()).unwrap();
    assert!(copy.grow(1, noon()).is_err());
    drop(copy);
    assert_eq!(quotas.left(&quota, &ada, noon()).unwrap().bytes, Some(100));
}

#[test]
fn a_seconds_requests_may_come_at_once_and_then_as_time_passes() {
    let quotas = counted();
    let rate = NonZeroU32::new(4).unwrap();
    let quota =
        Quota { objects_per_day: None, bytes_per_day: None, requests_per_second: Some(rate), per: Per::Subject };
    let ask = |name: &str, now| quotas.reserve(Some(quota), &person(name), Written::default(), now).is_ok();
    assert!((0..4).all(|_| ask("ada", noon())));
    assert!(!ask("ada", noon()));
    assert!(ask("bob", noon()), "others have their own pace");
    let quarter = |n: u64| noon() + Duration::from_millis(250 * n);
    assert!(ask("ada", quarter(1)) && !ask("ada", quarter(1)));
    assert_eq!((0..9).filter(|_| ask("ada", quarter(40))).count(), 4, "what was not used is not saved up");
    assert!(ask("ada", noon()), "a clock that goes back locks nobody out");
}

#[test]
fn the_table_is_bounded_and_a_caller_who_finds_no_room_has_no_quota_left() {
    let (quotas, quota) = (counted(), quota(9, 99, Per::Subject));
    for n in 0..limits::QUOTA_CALLERS_MAX {
        quotas.reserve(None, &person(&format!("p{n}")), written(1, 1), noon()).unwrap().keep();
    }
    let late = quotas.reserve(Some(quota), &person("late"), written(1, 1), noon());
    assert!(matches!(late, Err(Exceeded::TooMany { .. })));
    assert!(quotas.reserve(Some(quota), &person("p0"), written(1, 1), noon()).is_ok(), "who is counted goes on");
    assert!(quotas.reserve(None, &person("late"), written(1, 1), noon()).is_ok());
    assert!(quotas.ledger.lock().unwrap().written.len() <= limits::QUOTA_CALLERS_MAX + 1);
}

proptest! {
    /// Writes that begin and end in any order never pass the bound, and what is left is what a plain sum says.
    #[test]
    fn the_counters_are_a_plain_sum(steps in proptest::collection::vec((0..3u64, 0..40u64, any::<bool>()), 0..60)) {
        let (quotas, quota, ada) = (counted(), quota(20, 300, Per::Subject), person("ada"));
        let (mut sum, mut open) = (Written::default(), Vec::new());
        for (objects, bytes, ends) in steps {
            let more = written(objects, bytes);
            let fits = (objects == 0 || sum.objects + objects <= 20) && (bytes == 0 || sum.bytes + bytes <= 300);
            let taken = quotas.reserve(Some(quota), &ada, more, noon());
            prop_assert_eq!(taken.is_ok(), fits);
            if let Ok(reservation) = taken {
                sum = written(sum.objects + objects, sum.bytes + bytes);
                open.push((reservation, more));
            }
            if ends && !open.is_empty() {
                let (reservation, taken) = open.swap_remove(0);
                if bytes % 2 == 0 {
                    reservation.keep();
                } else {
                    drop(reservation);
                    sum = written(sum.objects - taken.objects, sum.bytes - taken.bytes);
                }
            }
            let left = quotas.left(&quota, &ada, noon()).unwrap();
            prop_assert_eq!((left.objects, left.bytes), (Some(20 - sum.objects), Some(300 - sum.bytes)));
        }
    }
}
