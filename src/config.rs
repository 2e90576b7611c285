//! Settings: defaults, a file, environment variables and flags, the later ones winning.
//!
//! The file is TOML. Its keys are the fields below, section by section; `config/streamfront.toml`
//! documents each with its default, and a test holds the two together. A key that is not known is
//! an error, for it is nearly always a typing error in one that is. Every error is one line that
//! names the file, the line in it and the key.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::api::Secret;
use crate::distribution::host::HostPattern;
use crate::distribution::{DEFAULT_APP, DEFAULT_SUFFIX, Distribution};
use crate::net::proxy::TrustedProxies;
use crate::net::tls::CertificateFiles;
use crate::origin::Tuning;
use crate::store::embedded;

mod access;
mod access_log;
mod api;
mod entry;
mod error;
mod limits;
mod listen;
pub mod quantity;
pub mod s3;

pub use access::Access;
pub use access_log::AccessLog;
pub use api::{Api, ID_VARIABLE, SECRET_VARIABLE};
pub use error::ConfigError;
pub use limits::Limits;
pub use listen::Listen;

use access::SignerEntry;
use entry::Entry;
use error::Source;
use limits::check_rate;
use quantity::{de_duration, de_size, de_some_duration};
use s3::S3;

/// Everything that can be set. Obtained from [`Settings::load`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The bucket or directory of the default distribution, as written.
    pub bucket: Option<String>,
    /// The applications that players may connect to.
    pub apps: Vec<String>,
    /// Where the server keeps what must survive a restart.
    pub data_dir: PathBuf,
    /// After SIGTERM, how long running plays may go on.
    #[serde(deserialize_with = "de_duration")]
    pub drain_limit: Duration,
    /// What generated domain names end in.
    pub domain_suffix: String,
    /// Id of the distribution that answers addresses, localhost and players that name no host.
    pub default_distribution: Option<String>,
    /// How long running connections of a distribution may go on after it was disabled or deleted.
    #[serde(deserialize_with = "de_duration")]
    pub disable_grace: Duration,
    /// RTMP.
    pub rtmp: Rtmp,
    /// The public HTTP port.
    pub http: Http,
    /// The control API.
    pub api: Api,
    /// Load balancers in front.
    pub proxy: Proxy,
    /// The certificates of the ports for players and browsers: the entries `[[certificate]]`.
    #[serde(rename = "certificate")]
    pub certificates: Vec<CertificateFiles>,
    /// What one viewer may take.
    pub limits: Limits,
    /// What is kept of media, where, and for how long.
    pub cache: Cache,
    /// How origins are read.
    pub origin: Origin,
    /// Logs.
    pub log: Log,
    /// Access logs.
    pub access_log: AccessLog,
    /// S3 servers beside that of `[origin]`.
    pub s3: Vec<S3>,
    /// How signed names are verified.
    pub access: Access,
    /// The entries `[[signer]]`, as written.
    signer: Vec<SignerEntry>,
    /// The entries `[[distribution]]`, as written.
    #[serde(rename = "distribution")]
    entries: Vec<Entry>,
    /// What is served: the default distribution, if there is a bucket, and those of the file.
    /// Valid side by side, and not empty unless others can be created by the API.
    #[serde(skip)]
    pub distributions: Vec<Distribution>,
}

/// RTMP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtmp {
    /// Where players connect.
    pub listen: Listen,
    /// To whom codecs are sent that classic RTMP does not have.
    pub enhanced: Enhanced,
    /// Whether players may connect by RTMPE where a distribution does not say otherwise itself.
    pub encrypted: bool,
}

/// To whom HEVC, AV1, VP9, Opus, FLAC and AC-3 are sent, as Enhanced RTMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enhanced {
    /// To everyone.
    Always,
    /// To those whose connect announced the codec.
    Negotiated,
    /// To nobody.
    Never,
}

/// The public HTTP port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where browsers connect.
    pub listen: Listen,
    /// Which crossdomain.xml is served.
    pub crossdomain: CrossDomain,
    /// For the head of a request to arrive, and between two requests.
    #[serde(deserialize_with = "de_duration")]
    pub header_timeout: Duration,
    /// Connections at once.
    pub max_connections: u32,
}

/// Which crossdomain.xml is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrossDomain {
    /// The bucket's own, where it has one; else one that admits every domain.
    Bucket,
    /// Always the one that admits every domain.
    Fixed,
    /// As `Bucket`, and RTMP players from sites that it does not admit are refused.
    Enforced,
}

/// Load balancers in front.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Whose connections begin with a PROXY header, which says who the viewer is.
    pub trusted: TrustedProxies,
    /// Whose `X-Forwarded-For` says who the viewer of a tunnel is.
    pub forwarded: TrustedProxies,
}

/// What is kept of media, where, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// For rendered segments, bytes.
    #[serde(deserialize_with = "de_size")]
    pub memory: u64,
    /// For segments that are brought before a viewer comes to them, over all viewers, bytes; a
    /// quarter of `memory` at most.
    #[serde(deserialize_with = "de_size")]
    pub read_ahead: u64,
    /// For media indexes, bytes.
    #[serde(deserialize_with = "de_size")]
    pub index_memory: u64,
    /// Disk for rendered segments, bytes; 0: none.
    #[serde(deserialize_with = "de_size")]
    pub disk: u64,
    /// Where on the disk; none: `cache` in [`Settings::data_dir`].
    pub disk_dir: Option<PathBuf>,
    /// How long an object of the default distribution is believed to be what it was; none: the
    /// origin is asked at each play.
    #[serde(deserialize_with = "de_some_duration")]
    pub ttl: Option<Duration>,
    /// How long it is believed that an object does not exist, or may not be read.
    #[serde(deserialize_with = "de_duration")]
    pub negative_ttl: Duration,
}

/// How origins are read. Endpoint, region and anonymous are for distributions that do not say
/// otherwise themselves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Origin {
    /// Address of the S3 server; none: what AWS_ENDPOINT_URL_S3 and the like say, else Amazon's.
    pub endpoint: Option<String>,
    /// Region; none: what AWS_REGION and the like say.
    pub region: Option<String>,
    /// Whether buckets are read without credentials.
    pub anonymous: bool,
    /// See [`Tuning::connect_timeout`].
    #[serde(deserialize_with = "de_duration")]
    pub connect_timeout: Duration,
    /// See [`Tuning::answer_timeout`].
    #[serde(deserialize_with = "de_duration")]
    pub answer_timeout: Duration,
    /// See [`Tuning::idle_timeout`].
    #[serde(deserialize_with = "de_duration")]
    pub idle_timeout: Duration,
    /// See [`Tuning::attempts`].
    pub attempts: u32,
    /// See [`Tuning::deadline`].
    #[serde(deserialize_with = "de_duration")]
    pub deadline: Duration,
    /// See [`Tuning::hedge`].
    pub hedge: bool,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// What is logged.
    pub level: LogLevel,
    /// How it is written.
    pub format: LogFormat,
    /// RUST_LOG, where it is set and no level was given by flag or variable.
    #[serde(skip)]
    pub filter: Option<String>,
}

/// The least severe events that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line of text an event.
    Text,
    /// A JSON object an event.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bucket: None,
            apps: vec![DEFAULT_APP.to_owned()],
            data_dir: PathBuf::from("./streamfront-data"),
            // Below the 90 s after which systemd kills a service that does not stop.
            drain_limit: Duration::from_secs(60),
            domain_suffix: DEFAULT_SUFFIX.to_owned(),
            default_distribution: None,
            // A film is not cut short by a mistake that is made good at once.
            disable_grace: Duration::from_secs(30),
            rtmp: Rtmp::default(),
            http: Http::default(),
            api: Api::default(),
            proxy: Proxy::default(),
            certificates: Vec::new(),
            limits: Limits::default(),
            cache: Cache::default(),
            origin: Origin::default(),
            log: Log::default(),
            access_log: AccessLog::default(),
            s3: Vec::new(),
            access: Access::default(),
            signer: Vec::new(),
            entries: Vec::new(),
            distributions: Vec::new(),
        }
    }
}

impl Default for Rtmp {
    fn default() -> Self {
        Self {
            listen: Listen::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 1935))),
            // ffmpeg and mpv play these codecs without announcing them.
            enhanced: Enhanced::Always,
            // Old players ask for it, plain RTMP is there beside it, and it protects nothing.
            encrypted: true,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Listen::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080))),
            crossdomain: CrossDomain::Bucket,
            // A head is one packet; more time only helps those who hold connections open.
            header_timeout: Duration::from_secs(10),
            // Answers are small and quick; RTMP keeps the rest of the descriptors.
            max_connections: 1024,
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            // Some 500 segments: the first of a few thousand objects, or eight minutes each of
            // eight at 4 Mbit/s; small beside what else such a machine has.
            memory: 256 << 20,
            // A segment of 512 KiB for each of a hundred viewers who all watch something else, or
            // the whole window of eight that are not paced.
            read_ahead: 64 << 20,
            // An index of an hour-long MP4 takes 1 to 2 MiB.
            index_memory: 64 << 20,
            // What is written to a disk unasked is not welcome everywhere.
            disk: 0,
            disk_dir: None,
            // Whoever tries the server out replaces a file and wants to see it.
            ttl: None,
            negative_ttl: crate::catalog::NEGATIVE_TTL,
        }
    }
}

impl Default for Origin {
    fn default() -> Self {
        let tuning = Tuning::default();
        Self {
            endpoint: None,
            region: None,
            anonymous: false,
            connect_timeout: tuning.connect_timeout,
            answer_timeout: tuning.answer_timeout,
            idle_timeout: tuning.idle_timeout,
            attempts: tuning.attempts,
            deadline: tuning.deadline,
            hedge: tuning.hedge,
        }
    }
}

impl Origin {
    /// The times and counts among the settings.
    pub fn tuning(&self) -> Tuning {
        Tuning {
            connect_timeout: self.connect_timeout,
            answer_timeout: self.answer_timeout,
            idle_timeout: self.idle_timeout,
            attempts: self.attempts,
            deadline: self.deadline,
            hedge: self.hedge,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
            filter: None,
        }
    }
}

/// What flags and environment variables say, over the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the setting of the same name")]
pub struct Overrides {
    pub bucket: Option<String>,
    pub apps: Option<Vec<String>>,
    pub data_dir: Option<PathBuf>,
    pub drain_limit: Option<Duration>,
    pub domain_suffix: Option<String>,
    pub default_distribution: Option<String>,
    pub rtmp_listen: Option<Listen>,
    pub http_listen: Option<Listen>,
    pub api_listen: Option<SocketAddr>,
    pub cache_memory: Option<u64>,
    pub cache_disk: Option<u64>,
    pub anonymous: Option<bool>,
    pub log_level: Option<LogLevel>,
    pub log_format: Option<LogFormat>,
    pub log_delivery: Option<Duration>,
    /// The value of RUST_LOG.
    pub rust_log: Option<String>,
    /// The id of one more access key, which is the operator's.
    pub access_key_id: Option<String>,
    /// Its secret.
    pub secret_access_key: Option<Secret>,
}

impl Settings {
    /// The defaults, over them what `file` says, over that `overrides`; checked.
    ///
    /// # Errors
    /// The file cannot be read or holds something that it should not, a value is out of bounds, or
    /// there is nothing to serve.
    pub fn load(file: Option<&Path>, mut overrides: Overrides) -> Result<Self, ConfigError> {
        let source = file.map_or_else(|| Ok(Source::none()), Source::read)?;
        let mut settings: Self = source.parse()?;
        let key = overrides.access_key_id.take();
        let key = (key, overrides.secret_access_key.take());
        settings.apply(overrides);
        settings.check(&source)?;
        settings.check_names(&source)?;
        settings.api.resolve(key, &source)?;
        settings.access.resolve(&settings.signer, &source)?;
        settings.distributions = settings.resolve(&source)?;
        Ok(settings)
    }

    fn apply(&mut self, overrides: Overrides) {
        fn set<T>(setting: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *setting = value;
            }
        }
        if overrides.log_level.is_none() {
            self.log.filter = overrides.rust_log.filter(|filter| !filter.is_empty());
        }
        self.bucket = overrides.bucket.or(self.bucket.take());
        set(&mut self.apps, overrides.apps);
        set(&mut self.data_dir, overrides.data_dir);
        set(&mut self.drain_limit, overrides.drain_limit);
        set(&mut self.domain_suffix, overrides.domain_suffix);
        self.default_distribution = overrides
            .default_distribution
            .or(self.default_distribution.take());
        set(&mut self.rtmp.listen, overrides.rtmp_listen);
        set(&mut self.http.listen, overrides.http_listen);
        set(&mut self.api.listen, overrides.api_listen);
        set(&mut self.cache.memory, overrides.cache_memory);
        set(&mut self.cache.disk, overrides.cache_disk);
        set(&mut self.log.level, overrides.log_level);
        set(&mut self.log.format, overrides.log_format);
        set(&mut self.access_log.delivery, overrides.log_delivery);
        set(&mut self.origin.anonymous, overrides.anonymous);
    }

    /// Whether every number is one that the server can work with.
    fn check(&self, source: &Source) -> Result<(), ConfigError> {
        let bounds = [
            (
                "http.max_connections",
                u64::from(self.http.max_connections),
                1,
            ),
            ("http.header_timeout", millis(self.http.header_timeout), 1),
            ("origin.attempts", u64::from(self.origin.attempts), 1),
            (
                "origin.connect_timeout",
                millis(self.origin.connect_timeout),
                1,
            ),
            (
                "origin.answer_timeout",
                millis(self.origin.answer_timeout),
                1,
            ),
            ("origin.idle_timeout", millis(self.origin.idle_timeout), 1),
            ("origin.deadline", millis(self.origin.deadline), 1),
            // Below this a handful of viewers would render each other's segments out.
            ("cache.memory", self.cache.memory, 8 << 20),
            ("cache.index_memory", self.cache.index_memory, 1 << 20),
            // None, or as much as is any use.
            (
                "cache.disk",
                match self.cache.disk {
                    0 => u64::MAX,
                    size => size,
                },
                crate::cache::disk::CAPACITY_MIN,
            ),
        ];
        let limits = self.limits.bounds();
        for (key, value, least) in bounds.into_iter().chain(limits) {
            if value < least {
                return Err(source.wrong(key, format!("must be at least {least}")));
            }
        }
        let log = self.access_log.check();
        log.map_err(|(key, cause)| source.wrong(key, cause))?;
        check_rate(self.limits.max_rate).map_err(|cause| source.wrong("limits.max_rate", cause))?;
        let mut rates = self.entries.iter().filter_map(Entry::max_rate);
        rates
            .try_for_each(check_rate)
            .map_err(|cause| source.wrong("distribution.max_rate", cause))
    }

    /// Brings names of hosts into the form in which they are compared.
    fn check_names(&mut self, source: &Source) -> Result<(), ConfigError> {
        match HostPattern::parse(&self.domain_suffix) {
            Ok(HostPattern::Exact(suffix)) => self.domain_suffix = suffix,
            _ => {
                let cause = format!("{:?} is not a host name", self.domain_suffix);
                return Err(source.wrong("domain_suffix", cause));
            }
        }
        s3::check(&mut self.s3)
            .map_err(|(index, error)| source.wrong_entry("s3", index, &error.to_string()))
    }

    /// Whether distributions were created by the API of an earlier run.
    pub fn has_store(&self) -> bool {
        self.data_dir.join(embedded::FILE).exists()
    }

    /// Whether any distribution can be reached by RTMPE, now or with a tag that comes.
    pub fn may_encrypt(&self) -> bool {
        self.has_api() || self.has_store() || self.distributions.iter().any(|it| it.encrypted)
    }

    /// Whether there is an access key, so that distributions can be created by the API.
    pub fn has_api(&self) -> bool {
        !self.api.keys.is_empty()
    }

    /// The distributions that the settings describe.
    fn resolve(&self, source: &Source) -> Result<Vec<Distribution>, ConfigError> {
        let mut all = Vec::new();
        if let Some(bucket) = &self.bucket {
            let default = entry::default_distribution(bucket, self);
            all.push(default.map_err(|error| source.wrong("bucket", error.to_string()))?);
        }
        for (index, entry) in self.entries.iter().enumerate() {
            let distribution = entry.resolve(self);
            all.push(
                distribution.map_err(|error| {
                    source.wrong_entry("distribution", index, &error.to_string())
                })?,
            );
            // Checked one by one, so that the line is that of the entry which breaks the rule.
            crate::distribution::validate(&all)
                .map_err(|error| source.wrong_entry("distribution", index, &error.to_string()))?;
        }
        crate::distribution::validate(&all)
            .map_err(|error| source.wrong("apps", error.to_string()))?;
        if self.has_api() || self.has_store() {
            return Ok(all);
        }
        if all.is_empty() {
            return Err(ConfigError::NothingToServe);
        }
        if let Some(id) = &self.default_distribution
            && !all.iter().any(|distribution| distribution.id == *id)
        {
            let cause = format!("there is no distribution with the id {id}");
            return Err(source.wrong("default_distribution", cause));
        }
        Ok(all)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write;

    use super::*;
    use crate::distribution::host::HostPattern;
    use crate::distribution::{Access, Kind, OriginSpec};

    const REFERENCE: &str = include_str!("../config/streamfront.toml");

    fn load(text: &str, overrides: Overrides) -> Result<Settings, String> {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let name = file.path().display().to_string();
        Settings::load(Some(file.path()), overrides)
            .map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    fn bucket() -> Overrides {
        Overrides {
            bucket: Some("s3://media".into()),
            ..Overrides::default()
        }
    }

    /// The keys of a section, from the error about one that is not among them.
    fn keys(section: &str) -> Vec<String> {
        let text = match section {
            "" => "nonsense = 1\n".to_owned(),
            "distribution" | "s3" | "signer" | "certificate" => {
                format!("[[{section}]]\nnonsense = 1\n")
            }
            "s3.identity" => "[[s3]]\n[[s3.identity]]\nnonsense = 1\n".to_owned(),
            "api.key" => "[[api.key]]\nnonsense = 1\n".to_owned(),
            name => format!("[{name}]\nnonsense = 1\n"),
        };
        let error = load(&text, bucket()).unwrap_err();
        let expected = error.split("expected ").nth(1).unwrap();
        expected
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_reference_file_holds_the_defaults_and_names_every_key() {
        let expected = Settings::load(None, bucket()).unwrap();
        assert_eq!(load(REFERENCE, bucket()).unwrap(), expected);

        let mut section = String::new();
        let mut named = BTreeSet::new();
        for line in REFERENCE.lines() {
            // An example that is switched off has no space after the mark; prose has one.
            let line = line.strip_prefix('#').unwrap_or(line);
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_matches(['[', ']']).to_owned();
            } else if let Some((key, _)) = line.split_once(" = ")
                && !line.starts_with(' ')
            {
                named.insert((section.clone(), key.to_owned()));
            }
        }
        let sections = [
            "",
            "rtmp",
            "http",
            "api",
            "proxy",
            "limits",
            "cache",
            "origin",
            "log",
            "access",
            "access_log",
        ];
        let mut all = BTreeSet::new();
        let lists = [
            "distribution",
            "s3",
            "s3.identity",
            "api.key",
            "signer",
            "certificate",
        ];
        for name in sections.into_iter().chain(lists) {
            for key in keys(name) {
                let whole = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                if sections.contains(&&*whole) || lists.contains(&&*whole) {
                    continue;
                }
                all.insert((name.to_owned(), key));
            }
        }
        assert_eq!(named, all);
    }

    #[test]
    fn what_the_reference_file_switches_off_can_be_switched_on() {
        let on: String = REFERENCE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(example) if !example.is_empty() && !example.starts_with(' ') => example,
                _ => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let mut key = tempfile::NamedTempFile::new().unwrap();
        let text = crate::access::key::tests::RSA_KEY;
        key.write_all(text.as_bytes()).unwrap();
        let on = on.replace("/etc/streamfront/films.pem", key.path().to_str().unwrap());
        let settings = load(&on, Overrides::default()).unwrap();
        assert_eq!(settings.access.keys().count(), 1);
        assert_eq!(settings.distributions[1].trusted_signers.len(), 1);
        assert_eq!(settings.distributions.len(), 2);
        assert_eq!(settings.api.keys.len(), 1);
        assert!(settings.api.tls().is_some());
        assert_eq!(settings.certificates.len(), 1);
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = "data_dir = '/file'\n[rtmp]\nlisten = '127.0.0.1:1'\n[log]\nlevel = 'warn'\n";
        let flags = Overrides {
            rtmp_listen: Some(SocketAddr::from(([127, 0, 0, 1], 2)).into()),
            rust_log: Some("trace".into()),
            ..bucket()
        };
        let settings = load(file, flags.clone()).unwrap();
        assert_eq!(settings.rtmp.listen.first().port(), 2);
        assert_eq!(settings.data_dir, PathBuf::from("/file"));
        assert_eq!(settings.log.filter.as_deref(), Some("trace"));
        let flags = Overrides {
            log_level: Some(LogLevel::Error),
            ..flags
        };
        let settings = load(file, flags).unwrap();
        assert_eq!(
            (settings.log.level, settings.log.filter),
            (LogLevel::Error, None)
        );
    }

    #[test]
    fn a_bucket_alone_is_one_distribution_for_any_host() {
        let settings = Settings::load(None, bucket()).unwrap();
        let [it] = &settings.distributions[..] else {
            panic!("one")
        };
        assert_eq!(
            (it.id.as_str(), &it.aliases[..]),
            ("default", &[HostPattern::Any][..])
        );
        let error = Settings::load(None, Overrides::default()).unwrap_err();
        assert_eq!(error, ConfigError::NothingToServe);
    }

    #[test]
    fn generated_names_end_in_the_suffix_and_a_default_exists() {
        let text = "domain_suffix = 'Media.Example.com.'\ndefault_distribution = 'One'\n\
            [[distribution]]\nid = 'One'\nbucket = 'x'\n";
        let settings = load(text, bucket()).unwrap();
        let names = settings.distributions.iter().map(|it| &it.domain_name[..]);
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["default.media.example.com", "one.media.example.com"]
        );
        assert_eq!(settings.default_distribution.as_deref(), Some("One"));
        assert_eq!(
            load("default_distribution = 'x'\n", bucket()).unwrap_err(),
            "FILE:1: default_distribution: there is no distribution with the id x"
        );
        assert_eq!(
            load("domain_suffix = '*.x'\n", bucket()).unwrap_err(),
            "FILE:1: domain_suffix: \"*.x\" is not a host name"
        );
    }

    #[test]
    fn entries_become_distributions() {
        let text = "apps = ['vod']\n[origin]\nendpoint = 'http://a:1'\n\
            [[distribution]]\nid = 'one'\nbucket = 's3://m/p'\nhosts = ['M.example.com', '*.m.org']\n\
            [[distribution]]\nid = 'two'\nbucket = 's3://n'\nendpoint = 'https://b'\nkind = 'download'\n\
            enabled = false\nanonymous = true\nregion = 'r'\napps = ['x/y']\n\
            max_connections = 7\nmax_rate = '2MB'\n\
            [limits]\nmax_connections_per_distribution = 5\nmax_rate = 3000\n";
        let settings = load(text, Overrides::default()).unwrap();
        let [one, two] = &settings.distributions[..] else {
            panic!("two")
        };
        let (OriginSpec::S3(a), OriginSpec::S3(b)) = (&one.origin, &two.origin) else {
            panic!("buckets")
        };
        assert_eq!(
            (a.endpoint.as_deref(), a.prefix.as_str()),
            (Some("http://a:1"), "p/")
        );
        assert_eq!(
            (b.endpoint.as_deref(), &b.access),
            (Some("https://b"), &Access::Anonymous)
        );
        assert_eq!(
            (a.region.as_deref(), b.region.as_deref()),
            (None, Some("r"))
        );
        assert_eq!((one.kind, one.enabled), (Kind::Streaming, true));
        assert_eq!((two.kind, two.enabled), (Kind::Download, false));
        assert_eq!((&one.apps[0][..], &two.apps[0][..]), ("vod", "x/y"));
        let terms = |it: &Distribution| {
            let connections = it.max_connections.map(std::num::NonZeroU32::get);
            (connections, it.max_rate.map(std::num::NonZeroU64::get))
        };
        assert_eq!(terms(one), (Some(5), Some(3_000)));
        assert_eq!(terms(two), (Some(7), Some(2_000_000)));
        let aliases = one.aliases.iter().map(ToString::to_string);
        assert_eq!(aliases.collect::<Vec<_>>(), ["m.example.com", "*.m.org"]);
    }

    #[test]
    fn errors_name_file_line_and_key() {
        let said = |text: &str| load(text, bucket()).unwrap_err();
        let unknown = said("# x\n\n[rtmp]\nlissen = '0.0.0.0:1'\n");
        assert!(
            unknown.starts_with("FILE:4: rtmp.lissen: unknown"),
            "{unknown}"
        );
        let section = said("[rtpm]\nlisten = 'x'\n");
        assert!(section.starts_with("FILE:1: rtpm: unknown"), "{section}");
        let address = said("[rtmp]\nlisten = '1935'\n");
        assert!(address.starts_with("FILE:2: rtmp.listen: "), "{address}");
        assert_eq!(
            said("drain_limit = '1 fortnight'\n"),
            "FILE:1: drain_limit: \"1 fortnight\" is not a time such as 250ms, 10s, 5m or 24h"
        );
        let kind = said("[http]\n\ncrossdomain = 'none'\n");
        assert!(
            kind.starts_with("FILE:3: http.crossdomain: unknown variant"),
            "{kind}"
        );
        assert_eq!(
            said("[limits]\n# few\nmax_connections = 0 # none\n"),
            "FILE:3: limits.max_connections: must be at least 1"
        );
        assert_eq!(
            said("[limits]\nmax_rate = '10B'\n"),
            "FILE:2: limits.max_rate: must be 0 for no cap, or at least 1000 bytes a second"
        );
        assert_eq!(
            said("[[distribution]]\nid = 'a'\nbucket = 'x'\nmax_rate = 1\n"),
            "FILE:4: distribution.max_rate: must be 0 for no cap, or at least 1000 bytes a second"
        );
        let syntax = said("apps = [\n");
        assert!(
            syntax.starts_with("FILE:") && !syntax.contains('\n'),
            "{syntax}"
        );
        assert_eq!(
            said(
                "[[distribution]]\nid = 'a'\nbucket = 'x'\n\n[[distribution]]\nid = 'a'\nbucket = 'x'\n"
            ),
            "FILE:5: distribution: there are two distributions with the id a"
        );
        let missing = said("[[distribution]]\nid = 'a'\n");
        assert!(
            missing.starts_with("FILE:1: distribution: missing field `bucket`"),
            "{missing}"
        );
        assert_eq!(
            said("apps = ['a//b']\n"),
            "FILE:1: apps: \"a//b\" is not an application name such as cfx/st"
        );
        let flag = Settings::load(
            None,
            Overrides {
                bucket: Some("http://x".into()),
                ..Overrides::default()
            },
        );
        assert!(
            flag.unwrap_err()
                .to_string()
                .starts_with("bucket: the bucket \"http://x\"")
        );
        let gone = Settings::load(Some(Path::new("/nowhere.toml")), bucket()).unwrap_err();
        assert!(
            gone.to_string()
                .starts_with("cannot read /nowhere.toml: No such file")
        );
    }
}
