//! One thing that a viewer did, with all that a row or line says of it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::delivery::session::{Facts, Happening, Item, Session, cut};
use crate::distribution::streaming::Logging;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A viewer connected.
    Connect,
    /// Their connection ended.
    Disconnect,
    /// A play began.
    Play,
    /// It ended.
    Stop,
    /// It went on elsewhere.
    Seek,
    /// It was paused.
    Pause,
    /// It went on.
    Unpause,
    /// They asked how long something is. Only the refusal is told of: it is no event of a row.
    Length,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Disconnect,
        Self::Play,
        Self::Stop,
        Self::Seek,
        Self::Pause,
        Self::Unpause,
        Self::Length,
    ];

    /// As logs write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Play => "play",
            Self::Stop => "stop",
            Self::Seek => "seek",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Length => "length",
        }
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: SystemTime,
    /// Who.
    pub facts: Arc<Facts>,
    /// Where its row goes, if anywhere.
    pub logging: Option<Arc<Logging>>,
    /// What.
    pub kind: Kind,
    /// Whether it was refused: then there is no row of it.
    pub refused: bool,
    /// What was played, where that is what it is about.
    pub item: Option<Arc<Item>>,
    /// Bytes sent on the connection so far.
    pub bytes: u64,
    /// Where a seek leads, milliseconds.
    pub position: Option<i64>,
    /// Why it ended or was refused; cut at [`TEXT_MAX`].
    ///
    /// [`TEXT_MAX`]: crate::delivery::session::TEXT_MAX
    pub reason: Option<Box<str>>,
}

impl Entry {
    /// What happens to a session, now.
    pub fn of(session: &Session, happening: Happening<'_>) -> Self {
        let logging = session.distribution.terms().logging.clone();
        let base = Self {
            bytes: session.bytes(),
            logging,
            ..Self::now(Arc::clone(&session.facts), Kind::Connect)
        };
        let about = |kind, item: &Arc<Item>| Self {
            kind,
            item: Some(Arc::clone(item)),
            ..base.clone()
        };
        let refused = |kind, item, why: &str| Self {
            refused: true,
            reason: Some(cut(why).into()),
            ..about(kind, item)
        };
        match happening {
            Happening::Connect => base,
            Happening::Disconnect(why) => Self {
                kind: Kind::Disconnect,
                reason: Some(why.into()),
                ..base
            },
            Happening::Play(item) => about(Kind::Play, item),
            Happening::Stop(item, why) => Self {
                reason: Some(why.into()),
                ..about(Kind::Stop, item)
            },
            Happening::Seek(item, time) => Self {
                position: Some(time.millis()),
                ..about(Kind::Seek, item)
            },
            Happening::Pause(item) => about(Kind::Pause, item),
            Happening::Unpause(item) => about(Kind::Unpause, item),
            Happening::Refused(item, why) => refused(Kind::Play, item, why),
            Happening::LengthRefused(item, why) => refused(Kind::Length, item, why),
        }
    }

    /// A viewer who was not let in, now.
    pub fn turned_away(facts: Facts, reason: &str) -> Self {
        Self {
            refused: true,
            reason: Some(cut(reason).into()),
            ..Self::now(Arc::new(facts), Kind::Connect)
        }
    }

    fn now(facts: Arc<Facts>, kind: Kind) -> Self {
        Self {
            at: SystemTime::now(),
            facts,
            logging: None,
            kind,
            refused: false,
            item: None,
            bytes: 0,
            position: None,
            reason: None,
        }
    }

    /// Whether there is a row of it: the status of a row is always OK.
    pub fn is_row(&self) -> bool {
        !self.refused
    }

    /// The memory that it takes with all that it holds, bytes. What it shares with others counts
    /// for each of them, because each may be the last that holds it.
    pub fn weight(&self) -> usize {
        let logging = self.logging.as_ref().map_or(0, |to| {
            size_of::<Logging>() + to.bucket.len() + to.prefix.len()
        });
        let item = self.item.as_ref().map_or(0, |item| item.weight());
        let reason = self.reason.as_ref().map_or(0, |reason| reason.len());
        size_of::<Self>() + self.facts.weight() + logging + item + reason
    }

    /// Whole seconds since 1970.
    pub fn seconds(&self) -> i64 {
        let since = self.at.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::session::TEXT_MAX;
    use crate::delivery::session::testing::{facts, session};

    #[test]
    fn every_text_that_an_entry_holds_has_its_weight() {
        let long = "x".repeat(1000);
        let bare = Entry::turned_away(facts(), "");
        let base = bare.weight();
        let with = |change: fn(&mut Facts, String)| {
            let mut facts = facts();
            change(&mut facts, long.clone());
            Entry::turned_away(facts, "").weight()
        };
        for change in [
            |facts: &mut Facts, text: String| facts.app.push_str(&text),
            |facts: &mut Facts, text: String| facts.tc_url.push_str(&text),
            |facts: &mut Facts, text: String| facts.page_url.push_str(&text),
            |facts: &mut Facts, text: String| facts.swf_url.push_str(&text),
            |facts: &mut Facts, text: String| facts.flash_ver.push_str(&text),
        ] {
            assert_eq!(with(change), base + 1000);
        }
        assert_eq!(Entry::turned_away(facts(), &long).weight(), base + 1000);
        let item = Item::new(1, "", &format!("{long}?{long}"), None);
        let to = Logging {
            bucket: long.clone(),
            prefix: long.clone(),
        };
        let full = Entry {
            item: Some(item),
            logging: Some(Arc::new(to)),
            ..bare
        };
        assert!(full.weight() >= base + 4000);
    }

    #[test]
    fn what_was_refused_is_no_row_and_its_reason_has_a_bound() {
        let session = session(Arc::new(crate::delivery::session::Nobody));
        let item = Item::new(1, "", "x", None);
        let long = "é".repeat(TEXT_MAX);
        for (happening, kind) in [
            (Happening::Refused(&item, &long), Kind::Play),
            (Happening::LengthRefused(&item, &long), Kind::Length),
        ] {
            let entry = Entry::of(&session, happening);
            assert_eq!((entry.kind, entry.is_row()), (kind, false));
            assert_eq!(entry.reason.map(|reason| reason.len()), Some(TEXT_MAX));
        }
    }
}
