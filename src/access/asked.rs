//! What may have been signed for a name that is asked for.
//!
//! It was never settled whether a signer has to sign the name as the player sends it, or with its
//! extension, or without: tools and players did all of these (cloudfront.md, section 3.4). So all
//! are accepted that mean this name, or the object that it leads to. Strictly: the name, the name
//! without its extension, and the object.

/// A name that is asked for, in the forms that a signer may have meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// As the player sent it, without prefix and query.
    pub name: String,
    /// Without the extension of a container, where it has one.
    pub stem: Option<String>,
    /// With the extension that its container has by default, where it has none.
    pub whole: Option<String>,
    /// With its prefix, where it has one.
    pub prefixed: Option<String>,
    /// The keys of objects that it may mean. Whichever of them exists is played, so that one that
    /// was signed must turn out to be that one.
    pub keys: Vec<String>,
}

/// A text that may have been signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// This name, whatever object it leads to.
    Name,
    /// An object.
    Key,
}

impl Asked {
    /// What may have been signed, the likeliest first, none twice; `own`: the parameters of the name
    /// that are none of the signature. Some 25 at the most.
    pub fn candidates(&self, own: &str, strict: bool) -> Vec<(Meant, String)> {
        let mut all: Vec<(Meant, String)> = Vec::new();
        let mut add = |meant, text: &str| {
            if !all.iter().any(|(_, known)| known == text) {
                all.push((meant, text.to_owned()));
            }
        };
        let lenient = !strict;
        let more = [&self.whole, &self.prefixed].into_iter().flatten();
        let named: Vec<&String> = std::iter::once(&self.name)
            .chain(&self.stem)
            .chain(more.filter(|_| lenient))
            .collect();
        named.iter().for_each(|text| add(Meant::Name, text));
        self.keys.iter().for_each(|key| add(Meant::Key, key));
        if lenient && !own.is_empty() {
            for text in named {
                add(Meant::Name, &with(text, own));
            }
            for key in &self.keys {
                add(Meant::Key, &with(key, own));
            }
        }
        all
    }
}

/// A name with parameters.
pub(super) fn with(name: &str, own: &str) -> String {
    format!("{name}?{own}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_strict_and_lenient() {
        let asked = Asked {
            name: "dir/x".into(),
            stem: None,
            whole: Some("dir/x.mp4".into()),
            prefixed: Some("mp4:dir/x".into()),
            keys: vec!["dir/x".into(), "dir/x.mov".into()],
        };
        let texts = |own: &str, strict| {
            let all = asked.candidates(own, strict);
            let shown = all.into_iter().map(|(meant, text)| match meant {
                Meant::Name => text,
                Meant::Key => format!("key {text}"),
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts("a=1", true), "dir/x key dir/x.mov");
        assert_eq!(texts("", false), "dir/x dir/x.mp4 mp4:dir/x key dir/x.mov");
        assert_eq!(
            texts("a=1", false),
            "dir/x dir/x.mp4 mp4:dir/x key dir/x.mov \
             dir/x?a=1 dir/x.mp4?a=1 mp4:dir/x?a=1 key dir/x.mov?a=1"
        );
    }
}
