//! What a run has found, as data. [`text`] and [`html`] show it; as JSON it is this, field by field.
//!
//! The JSON form is stable: fields are added, never renamed or given another unit, while
//! `version` is 1. Units are in the names; those without are counts. Latencies are milliseconds.
//! A *GB* is 10^9 bytes of media, that is payload of audio and video messages, so that servers
//! with other chunk sizes compare; rates in Gbit/s are of all bytes on the wire. Percent of
//! processor time are of one core. What could not be measured is `null`.
//!
//! | field | what |
//! |---|---|
//! | `version`, `tool`, `started_unix_seconds`, `cores`, `interrupted` | what ran, when, on how many cores, and whether Ctrl-C ended it |
//! | `asked` | the options: `targets`, `players`, `ramp_seconds`, `duration_seconds`, `buffer_ms`, `unpaced`, `start`, `seek_every_seconds`, `pause_every_seconds`, `pause_for_seconds`, `repeat`, `zipf`, `threads`, `seed` |
//! | `players` | `started`; `connected`; `played` (had media); `ended` (saw the end); `stopped` (the time was over); `failed`; `plays`, `seeks`, `pauses` of all together |
//! | `bytes` | `media`, `wire`; `messages` of media |
//! | `latency_ms` | `connect` (TCP open to `_result` of connect), `first_byte` (play sent to the first media that is no codec's head), `seek` (seek sent to the first media after its notice), `complete` (play sent to the end): each `count`, `min`, `mean`, `p50`, `p90`, `p99`, `p999`, `max` |
//! | `latency_curves_ms` | of `connect`, `first_byte`, `seek`: pairs of a percentage and the time within which so many were answered |
//! | `underruns` | `count`, `players` that had any, `stalled_ms` all together |
//! | `errors` | a list of `kind` (connect, refused, play, protocol, closed, timeout, seek), `count`, `example` |
//! | `whole`, `steady` | [`Window`]: the whole run; and from the end of the ramp (2 s later where paced) to the last sample in which 95 % of the players played, `null` if that is shorter than 1 s |
//! | `memory` | [`Memory`] of the server, `null` where it is not watched |
//! | `samples` | [`Sample`]s: four a second, fewer in a long run |

pub mod html;
mod plot;
pub mod text;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::options::{Options, Start};
use super::tally::{Latency, Rare, Tally};
pub use super::watch::Seen;

/// After the ramp, how long a paced player still fills its buffer: servers send some seconds of
/// media at once, then in real time.
const SETTLE: f64 = 2.0;

/// The share of players that must play for a sample to be of the steady state.
const STEADY_SHARE: f64 = 0.95;

/// Shorter windows are no steady state, seconds.
const STEADY_MIN: f64 = 1.0;

/// All that a run has found.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct Report {
    pub version: u32,
    pub tool: String,
    pub started_unix_seconds: u64,
    pub cores: usize,
    pub interrupted: bool,
    pub asked: Asked,
    pub players: Players,
    pub bytes: Bytes,
    pub latency_ms: Latencies,
    pub latency_curves_ms: Curves,
    pub underruns: Underruns,
    pub errors: Vec<ErrorCount>,
    pub whole: Window,
    pub steady: Option<Window>,
    pub memory: Option<Memory>,
    pub samples: Vec<Sample>,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct Asked {
    pub targets: Vec<String>,
    pub players: usize,
    pub ramp_seconds: f64,
    pub duration_seconds: f64,
    pub buffer_ms: u32,
    pub unpaced: bool,
    pub start: String,
    pub seek_every_seconds: Option<f64>,
    pub pause_every_seconds: Option<f64>,
    pub pause_for_seconds: f64,
    pub repeat: bool,
    pub zipf: f64,
    pub threads: usize,
    pub seed: u64,
}

/// What became of the players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct Players {
    pub started: u64,
    pub connected: u64,
    pub played: u64,
    pub ended: u64,
    pub stopped: u64,
    pub failed: u64,
    pub plays: u64,
    pub seeks: u64,
    pub pauses: u64,
}

/// What they received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct Bytes {
    pub media: u64,
    pub wire: u64,
    pub messages: u64,
}

/// How long they waited.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct Latencies {
    pub connect: Percentiles,
    pub first_byte: Percentiles,
    pub seek: Percentiles,
    pub complete: Percentiles,
}

/// A distribution of times, milliseconds; all 0 where there were none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)] // The names are those of statistics.
pub struct Percentiles {
    pub count: u64,
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// How latencies are spread: pairs of a percentage and milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct Curves {
    pub connect: Vec<(f64, f64)>,
    pub first_byte: Vec<(f64, f64)>,
    pub seek: Vec<(f64, f64)>,
}

/// How often and how long playback would have stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct Underruns {
    pub count: u64,
    pub players: u64,
    pub stalled_ms: u64,
}

/// Errors of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // The table above says what each field is.
pub struct ErrorCount {
    pub kind: String,
    pub count: u64,
    pub example: String,
}

/// A stretch of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    /// Where it begins, seconds after the first player started.
    pub from_seconds: f64,
    /// Its length.
    pub seconds: f64,
    /// Bytes of media in it.
    pub media_bytes: u64,
    /// Bytes on the wire in it.
    pub wire_bytes: u64,
    /// Bits on the wire, 10^9 a second.
    pub gbit_per_second: f64,
    /// What the server spent.
    pub server: Option<Cpu>,
    /// What this tool spent.
    pub tool: Cpu,
}

/// Processor time in a stretch of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cpu {
    /// Seconds of processor time.
    pub seconds: f64,
    /// Of one core.
    pub percent: f64,
    /// Seconds of processor time for 10^9 bytes of media.
    pub seconds_per_gb: Option<f64>,
}

/// Memory of the server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Memory {
    /// Before the first player, all in bytes.
    pub before: Seen,
    /// In the last sample with the most players that played.
    pub full: Seen,
    /// How many played then.
    pub players: u64,
    /// Growth of resident memory for each of them.
    pub rss_bytes_per_player: f64,
    /// Growth of resident memory that no file backs for each of them.
    pub rss_anon_bytes_per_player: f64,
}

/// The figures at one time, added up since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Sample {
    /// Seconds since the first player started.
    pub at: f64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Bytes of media.
    pub media_bytes: u64,
    /// Players that have started.
    pub started: u64,
    /// Players that play now.
    pub playing: u64,
    /// Players that saw the end.
    pub ended: u64,
    /// Players that failed.
    pub failed: u64,
    /// Underruns.
    pub underruns: u64,
    /// All of them together, milliseconds.
    pub stalled_ms: u64,
    /// Processor time of this tool.
    pub tool_cpu_seconds: f64,
    /// The server.
    pub server: Option<Seen>,
}

impl Sample {
    /// What all threads have counted so far. Time and processors are the caller's.
    pub(super) fn of(tallies: &[std::sync::Arc<Tally>]) -> Self {
        tallies.iter().fold(Self::default(), |sum, tally| Self {
            wire_bytes: sum.wire_bytes + tally.wire.get(),
            media_bytes: sum.media_bytes + tally.media.get(),
            started: sum.started + tally.started.get(),
            playing: sum.playing + tally.playing.get(),
            ended: sum.ended + tally.ended.get(),
            failed: sum.failed + tally.failed.get(),
            underruns: sum.underruns + tally.underruns.get(),
            stalled_ms: sum.stalled_ms + tally.stalled.get() / 1000,
            ..sum
        })
    }
}

impl Report {
    /// Sums up. `samples` begin with one before the first player.
    pub(super) fn new(
        options: &Options,
        started: SystemTime,
        interrupted: bool,
        tallies: &[std::sync::Arc<Tally>],
        rare: &Rare,
        samples: Vec<Sample>,
    ) -> Self {
        let sum = |get: fn(&Tally) -> u64| tallies.iter().map(|tally| get(tally)).sum();
        let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            version: 1,
            tool: format!("streamfront bench {}", env!("CARGO_PKG_VERSION")),
            started_unix_seconds: since.as_secs(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            interrupted,
            asked: Asked::new(options),
            players: Players {
                started: sum(|it| it.started.get()),
                connected: sum(|it| it.connected.get()),
                played: sum(|it| it.played.get()),
                ended: sum(|it| it.ended.get()),
                stopped: sum(|it| it.stopped.get()),
                failed: sum(|it| it.failed.get()),
                plays: sum(|it| it.plays.get()),
                seeks: sum(|it| it.seeks.get()),
                pauses: sum(|it| it.pauses.get()),
            },
            bytes: Bytes {
                media: sum(|it| it.media.get()),
                wire: sum(|it| it.wire.get()),
                messages: sum(|it| it.messages.get()),
            },
            latency_ms: Latencies {
                connect: Percentiles::of(&rare.connect),
                first_byte: Percentiles::of(&rare.first_byte),
                seek: Percentiles::of(&rare.seek),
                complete: Percentiles::of(&rare.complete),
            },
            latency_curves_ms: Curves {
                connect: curve(&rare.connect),
                first_byte: curve(&rare.first_byte),
                seek: curve(&rare.seek),
            },
            underruns: Underruns {
                count: sum(|it| it.underruns.get()),
                players: sum(|it| it.ran_dry.get()),
                stalled_ms: sum(|it| it.stalled.get()) / 1000,
            },
            errors: errors(rare),
            whole: whole(&samples),
            steady: steady(options, &samples),
            memory: Memory::of(&samples),
            samples,
        }
    }
}

impl Asked {
    fn new(options: &Options) -> Self {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        Self {
            targets: options.targets.iter().map(super::Target::url).collect(),
            players: options.players,
            ramp_seconds: options.ramp.as_secs_f64(),
            duration_seconds: options.duration.as_secs_f64(),
            buffer_ms: options.buffer,
            unpaced: options.is_unpaced(),
            start: match options.start {
                Start::Spread => "spread".to_owned(),
                Start::At(millis) => format!("{} s", millis as f64 / 1000.0),
            },
            seek_every_seconds: seconds(options.seek_every),
            pause_every_seconds: seconds(options.pause_every),
            pause_for_seconds: options.pause_for.as_secs_f64(),
            repeat: options.repeat,
            zipf: options.zipf,
            threads: options.threads,
            seed: options.seed,
        }
    }
}

impl Percentiles {
    fn of(latency: &Latency) -> Self {
        let millis = |micros: u64| micros as f64 / 1000.0;
        if latency.is_empty() {
            return Self::none();
        }
        Self {
            count: latency.len(),
            min: millis(latency.min()),
            mean: latency.mean() / 1000.0,
            p50: millis(latency.value_at_quantile(0.5)),
            p90: millis(latency.value_at_quantile(0.9)),
            p99: millis(latency.value_at_quantile(0.99)),
            p999: millis(latency.value_at_quantile(0.999)),
            max: millis(latency.max()),
        }
    }

    const fn none() -> Self {
        Self {
            count: 0,
            min: 0.0,
            mean: 0.0,
            p50: 0.0,
            p90: 0.0,
            p99: 0.0,
            p999: 0.0,
            max: 0.0,
        }
    }
}

/// Every percent, and the ends.
fn curve(latency: &Latency) -> Vec<(f64, f64)> {
    if latency.is_empty() {
        return Vec::new();
    }
    let point = |percent: u32| {
        let share = f64::from(percent) / 100.0;
        let micros = latency.value_at_quantile(share);
        (f64::from(percent), micros as f64 / 1000.0)
    };
    (0..=100).map(point).collect()
}

fn errors(rare: &Rare) -> Vec<ErrorCount> {
    let one = |(kind, errors): (&&str, &super::tally::Errors)| ErrorCount {
        kind: (*kind).to_owned(),
        count: errors.count,
        example: errors.example.clone(),
    };
    rare.errors.iter().map(one).collect()
}

impl Window {
    /// From one sample to a later one.
    fn between(from: &Sample, to: &Sample) -> Self {
        let seconds = (to.at - from.at).max(0.0);
        let media_bytes = to.media_bytes.saturating_sub(from.media_bytes);
        let wire_bytes = to.wire_bytes.saturating_sub(from.wire_bytes);
        let cpu = |spent: f64| Cpu {
            seconds: spent,
            percent: if seconds > 0.0 {
                100.0 * spent / seconds
            } else {
                0.0
            },
            seconds_per_gb: (media_bytes > 0).then(|| spent * 1e9 / media_bytes as f64),
        };
        let server = from.server.zip(to.server);
        Self {
            from_seconds: from.at,
            seconds,
            media_bytes,
            wire_bytes,
            gbit_per_second: if seconds > 0.0 {
                wire_bytes as f64 * 8e-9 / seconds
            } else {
                0.0
            },
            server: server.map(|(from, to)| cpu(to.cpu_seconds - from.cpu_seconds)),
            tool: cpu(to.tool_cpu_seconds - from.tool_cpu_seconds),
        }
    }
}

fn whole(samples: &[Sample]) -> Window {
    let none = Sample::default();
    let (first, last) = (samples.first(), samples.last());
    Window::between(first.unwrap_or(&none), last.unwrap_or(&none))
}

/// The stretch in which everybody plays and nobody starts.
fn steady(options: &Options, samples: &[Sample]) -> Option<Window> {
    let settle = if options.is_unpaced() { 0.0 } else { SETTLE };
    let begins = options.ramp.as_secs_f64() + settle;
    let enough = STEADY_SHARE * options.players as f64;
    let is_steady = |sample: &&Sample| sample.at >= begins && sample.playing as f64 >= enough;
    let from = samples.iter().find(is_steady)?;
    let to = samples.iter().rev().find(is_steady)?;
    let window = Window::between(from, to);
    (window.seconds >= STEADY_MIN).then_some(window)
}

impl Memory {
    fn of(samples: &[Sample]) -> Option<Self> {
        let before = samples.first()?.server?;
        let full = samples
            .iter()
            .filter(|sample| sample.server.is_some())
            .max_by_key(|sample| sample.playing)?;
        let (players, seen) = (full.playing, full.server?);
        let share = |before: u64, now: u64| {
            let growth = now as f64 - before as f64;
            growth / players.max(1) as f64
        };
        (players > 0).then(|| Self {
            before,
            full: seen,
            players,
            rss_bytes_per_player: share(before.rss, seen.rss),
            rss_anon_bytes_per_player: share(before.rss_anon, seen.rss_anon),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::super::tally::record;
    use super::*;

    fn options() -> Options {
        Options {
            targets: vec![super::super::Target::parse("rtmp://h/a/b", None).unwrap()],
            zipf: 0.0,
            tc_url: None,
            players: 100,
            ramp: Duration::from_secs(1),
            duration: Duration::from_secs(10),
            buffer: 3000,
            start: Start::At(1500),
            length: None,
            seek_every: None,
            pause_every: Some(Duration::from_secs(7)),
            pause_for: Duration::from_secs(2),
            repeat: true,
            timeout: Duration::from_secs(10),
            threads: 1,
            pids: Vec::new(),
            metrics: None,
            seed: 1,
        }
    }

    /// One sample a second: 100 players from second 1 on, 95 in second 11, 50 in second 12.
    fn samples() -> Vec<Sample> {
        (0..=12_u32)
            .map(|at| Sample {
                at: f64::from(at),
                media_bytes: u64::from(at) * 500_000_000,
                wire_bytes: u64::from(at) * 625_000_000,
                started: 100,
                playing: match at {
                    0 => 0,
                    11 => 95,
                    12 => 50,
                    _ => 100,
                },
                tool_cpu_seconds: f64::from(at) * 0.0625,
                server: Some(Seen {
                    cpu_seconds: 5.0 + f64::from(at) * 0.25,
                    rss: (10 << 20) + 4096 * 100 * u64::from(at.min(1)),
                    rss_anon: 1000,
                    descriptors: 0,
                }),
                ..Sample::default()
            })
            .collect()
    }

    /// A report of a run that went half well.
    pub(in crate::load::report) fn report() -> Report {
        let tally = Arc::new(Tally::new().unwrap());
        tally.started.add(100);
        tally.played.add(99);
        tally.failed.add(1);
        tally.stalled.add(2_500_000);
        tally.error("play", "<b> said no");
        record(&mut tally.rare().first_byte, Duration::from_micros(1500));
        let rare = tally.rare().clone();
        let tallies = [tally];
        Report::new(&options(), UNIX_EPOCH, false, &tallies, &rare, samples())
    }

    #[test]
    fn the_steady_state_begins_after_ramp_and_bursts_and_ends_with_the_players() {
        let report = report();
        let steady = report.steady.unwrap();
        assert_eq!((steady.from_seconds, steady.seconds), (3.0, 8.0));
        assert_eq!(steady.media_bytes, 4_000_000_000);
        assert_eq!(steady.gbit_per_second, 5.0);
        let server = steady.server.unwrap();
        assert_eq!((server.seconds, server.percent), (2.0, 25.0));
        assert_eq!(server.seconds_per_gb, Some(0.5));
        assert_eq!(
            (report.whole.seconds, report.whole.from_seconds),
            (12.0, 0.0)
        );
        let unpaced = Options {
            buffer: Options::UNPACED,
            ..options()
        };
        assert_eq!(steady_from(&unpaced), Some(1.0));
        let many = Options {
            players: 1000,
            ..options()
        };
        assert_eq!(steady_from(&many), None);
    }

    fn steady_from(options: &Options) -> Option<f64> {
        steady(options, &samples()).map(|window| window.from_seconds)
    }

    #[test]
    fn memory_is_shared_out_among_those_who_play() {
        let memory = report().memory.unwrap();
        assert_eq!((memory.players, memory.rss_bytes_per_player), (100, 4096.0));
        assert_eq!(memory.rss_anon_bytes_per_player, 0.0);
        assert_eq!(Memory::of(&samples()[..1]), None);
    }

    #[test]
    fn json_has_the_fields_that_are_promised() {
        let json = serde_json::to_value(report()).unwrap();
        for (path, wanted) in [
            ("/version", "1"),
            ("/asked/targets/0", "\"rtmp://h/a/b\""),
            ("/asked/start", "\"1.5 s\""),
            ("/asked/seek_every_seconds", "null"),
            ("/asked/pause_every_seconds", "7.0"),
            ("/players/failed", "1"),
            ("/latency_ms/first_byte/count", "1"),
            ("/latency_ms/seek/p99", "0.0"),
            ("/latency_curves_ms/first_byte/50/0", "50.0"),
            ("/underruns/stalled_ms", "2500"),
            ("/errors/0/kind", "\"play\""),
            ("/steady/server/seconds_per_gb", "0.5"),
            ("/whole/tool/percent", "6.25"),
            ("/memory/players", "100"),
            ("/samples/12/playing", "50"),
        ] {
            let value = json.pointer(path).map(ToString::to_string);
            assert_eq!(value.as_deref(), Some(wanted), "{path}");
        }
    }

    #[test]
    fn text_shows_what_matters() {
        let text = super::text::render(&report());
        for part in [
            "100 started, 99 played",
            "1 x play: <b> said no",
            "first byte        1.50",
            "25.0%  0.500 s",
            "4.0 KiB a player",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
