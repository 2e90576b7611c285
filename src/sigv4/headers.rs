//! The headers of a request, as a verifier sees them.

use super::error::Refusal;

/// Headers that mean something once only: two of them would let what is verified be another than
/// what is acted upon.
const ONCE: [&str; 7] = [
    "authorization",
    "host",
    "x-amz-date",
    "date",
    "x-amz-content-sha256",
    "content-type",
    "if-match",
];

/// The one header of Amazon's that signers leave out.
const NEVER_SIGNED: &str = "x-amz-user-agent";

/// All headers of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headers<'a>(pub(super) &'a [(&'a str, &'a [u8])]);

impl<'a> Headers<'a> {
    fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = move |(sent, _): &&(&str, &[u8])| sent.eq_ignore_ascii_case(name);
        self.0.iter().filter(named).map(|(_, value)| *value)
    }

    /// Whether there is one of this name.
    pub(super) fn has(self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The value of a header that there may be one of.
    pub(super) fn single(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.values(name);
        let value = values.next().map(|value| text(name, value)).transpose()?;
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Refusal::Twice(name.to_owned())),
        }
    }

    /// Fails where something is given twice that means something once only.
    pub(super) fn refuse_doubles(self) -> Result<(), Refusal> {
        let twice = ONCE.iter().find(|name| self.values(name).nth(1).is_some());
        twice.map_or(Ok(()), |name| Err(Refusal::Twice((*name).to_owned())))
    }

    /// Fails unless all that must be signed is among `signed`; `date` is the header that dates the
    /// request.
    pub(super) fn check_signed(self, signed: &[&str], date: &str) -> Result<(), Refusal> {
        let amazons = self.0.iter().map(|(name, _)| name.to_ascii_lowercase());
        let amazons = amazons.filter(|name| name.starts_with("x-amz-") && name != NEVER_SIGNED);
        let mut needed = ["host", date].map(str::to_owned).into_iter().chain(amazons);
        match needed.find(|name| !signed.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Refusal::Unsigned(name)),
        }
    }

    /// The line of one signed header: its values without spaces around them and with single spaces
    /// inside, joined in order.
    pub(super) fn canonical(self, name: &str) -> Result<String, Refusal> {
        let values = self.values(name).map(|value| Ok(fold(text(name, value)?)));
        let values = values.collect::<Result<Vec<_>, Refusal>>()?;
        if values.is_empty() {
            return Err(Refusal::Absent(name.to_owned()));
        }
        Ok(format!("{name}:{}\n", values.join(",")))
    }
}

fn text<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, Refusal> {
    std::str::from_utf8(value)
        .ok()
        .filter(|text| !text.contains(char::is_control))
        .ok_or_else(|| Refusal::NotText(name.to_owned()))
}

fn fold(value: &str) -> String {
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_trimmed_folded_and_joined_in_order() {
        let headers = Headers(&[("A", b" b  c "), ("x", b"y"), ("a", b"a"), ("e", b" ")]);
        assert_eq!(headers.canonical("a"), Ok("a:b c,a\n".to_owned()));
        assert_eq!(headers.canonical("e"), Ok("e:\n".to_owned()));
        assert_eq!(headers.canonical("q"), Err(Refusal::Absent("q".into())));
    }

    #[test]
    fn what_is_not_plain_text_is_refused() {
        for value in [&b"a\r\nb"[..], b"a\tb", b"\x7f", b"\0", b"\xff"] {
            let pairs = [("a", value)];
            let expected = Refusal::NotText("a".into());
            assert_eq!(Headers(&pairs).canonical("a"), Err(expected.clone()));
            assert_eq!(Headers(&pairs).single("a"), Err(expected));
        }
    }

    #[test]
    fn amazons_headers_must_be_signed_but_for_the_user_agent() {
        let headers = Headers(&[
            ("Host", b"h"),
            ("X-Amz-Date", b"d"),
            ("x-amz-user-agent", b"u"),
            ("x-amzn-trace-id", b"t"),
            ("X-Amz-Meta", b"m"),
        ]);
        let check = |signed: &[&str]| headers.check_signed(signed, "x-amz-date");
        assert_eq!(check(&["host", "x-amz-date", "x-amz-meta"]), Ok(()));
        for (signed, missing) in [
            (&["host", "x-amz-date"][..], "x-amz-meta"),
            (&["host", "x-amz-meta"], "x-amz-date"),
            (&["x-amz-date", "x-amz-meta"], "host"),
        ] {
            assert_eq!(check(signed), Err(Refusal::Unsigned(missing.into())));
        }
    }
}
