//! Times: ISO 8601 in UTC, with milliseconds since 2012-05-05.

use jiff::Timestamp;

use super::members::Node;
use super::{DocumentError, Version};

/// `2012-05-19T19:37:58.123Z` of milliseconds since 1970.
pub(super) fn write(version: Version, milliseconds: i64) -> String {
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let form = if version.has_milliseconds() {
        "%Y-%m-%dT%H:%M:%S%.3fZ"
    } else {
        "%Y-%m-%dT%H:%M:%SZ"
    };
    time.strftime(form).to_string()
}

/// Milliseconds since 1970 of such a time.
pub(super) fn read(node: &Node<'_>) -> Result<i64, DocumentError> {
    let time: Result<Timestamp, _> = node.text()?.parse();
    time.map(Timestamp::as_millisecond)
        .map_err(|_| node.wrong("it is a time such as 2012-05-19T19:37:58Z"))
}
