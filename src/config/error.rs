//! What is wrong with the settings, and where it was written.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::distribution::DistributionError;

/// Why the settings cannot be used. One line each; the operator is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A setting is wrong.
    #[error("{place}{key}: {cause}")]
    Setting {
        /// `FILE:LINE: `, or empty for what a flag or variable says.
        place: String,
        /// Which, section included.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No bucket and no distribution.
    #[error(
        "nothing to serve: give --bucket s3://NAME or --bucket DIRECTORY, or a file with \
         bucket or [[distribution]] by --config"
    )]
    NothingToServe,
}

/// The text of a configuration file; empty where there is none.
pub(super) struct Source {
    path: Option<PathBuf>,
    text: String,
}

impl Source {
    /// No file.
    pub(super) fn none() -> Self {
        Self {
            path: None,
            text: String::new(),
        }
    }

    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self {
                path: Some(path.to_owned()),
                text,
            }),
            Err(error) => Err(ConfigError::Read {
                path: path.to_owned(),
                cause: error.to_string(),
            }),
        }
    }

    /// Reads the text as TOML.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = self.text.get(..at).unwrap_or(&self.text);
            let line = before.matches('\n').count();
            ConfigError::Setting {
                place: self.place(line),
                key: self.key_at(line),
                cause: error.message().lines().collect::<Vec<_>>().join(" "),
            }
        })
    }

    /// An error about the value of `key` (`section.name`), wherever it came from.
    pub(super) fn wrong(&self, key: &str, cause: String) -> ConfigError {
        let place = self
            .line_of(key)
            .map_or(String::new(), |line| self.place(line));
        ConfigError::Setting {
            place,
            key: key.to_owned(),
            cause,
        }
    }

    /// An error about the distribution number `index` of the file, from 0.
    pub(super) fn wrong_entry(&self, index: usize, error: &DistributionError) -> ConfigError {
        self.wrong_in("distribution", index, error.to_string())
    }

    /// An error about the table number `index`, from 0, of those that are called `name`.
    pub(super) fn wrong_in(&self, name: &str, index: usize, cause: String) -> ConfigError {
        let headers = self.lines().filter(|(_, line)| header(line) == Some(name));
        let line = headers.map(|(number, _)| number).nth(index);
        ConfigError::Setting {
            place: line.map_or(String::new(), |line| self.place(line)),
            key: name.to_owned(),
            cause,
        }
    }

    /// `FILE:LINE: ` for a line counted from 0.
    fn place(&self, line: usize) -> String {
        match &self.path {
            Some(path) => format!("{}:{}: ", path.display(), line + 1),
            None => String::new(),
        }
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().map(str::trim).enumerate()
    }

    /// The key on a line, with its section; a header's own name.
    fn key_at(&self, at: usize) -> String {
        let mut section = "";
        for (number, line) in self.lines() {
            if let Some(name) = header(line) {
                section = name;
                if number == at {
                    return section.to_owned();
                }
            }
            if number == at {
                let key = key(line).unwrap_or(line);
                return if section.is_empty() {
                    key.to_owned()
                } else {
                    format!("{section}.{key}")
                };
            }
        }
        "end of file".to_owned()
    }

    fn line_of(&self, wanted: &str) -> Option<usize> {
        let (section, name) = wanted.rsplit_once('.').unwrap_or(("", wanted));
        let mut current = "";
        for (number, line) in self.lines() {
            if let Some(name) = header(line) {
                current = name;
            } else if current == section && key(line) == Some(name) {
                return Some(number);
            }
        }
        None
    }
}

/// The name in `[name]` or `[[name]]`.
fn header(line: &str) -> Option<&str> {
    let inner = line.split('#').next()?.trim();
    let inner = inner.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.trim_matches(['[', ']']).trim())
}

/// The name in `name = value`.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    (!key.starts_with('#')).then(|| key.trim().trim_matches('"'))
}
