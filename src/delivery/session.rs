//! One connection as the outside may know of it: who it is, what it plays, how much it was sent.
//!
//! A [`Session`] is written by one connection and read by others: the access log, which is told
//! what happens ([`Observer`]), and whoever lists sessions. Bytes and positions are atomics of the
//! session's own, stored at most once a write or wake-up; the lock is for the list of what plays
//! and is taken when a play begins and ends. Nothing here is shared with another connection.
//!
//! Each play has one beginning and one end here, and each session one connect and one disconnect
//! (cloudfront.md, section 4.2). Times are of the wall clock, sizes bytes.

use std::fmt::{self, Debug};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::served::Served;
use crate::rtmp::command::Connect;
use crate::units::MediaTime;

mod item;

pub use item::{Item, Showing, State};

/// What is kept of each text of a connect and of a name, bytes: real ones have some hundred, a signed one 2 KiB.
pub const TEXT_MAX: usize = 4096;

/// The id of a connection, which nobody can guess: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub [u8; 16]);

impl ClientId {
    /// Reads what is shown.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(lower) {
            return None;
        }
        let number = u128::from_str_radix(text, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a connect says of a viewer. Its texts are cut at [`TEXT_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The connection's id.
    pub id: ClientId,
    /// The viewer's address.
    pub peer: SocketAddr,
    /// By which protocol they came, as URLs have it: `rtmp`, `rtmpe` and so on.
    pub protocol: &'static str,
    /// When they connected.
    pub since: SystemTime,
    /// The distribution that they came to, where one was found.
    pub distribution: Option<Arc<str>>,
    /// The application, as sent.
    pub app: String,
    /// The URL that they connected to, as sent.
    pub tc_url: String,
    /// The page that the player is on.
    pub page_url: String,
    /// The player's own file.
    pub swf_url: String,
    /// The player's name and version.
    pub flash_ver: String,
}

impl Facts {
    /// What `connect` says of a viewer at `peer` over plain RTMP, whose distribution is not known
    /// yet.
    pub fn new(id: ClientId, peer: SocketAddr, connect: &Connect) -> Self {
        Self {
            id,
            peer,
            protocol: "rtmp",
            since: SystemTime::now(),
            distribution: None,
            app: cut(connect.app()),
            tc_url: cut(connect.tc_url()),
            page_url: cut(connect.page_url()),
            swf_url: cut(connect.swf_url()),
            flash_ver: cut(connect.flash_ver()),
        }
    }
}

impl Facts {
    /// The memory that it takes, bytes.
    pub fn weight(&self) -> usize {
        let texts = [
            &self.app,
            &self.tc_url,
            &self.page_url,
            &self.swf_url,
            &self.flash_ver,
        ];
        size_of::<Self>() + texts.map(String::len).iter().sum::<usize>()
    }
}

/// At most [`TEXT_MAX`] bytes of a text, whole characters.
pub fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_MAX)].to_owned()
}

/// What happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening<'a> {
    /// The viewer was let in.
    Connect,
    /// The connection is gone; why, in a word.
    Disconnect(&'static str),
    /// A play began, as the viewer was told.
    Play(&'a Arc<Item>),
    /// A play ended; why, in a word.
    Stop(&'a Arc<Item>, &'static str),
    /// A play goes on from this time.
    Seek(&'a Arc<Item>, MediaTime),
    /// A play was paused.
    Pause(&'a Arc<Item>),
    /// It goes on.
    Unpause(&'a Arc<Item>),
    /// A play was refused or failed before it began; why.
    Refused(&'a Arc<Item>, &'a str),
    /// The viewer asked how long something is, and was not told; why.
    LengthRefused(&'a Arc<Item>, &'a str),
}

/// Who is told what happens. Called by the tasks that deliver: it must not wait.
pub trait Observer: Send + Sync + Debug {
    /// Something happened to a session.
    fn saw(&self, session: &Session, happening: Happening<'_>);

    /// A viewer was not let in; why, in a word.
    fn turned_away(&self, facts: Facts, reason: &'static str);
}

/// One who does not care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn saw(&self, _: &Session, _: Happening<'_>) {}
    fn turned_away(&self, _: Facts, _: &'static str) {}
}

/// One connection whose viewer was let in.
#[derive(Debug)]
pub struct Session {
    /// Who it is.
    pub facts: Arc<Facts>,
    /// Where they came to.
    pub distribution: Arc<Served>,
    observer: Arc<dyn Observer>,
    bytes: AtomicU64,
    ended: AtomicBool,
    showing: Mutex<Vec<Arc<Showing>>>,
}

impl Session {
    /// The session of a viewer who may come in; nobody is told yet.
    pub fn new(facts: Facts, distribution: Arc<Served>, observer: Arc<dyn Observer>) -> Arc<Self> {
        let known = Some(Arc::clone(distribution.id()));
        Arc::new(Self {
            facts: Arc::new(Facts {
                distribution: known,
                ..facts
            }),
            distribution,
            observer,
            bytes: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            showing: Mutex::default(),
        })
    }

    /// Tells what happens.
    pub fn tell(&self, happening: Happening<'_>) {
        self.observer.saw(self, happening);
    }

    /// Takes how many bytes the viewer was sent in all.
    pub fn set_bytes(&self, total: u64) {
        // There is one writer, and nobody infers anything else from it.
        self.bytes.store(total, Ordering::Relaxed);
    }

    /// Bytes that the viewer was sent in all.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The connection is to end. It sees that when it is woken.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether the connection is to end.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// What plays or can still be sought in, one for each stream.
    pub fn showing(&self) -> Vec<Arc<Showing>> {
        self.list().clone()
    }

    /// A play begins.
    pub(super) fn shows(&self, showing: &Arc<Showing>) {
        self.list().push(Arc::clone(showing));
        self.tell(Happening::Play(&showing.item));
    }

    /// A play is gone.
    pub(super) fn forgets(&self, showing: &Arc<Showing>) {
        self.list().retain(|other| !Arc::ptr_eq(other, showing));
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Showing>>> {
        // Every change of it is whole.
        self.showing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::delivery::served::Terms;
    use crate::distribution::Kind;
    use crate::origin::memory::MemoryOrigin;

    /// Keeps what it is told, as text.
    #[derive(Debug, Default)]
    pub(crate) struct Notes(pub(crate) Mutex<Vec<String>>);

    impl Observer for Notes {
        fn saw(&self, _: &Session, happening: Happening<'_>) {
            let said = match happening {
                Happening::Connect => "connect".to_owned(),
                Happening::Disconnect(why) => format!("disconnect {why}"),
                Happening::Play(item) => format!("play {}", item.name),
                Happening::Stop(item, why) => format!("stop {} {why}", item.name),
                Happening::Seek(item, time) => format!("seek {} {time:?}", item.name),
                Happening::Pause(item) => format!("pause {}", item.name),
                Happening::Unpause(item) => format!("unpause {}", item.name),
                Happening::Refused(item, why) => format!("refused {} {why}", item.name),
                Happening::LengthRefused(item, why) => format!("no length {} {why}", item.name),
            };
            self.0.lock().unwrap().push(said);
        }

        fn turned_away(&self, _: Facts, reason: &'static str) {
            self.0.lock().unwrap().push(reason.to_owned());
        }
    }

    pub(crate) fn terms() -> Terms {
        Terms {
            kind: Kind::Streaming,
            enabled: true,
            signers: None,
            apps: Arc::new(["cfx/st".to_owned()]),
            origin: Arc::new(MemoryOrigin::new()),
            max_rate: None,
            encrypted: true,
            logging: None,
        }
    }

    pub(crate) fn facts() -> Facts {
        let peer = "192.0.2.7:4242".parse().unwrap();
        let id = ClientId([7; 16]);
        Facts {
            tc_url: "rtmp://films.example.com/cfx/st?key=value".into(),
            app: "cfx/st".into(),
            page_url: "http://example.com/a page".into(),
            swf_url: "http://example.com/player.swf".into(),
            flash_ver: "LNX 10,0,32,18".into(),
            ..Facts::new(id, peer, &Connect::default())
        }
    }

    pub(crate) fn session(observer: Arc<dyn Observer>) -> Arc<Session> {
        Session::new(facts(), Served::new("E1", terms()), observer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_form() {
        let id = ClientId([0x0a; 16]);
        assert_eq!(id.to_string(), "0a".repeat(16));
        assert_eq!(ClientId::parse(&id.to_string()), Some(id));
        for wrong in [
            "",
            "0A".repeat(16).as_str(),
            &"+a".repeat(16),
            &"a".repeat(33),
            "é",
        ] {
            assert_eq!(ClientId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_a_connect_says_is_kept_up_to_a_bound() {
        assert_eq!(cut(&"é".repeat(10_000)).len(), TEXT_MAX);
        assert_eq!(cut(&format!("a{}", "é".repeat(10_000))).len(), TEXT_MAX - 1);
        assert_eq!(cut("short"), "short");
    }
}
