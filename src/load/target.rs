//! What to play: `rtmp://HOST[:PORT]/APP/NAME`, and how it falls into application and name.
//!
//! A URL does not say where the application ends. The rule is that of ffmpeg, so that what plays
//! there plays here: the application is two parts of the path where there are three, or one where
//! the second part has a colon (`mp4:`) or is the last. Whoever needs another says so (`--app`).

/// The port of RTMP.
const PORT: u16 = 1935;

/// One stream of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The application.
    pub app: String,
    /// The stream name, sent as it is.
    pub name: String,
}

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It does not begin with rtmp://.
    #[error("{0:?} does not begin with rtmp://")]
    Scheme(String),
    /// There is no host, or the port is no number.
    #[error("{0:?} has no host and port that can be read")]
    Host(String),
    /// There is no stream name.
    #[error("{0:?} names no application and stream: rtmp://HOST[:PORT]/APP/NAME")]
    Name(String),
    /// The path does not begin with the application that was asked for.
    #[error("the path of {url:?} does not begin with the application {app:?}")]
    App {
        /// The text.
        url: String,
        /// The application.
        app: String,
    },
}

impl Target {
    /// Reads a URL; `app` is the application where that is known.
    ///
    /// # Errors
    /// The text is not of the form.
    pub fn parse(url: &str, app: Option<&str>) -> Result<Self, TargetError> {
        let rest = url
            .strip_prefix("rtmp://")
            .ok_or_else(|| TargetError::Scheme(url.to_owned()))?;
        let no_name = || TargetError::Name(url.to_owned());
        let (authority, path) = rest.split_once('/').ok_or_else(no_name)?;
        let (host, port) =
            authority_parts(authority).ok_or_else(|| TargetError::Host(url.to_owned()))?;
        let (app, name) = match app {
            None => split(path).ok_or_else(no_name)?,
            Some(app) => {
                let name = path.strip_prefix(app).and_then(|it| it.strip_prefix('/'));
                let (url, app_) = (url.to_owned(), app.to_owned());
                (app, name.ok_or(TargetError::App { url, app: app_ })?)
            }
        };
        if app.is_empty() || name.is_empty() {
            return Err(no_name());
        }
        Ok(Self {
            host,
            port,
            app: app.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The same server and application, another stream.
    #[must_use]
    pub fn with_name(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// What a player says in `connect` that it was told to connect to.
    pub fn tc_url(&self) -> String {
        format!("rtmp://{}/{}", self.authority(), self.app)
    }

    /// The whole URL again.
    pub fn url(&self) -> String {
        format!("{}/{}", self.tc_url(), self.name)
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            PORT => host,
            port => format!("{host}:{port}"),
        }
    }
}

/// Host and port; a host with colons stands in brackets.
fn authority_parts(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            let port = match behind {
                "" => None,
                behind => Some(behind.strip_prefix(':')?),
            };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
    (!host.is_empty() && port > 0).then(|| (host.to_owned(), port))
}

/// Application and name of a path without its first slash.
fn split(path: &str) -> Option<(&str, &str)> {
    let (first, rest) = path.split_once('/')?;
    match rest.split_once('/') {
        Some((second, name)) if !second.contains(':') => {
            let app = path.get(..first.len() + 1 + second.len())?;
            Some((app, name))
        }
        _ => Some((first, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String, String) {
        let target = Target::parse(url, None).unwrap();
        (target.host, target.port, target.app, target.name)
    }

    fn wanted(host: &str, port: u16, app: &str, name: &str) -> (String, u16, String, String) {
        (host.into(), port, app.into(), name.into())
    }

    #[test]
    fn urls_fall_apart_as_ffmpeg_has_it() {
        for (url, parts_wanted) in [
            (
                "rtmp://h/cfx/st/mp4:a/b.mp4",
                wanted("h", 1935, "cfx/st", "mp4:a/b.mp4"),
            ),
            (
                "rtmp://h:19350/cfx/st/clip",
                wanted("h", 19350, "cfx/st", "clip"),
            ),
            ("rtmp://h/vod/big.mp4", wanted("h", 1935, "vod", "big.mp4")),
            (
                "rtmp://h/vod/mp4:a/b.mp4",
                wanted("h", 1935, "vod", "mp4:a/b.mp4"),
            ),
            (
                "rtmp://h/vod/inst/a/b?x=1",
                wanted("h", 1935, "vod/inst", "a/b?x=1"),
            ),
            ("rtmp://[::1]:7/a/b", wanted("::1", 7, "a", "b")),
            ("rtmp://[::1]/a/b", wanted("::1", 1935, "a", "b")),
        ] {
            assert_eq!(parts(url), parts_wanted, "{url}");
            assert_eq!(Target::parse(url, None).unwrap().url(), url);
        }
    }

    #[test]
    fn the_application_can_be_said() {
        let target = Target::parse("rtmp://h/vod/dir/clip.mp4", Some("vod")).unwrap();
        assert_eq!(
            (target.app.as_str(), target.name.as_str()),
            ("vod", "dir/clip.mp4")
        );
        assert_eq!(target.tc_url(), "rtmp://h/vod");
        assert!(Target::parse("rtmp://h/vod/clip", Some("live")).is_err());
        assert!(Target::parse("rtmp://h/vod/", Some("vod")).is_err());
    }

    #[test]
    fn what_is_no_url_is_an_error() {
        for url in [
            "",
            "http://h/a/b",
            "rtmp://",
            "rtmp://h",
            "rtmp://h/",
            "rtmp://h/a",
            "rtmp://h/a/",
            "rtmp:///a/b",
            "rtmp://h:0/a/b",
            "rtmp://h:x/a/b",
            "rtmp://[::1/a/b",
            "rtmp://[::1]x/a/b",
            "rtmp://h//b",
        ] {
            assert!(Target::parse(url, None).is_err(), "{url:?}");
        }
    }
}
