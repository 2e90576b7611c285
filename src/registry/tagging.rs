//! Tags of streaming distributions (cloudfront.md, section 5.2). They are no part of a version.

use super::draft::{Draft, Verdict, put};
use super::{Author, RegistryError, streaming};
use crate::distribution::record::{StreamingRecord, Tags};

/// Tags that a resource may have.
const TAGS_MAX: usize = 50;

/// The longest key, characters.
const KEY_CHARS: usize = 128;

/// The longest value, characters.
const VALUE_CHARS: usize = 256;

/// Keys that begin so are the cloud's own.
const RESERVED: &str = "aws:";

pub(super) fn tag(draft: &Draft, author: &Author, arn: &str, tags: Tags) -> Verdict<()> {
    change(draft, author, arn, |all| {
        check(&tags)?;
        all.extend(tags);
        check(all)
    })
}

pub(super) fn untag(draft: &Draft, author: &Author, arn: &str, keys: &[String]) -> Verdict<()> {
    change(draft, author, arn, |all| {
        all.retain(|key, _| !keys.contains(key));
        Ok(())
    })
}

/// Whether these may be the tags of a resource.
pub(super) fn check(tags: &Tags) -> Result<(), RegistryError> {
    let wrong = |cause: String| Err(RegistryError::Tagging(cause));
    if tags.len() > TAGS_MAX {
        return wrong(format!("a resource may have {TAGS_MAX} tags"));
    }
    for (key, value) in tags {
        let reserved = key
            .get(..RESERVED.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
        if reserved {
            return wrong(format!("the tag key {key:?} begins with {RESERVED}"));
        }
        if key.is_empty() || key.chars().count() > KEY_CHARS {
            return wrong(format!("a tag's key must have 1 to {KEY_CHARS} characters"));
        }
        if value.chars().count() > VALUE_CHARS {
            let said = format!("the value of tag {key:?} has more than {VALUE_CHARS} characters");
            return wrong(said);
        }
    }
    Ok(())
}

fn change(
    draft: &Draft,
    author: &Author,
    arn: &str,
    edit: impl FnOnce(&mut Tags) -> Result<(), RegistryError>,
) -> Verdict<()> {
    let found = draft.state().tagged(&author.account, arn);
    let id = &found.ok_or(RegistryError::NoResource)?.head.id;
    let old = streaming::changeable(draft, author, id)?;
    let mut record = StreamingRecord::clone(old);
    edit(&mut record.tags)?;
    let (_, change) = put(record);
    Ok(((), change))
}
