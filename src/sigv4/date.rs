//! When a request was signed.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

use super::error::Refusal;
use super::headers::Headers;

/// `20150830T123600Z`: the form that is signed.
const BASIC: &str = "%Y%m%dT%H%M%SZ";

/// The date of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Date<'a> {
    /// The header that it stands in.
    pub(super) header: &'static str,
    /// As sent.
    pub(super) sent: &'a str,
    /// Seconds since 1970.
    pub(super) seconds: i64,
}

impl<'a> Date<'a> {
    /// The date in the first of these headers that there is.
    pub(super) fn of(headers: Headers<'a>, names: [&'static str; 2]) -> Result<Self, Refusal> {
        for header in names {
            if let Some(sent) = headers.single(header)? {
                let seconds = basic(sent).or_else(|| rfc2822(sent));
                let seconds = seconds.ok_or(Refusal::BadDate(header))?;
                return Ok(Self {
                    header,
                    sent,
                    seconds,
                });
            }
        }
        Err(Refusal::NoDate)
    }

    /// Fails where the date is further from `now` than `allowed`, seconds.
    pub(super) fn check(&self, now: i64, allowed: i64) -> Result<(), Refusal> {
        if self.seconds.abs_diff(now) <= allowed.unsigned_abs() {
            return Ok(());
        }
        Err(Refusal::Skew {
            sent: written(self.seconds),
            now: written(now),
            allowed: allowed.checked_div(60).unwrap_or_default(),
        })
    }

    /// The date in the form that is signed.
    pub(super) fn basic(&self) -> String {
        written(self.seconds)
    }
}

fn basic(text: &str) -> Option<i64> {
    let date = DateTime::strptime(BASIC, text).ok()?;
    let seconds = TimeZone::UTC.to_timestamp(date).ok()?.as_second();
    // One form for one date: no fewer digits, no signs, nothing left out.
    (written(seconds) == text).then_some(seconds)
}

fn rfc2822(text: &str) -> Option<i64> {
    let parser = DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(text).ok().map(Timestamp::as_second)
}

fn written(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |at| at.strftime(BASIC).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_date_are_read() {
        for text in [
            "20150830T123600Z",
            "Sun, 30 Aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 14:36:00 +0200",
        ] {
            let pairs = [("Date", text.as_bytes())];
            let date = Date::of(Headers(&pairs), ["x-amz-date", "date"]).unwrap();
            assert_eq!(
                (date.header, date.seconds),
                ("date", 1_440_938_160),
                "{text}"
            );
            assert_eq!(date.basic(), "20150830T123600Z");
        }
        for text in [
            "",
            "20150830T123600",
            "20150830T123660Z",
            "20151330T123600Z",
            " 20150830T123600Z",
            "+0150830T123600Z",
            "2015-08-30T12:36:00Z",
            "1440938160",
        ] {
            let pairs = [("X-Amz-Date", text.as_bytes())];
            let date = Date::of(Headers(&pairs), ["x-amz-date", "date"]);
            assert_eq!(date, Err(Refusal::BadDate("x-amz-date")), "{text}");
        }
        let none = Date::of(Headers(&[]), ["x-amz-date", "date"]);
        assert_eq!(none, Err(Refusal::NoDate));
    }

    #[test]
    fn the_skew_counts_both_ways_and_both_times_are_told() {
        let date = Date {
            header: "date",
            sent: "",
            seconds: 1_440_938_160,
        };
        for (now, allowed) in [(300, true), (301, false), (-300, true), (-301, false)] {
            let checked = date.check(1_440_938_160 + now, 300);
            assert_eq!(checked.is_ok(), allowed, "{now}");
        }
        let said = date.check(i64::MAX, 300).unwrap_err().to_string();
        assert!(
            said.contains("20150830T123600Z") && said.contains("5 minutes"),
            "{said}"
        );
        assert!(date.check(i64::MIN, 300).is_err());
    }
}
