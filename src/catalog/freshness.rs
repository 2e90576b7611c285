//! How long what the origin said of an object may be believed. Pure: the clock comes in.
//!
//! As in CloudFront's streaming distributions (cloudfront.md, section 6): 24 hours unless the
//! object says otherwise, by Cache-Control max-age or by Expires; max-age wins; what it says is
//! raised to an hour and cut at 100 years. There was no way to keep an object out of the cache:
//! no-cache, no-store and private count as the least, an hour. Where the operator configured less
//! than an hour, that is the least.
//!
//! A server that was given a bucket and nothing else asks at each play instead: whoever tries it
//! out replaces a file and wants to see it.

use std::time::{Duration, SystemTime};

/// The least that an object can ask for.
pub const FLOOR: Duration = Duration::from_secs(3600);

/// The most that an object can ask for: 100 years.
pub const CEILING: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long the objects of a distribution are believed to be what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The origin is asked at each play.
    EachPlay,
    /// So long, unless the object says otherwise.
    TimeToLive(Duration),
}

/// What an object says of how long it stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Declared {
    /// Nothing.
    #[default]
    Nothing,
    /// So long from the answer on.
    MaxAge(Duration),
    /// Until that time.
    Expires(SystemTime),
    /// It should not be kept at all.
    Never,
}

impl Declared {
    /// Reads the headers that are stored with an object. What cannot be understood is as if it were
    /// not there; an Expires that is no date is in the past (RFC 9111, section 5.3).
    pub fn read(cache_control: Option<&str>, expires: Option<&str>) -> Self {
        let mut age = None;
        for directive in cache_control.unwrap_or_default().split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim().to_ascii_lowercase();
            match &*name {
                "no-cache" | "no-store" | "private" => return Self::Never,
                "max-age" if age.is_none() => age = seconds(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match (age, expires) {
            (Some(age), _) => Self::MaxAge(age),
            (None, Some(expires)) => {
                let time = httpdate::parse_http_date(expires.trim());
                Self::Expires(time.unwrap_or(SystemTime::UNIX_EPOCH))
            }
            (None, None) => Self::Nothing,
        }
    }
}

/// Digits only; more than fit are very many.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

impl Freshness {
    /// How long an answer that came `now` may be believed; none: for the play that asked.
    pub fn lifetime(self, declared: Declared, now: SystemTime) -> Duration {
        let Self::TimeToLive(configured) = self else {
            return Duration::ZERO;
        };
        let asked = match declared {
            Declared::Nothing => return configured.min(CEILING),
            Declared::MaxAge(age) => age,
            Declared::Expires(at) => at.duration_since(now).unwrap_or_default(),
            Declared::Never => Duration::ZERO,
        };
        asked.clamp(FLOOR.min(configured), CEILING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn now() -> SystemTime {
        httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap()
    }

    fn lives(ttl: Duration, cache_control: Option<&str>, expires: Option<&str>) -> u64 {
        let declared = Declared::read(cache_control, expires);
        Freshness::TimeToLive(ttl)
            .lifetime(declared, now())
            .as_secs()
    }

    #[test]
    fn objects_say_how_long_they_live() {
        let in_two_hours = Some("Sun, 06 Nov 1994 10:49:37 GMT");
        assert_eq!(lives(DAY, None, None), 86_400);
        assert_eq!(lives(DAY, Some("public, Max-Age=7201"), None), 7_201);
        assert_eq!(lives(DAY, Some("max-age=\"7201\""), None), 7_201);
        assert_eq!(lives(DAY, None, in_two_hours), 7_200);
        assert_eq!(lives(DAY, Some("max-age=9000"), in_two_hours), 9_000);
        assert_eq!(lives(DAY, Some("public"), in_two_hours), 7_200);
        let centuries = Some("max-age=99999999999999999999999");
        assert_eq!(lives(DAY, centuries, None), CEILING.as_secs());
    }

    #[test]
    fn an_hour_is_the_least_unless_less_is_configured() {
        let past = Some("Sat, 05 Nov 1994 10:49:37 GMT");
        for (cache_control, expires) in [
            (Some("max-age=0"), None),
            (Some("max-age=59"), None),
            (None, past),
            (None, Some("0")),
            (Some("no-cache, max-age=90000"), None),
            (Some("No-Store"), None),
            (Some("private"), past),
        ] {
            assert_eq!(
                lives(DAY, cache_control, expires),
                3600,
                "{cache_control:?}"
            );
            let brief = lives(Duration::from_secs(5), cache_control, expires);
            let asked = if cache_control == Some("max-age=59") {
                59
            } else {
                5
            };
            assert_eq!(brief, asked, "{cache_control:?} {expires:?}");
        }
        // What is no number is no max-age.
        for odd in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1x",
            "s-maxage=9000",
        ] {
            assert_eq!(lives(DAY, Some(odd), None), 86_400, "{odd}");
        }
    }

    #[test]
    fn asked_at_each_play_nothing_lives() {
        let declared = Declared::read(Some("max-age=90000"), None);
        assert_eq!(
            Freshness::EachPlay.lifetime(declared, now()),
            Duration::ZERO
        );
    }

    proptest! {
        #[test]
        fn any_header_is_read_and_any_life_is_bounded(
            cache_control: Option<String>, expires: Option<String>, ttl in 0u64..1 << 40,
        ) {
            let ttl = Duration::from_secs(ttl);
            let declared = Declared::read(cache_control.as_deref(), expires.as_deref());
            let life = Freshness::TimeToLive(ttl).lifetime(declared, now());
            prop_assert!(life >= FLOOR.min(ttl) && life <= CEILING);
        }
    }
}
