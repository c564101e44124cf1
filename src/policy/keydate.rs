//! An object's age by the date that stands in its key: `traces/*/{yyyy}/{mm}/{dd}/*`.
//!
//! Unlike `LastModified`, which copying an object over itself makes young again, a key's date cannot be altered without
//! another key. Exact: whole days in UTC, and where a key can be read in several ways, the oldest date counts.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::automaton::Table;
use super::glob::{PathGlob, Sense, Unknown, union};
use crate::identity::Claims;

/// Where the date stands.
#[derive(Clone)]
pub struct KeyDate {
    written: Box<str>,
    before: Table,
    /// What stands between year and month, and between month and day.
    between: [Box<str>; 2],
    after: Table,
}

impl KeyDate {
    /// Reads a template; says what is wrong with it and what to do.
    pub fn parse(written: &str, sense: Sense) -> Result<Self, String> {
        let order = "a key_date holds `{yyyy}`, `{mm}` and `{dd}` once each, in this order";
        let (before, rest) = written.split_once("{yyyy}").ok_or(order)?;
        let (year_month, rest) = rest.split_once("{mm}").ok_or(order)?;
        let (month_day, after) = rest.split_once("{dd}").ok_or(order)?;
        if ["{yyyy}", "{mm}", "{dd}", "${"]
            .iter()
            .any(|token| [before, year_month, month_day, after].concat().contains(token))
        {
            return Err(format!("{order}, and no variables"));
        }
        if [year_month, month_day].concat().contains(['*', '?', '[', '{', '\\']) {
            return Err("between year, month and day stands plain text, such as `/` or `-`, or nothing".into());
        }
        let between = [year_month.into(), month_day.into()];
        Ok(Self { written: written.into(), before: table(before, sense)?, between, after: table(after, sense)? })
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Until when an object of that path is at most so many days old: dated today minus `days`, or later, in UTC.
    /// `None` if it is older, if its path holds no date where the template says, or one after tomorrow.
    pub fn seen_until(&self, path: &str, days: u32, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let date = self.oldest(path)?;
        let last = date.checked_add(i64::from(days).days()).ok()?;
        if last < today || date > today.tomorrow().ok()? {
            return None;
        }
        Some(last.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }

    /// The oldest date that the path can be read to hold. A reading that is no date of the calendar voids the path.
    fn oldest(&self, path: &str) -> Option<Date> {
        let mut oldest: Option<Date> = None;
        let mut state = self.before.start();
        for (at, byte) in path.bytes().enumerate() {
            if matches(&self.before, state)
                && let Some((digits, rest)) = self.digits(path, at)
                && matches(&self.after, self.after.walk(self.after.start(), rest))
            {
                let date = Date::new(digits[0], i8::try_from(digits[1]).ok()?, i8::try_from(digits[2]).ok()?).ok()?;
                oldest = Some(oldest.map_or(date, |other| other.min(date)));
            }
            state = self.before.step(state, byte);
        }
        oldest
    }

    /// Year, month and day at that place, and what follows them.
    fn digits<'p>(&self, path: &'p str, at: usize) -> Option<([i16; 3], &'p str)> {
        let rest = path.get(at..)?;
        let (year, rest) = number(rest, 4)?;
        let (month, rest) = number(rest.strip_prefix(&*self.between[0])?, 2)?;
        let (day, rest) = number(rest.strip_prefix(&*self.between[1])?, 2)?;
        Some(([year, month, day], rest))
    }
}

impl std::fmt::Debug for KeyDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyDate({})", self.written)
    }
}

fn number(text: &str, digits: usize) -> Option<(i16, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

fn matches(table: &Table, state: u32) -> bool {
    !table.sets()[table.set_at(state)].is_empty()
}

/// The glob of one side of the date. In the sense of paths, `**` is only read as such as a whole segment, which the
/// slash next to the date ends, so each side is a glob by itself.
fn table(side: &str, sense: Sense) -> Result<Table, String> {
    let pattern = if side.is_empty() {
        String::new()
    } else {
        let glob = PathGlob::parse_side(side, sense).map_err(|e| e.what)?;
        union(&glob.expand(&Claims::new(), Unknown::Nothing))
    };
    Table::build(&[pattern]).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, path: &str, days: u32, until: Option<&str>) {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let until: Option<Timestamp> = until.map(|t| t.parse().unwrap());
        let date = KeyDate::parse(template, Sense::Iam).unwrap();
        assert_eq!(date.seen_until(path, days, now), until, "{template} {path}");
    }

    #[test]
    fn a_key_is_seen_to_the_end_of_its_last_day() {
        let slashes = "traces/*/{yyyy}/{mm}/{dd}/*";
        check(slashes, "traces/m/2026/11/20/a", 7, Some("2026-11-28T00:00:00Z"));
        check(slashes, "traces/m/2026/11/13/a", 7, Some("2026-11-21T00:00:00Z"));
        check(slashes, "traces/m/2026/11/12/a", 7, None);
        check(slashes, "traces/m/2026/11/21/a", 7, Some("2026-11-29T00:00:00Z"));
        check(slashes, "traces/m/2026/11/22/a", 7, None);
        check("t/dt={yyyy}-{mm}-{dd}/*", "t/dt=2026-11-20/x", 0, Some("2026-11-21T00:00:00Z"));
        check("t/{yyyy}{mm}{dd}", "t/20261120", 1, Some("2026-11-22T00:00:00Z"));
    }

    #[test]
    fn without_a_date_in_its_place_there_is_no_age() {
        let slashes = "traces/*/{yyyy}/{mm}/{dd}/*";
        for path in [
            "traces/m/a",
            "traces/m/2026/11/20",
            "traces/m/2026/13/20/a",
            "traces/m/2026/02/30/a",
            "logs/m/2026/11/20/a",
        ] {
            check(slashes, path, 7, None);
        }
        check(slashes, "traces/m/2O26/11/20/a", 7, None);
        check(slashes, "traces/é/2026/11/20/é", 7, Some("2026-11-28T00:00:00Z"));
    }

    #[test]
    fn of_two_readings_the_oldest_counts() {
        let slashes = "traces/*/{yyyy}/{mm}/{dd}/*";
        check(slashes, "traces/m/2020/01/01/x/2026/11/20/a", 7, None);
        check(slashes, "traces/m/2026/11/20/x/2020/01/01/a", 7, None);
        check(slashes, "traces/m/2026/11/20/x/2026/11/14/a", 7, Some("2026-11-22T00:00:00Z"));
        check(slashes, "traces/m/2026/99/99/x/2026/11/20/a", 7, None);
    }

    #[test]
    fn a_template_that_cannot_be_read_is_refused() {
        for template in [
            "t/*",
            "t/{mm}/{yyyy}/{dd}",
            "t/{yyyy}/*/{mm}/{dd}",
            "t/{yyyy}/{mm}/{dd}/{dd}",
            "${claims.x}/{yyyy}/{mm}/{dd}",
        ] {
            assert!(KeyDate::parse(template, Sense::Iam).is_err(), "{template}");
        }
    }
}
