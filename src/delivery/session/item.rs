//! What is played on a stream, as lists and logs show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::TEXT_MAX;
use crate::catalog::StreamName;
use crate::catalog::name::Prefix;
use crate::units::MediaTime;

/// What was asked for on a stream, or on the connection. Its texts are cut at [`TEXT_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The message stream; 0 is the connection.
    pub stream: u32,
    /// The name without prefix, extension and query. Where it can name nothing, as sent.
    pub name: String,
    /// What stands behind the `?`.
    pub query: Option<String>,
    /// The kind of file, where it is known: `flv`, `mp4`, `mp3`.
    pub extension: Option<&'static str>,
}

impl Item {
    /// What `name` asks for; `folder` is what the player put into the application name.
    pub fn new(
        stream: u32,
        folder: &str,
        name: &str,
        extension: Option<&'static str>,
    ) -> Arc<Self> {
        let name = &name[..name.floor_char_boundary(TEXT_MAX)];
        let (name, query) = match StreamName::parse(folder, name) {
            // With the folder too it has a bound (`NAME_BYTES_MAX`).
            Ok(parsed) => (stem(&parsed.name).to_owned(), parsed.query),
            Err(_) => match name.split_once('?') {
                Some((name, query)) => (name.to_owned(), Some(query.to_owned())),
                None => (name.to_owned(), None),
            },
        };
        Arc::new(Self {
            stream,
            name,
            query,
            extension,
        })
    }

    /// The memory that it takes, bytes.
    pub fn weight(&self) -> usize {
        let query = self.query.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.name.len() + query
    }
}

/// A name without the extension of a kind of file that is known.
fn stem(name: &str) -> &str {
    match Prefix::of_extension(name) {
        Some(_) => name.rsplit_once('.').map_or(name, |(stem, _)| stem),
        None => name,
    }
}

/// Whether a stream sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It plays.
    Playing,
    /// The viewer paused it.
    Paused,
    /// It has come to its end, and can be sought in.
    Idle,
}

impl State {
    const ALL: [Self; 3] = [Self::Playing, Self::Paused, Self::Idle];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Idle => "idle",
        }
    }
}

/// A play under way. One connection writes it; the values are read one by one.
#[derive(Debug)]
pub struct Showing {
    /// What is played.
    pub item: Arc<Item>,
    /// When it began.
    pub since: SystemTime,
    state: AtomicU8,
    /// Milliseconds.
    position: AtomicI64,
    buffer: AtomicU32,
}

impl Showing {
    /// A play that begins now.
    pub fn new(item: Arc<Item>) -> Arc<Self> {
        Arc::new(Self {
            item,
            since: SystemTime::now(),
            state: AtomicU8::new(State::Playing as u8),
            position: AtomicI64::new(0),
            buffer: AtomicU32::new(0),
        })
    }

    /// Takes how it stands: what was sent up to which time, for which client buffer.
    pub fn set(&self, state: State, reached: MediaTime, buffer: Duration) {
        let buffer = u32::try_from(buffer.as_millis()).unwrap_or(u32::MAX);
        self.state.store(state as u8, Ordering::Relaxed);
        self.position.store(reached.millis(), Ordering::Relaxed);
        self.buffer.store(buffer, Ordering::Relaxed);
    }

    /// Whether it sends.
    pub fn state(&self) -> State {
        let state = usize::from(self.state.load(Ordering::Relaxed));
        State::ALL.get(state).copied().unwrap_or(State::Idle)
    }

    /// Up to where media was sent, milliseconds.
    pub fn position(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }

    /// The client's buffer, milliseconds.
    pub fn buffer(&self) -> u32 {
        self.buffer.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_without_prefix_extension_and_query() {
        for (folder, name, expected, query) in [
            ("", "mp4:dir/favs/film.mp4", "dir/favs/film", None),
            ("", "film", "film", None),
            ("", "film.flv?a=b", "film", Some("a=b")),
            ("mp4:dir", "mp4:film", "dir/film", None),
            ("", "show.s01e02", "show.s01e02", None),
            ("", "../film?x", "../film", Some("x")),
        ] {
            let item = Item::new(1, folder, name, None);
            assert_eq!((&*item.name, item.query.as_deref()), (expected, query));
        }
        let long = "é".repeat(5000);
        for (folder, name) in [("", &*long), (&*long, "film"), (&*long, &*long)] {
            let item = Item::new(1, folder, &format!("{name}?{name}"), None);
            let query = item.query.as_ref().map_or(0, String::len);
            assert!(item.name.len() <= TEXT_MAX && query <= TEXT_MAX);
        }
    }

    #[test]
    fn it_is_shown_as_it_was_set() {
        let showing = Showing::new(Item::new(1, "", "x", None));
        assert_eq!(showing.state(), State::Playing);
        for state in State::ALL {
            showing.set(state, MediaTime::from_millis(7), Duration::MAX);
            assert_eq!((showing.state(), showing.position()), (state, 7));
            assert_eq!(showing.buffer(), u32::MAX);
        }
    }
}
