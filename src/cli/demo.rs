//! `streamfront demo`: the built-in samples on this machine, and what to type to play them.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context, bail};

use super::samples::SAMPLES;
use super::serve::run_server;
use super::workspace::Workspace;
use crate::config::{LogFormat, LogLevel, Overrides, Settings};

/// Where the demo listens unless told otherwise: on this machine only.
const RTMP: SocketAddr = address(1935);
const HTTP: SocketAddr = address(8080);
const API: SocketAddr = address(8081);

const fn address(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Serve built-in sample media on this machine, and say how to play them.
///
/// Nothing has to be installed or set up; nothing stays behind.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Example:\n  \
    streamfront demo --rtmp 127.0.0.1:19350\n  \
    ffplay rtmp://127.0.0.1:19350/cfx/st/mp4:sample.mp4")]
pub(super) struct Args {
    /// Where players connect.
    #[arg(long, env = "STREAMFRONT_RTMP", value_name = "ADDR:PORT", default_value_t = RTMP)]
    rtmp: SocketAddr,

    /// Where browsers connect.
    #[arg(long, env = "STREAMFRONT_HTTP", value_name = "ADDR:PORT", default_value_t = HTTP)]
    http: SocketAddr,

    /// Where tools connect.
    #[arg(long, env = "STREAMFRONT_API", value_name = "ADDR:PORT", default_value_t = API)]
    api: SocketAddr,

    /// What to log.
    #[arg(long, env = "STREAMFRONT_LOG_LEVEL", value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,

    /// How to write the log.
    #[arg(long, env = "STREAMFRONT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Runs `streamfront demo`.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    for (flag, address) in [("rtmp", args.rtmp), ("http", args.http), ("api", args.api)] {
        check_free(flag, address)?;
    }
    let workspace = Workspace::create().context("cannot make a directory for the samples")?;
    let bucket = workspace.path().join("bucket");
    unpack(&bucket).context("cannot unpack the samples")?;
    let settings = Settings::load(None, overrides(&args, workspace.path(), &bucket))?;
    // Whoever closed the output still gets the server.
    let _ = io::stdout().write_all(instructions(args.rtmp).as_bytes());
    run_server(settings)
}

fn overrides(args: &Args, workspace: &Path, bucket: &Path) -> Overrides {
    Overrides {
        bucket: Some(bucket.display().to_string()),
        data_dir: Some(workspace.join("data")),
        rtmp_listen: Some(args.rtmp.into()),
        http_listen: Some(args.http.into()),
        api_listen: Some(args.api),
        log_level: Some(args.log_level),
        log_format: Some(args.log_format),
        ..Overrides::default()
    }
}

/// Says which flag helps where somebody else listens already. (Somebody may still come between
/// this and the server's own attempt, which then says so with fewer words.)
fn check_free(flag: &str, address: SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "{address} is taken by another program: choose another port with --{flag} {}:PORT",
            address.ip()
        ),
        Err(error) => bail!("cannot listen on {address} (--{flag}): {error}"),
    }
}

fn unpack(bucket: &Path) -> io::Result<()> {
    fs::create_dir(bucket)?;
    SAMPLES
        .iter()
        .try_for_each(|sample| fs::write(bucket.join(sample.key), sample.bytes))
}

/// The stream name of a key, as every player wants it: with the container before it.
fn stream_name(key: &str) -> String {
    match key.rsplit_once('.') {
        Some((_, "mp4")) => format!("mp4:{key}"),
        Some((name, "mp3")) => format!("mp3:{name}"),
        Some((name, _)) => name.to_owned(),
        None => key.to_owned(),
    }
}

/// What to type to play the samples.
fn instructions(rtmp: SocketAddr) -> String {
    // Without the port where it is the one that players assume: shorter to type.
    let mut host = if rtmp.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, rtmp.port())).to_string()
    } else {
        rtmp.to_string()
    };
    if let Some(short) = host.strip_suffix(":1935") {
        host.truncate(short.len());
    }
    let app = format!("rtmp://{host}/cfx/st");
    let mut text = String::from("The demo bucket holds:\n\n");
    for sample in &SAMPLES {
        let url = format!("{app}/{}", stream_name(sample.key));
        text.push_str(&format!("  {:<12} {url}\n", sample.key));
    }
    let film = format!("{app}/mp4:sample.mp4");
    text.push_str(&format!(
        "\nPlay one, in another terminal, with whichever of these is installed:\n\n  \
         ffplay {film}\n  \
         mpv {film}\n  \
         vlc {film}\n  \
         rtmpdump -r {app} -a cfx/st -y mp4:sample.mp4 -o sample.flv\n  \
         gst-launch-1.0 playbin uri={film}\n\n\
         Ctrl-C stops the demo. To serve files of your own: streamfront serve --bucket DIRECTORY\n\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_unpacked_as_they_are() {
        let workspace = Workspace::create().unwrap();
        let bucket = workspace.path().join("bucket");
        unpack(&bucket).unwrap();
        for sample in &SAMPLES {
            assert_eq!(fs::read(bucket.join(sample.key)).unwrap(), sample.bytes);
        }
        // What they claim to be.
        let starts = |key: &str| SAMPLES.iter().find(|it| it.key == key).unwrap().bytes;
        assert_eq!(&starts("sample.flv")[..3], b"FLV");
        assert_eq!(&starts("sample.mp4")[4..8], b"ftyp");
    }

    #[test]
    fn instructions_name_the_address_that_players_need() {
        let text = instructions(RTMP);
        assert!(
            text.contains("ffplay rtmp://127.0.0.1/cfx/st/mp4:sample.mp4\n"),
            "{text}"
        );
        assert!(text.contains("rtmp://127.0.0.1/cfx/st/sample\n"), "{text}");
        assert!(
            text.contains("rtmp://127.0.0.1/cfx/st/mp3:sample\n"),
            "{text}"
        );
        let other = instructions("0.0.0.0:19350".parse().unwrap());
        assert!(other.contains("ffplay rtmp://127.0.0.1:19350/cfx/st/mp4:sample.mp4\n"));
        let six = instructions("[::1]:11935".parse().unwrap());
        assert!(six.contains("rtmp://[::1]:11935/cfx/st/"), "{six}");
    }

    #[test]
    fn a_taken_port_names_the_flag() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(
            check_free("rtmp", address).unwrap_err().to_string(),
            format!(
                "{address} is taken by another program: \
                 choose another port with --rtmp 127.0.0.1:PORT"
            )
        );
        drop(listener);
    }
}
