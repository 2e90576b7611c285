//! The path, as it is signed.

/// How a service signs paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathForm {
    /// Without empty segments and those of dots, as all services but S3 do.
    Normal,
    /// As it was sent.
    AsSent,
}

/// The canonical path: every byte but letters, digits, `-._~/` by percent sign. As the path of a
/// request is percent-encoded already, its percent signs are encoded again.
pub(super) fn canonical(path: &str, form: PathForm) -> String {
    let path = match form {
        PathForm::Normal => normal(path),
        PathForm::AsSent => path.to_owned(),
    };
    let path = if path.is_empty() { "/" } else { &path };
    let segments = path.split('/').map(|segment| encode(segment.as_bytes()));
    segments.collect::<Vec<_>>().join("/")
}

/// RFC 3986, section 5.2.4; empty segments go as well.
fn normal(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            named => kept.push(named),
        }
    }
    let folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Every byte but letters, digits and `-._~` by percent sign.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_once_more_and_made_normal() {
        for (sent, normal, as_sent) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("//", "/", "//"),
            ("/a%2Fb/", "/a%252Fb/", "/a%252Fb/"),
            ("/a//b", "/a/b", "/a//b"),
            ("/a/../../b/.", "/b/", "/a/../../b/."),
            ("/x/..", "/", "/x/.."),
            ("/a/..b", "/a/..b", "/a/..b"),
            ("*", "/%2A", "%2A"),
            ("/@:", "/%40%3A", "/%40%3A"),
        ] {
            assert_eq!(canonical(sent, PathForm::Normal), normal, "{sent}");
            assert_eq!(canonical(sent, PathForm::AsSent), as_sent, "{sent}");
        }
    }
}
