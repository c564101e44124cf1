//! Hours and days in which a rule counts.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// `hours = { tz = "Europe/Oslo", days = "mon-fri", from = "08:00", to = "18:00" }`: within one day of that time zone.
#[derive(Debug, Clone)]
pub struct Hours {
    /// The time zone's name (IANA).
    tz: TimeZone,
    /// Whether each day counts, from Monday.
    days: [bool; 7],
    /// First moment.
    from: Time,
    /// First moment after; `None` is the end of the day.
    to: Option<Time>,
}

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Hours {
    /// Reads the four words; says what is wrong with the first that cannot be read.
    pub fn parse(tz: &str, days: &str, from: &str, to: &str) -> Result<Self, String> {
        let tz = TimeZone::get(tz)
            .map_err(|_| format!("time zone {tz:?} is unknown; write an IANA name such as \"Europe/Oslo\""))?;
        let from = clock(from)?;
        let to = if to == "24:00" { None } else { Some(clock(to)?) };
        if to.is_some_and(|to| to <= from) {
            return Err("`to` must be later than `from`; for a night write two rules, one up to \"24:00\"".into());
        }
        Ok(Self { tz, days: weekdays(days)?, from, to })
    }

    /// When the window that is open at that moment closes; `None` if none is open.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.tz.clone());
        let day = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let open = self.days[day] && local.time() >= self.from && self.to.is_none_or(|to| local.time() < to);
        if !open {
            return None;
        }
        let close = match self.to {
            Some(to) => local.date().to_datetime(to),
            None => local.date().checked_add(1.day()).ok()?.at(0, 0, 0, 0),
        };
        Some(close.to_zoned(self.tz.clone()).ok()?.timestamp())
    }
}

fn clock(text: &str) -> Result<Time, String> {
    let fail = || format!("{text:?} is no time of day; write it as \"08:00\"");
    let (hour, minute) = text.split_once(':').ok_or_else(fail)?;
    let number = |digits: &str| {
        let sound = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        if sound { digits.parse::<i8>().ok() } else { None }
    };
    let (hour, minute) = number(hour).zip(number(minute)).ok_or_else(fail)?;
    Time::new(hour, minute, 0, 0).map_err(|_| fail())
}

/// `mon-fri`, `mon,wed,fri`, `sat-mon`.
fn weekdays(text: &str) -> Result<[bool; 7], String> {
    let day = |name: &str| {
        let at = NAMES.iter().position(|known| *known == name.trim());
        at.ok_or_else(|| format!("{:?} is no day; write days as \"mon-fri\" or \"mon,wed\"", name.trim()))
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hours: [&str; 4], now: &str, closes: Option<&str>) {
        let hours = Hours::parse(hours[0], hours[1], hours[2], hours[3]).unwrap();
        let closes: Option<Timestamp> = closes.map(|t| t.parse().unwrap());
        assert_eq!(hours.open_until(now.parse().unwrap()), closes, "{now}");
    }

    #[test]
    fn a_window_is_open_from_its_first_moment_to_before_its_last() {
        let office = ["Europe/Oslo", "mon-fri", "08:00", "18:00"];
        check(office, "2026-11-20T06:59:59Z", None);
        check(office, "2026-11-20T07:00:00Z", Some("2026-11-20T17:00:00Z"));
        check(office, "2026-11-20T16:59:59Z", Some("2026-11-20T17:00:00Z"));
        check(office, "2026-11-20T17:00:00Z", None);
        check(office, "2026-11-21T10:00:00Z", None);
        check(office, "2026-07-10T06:00:00Z", Some("2026-07-10T16:00:00Z"));
    }

    #[test]
    fn days_may_be_lists_and_go_round_the_week_and_end_at_midnight() {
        let late = ["UTC", "sat-mon,wed", "22:00", "24:00"];
        check(late, "2026-11-23T23:59:59Z", Some("2026-11-24T00:00:00Z"));
        check(late, "2026-11-24T23:00:00Z", None);
        check(late, "2026-11-25T23:00:00Z", Some("2026-11-26T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (hours, word) in [
            (["Mars/Base", "mon", "08:00", "09:00"], "time zone"),
            (["UTC", "moon", "08:00", "09:00"], "no day"),
            (["UTC", "mon", "8:00", "09:00"], "time of day"),
            (["UTC", "mon", "08:00", "25:00"], "time of day"),
            (["UTC", "mon", "08:00", "08:00"], "later than"),
        ] {
            let error = Hours::parse(hours[0], hours[1], hours[2], hours[3]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
