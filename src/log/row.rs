//! A row of the log: 17 fields with tabs between them (cloudfront.md, section 4.2). Pure.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::encode::{FIELD_MAX, field};
use super::entry::Entry;

/// What each file begins with.
pub const HEAD: &str = "#Version: 1.0\n#Fields: date time x-edge-location c-ip x-event sc-bytes \
    x-cf-status x-cf-client-id cs-uri-stem cs-uri-query c-referrer x-page-url c-user-agent x-sname \
    x-sname-query x-file-ext x-sid\n";

/// The longest row, bytes: seven fields that viewers fill, and the others.
pub const ROW_MAX: usize = 7 * FIELD_MAX + 256;

/// Writes the row of an entry, at most [`ROW_MAX`] bytes, with a line feed behind it.
pub fn write(out: &mut String, entry: &Entry, edge: &str, double: bool) {
    let facts = &entry.facts;
    let (stem, query) = facts.tc_url.split_once('?').unwrap_or((&facts.tc_url, ""));
    let ip = facts.peer.ip().to_canonical();
    when(out, entry.seconds(), "%Y-%m-%d\t%H:%M:%S\t");
    field(out, edge, double);
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "\t{ip}\t{}\t{}\tOK\t{}",
        entry.kind.word(),
        entry.bytes,
        facts.id
    );
    let (mut name, mut name_query, mut extension) = ("", "", "");
    if let Some(item) = &entry.item {
        name = &item.name;
        name_query = item.query.as_deref().unwrap_or_default();
        extension = item.extension.unwrap_or_default();
    }
    for value in [
        stem,
        query,
        &facts.swf_url,
        &facts.page_url,
        &facts.flash_ver,
        name,
        name_query,
        extension,
    ] {
        out.push('\t');
        field(out, value, double);
    }
    let _ = match &entry.item {
        Some(item) => writeln!(out, "\t{}", item.stream),
        None => writeln!(out, "\t-"),
    };
}

/// Writes a time, seconds since 1970, in UTC.
pub fn when(out: &mut String, seconds: i64, format: &str) {
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let _ = write!(out, "{}", Offset::UTC.to_datetime(time).strftime(format));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::session::testing::facts;
    use crate::delivery::session::{Facts, Item};
    use crate::log::entry::Kind;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    fn entry(kind: Kind, item: Option<Arc<Item>>) -> Entry {
        Entry {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_415_998_629_900),
            kind,
            item,
            bytes: 3_000_000_000,
            refused: false,
            ..Entry::turned_away(facts(), "")
        }
    }

    fn row(entry: &Entry) -> String {
        let mut out = String::new();
        write(&mut out, entry, "SEA4", false);
        out
    }

    #[test]
    fn a_row_has_the_fields_of_the_documents_in_their_order() {
        let item = Item::new(2, "", "mp4:dir/favs/my film.mp4?p=2&q=4", Some("mp4"));
        let expected = "2014-11-14\t20:57:09\tSEA4\t192.0.2.7\tplay\t3000000000\tOK\t\
            07070707070707070707070707070707\trtmp://films.example.com/cfx/st\tkey=value\t\
            http://example.com/player.swf\thttp://example.com/a%20page\tLNX%2010,0,32,18\t\
            dir/favs/my%20film\tp=2&q=4\tmp4\t2\n";
        assert_eq!(row(&entry(Kind::Play, Some(item))), expected);
        let connect = row(&entry(Kind::Connect, None));
        assert!(
            connect.ends_with("LNX%2010,0,32,18\t-\t-\t-\t-\n"),
            "{connect}"
        );
        let fields = HEAD.lines().nth(1).unwrap().split(' ').count() - 1;
        assert_eq!(fields, connect.split('\t').count());
    }

    #[test]
    fn an_address_is_written_as_what_it_is() {
        let peer = "[::ffff:192.0.2.9]:1".parse().unwrap();
        let mut entry = entry(Kind::Connect, None);
        entry.facts = Arc::new(Facts { peer, ..facts() });
        assert!(row(&entry).contains("\t192.0.2.9\tconnect\t"));
    }

    #[test]
    fn the_longest_row_has_a_bound() {
        let long = "\u{1}".repeat(FIELD_MAX);
        let item = Item {
            stream: u32::MAX,
            name: long.clone(),
            query: Some(long.clone()),
            extension: Some("mp4"),
        };
        let mut entry = entry(Kind::Disconnect, Some(Arc::new(item)));
        entry.bytes = u64::MAX;
        entry.facts = Arc::new(Facts {
            peer: "[2001:db8:1111:2222:3333:4444:5555:6666]:1"
                .parse()
                .unwrap(),
            tc_url: format!("{long}?{long}"),
            page_url: long.clone(),
            swf_url: long.clone(),
            flash_ver: long,
            ..facts()
        });
        for double in [false, true] {
            let mut out = String::new();
            write(&mut out, &entry, "ABCDEFGHIJKLMNOP", double);
            assert!(out.len() <= ROW_MAX, "{}", out.len());
            assert!(out.len() > ROW_MAX - FIELD_MAX, "{}", out.len());
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_viewer_says_makes_another_field_or_row(
            text in "[\0-\x7f]{0,20}|\\PC{0,20}", name in "[\0-\x7f]{0,20}|\\PC{0,20}",
            kind in 0..Kind::ALL.len(), stream: u32,
        ) {
            let mut entry = entry(Kind::ALL[kind], Some(Item::new(stream, "", &name, None)));
            entry.facts = Arc::new(Facts {
                tc_url: text.clone(), page_url: text.clone(), swf_url: text.clone(),
                flash_ver: text, ..facts()
            });
            let row = row(&entry);
            prop_assert_eq!(row.matches('\n').count(), 1);
            prop_assert!(row.ends_with('\n'));
            let fields: Vec<&str> = row.trim_end().split('\t').collect();
            prop_assert_eq!(fields.len(), 17);
            prop_assert!(fields.iter().all(|field| !field.is_empty()));
        }
    }
}
