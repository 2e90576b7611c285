//! What a viewer wants of the tunnel: read from the method and the path of an HTTP request.

use super::{Number, TunnelId};

/// A request of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Whether there is a server of this protocol here, and at which address it wants to be asked.
    /// Flash asks before it opens a session.
    Ident,
    /// A session is to begin.
    Open,
    /// Something within a session.
    Within {
        /// The session.
        id: TunnelId,
        /// What for.
        kind: Kind,
        /// Which request of the session it is. A close may come without: it is the next.
        number: Option<Number>,
    },
}

/// What a request within a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its body is what the viewer says.
    Send,
    /// The viewer says nothing; its body, one byte of 0, means nothing.
    Idle,
    /// The viewer is done.
    Close,
}

impl Request {
    /// The request with this method and path, if it is one of the tunnel's.
    pub fn parse(method: &str, path: &str) -> Option<Self> {
        if method != "POST" {
            return None;
        }
        let mut parts = path.strip_prefix('/')?.split('/');
        let (first, second, third) = (parts.next()?, parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let kind = match (first, second, third) {
            ("fcs", "ident" | "ident2", None | Some("")) => return Some(Self::Ident),
            ("open", number, None) => return Number::parse(number).map(|_| Self::Open),
            ("send", _, Some(_)) => Kind::Send,
            ("idle", _, Some(_)) => Kind::Idle,
            ("close", _, _) => Kind::Close,
            _ => return None,
        };
        let id = TunnelId::parse(second)?;
        let number = match third {
            None => None,
            Some(number) => Some(Number::parse(number)?),
        };
        Some(Self::Within { id, kind, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "000102030405060708090a0b0c0d0e0f";

    fn within(kind: Kind, number: Option<u32>) -> Option<Request> {
        let id = TunnelId(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let number = number.map(Number);
        Some(Request::Within { id, kind, number })
    }

    #[test]
    fn every_form() {
        let read = |path: &str| Request::parse("POST", path);
        assert_eq!(read("/open/1"), Some(Request::Open));
        for probe in ["/fcs/ident", "/fcs/ident2", "/fcs/ident/"] {
            assert_eq!(read(probe), Some(Request::Ident));
        }
        assert_eq!(read(&format!("/send/{ID}/0")), within(Kind::Send, Some(0)));
        assert_eq!(
            read(&format!("/idle/{ID}/12")),
            within(Kind::Idle, Some(12))
        );
        assert_eq!(
            read(&format!("/close/{ID}/3")),
            within(Kind::Close, Some(3))
        );
        assert_eq!(read(&format!("/close/{ID}")), within(Kind::Close, None));
    }

    #[test]
    fn nothing_near_them() {
        let near = [
            "",
            "/",
            "open/1",
            "/open",
            "/open/",
            "/open/x",
            "/open/1/",
            "//open/1",
            "/fcs",
            "/fcs/ident3",
            "/fcs/ident//",
        ];
        for path in near {
            assert_eq!(Request::parse("POST", path), None, "{path}");
        }
        for path in [
            "/send/ID",
            "/send/ID/",
            "/idle/ID/1/",
            "/send/ID/1/2",
            "/send//1",
            "/SEND/ID/1",
        ] {
            let path = path.replace("ID", ID);
            assert_eq!(Request::parse("POST", &path), None, "{path}");
        }
        assert_eq!(Request::parse("GET", "/open/1"), None);
    }

    proptest! {
        #[test]
        fn a_path_is_read_back(bits: [u8; 16], number: u32, which in 0..3) {
            let (word, kind) = [("send", Kind::Send), ("idle", Kind::Idle), ("close", Kind::Close)]
                [usize::try_from(which).unwrap()];
            let id = TunnelId(bits);
            let read = Request::parse("POST", &format!("/{word}/{id}/{number}"));
            let number = Some(Number(number));
            prop_assert_eq!(read, Some(Request::Within { id, kind, number }));
        }

        #[test]
        fn any_text_is_read_or_refused(method: String, path in "(/[a-z0-9]{0,33}){0,5}|.*") {
            Request::parse(&method, &path);
            Request::parse("POST", &path);
        }
    }
}
