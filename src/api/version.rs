//! The dated versions of the API, and what each of them has (cloudfront.md, section 5.1).
//!
//! Clients write any of some thirty dates in front of the path, and not all of them are known any
//! more; so every date since the first is a version, and has what the newest listed one before it
//! had.

use std::fmt;

use jiff::civil::Date;

use crate::registry::Repeat;

/// The first version with streaming distributions.
const FIRST: Date = jiff::civil::date(2009, 12, 1);

/// `<S3Origin>` takes the place of `<Origin>`.
const S3_ORIGIN: Date = jiff::civil::date(2010, 11, 1);

/// Lists with Quantity and Items; `DomainName`; milliseconds.
const NESTED: Date = jiff::civil::date(2012, 5, 5);

/// Aliases, Logging and PriceClass may be left out.
const OPTIONAL: Date = jiff::civil::date(2014, 11, 6);

/// ARNs and tags.
const TAGS: Date = jiff::civil::date(2016, 8, 1);

/// Public keys.
const PUBLIC_KEYS: Date = jiff::civil::date(2017, 10, 30);

/// Key groups; a caller reference counts once.
const KEY_GROUPS: Date = jiff::civil::date(2020, 5, 31);

/// A version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Date);

impl Version {
    /// The newest that is known.
    pub const NEWEST: Self = Self(KEY_GROUPS);

    /// Reads a date of the form `2020-05-31`, from the first version on.
    pub fn parse(text: &str) -> Option<Self> {
        let date: Date = text.parse().ok()?;
        // Other spellings of dates are no versions.
        (date >= FIRST && date.to_string() == text).then_some(Self(date))
    }

    /// Whether documents are flat: repeated elements, no Quantity, no Items.
    pub fn is_flat(self) -> bool {
        self.0 < NESTED
    }

    /// Whether the origin is the text of `<Origin>`, with `<OriginAccessIdentity>` beside it.
    pub fn has_origin_text(self) -> bool {
        self.0 < S3_ORIGIN
    }

    /// Whether every member of a nested StreamingDistributionConfig has to be there.
    pub fn requires_all(self) -> bool {
        !self.is_flat() && self.0 < OPTIONAL
    }

    /// Whether there are ARNs and tags.
    pub fn has_tags(self) -> bool {
        self.0 >= TAGS
    }

    /// Whether there are public keys.
    pub fn has_public_keys(self) -> bool {
        self.0 >= PUBLIC_KEYS
    }

    /// Whether there are key groups.
    pub fn has_key_groups(self) -> bool {
        self.0 >= KEY_GROUPS
    }

    /// Whether times have milliseconds.
    pub fn has_milliseconds(self) -> bool {
        !self.is_flat()
    }

    /// What a create with a known caller reference means.
    pub fn repeat(self) -> Repeat {
        if self.0 < KEY_GROUPS {
            Repeat::Answered
        } else {
            Repeat::Refused
        }
    }

    /// The XML namespace of its documents.
    pub fn namespace(self) -> String {
        format!("http://cloudfront.amazonaws.com/doc/{self}/")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn every_date_since_the_first_is_a_version() {
        for text in ["2009-12-01", "2013-05-12", "2020-05-31", "2031-02-28"] {
            assert_eq!(version(text).to_string(), text);
        }
        for text in [
            "",
            "2009-11-30",
            "2013-02-29",
            "2013-5-12",
            "20130512",
            "2013-05-12T00:00",
            "+002013-05-12",
            "-2013-05-12",
            "2013-05-12 ",
            "healthz",
        ] {
            assert_eq!(Version::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn each_version_has_what_it_had() {
        let has = |text: &str| {
            let it = version(text);
            [
                it.has_origin_text(),
                it.is_flat(),
                it.requires_all(),
                it.has_tags(),
                it.has_public_keys(),
                it.has_key_groups(),
            ]
        };
        let (t, f) = (true, false);
        assert_eq!(has("2010-10-31"), [t, t, f, f, f, f]);
        assert_eq!(has("2010-11-01"), [f, t, f, f, f, f]);
        assert_eq!(has("2012-05-05"), [f, f, t, f, f, f]);
        assert_eq!(has("2014-10-21"), [f, f, t, f, f, f]);
        assert_eq!(has("2014-11-06"), [f, f, f, f, f, f]);
        assert_eq!(has("2016-08-01"), [f, f, f, t, f, f]);
        assert_eq!(has("2017-10-30"), [f, f, f, t, t, f]);
        assert_eq!(has("2020-05-31"), [f, f, f, t, t, t]);
        assert_eq!(version("2019-03-26").repeat(), Repeat::Answered);
        assert_eq!(version("2020-05-31").repeat(), Repeat::Refused);
    }

    proptest! {
        #[test]
        fn no_text_is_a_surprise(text in "\\PC{0,12}|[0-9+-]{0,12}") {
            if let Some(version) = Version::parse(&text) {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
