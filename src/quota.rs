//! What was written today, by role and subject: taken before a write is asked of the backend, given back if it fails.
//!
//! Every role's writes are counted, so that a quota that a policy sets during a day counts the whole of it. Counters
//! are this process's own: several replicas each admit a whole quota. They begin with what the log holds of today,
//! which whoever starts the process reads; until that is done, roles with a quota for the day write nothing.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::identity::{Identity, RoleName};
use crate::limits;
use crate::policy::quota::{Exceeded, Left, Per, Quota, Written, day_of};

/// The counters. One per process.
#[derive(Debug)]
pub struct Quotas {
    ledger: Mutex<Ledger>,
}

/// Whose writes are counted together: those of a role, or of one subject in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account {
    role: RoleName,
    /// Issuer and subject; `None` is the whole role.
    subject: Option<(Box<str>, Box<str>)>,
}

/// What one write has taken. Dropped, it gives that back.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    quotas: Arc<Quotas>,
    quota: Option<Quota>,
    role: Account,
    subject: Account,
    day: i64,
    taken: Written,
}

#[derive(Debug)]
struct Ledger {
    /// The day that is counted, in days since 1970.
    day: i64,
    /// Why it is not known what was written earlier on that day; `None` if it is known.
    unknown: Option<String>,
    written: HashMap<Account, Written>,
    /// When the next request of an account would be on time, at its role's pace. Past times count as none.
    next: HashMap<Account, Timestamp>,
}

impl Account {
    /// That of a role as a whole.
    pub fn of_role(role: RoleName) -> Self {
        Self { role, subject: None }
    }

    /// That of one subject of one issuer in a role.
    pub fn of_subject(role: RoleName, issuer: &str, subject: &str) -> Self {
        Self { role, subject: Some((issuer.into(), subject.into())) }
    }

    fn both(who: &Identity) -> (Self, Self) {
        let subject = Self::of_subject(who.role().clone(), who.issuer(), who.subject());
        (Self::of_role(who.role().clone()), subject)
    }
}

impl Quotas {
    /// Nothing is known yet of what was written earlier on the day of `now`.
    pub fn new(now: Timestamp) -> Self {
        let unknown = Some("it is being counted from the log; try again in a moment".to_owned());
        let ledger = Ledger { day: day_of(now), unknown, written: HashMap::new(), next: HashMap::new() };
        Self { ledger: Mutex::new(ledger) }
    }

    /// Adds what was written before the start, on the day of `at`.
    pub fn add_earlier(&self, role: RoleName, issuer: &str, subject: &str, written: Written, at: Timestamp) {
        let mut ledger = self.locked(at);
        if ledger.day == day_of(at) {
            ledger.add(Account::of_subject(role.clone(), issuer, subject), written);
            ledger.add(Account::of_role(role), written);
        }
    }

    /// All of what was written earlier on the day of `at` was added; or why that cannot be.
    pub fn earlier_is_known(&self, at: Timestamp, known: Result<(), String>) {
        let mut ledger = self.locked(at);
        if ledger.day == day_of(at) {
            ledger.unknown = known.err();
        }
    }

    /// Takes a write from the quota of its caller's role, where it has one.
    ///
    /// # Errors
    /// Which bound it would pass; nothing was taken.
    pub fn reserve(
        self: &Arc<Self>,
        quota: Option<Quota>,
        who: &Identity,
        more: Written,
        now: Timestamp,
    ) -> Result<Reservation, Exceeded> {
        let (role, subject) = Account::both(who);
        let mut ledger = self.locked(now);
        if let Some(quota) = quota {
            let account = if quota.per == Per::Role { &role } else { &subject };
            ledger.admits(&quota, account, more, now)?;
            ledger.paces(quota.requests_per_second, account, now)?;
        }
        for account in [&role, &subject] {
            ledger.add(account.clone(), more);
        }
        let day = ledger.day;
        drop(ledger);
        Ok(Reservation { quotas: Arc::clone(self), quota, role, subject, day, taken: more })
    }

    /// What of the day is left to a caller in a role with that quota.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn left(&self, quota: &Quota, who: &Identity, now: Timestamp) -> Result<Left, Exceeded> {
        let (role, subject) = Account::both(who);
        let ledger = self.locked(now);
        let account = if quota.per == Per::Role { &role } else { &subject };
        ledger.admits(quota, account, Written::default(), now)?;
        Ok(quota.left(ledger.written(account), now))
    }

    /// The ledger of the day of `now`. A panic while it was held cannot have left a number half-written.
    fn locked(&self, now: Timestamp) -> MutexGuard<'_, Ledger> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if day_of(now) > ledger.day {
            ledger.day = day_of(now);
            ledger.unknown = None;
            ledger.written.clear();
        }
        ledger
    }
}

impl Reservation {
    /// Takes so many more bytes, now that it is known that the write brings them.
    ///
    /// # Errors
    /// The day's bytes do not suffice; what was taken before stays taken.
    pub fn grow(&mut self, bytes: u64, now: Timestamp) -> Result<(), Exceeded> {
        let mut ledger = self.quotas.locked(now);
        if ledger.day != self.day {
            // A write counts for the day on which it was asked for, and that one is over.
            return Ok(());
        }
        let more = Written { objects: 0, bytes };
        if let Some(quota) = &self.quota {
            let account = if quota.per == Per::Role { &self.role } else { &self.subject };
            ledger.admits(quota, account, more, now)?;
        }
        ledger.add(self.role.clone(), more);
        ledger.add(self.subject.clone(), more);
        self.taken.bytes = self.taken.bytes.saturating_add(bytes);
        Ok(())
    }

    /// The write was carried out: what it took is used up.
    pub fn keep(mut self) {
        self.taken = Written::default();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.taken == Written::default() {
            return;
        }
        let mut ledger = self.quotas.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if ledger.day == self.day {
            ledger.give_back(&self.role, self.taken);
            ledger.give_back(&self.subject, self.taken);
        }
    }
}

impl Ledger {
    fn written(&self, account: &Account) -> Written {
        self.written.get(account).copied().unwrap_or_default()
    }

    fn admits(&self, quota: &Quota, account: &Account, more: Written, now: Timestamp) -> Result<(), Exceeded> {
        if !quota.bounds_a_day() {
            return Ok(());
        }
        if let Some(why) = &self.unknown {
            return Err(Exceeded::Unknown(why.clone()));
        }
        if !self.has_room_for(account) {
            return Err(Exceeded::TooMany { resets: quota.left(Written::default(), now).resets });
        }
        quota.admits(self.written(account), more, now)
    }

    /// Takes one request from the pace: a second's requests may come at once, the next ones as time passes.
    fn paces(&mut self, rate: Option<NonZeroU32>, account: &Account, now: Timestamp) -> Result<(), Exceeded> {
        let Some(rate) = rate else { return Ok(()) };
        let second = SignedDuration::from_secs(1);
        let step = second / i32::try_from(rate.get()).unwrap_or(i32::MAX);
        if self.next.len() >= limits::QUOTA_CALLERS_MAX && !self.next.contains_key(account) {
            self.next.retain(|_, next| *next > now);
            if self.next.len() >= limits::QUOTA_CALLERS_MAX {
                return Err(Exceeded::TooFast(rate));
            }
        }
        // Further ahead than a second is only what a clock that went back has left.
        let ahead = |next: &Timestamp| (SignedDuration::ZERO..=second).contains(&next.duration_since(now));
        let next = self.next.get(account).copied().filter(ahead).unwrap_or(now);
        if next.duration_since(now) > second - step {
            return Err(Exceeded::TooFast(rate));
        }
        self.next.insert(account.clone(), next.checked_add(step).unwrap_or(Timestamp::MAX));
        Ok(())
    }

    /// Whether the account is counted, or can be. Roles always are: their number is the policy's.
    fn has_room_for(&self, account: &Account) -> bool {
        let room = self.written.len() < limits::QUOTA_CALLERS_MAX;
        room || account.subject.is_none() || self.written.contains_key(account)
    }

    /// Adds what is written; a subject for whom there is no room stays uncounted, and so out of any quota.
    fn add(&mut self, account: Account, more: Written) {
        if more != Written::default() && self.has_room_for(&account) {
            let written = self.written.entry(account).or_default();
            written.objects = written.objects.saturating_add(more.objects);
            written.bytes = written.bytes.saturating_add(more.bytes);
        }
    }

    fn give_back(&mut self, account: &Account, less: Written) {
        if let Some(written) = self.written.get_mut(account) {
            written.objects = written.objects.saturating_sub(less.objects);
            written.bytes = written.bytes.saturating_sub(less.bytes);
        }
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
