//! The query, as it is signed.

use percent_encoding::percent_decode_str;

use super::path::encode;

/// Parameters that a presigned request has, of either age.
const PRESIGNED: [&str; 4] = [
    "x-amz-signature",
    "x-amz-algorithm",
    "x-amz-credential",
    "awsaccesskeyid",
];

/// The canonical query: names and values encoded in one way, sorted. A `+` is a space, as for
/// whoever reads the query afterwards.
pub(super) fn canonical(query: &str) -> String {
    let mut parts: Vec<(String, String)> = pairs(query)
        .map(|(name, value)| (recode(name), recode(value)))
        .collect();
    parts.sort();
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("&")
}

/// Whether the signature stands in the query.
pub(super) fn is_presigned(query: &str) -> bool {
    pairs(query).any(|(name, _)| PRESIGNED.contains(&&*recode(name).to_ascii_lowercase()))
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

fn recode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    encode(&percent_decode_str(&spaced).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sorted_and_written_in_one_way() {
        for (sent, expected) in [
            ("", ""),
            ("WithTags", "WithTags="),
            ("b=2&a=1&B=3", "B=3&a=1&b=2"),
            ("a=2&a=1&a", "a=&a=1&a=2"),
            ("a=%2f+~&", "a=%2F%20~"),
            ("a=b=c", "a=b%3Dc"),
            ("a=%zz%ff", "a=%25zz%FF"),
            ("ሴ=bar", "%E1%88%B4=bar"),
            ("ab=1&a=2&a-=3", "a=2&a-=3&ab=1"),
        ] {
            assert_eq!(canonical(sent), expected, "{sent}");
        }
    }

    #[test]
    fn signatures_in_the_query_are_seen() {
        for query in [
            "a=1&X-Amz-Signature=00",
            "x-amz-algorithm",
            "AWSAccessKeyId=K&Signature=x",
            "X%2DAmz-Credential=K",
        ] {
            assert!(is_presigned(query), "{query}");
        }
        for query in ["", "key=X-Amz-Signature", "Signature=1"] {
            assert!(!is_presigned(query), "{query}");
        }
    }
}
