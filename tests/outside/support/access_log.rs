//! Delivered access logs, read as the tools for CloudFront's streaming logs read them: by the
//! documented list of fields.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;

use super::seaweed::Seaweed;

/// The documented fields, in order.
const FIELDS: &str = "date time x-edge-location c-ip x-event sc-bytes x-cf-status x-cf-client-id \
    cs-uri-stem cs-uri-query c-referrer x-page-url c-user-agent x-sname x-sname-query x-file-ext x-sid";

/// How long records may take to arrive before a test fails. Not a promise: a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A row, by field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(BTreeMap<String, String>);

impl Row {
    pub fn get(&self, field: &str) -> &str {
        &self.0[field]
    }

    pub fn number(&self, field: &str) -> u64 {
        let value = self.get(field);
        value.parse().unwrap_or_else(|_| panic!("{field}: {value}"))
    }

    /// Event, name and stream.
    pub fn short(&self) -> String {
        let [event, name, stream] = ["x-event", "x-sname", "x-sid"].map(|it| self.get(it));
        format!("{event} {name} {stream}")
    }
}

/// The rows of an object.
pub fn rows(object: &[u8]) -> Vec<Row> {
    let mut text = String::new();
    let mut packed = GzDecoder::new(object);
    packed.read_to_string(&mut text).expect("gzip and UTF-8");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("#Version: 1.0"));
    let head = lines.next().and_then(|line| line.strip_prefix("#Fields: "));
    assert_eq!(head, Some(FIELDS));
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let values: Vec<&str> = line.split('\t').collect();
    let names: Vec<&str> = FIELDS.split(' ').collect();
    assert_eq!(values.len(), names.len(), "{line}");
    let sound = |value: &&str| {
        let plain = |byte: u8| byte > 32 && byte < 127 && !b"<>\"#{}|\\^~[]`'".contains(&byte);
        !value.is_empty() && value.bytes().all(plain)
    };
    assert!(values.iter().all(sound), "{line}");
    let named = names.iter().zip(values);
    Row(named
        .map(|(n, v)| ((*n).to_owned(), v.to_owned()))
        .collect())
}

/// All rows of a bucket, by the key of their object.
pub fn delivered(seaweed: &Seaweed, bucket: &str) -> BTreeMap<String, Vec<Row>> {
    let objects = seaweed.objects(bucket).into_iter();
    objects.map(|(key, object)| (key, rows(&object))).collect()
}

/// The rows of a bucket, once `enough` of them are there.
pub fn wait_for(
    seaweed: &Seaweed,
    bucket: &str,
    what: &str,
    enough: impl Fn(&[Row]) -> bool,
) -> Vec<Row> {
    let end = Instant::now() + PATIENCE;
    loop {
        let rows: Vec<Row> = delivered(seaweed, bucket).into_values().flatten().collect();
        if enough(&rows) {
            return rows;
        }
        let short: Vec<String> = rows.iter().map(Row::short).collect();
        assert!(Instant::now() < end, "{what} did not arrive: {short:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether so many connections have ended.
pub fn disconnects(count: usize) -> impl Fn(&[Row]) -> bool {
    move |rows| {
        let ended = rows.iter().filter(|row| row.get("x-event") == "disconnect");
        ended.count() >= count
    }
}

/// The rows of one connection in their order, in short; checks that what they share they share, and
/// that its bytes never become fewer.
pub fn story(rows: &[Row]) -> Vec<String> {
    for pair in rows.windows(2) {
        for field in ["x-cf-client-id", "c-ip", "cs-uri-stem", "c-user-agent"] {
            assert_eq!(pair[0].get(field), pair[1].get(field));
        }
        assert!(pair[0].number("sc-bytes") <= pair[1].number("sc-bytes"));
    }
    rows.iter().map(Row::short).collect()
}

/// Rows by connection.
pub fn by_client(rows: Vec<Row>) -> BTreeMap<String, Vec<Row>> {
    let mut all: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let id = row.get("x-cf-client-id").to_owned();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        all.entry(id).or_default().push(row);
    }
    all
}
