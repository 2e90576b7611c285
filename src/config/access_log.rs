//! `[access_log]`: how access is logged, and where to.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Settings;
use super::quantity::{de_duration, de_size};
use crate::distribution::S3Bucket;
use crate::log::{JsonTo, Options};

/// The word for the standard output.
const STDOUT: &str = "stdout";

/// How access is logged. Which distributions log, and to which buckets, is theirs to say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// How long records wait before they are delivered.
    #[serde(deserialize_with = "de_duration")]
    pub delivery: Duration,
    /// The most that waits on the disk, bytes.
    #[serde(deserialize_with = "de_size")]
    pub spool: u64,
    /// What x-edge-location says.
    pub edge: String,
    /// Whether `"`, `\` and the blank are encoded twice.
    pub double: bool,
    /// Where JSON lines go: `stdout` or a file; none: nowhere.
    pub json: Option<PathBuf>,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            // Several times an hour, as CloudFront did.
            delivery: Duration::from_secs(300),
            // Some 4 million records: 10,000 viewers for a day without the bucket.
            spool: 1 << 30,
            edge: "LCL1".to_owned(),
            double: false,
            json: None,
        }
    }
}

impl AccessLog {
    /// What is wrong with it: the key, and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.delivery < Duration::from_millis(100) {
            return Err(("access_log.delivery", "must be at least 100ms".to_owned()));
        }
        if self.spool < 1 << 20 {
            return Err(("access_log.spool", "must be at least 1MiB".to_owned()));
        }
        let letters = self.edge.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !letters || !(1..=16).contains(&self.edge.len()) {
            let cause = "must be 1 to 16 letters and digits, such as SEA4".to_owned();
            return Err(("access_log.edge", cause));
        }
        Ok(())
    }
}

impl Settings {
    /// How access is logged.
    pub fn log_options(&self) -> Options {
        let log = &self.access_log;
        let json = log.json.clone();
        Options {
            edge: log.edge.clone(),
            double: log.double,
            directory: self.data_dir.join("access-log"),
            delivery: log.delivery,
            spool: log.spool,
            json: json.map(|path| match path.to_str() {
                Some(STDOUT) => JsonTo::Stdout,
                _ => JsonTo::File(path),
            }),
            rows: self.has_api()
                || self.has_store()
                || self.distributions.iter().any(|it| it.logging.is_some()),
        }
    }

    /// The bucket for logs that a domain name stands for, written with the server's own key, or
    /// with what every AWS tool finds. `None` where the name stands for none.
    pub fn log_bucket_of(&self, domain: &str) -> Option<S3Bucket> {
        use crate::distribution::OriginSpec;
        // No identity has the empty id, so that the key is the server's.
        match self.origin_of(domain, Some(""))? {
            OriginSpec::S3(bucket) => Some(bucket),
            OriginSpec::Directory(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::distribution::Access;

    #[test]
    fn values_have_bounds() {
        let wrong = |text: &str| {
            let log: AccessLog = toml::from_str(text).unwrap();
            log.check().err().map(|(key, _)| key)
        };
        assert_eq!(wrong(""), None);
        assert_eq!(wrong("delivery = '99ms'"), Some("access_log.delivery"));
        assert_eq!(wrong("spool = 1000"), Some("access_log.spool"));
        for edge in ["", "SE A", "ABCDEFGHIJKLMNOPQ"] {
            assert_eq!(wrong(&format!("edge = '{edge}'")), Some("access_log.edge"));
        }
    }

    #[test]
    fn lines_go_to_the_output_or_a_file() {
        let to = |json: &str| {
            let overrides = Overrides {
                bucket: Some("s3://media".into()),
                ..Overrides::default()
            };
            let mut settings = Settings::load(None, overrides).unwrap();
            settings.access_log.json = Some(json.into());
            settings.log_options().json.unwrap()
        };
        assert_eq!(to("stdout"), JsonTo::Stdout);
        assert_eq!(to("/x/stdout"), JsonTo::File("/x/stdout".into()));
    }

    #[test]
    fn there_are_rows_only_where_somebody_may_ask_for_them() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let rows = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let overrides = Overrides {
                bucket: Some("s3://media".into()),
                data_dir: Some(folder.path().to_owned()),
                ..Overrides::default()
            };
            let settings = Settings::load(Some(file.path()), overrides).unwrap();
            settings.log_options().rows
        };
        let entry = "[[distribution]]\nid = 'A'\nbucket = 's3://films'\nhosts = ['a.test']\n";
        assert!(!rows("") && !rows(entry));
        assert!(rows(&format!(
            "{entry}log_bucket = 'logs.s3.amazonaws.com'"
        )));
        assert!(rows("[[api.key]]\nid = 'A'\nsecret = 's'\n"));
    }

    #[test]
    fn logs_are_written_with_a_key_wherever_the_bucket_is() {
        let overrides = Overrides {
            bucket: Some("s3://media".into()),
            anonymous: Some(true),
            ..Overrides::default()
        };
        let settings = Settings::load(None, overrides).unwrap();
        let bucket = settings
            .log_bucket_of("logs.s3.eu-west-1.amazonaws.com")
            .unwrap();
        assert_eq!((&*bucket.name, bucket.access), ("logs", Access::Chain));
        assert_eq!(settings.log_bucket_of("logs.example.com"), None);
    }
}
