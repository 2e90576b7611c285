//! `streamfront serve`: the flags, their environment variables, and a run of the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::builder::BoolishValueParser;

use super::signals;
use crate::api::Secret;
use crate::config::{
    ID_VARIABLE, Listen, LogFormat, LogLevel, Overrides, SECRET_VARIABLE, Settings, quantity,
};
use crate::{server, telemetry};

/// Serve a bucket, or what a configuration file describes.
///
/// Flags win over environment variables, and variables over the file. S3 access is found the way
/// every AWS tool finds it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_REGION,
/// AWS_ENDPOINT_URL_S3, the shared configuration files, container and instance roles.
///
/// STREAMFRONT_ACCESS_KEY_ID and STREAMFRONT_SECRET_ACCESS_KEY are an access key for the API; there
/// is no flag for a secret.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    streamfront serve --bucket ./media\n  \
    AWS_ENDPOINT_URL_S3=http://127.0.0.1:8333 streamfront serve --bucket s3://media\n  \
    streamfront serve --config /etc/streamfront.toml --log-format json\n\n\
    Then play dir/film.mp4 of the bucket:\n  \
    ffplay rtmp://127.0.0.1/cfx/st/mp4:dir/film.mp4")]
pub(super) struct Args {
    /// What to serve: s3://NAME, s3://NAME/PREFIX, or a directory.
    #[arg(short, long, env = "STREAMFRONT_BUCKET", value_name = "BUCKET|DIR")]
    bucket: Option<String>,

    /// File with settings; config/streamfront.toml of the source documents every key.
    #[arg(short, long, env = "STREAMFRONT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where players connect, repeated or with commas [default: 0.0.0.0:1935].
    #[arg(
        long,
        env = "STREAMFRONT_RTMP",
        value_name = "ADDR:PORT",
        value_delimiter = ','
    )]
    rtmp: Option<Vec<SocketAddr>>,

    /// Where browsers and tunnels connect, repeated or with commas [default: 0.0.0.0:8080].
    ///
    /// RTMP in all its forms and HTTP are answered on both; this one goes on while the server
    /// drains.
    #[arg(
        long,
        env = "STREAMFRONT_HTTP",
        value_name = "ADDR:PORT",
        value_delimiter = ','
    )]
    http: Option<Vec<SocketAddr>>,

    /// Where tools connect [default: 127.0.0.1:8081].
    #[arg(long, env = "STREAMFRONT_API", value_name = "ADDR:PORT")]
    api: Option<SocketAddr>,

    /// Where to keep what must survive a restart [default: ./streamfront-data].
    #[arg(long, env = "STREAMFRONT_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Application names that players may connect to, repeated or with commas [default: cfx/st].
    #[arg(
        long,
        env = "STREAMFRONT_APP",
        value_name = "APP",
        value_delimiter = ','
    )]
    app: Option<Vec<String>>,

    /// Read the bucket without credentials, because it is public.
    #[arg(
        long,
        env = "STREAMFRONT_ANONYMOUS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
    )]
    anonymous: Option<bool>,

    /// Memory for rendered media, such as 256MiB [default: 256MiB].
    #[arg(
        long,
        env = "STREAMFRONT_CACHE_MEMORY",
        value_name = "SIZE",
        value_parser = quantity::size,
    )]
    cache_memory: Option<u64>,

    /// Disk for rendered media, such as 20GiB; taken from the disk at the start [default: none].
    #[arg(
        long,
        env = "STREAMFRONT_CACHE_DISK",
        value_name = "SIZE",
        value_parser = quantity::size,
    )]
    cache_disk: Option<u64>,

    /// How long running plays may go on after SIGTERM, such as 60s [default: 60s].
    #[arg(
        long,
        env = "STREAMFRONT_DRAIN_LIMIT",
        value_name = "TIME",
        value_parser = quantity::duration,
    )]
    drain_limit: Option<Duration>,

    /// What generated domain names end in [default: streamfront.localhost].
    #[arg(long, env = "STREAMFRONT_DOMAIN_SUFFIX", value_name = "HOST")]
    domain_suffix: Option<String>,

    /// Which distribution answers addresses, localhost and players that name no host.
    #[arg(long, env = "STREAMFRONT_DEFAULT_DISTRIBUTION", value_name = "ID")]
    default_distribution: Option<String>,

    /// What to log [default: info]; without it RUST_LOG counts, and may name modules.
    #[arg(long, env = "STREAMFRONT_LOG_LEVEL", value_enum)]
    log_level: Option<LogLevel>,

    /// How to write the log [default: text].
    #[arg(long, env = "STREAMFRONT_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,

    /// How long access log records wait before they are delivered, such as 5s [default: 5m].
    #[arg(
        long,
        env = "STREAMFRONT_LOG_DELIVERY",
        value_name = "TIME",
        value_parser = quantity::duration,
    )]
    log_delivery: Option<Duration>,
}

impl Args {
    fn overrides(&self) -> Overrides {
        Overrides {
            bucket: self.bucket.clone(),
            apps: self.app.clone(),
            data_dir: self.data_dir.clone(),
            drain_limit: self.drain_limit,
            domain_suffix: self.domain_suffix.clone(),
            default_distribution: self.default_distribution.clone(),
            rtmp_listen: self.rtmp.clone().and_then(Listen::on),
            http_listen: self.http.clone().and_then(Listen::on),
            api_listen: self.api,
            cache_memory: self.cache_memory,
            cache_disk: self.cache_disk,
            anonymous: self.anonymous,
            log_level: self.log_level,
            log_format: self.log_format,
            log_delivery: self.log_delivery,
            rust_log: std::env::var("RUST_LOG").ok(),
            access_key_id: variable(ID_VARIABLE),
            secret_access_key: variable(SECRET_VARIABLE).map(|text| Secret::new(&text)),
        }
    }
}

/// The value of a variable, unless it is empty. There is no flag for these: what a process was
/// started with is shown to every user of the machine.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How long what is under way on other threads may take when everything has ended.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs `streamfront serve`.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let settings = Settings::load(args.config.as_deref(), args.overrides())?;
    run_server(settings)
}

/// Runs the server until it is told to stop.
pub(super) fn run_server(settings: Settings) -> anyhow::Result<()> {
    telemetry::init(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start worker threads")?;
    let ended = runtime.block_on(async {
        let stop = signals::listen().context("cannot listen for signals")?;
        tokio::select! {
            ended = server::run(settings, stop.soon) => Ok(ended?),
            () = stop.now.cancelled() => bail!("stopped before all plays had ended"),
        }
    });
    // A disk or an output that hangs may hold a thread for ever; it does not hold the end.
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        args: Args,
    }

    fn parse(args: &[&str]) -> Overrides {
        let args = std::iter::once("serve").chain(args.iter().copied());
        Only::try_parse_from(args).unwrap().args.overrides()
    }

    #[test]
    fn each_flag_reaches_its_setting() {
        let flags = parse(&[
            "--bucket=s3://m",
            "--rtmp=127.0.0.1:1",
            "--http=[::1]:2",
            "--api=127.0.0.1:3",
            "--data-dir=/d",
            "--app=a/b,c",
            "--app=d",
            "--anonymous",
            "--cache-memory=64MiB",
            "--cache-disk=2GiB",
            "--drain-limit=5s",
            "--domain-suffix=x.y",
            "--default-distribution=E1",
            "--log-level=debug",
            "--log-format=json",
            "--log-delivery=7s",
        ]);
        let expected = Overrides {
            bucket: Some("s3://m".into()),
            apps: Some(vec!["a/b".into(), "c".into(), "d".into()]),
            data_dir: Some("/d".into()),
            drain_limit: Some(Duration::from_secs(5)),
            domain_suffix: Some("x.y".into()),
            default_distribution: Some("E1".into()),
            rtmp_listen: Listen::on(vec!["127.0.0.1:1".parse().unwrap()]),
            http_listen: Listen::on(vec!["[::1]:2".parse().unwrap()]),
            api_listen: Some("127.0.0.1:3".parse().unwrap()),
            cache_memory: Some(64 << 20),
            cache_disk: Some(2 << 30),
            anonymous: Some(true),
            log_level: Some(LogLevel::Debug),
            log_format: Some(LogFormat::Json),
            log_delivery: Some(Duration::from_secs(7)),
            rust_log: flags.rust_log.clone(),
            access_key_id: flags.access_key_id.clone(),
            secret_access_key: flags.secret_access_key.clone(),
        };
        assert_eq!(flags, expected);
        assert_eq!(parse(&["--anonymous=no"]).anonymous, Some(false));
    }

    #[test]
    fn every_flag_has_a_variable() {
        let command = <Only as clap::CommandFactory>::command();
        for arg in command.get_arguments().filter(|arg| arg.get_id() != "help") {
            let long = arg.get_long().unwrap().to_uppercase().replace('-', "_");
            let env = arg.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(&*format!("STREAMFRONT_{long}")));
        }
    }
}
