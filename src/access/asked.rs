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
    /// With its prefix, where it has one.
    pub prefixed: Option<String>,
    /// The keys of objects that it may mean. Whichever of them exists is played, so that one that
    /// was signed must turn out to be that one.
    pub keys: Vec<String>,
}

/// What may have been signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it is.
    pub meant: Meant,
    /// The name or key.
    pub name: String,
    /// Parameters behind it, where they may have been signed too; else empty.
    pub own: String,
}

impl Candidate {
    /// As it is signed.
    pub fn text(&self) -> String {
        if self.own.is_empty() {
            self.name.clone()
        } else {
            format!("{}?{}", self.name, self.own)
        }
    }
}

/// What a text is that may have been signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// This name, whatever object it leads to.
    Name,
    /// An object.
    Key,
}

impl Asked {
    /// What may have been signed, the likeliest first, none twice, and for the
    /// names that there are [`super::VERIFICATIONS_MAX`] at the most; `own`: the parameters of the
    /// name that are none of the signature.
    pub fn candidates(&self, own: &str, strict: bool) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = Vec::new();
        let mut add = |meant, name: &str, own: &str| {
            if !all.iter().any(|it| it.name == name && it.own == own) {
                all.push(Candidate {
                    meant,
                    name: name.to_owned(),
                    own: own.to_owned(),
                });
            }
        };
        let lenient = !strict;
        let named = [Some(&self.name), self.stem.as_ref()];
        let prefixed = self.prefixed.as_ref().filter(|_| lenient);
        let named: Vec<&String> = named.into_iter().chain([prefixed]).flatten().collect();
        let with_own = lenient && !own.is_empty();
        for own in std::iter::once("").chain(with_own.then_some(own)) {
            named.iter().for_each(|name| add(Meant::Name, name, own));
            self.keys.iter().for_each(|key| add(Meant::Key, key, own));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_strict_and_lenient() {
        let asked = Asked {
            name: "dir/x".into(),
            stem: None,
            prefixed: Some("mp4:dir/x".into()),
            keys: vec!["dir/x".into(), "dir/x.mov".into()],
        };
        let texts = |own: &str, strict| {
            let all = asked.candidates(own, strict);
            let shown = all.into_iter().map(|it| match it.meant {
                Meant::Name => it.text(),
                Meant::Key => format!("key {}", it.text()),
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts("a=1", true), "dir/x key dir/x.mov");
        assert_eq!(texts("", false), "dir/x mp4:dir/x key dir/x.mov");
        assert_eq!(
            texts("a=1", false),
            "dir/x mp4:dir/x key dir/x.mov dir/x?a=1 mp4:dir/x?a=1 key dir/x.mov?a=1"
        );
    }
}
