//! How a record is written: `{"format":1,"record":{…}}`.
//!
//! Members that this version does not know are passed over, so a version may add members without a
//! new format. A new format is for what an older version must not touch.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::store::{Kind, Record, StoreError};

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a, T> {
    format: u32,
    record: &'a T,
}

/// Read first, as the record of another format may have any shape.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Read<T> {
    record: T,
}

/// A record as bytes.
pub(super) fn write(record: &Record) -> Result<Vec<u8>, StoreError> {
    let written = match record {
        Record::Streaming(record) => bytes(record),
        Record::Identity(record) => bytes(record),
        Record::PublicKey(record) => bytes(record),
        Record::KeyGroup(record) => bytes(record),
    };
    written.map_err(|error| {
        let (kind, id) = (record.kind().name(), &record.head().id);
        StoreError::Unavailable(format!("{kind} {id} cannot be written: {error}"))
    })
}

fn bytes<T: Serialize>(record: &T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Written {
        format: FORMAT,
        record,
    })
}

/// The record of this kind and id.
pub(super) fn read(kind: Kind, id: &str, bytes: &[u8]) -> Result<Record, StoreError> {
    let damaged = |cause: String| StoreError::Damaged(format!("{} {id}: {cause}", kind.name()));
    let Format { format } =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if format != FORMAT {
        return Err(damaged(format!(
            "it has format {format}, but this version of streamfront reads format {FORMAT} only"
        )));
    }
    let record = match kind {
        Kind::Streaming => parse(bytes).map(Record::Streaming),
        Kind::Identity => parse(bytes).map(Record::Identity),
        Kind::PublicKey => parse(bytes).map(Record::PublicKey),
        Kind::KeyGroup => parse(bytes).map(Record::KeyGroup),
    };
    let record = record.map_err(|error| damaged(error.to_string()))?;
    if record.head().id == id {
        Ok(record)
    } else {
        Err(damaged(format!("it calls itself {}", record.head().id)))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice::<Read<T>>(bytes).map(|read| read.record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::tests::identity;
    use proptest::prelude::*;

    #[test]
    fn unknown_members_are_passed_over_and_unknown_formats_are_not() {
        let record = Record::Identity(identity("E1", "a"));
        let text = String::from_utf8(write(&record).unwrap()).unwrap();
        let more = text.replacen("{\"id\"", "{\"later\":[1],\"id\"", 1);
        assert_ne!(more, text);
        assert_eq!(read(Kind::Identity, "E1", more.as_bytes()), Ok(record));
        let newer = text.replacen("\"format\":1", "\"format\":2", 1);
        for (id, bytes, cause) in [
            ("E1", newer.as_str(), "format 2"),
            ("E2", &text, "calls itself E1"),
            ("E1", "{}", "format"),
            ("E1", "{\"format\":1,\"record\":{}}", "head"),
        ] {
            let error = read(Kind::Identity, id, bytes.as_bytes()).unwrap_err();
            let said = error.to_string();
            assert!(matches!(error, StoreError::Damaged(_)), "{said}");
            assert!(said.contains(cause) && said.contains(id), "{said}");
            assert!(said.contains("origin access identity"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_surprise(bytes: Vec<u8>) {
            for kind in Kind::ALL {
                prop_assert!(read(kind, "E1", &bytes).is_err());
            }
        }
    }
}
