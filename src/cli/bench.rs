//! `streamfront bench`: the flags, a run of players, and its reports.

mod progress;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::builder::RangedU64ValueParser;

use self::progress::Progress;
use super::signals;
use crate::config::quantity;
use crate::load::report::{html, text};
use crate::load::{self, Options, Report, Start, Target};

/// Players that connect in a second where `--ramp` says nothing.
const RAMP_RATE: f64 = 1000.0;

/// Play with many players at once, and measure.
///
/// Works against any RTMP server. Players decode nothing: they count, time, and see whether
/// playback would stand still. Ends with 0, or with 1 where nothing could be played or more
/// players failed than --max-errors.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    streamfront bench rtmp://127.0.0.1/cfx/st/mp4:film.mp4 --players 1000 --start spread\n  \
    streamfront bench rtmp://127.0.0.1/cfx/st/mp4:film.mp4 --players 50 --unpaced --repeat \\\n    \
    --duration 10s --pid $(pidof streamfront) --html bench.html\n  \
    streamfront bench rtmp://127.0.0.1/vod/big.mp4 --pid $(pidof nginx | tr ' ' ,)")]
pub(super) struct Args {
    // Not a comment of documentation: there the brackets would be a link.
    #[arg(
        value_name = "URL",
        required = true,
        help = "What to play: rtmp://HOST[:PORT]/APP/NAME, one or several"
    )]
    urls: Vec<String>,

    /// Another stream name of the first URL's server and application; repeatable.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// The application, where the URL alone does not tell it (APP, or APP/INSTANCE).
    #[arg(long, value_name = "APP")]
    app: Option<String>,

    /// Choose among several streams by Zipf's law: the k-th with weight 1/k^S. 0: all alike.
    #[arg(long, value_name = "S", default_value_t = 0.0, value_parser = exponent)]
    zipf: f64,

    /// How many players.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1,
        value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000))]
    players: u64,

    /// Over how long a time they start [default: 1 ms a player].
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    ramp: Option<Duration>,

    /// How long they play when all have started.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = quantity::duration)]
    duration: Duration,

    /// The client buffer that players announce; servers pace by it.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = quantity::duration)]
    buffer: Duration,

    /// Take media as fast as it comes: announces a buffer of ten hours.
    #[arg(long, conflicts_with = "buffer")]
    unpaced: bool,

    /// Where players start: `spread` over the stream, or at so many seconds.
    #[arg(long, value_name = "spread|SECONDS", default_value = "0", value_parser = start)]
    start: Start,

    /// How long the streams are [default: what their metadata says].
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    length: Option<Duration>,

    /// Each player seeks to a random place so often.
    #[arg(long, value_name = "TIME", value_parser = positive)]
    seek_every: Option<Duration>,

    /// Each player pauses so often.
    #[arg(long, value_name = "TIME", value_parser = positive)]
    pause_every: Option<Duration>,

    /// How long a pause lasts.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = quantity::duration)]
    pause_for: Duration,

    /// At the end of a stream, play it again until the time is over.
    #[arg(long)]
    repeat: bool,

    /// How long an answer may take before the player has failed.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    timeout: Duration,

    /// How many players may fail before this command does.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_errors: u64,

    /// Processes of the server on this machine: their processor time and memory are reported.
    #[arg(long, value_name = "PID,…", value_delimiter = ',')]
    pid: Vec<u32>,

    /// Prometheus metrics of the server, instead of --pid.
    #[arg(long, value_name = "http://HOST:PORT/PATH", conflicts_with = "pid", value_parser = http_url)]
    metrics: Option<String>,

    /// Threads for the players [default: half the processors].
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..=256))]
    threads: Option<u64>,

    /// What players say they were told to connect to [default: made of the URL].
    #[arg(long, value_name = "URL")]
    tcurl: Option<String>,

    /// Where random choices begin: the same seed makes the same choices.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Write the report as JSON; `-` is the standard output, instead of the text.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the report as one HTML page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// No progress, only the report.
    #[arg(short, long)]
    quiet: bool,
}

fn start(text: &str) -> Result<Start, String> {
    if text == "spread" {
        return Ok(Start::Spread);
    }
    let seconds: f64 = text.parse().unwrap_or(-1.0);
    // A year of video is longer than any.
    if !(0.0..=31_536_000.0).contains(&seconds) {
        return Err(format!("{text:?} is neither `spread` nor seconds"));
    }
    Ok(Start::At((seconds * 1000.0) as u64))
}

fn exponent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().unwrap_or(-1.0);
    let fits = (0.0..=10.0).contains(&number);
    fits.then_some(number)
        .ok_or_else(|| format!("{text:?} is not a number from 0 to 10"))
}

fn positive(text: &str) -> Result<Duration, String> {
    let time = quantity::duration(text)?;
    if time.is_zero() {
        return Err("must be above 0".to_owned());
    }
    Ok(time)
}

fn http_url(text: &str) -> Result<String, String> {
    let is_one = text
        .strip_prefix("http://")
        .is_some_and(|it| !it.is_empty());
    let told = || format!("{text:?} is not of the form http://HOST:PORT/PATH");
    is_one.then(|| text.to_owned()).ok_or_else(told)
}

impl Args {
    /// What these flags ask for; a URL that cannot be read is a wrong command line.
    fn options(&self) -> Result<Options, String> {
        let app = self.app.as_deref();
        let mut targets = self
            .urls
            .iter()
            .map(|url| Target::parse(url, app).map_err(|error| error.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(first) = targets.first().cloned() {
            targets.extend(self.name.iter().map(|name| first.with_name(name)));
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self
            .threads
            .and_then(|threads| usize::try_from(threads).ok());
        let ramp = Duration::from_secs_f64(self.players as f64 / RAMP_RATE);
        let length = self.length.map(|length| length.as_millis() as u64);
        let buffer = u32::try_from(self.buffer.as_millis()).unwrap_or(u32::MAX);
        Ok(Options {
            targets,
            zipf: self.zipf,
            tc_url: self.tcurl.clone(),
            players: usize::try_from(self.players).unwrap_or(usize::MAX),
            ramp: self.ramp.unwrap_or(ramp),
            duration: self.duration,
            buffer: if self.unpaced {
                Options::UNPACED
            } else {
                buffer
            },
            start: self.start,
            length,
            seek_every: self.seek_every,
            pause_every: self.pause_every,
            pause_for: self.pause_for,
            repeat: self.repeat,
            timeout: self.timeout,
            threads: threads.unwrap_or_else(|| (processors / 2).max(1)),
            pids: self.pid.clone(),
            metrics: self.metrics.clone(),
            seed: self.seed,
        })
    }

    fn has_json_output(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }
}

/// Runs `streamfront bench`.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let options = match args.options() {
        Ok(options) => options,
        Err(why) => return Err(super::wrong_argument(why)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let report = runtime.block_on(async {
        let stop = signals::listen().context("cannot listen for signals")?;
        measure(options, &stop, args.quiet).await
    })?;
    show(args, &report)?;
    judge(args, &report)
}

/// Plays, and shows how it goes.
async fn measure(options: Options, stop: &signals::Stop, quiet: bool) -> anyhow::Result<Report> {
    let mut progress = Progress::new(quiet, options.players);
    let run = load::run(options, &stop.soon, |now| progress.show(now));
    let report = tokio::select! {
        report = run => report?,
        () = stop.now.cancelled() => bail!("stopped before there was a report"),
    };
    progress.end();
    Ok(report)
}

/// Writes the reports that were asked for.
fn show(args: &Args, report: &Report) -> anyhow::Result<()> {
    let mut stdout = io::stdout();
    if !args.has_json_output() {
        stdout.write_all(text::render(report).as_bytes())?;
    }
    if let Some(file) = &args.json {
        let mut json = serde_json::to_string_pretty(report).context("cannot write JSON")?;
        json.push('\n');
        if args.has_json_output() {
            stdout.write_all(json.as_bytes())?;
        } else {
            write(file, &json)?;
        }
    }
    if let Some(file) = &args.html {
        write(file, &html::render(report))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// An error where nothing was played, or too many players failed.
fn judge(args: &Args, report: &Report) -> anyhow::Result<()> {
    let why = report.errors.first().map_or(String::new(), |error| {
        format!("; first {}: {}", error.kind, error.example)
    });
    if report.players.played == 0 {
        bail!("nothing was played{why}");
    }
    let failed = report.players.failed;
    if failed > args.max_errors {
        bail!(
            "{failed} players failed, more than {}{why}",
            args.max_errors
        );
    }
    Ok(())
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

    fn parse(args: &[&str]) -> Args {
        let args = std::iter::once("bench").chain(args.iter().copied());
        Only::try_parse_from(args).unwrap().args
    }

    #[test]
    fn each_flag_reaches_its_option() {
        let options = parse(&[
            "rtmp://h/a/b",
            "rtmp://i/c/d",
            "--name=e",
            "--zipf=1.5",
            "-n=20",
            "--ramp=2s",
            "--duration=3s",
            "--buffer=700ms",
            "--start=1.5",
            "--length=1m",
            "--seek-every=4s",
            "--pause-every=5s",
            "--pause-for=6s",
            "--repeat",
            "--timeout=7s",
            "--pid=1,2",
            "--threads=3",
            "--tcurl=rtmp://x/a",
            "--seed=9",
        ])
        .options()
        .unwrap();
        let seconds = Duration::from_secs;
        let urls: Vec<String> = options.targets.iter().map(Target::url).collect();
        assert_eq!(urls, ["rtmp://h/a/b", "rtmp://i/c/d", "rtmp://h/a/e"]);
        assert_eq!(
            (options.zipf, options.players, options.threads),
            (1.5, 20, 3)
        );
        assert_eq!((options.ramp, options.duration), (seconds(2), seconds(3)));
        assert_eq!((options.buffer, options.is_unpaced()), (700, false));
        assert_eq!(options.start, Start::At(1500));
        assert_eq!(options.length, Some(60_000));
        assert_eq!(options.seek_every, Some(seconds(4)));
        assert_eq!(options.pause_every, Some(seconds(5)));
        assert_eq!(options.pause_for, seconds(6));
        assert_eq!((options.repeat, options.timeout), (true, seconds(7)));
        assert_eq!((options.pids, options.seed), (vec![1, 2], 9));
        assert_eq!(options.tc_url.as_deref(), Some("rtmp://x/a"));
    }

    #[test]
    fn what_is_not_said_has_a_sensible_value() {
        let options = parse(&["rtmp://h/a/b", "-n", "2500", "--unpaced"])
            .options()
            .unwrap();
        assert_eq!(options.ramp, Duration::from_millis(2500));
        assert!(options.is_unpaced() && options.threads >= 1);
        assert_eq!(options.start, Start::At(0));
        let spread = parse(&["rtmp://h/a/b", "--start=spread"]);
        assert_eq!(spread.options().unwrap().start, Start::Spread);
    }

    #[test]
    fn wrong_values_are_refused() {
        for flag in [
            "--start=-1",
            "--start=x",
            "--zipf=-1",
            "--zipf=NaN",
            "--players=0",
            "--players=2000000",
            "--seek-every=0s",
            "--metrics=https://x/",
            "--threads=0",
            "--pid=x",
        ] {
            let parsed = Only::try_parse_from(["bench", "rtmp://h/a/b", flag]);
            assert!(parsed.is_err(), "{flag}");
        }
        assert!(parse(&["rtmp://h/a"]).options().is_err());
        assert!(parse(&["rtmp://h/a/b", "--app=c"]).options().is_err());
    }
}
