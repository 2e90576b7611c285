//! Packet tables of source files and of what players received, and their comparison.
//!
//! Compared are, for each track: the number of packets, the hash of each payload in order, and all
//! times after one constant for the object (rule of delivery 7). Payloads of AVC, AAC and MP3 are
//! the same bytes in MP4 and in FLV, so a source in any container can be compared with what came
//! over RTMP. Codec heads are not packets.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::message::Message;
use super::{players, tools};

/// Rule 7: within 1 ms. The sliver is for times that are no whole milliseconds in the source.
const TOLERANCE: f64 = 1.0 + 1e-6;
/// An edit list that hides no more of the sound than this many ms hides the codec's priming, which
/// stays (rule 8): HE-AAC has up to 160 ms of it.
const PRIMING: f64 = 200.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Audio,
    Video,
}

/// One packet of the first video or first audio stream. Times in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    pub kind: Kind,
    pub pts: f64,
    pub dts: f64,
    pub size: usize,
    /// SHA-256 of the payload, hex.
    pub hash: String,
    pub key: bool,
}

/// A list of packets in the order in which they came.
pub type Table = Vec<Packet>;

/// The packets of a file, or of a URL that ffprobe plays (unpaced).
pub fn ffprobe(source: &str, before: &[&str]) -> Table {
    let mut arguments = vec!["-v", "error"];
    if source.starts_with("rtmp") {
        arguments.extend(["-rtmp_buffer", "700000"]);
    }
    arguments.extend(before);
    arguments.extend([
        "-show_packets",
        "-show_data_hash",
        "sha256",
        "-of",
        "json",
        source,
    ]);
    let outcome =
        players::run(tools::tool("ffprobe"), &arguments).good(&format!("ffprobe {source}"));
    let json: Value = serde_json::from_slice(&outcome.stdout).expect("ffprobe writes JSON");
    let packets = json["packets"].as_array().expect("a list of packets");
    let first = |kind: &str| {
        packets
            .iter()
            .filter(|p| p["codec_type"] == kind)
            .map(stream)
            .min()
    };
    let wanted = [first("video"), first("audio")];
    let packets = packets
        .iter()
        .filter(|packet| wanted.contains(&Some(stream(packet))));
    packets
        .map(|packet| {
            let time = |name: &str| {
                let text = packet[name].as_str()?;
                text.parse::<f64>().ok().map(|seconds| seconds * 1000.0)
            };
            let dts = time("dts_time").expect("every packet has a dts");
            let hash = packet["data_hash"].as_str().expect("a hash");
            Packet {
                kind: if packet["codec_type"] == "video" {
                    Kind::Video
                } else {
                    Kind::Audio
                },
                pts: time("pts_time").unwrap_or(dts),
                dts,
                size: packet["size"]
                    .as_str()
                    .and_then(|s| s.parse().ok())
                    .expect("a size"),
                hash: hash.trim_start_matches("SHA256:").to_owned(),
                key: packet["flags"]
                    .as_str()
                    .is_some_and(|flags| flags.contains('K')),
            }
        })
        .collect()
}

fn stream(packet: &Value) -> u64 {
    packet["stream_index"].as_u64().expect("a stream index")
}

/// The packets of a file or URL as PyAV (FFmpeg 8) reads them.
pub fn pyav(source: &str) -> Table {
    let script = tools::root()
        .join("tests/tools/packets.py")
        .display()
        .to_string();
    let mut arguments = vec![script, source.to_owned()];
    if source.starts_with("rtmp") {
        arguments.push("rtmp_buffer=700000".to_owned());
    }
    let outcome = players::run(tools::venv("python"), &arguments).good(&format!("PyAV, {source}"));
    let lines = String::from_utf8(outcome.stdout).expect("JSON is UTF-8");
    lines
        .lines()
        .map(|line| {
            let packet: Value = serde_json::from_str(line).expect("a line of JSON");
            let dts = packet["dts"]
                .as_f64()
                .or(packet["pts"].as_f64())
                .expect("a time");
            Packet {
                kind: if packet["kind"] == "video" {
                    Kind::Video
                } else {
                    Kind::Audio
                },
                pts: packet["pts"].as_f64().unwrap_or(dts),
                dts,
                size: usize::try_from(packet["size"].as_u64().expect("a size")).expect("small"),
                hash: packet["hash"].as_str().expect("a hash").to_owned(),
                key: packet["key"].as_bool().expect("a flag"),
            }
        })
        .collect()
}

/// The packets of a source file on disk.
pub fn source(file: &Path) -> Table {
    ffprobe(&file.display().to_string(), &[])
}

/// The samples among messages of a classic codec as packets.
pub fn messages<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Table {
    messages
        .into_iter()
        .filter(|message| message.is_media() && !message.is_head())
        .map(|message| {
            let payload = message.payload();
            let dts = f64::from(message.time);
            Packet {
                kind: if message.kind == 9 {
                    Kind::Video
                } else {
                    Kind::Audio
                },
                pts: dts + composition(message),
                dts,
                size: payload.len(),
                hash: hex(&Sha256::digest(payload)),
                key: message.is_key(),
            }
        })
        .collect()
}

/// The composition time offset of an AVC tag, ms.
fn composition(message: &Message) -> f64 {
    match (message.kind, message.body.as_slice()) {
        (9, [first, _, a, b, c, ..]) if first & 0x8F == 7 => {
            f64::from(i32::from_be_bytes([*a, *b, *c, 0]) >> 8)
        }
        _ => 0.0,
    }
}

/// What the rules of delivery 7 and 8 make of a source: sound wholly before an edit is left out,
/// pictures before it are sent with the first that is shown, and no time is negative.
pub fn expected(source: &Table) -> Table {
    let first = |kind| {
        source
            .iter()
            .find(|p| p.kind == kind)
            .map_or(0.0, |p| p.pts)
    };
    let cut = first(Kind::Audio) < -PRIMING || first(Kind::Video) < 0.0;
    let mut table: Table = Vec::new();
    let sound: Vec<&Packet> = source.iter().filter(|p| p.kind == Kind::Audio).collect();
    let shown = source
        .iter()
        .find(|p| p.kind == Kind::Video && p.pts > -0.01);
    let floor = shown.map_or(0.0, |packet| packet.dts);
    for packet in source {
        let mut packet = packet.clone();
        match packet.kind {
            Kind::Audio if cut => {
                let after = sound.iter().find(|other| other.dts > packet.dts);
                if after.is_some_and(|after| after.dts <= 0.01) {
                    continue;
                }
            }
            Kind::Video if cut && packet.dts < floor => {
                packet.dts = floor;
                packet.pts = packet.pts.max(floor);
            }
            _ => {}
        }
        table.push(packet);
    }
    let least = table.iter().map(|packet| packet.dts).fold(0.0, f64::min);
    for packet in &mut table {
        packet.dts -= least;
        packet.pts -= least;
    }
    table
}

/// Compares a whole play with its source, by rules 7 and 8.
pub fn assert_played(what: &str, source: &Table, received: &Table) {
    assert!(!source.is_empty(), "{what}: the source has no packets");
    assert_same(what, &expected(source), received);
}

/// Compares two tables: counts, hashes in order, times after one constant. The constant itself may
/// be at most 1 ms where the expected table has absolute times.
pub fn assert_same(what: &str, expected: &Table, received: &Table) {
    let mut shifts = Vec::new();
    for kind in [Kind::Video, Kind::Audio] {
        let of = |table: &Table| -> Vec<Packet> {
            table
                .iter()
                .filter(|packet| packet.kind == kind)
                .cloned()
                .collect()
        };
        let (wanted, got) = (of(expected), of(received));
        let differs = wanted
            .iter()
            .zip(&got)
            .position(|(a, b)| a.hash != b.hash || a.size != b.size);
        if let Some(at) =
            differs.or((wanted.len() != got.len()).then(|| wanted.len().min(got.len())))
        {
            panic!(
                "{what}: {kind:?} differs at packet {at}; {} expected, {} received{}{}",
                wanted.len(),
                got.len(),
                around("expected", &wanted, at),
                around("received", &got, at),
            );
        }
        for (number, (wanted, got)) in wanted.iter().zip(&got).enumerate() {
            shifts.push((wrapped(got.dts - wanted.dts), kind, number));
        }
    }
    let order = |a: &&(f64, Kind, usize), b: &&(f64, Kind, usize)| a.0.total_cmp(&b.0);
    let (Some(low), Some(high)) = (shifts.iter().min_by(order), shifts.iter().max_by(order)) else {
        return;
    };
    assert!(
        low.0 >= -TOLERANCE && high.0 <= TOLERANCE,
        "{what}: times are off by {:.3} ms ({:?} packet {}) to {:.3} ms ({:?} packet {})",
        low.0,
        low.1,
        low.2,
        high.0,
        high.1,
        high.2,
    );
}

/// Compares a piece of a play with its source as [`expected`] of it: what came of each track stands
/// in the source in a row, with the same hashes and times.
pub fn assert_part(what: &str, expected: &Table, received: &Table) {
    for kind in [Kind::Video, Kind::Audio] {
        let of = |packet: &&Packet| packet.kind == kind;
        let mut got = received.iter().filter(of).enumerate().peekable();
        let Some(begin) = got.peek().map(|(_, packet)| packet.dts) else {
            continue;
        };
        let mut wanted = expected
            .iter()
            .filter(of)
            .skip_while(|packet| packet.dts < begin - TOLERANCE);
        for (number, packet) in got {
            let same = wanted.next().is_some_and(|wanted| {
                let near = (packet.dts - wanted.dts).abs() <= TOLERANCE;
                near && packet.hash == wanted.hash && packet.size == wanted.size
            });
            assert!(
                same,
                "{what}: {kind:?} from {begin} ms differs at packet {number}: {packet:?}"
            );
        }
    }
}

/// Compares composition: pts - dts of each picture, within 1 ms.
pub fn assert_composed(what: &str, expected: &Table, received: &Table) {
    let of = |table: &Table| -> Vec<f64> {
        let pictures = table.iter().filter(|packet| packet.kind == Kind::Video);
        pictures.map(|packet| packet.pts - packet.dts).collect()
    };
    for (number, (wanted, got)) in of(expected).iter().zip(of(received)).enumerate() {
        let off = got - wanted;
        assert!(
            off.abs() <= TOLERANCE,
            "{what}: picture {number} is composed {off:.3} ms off"
        );
    }
}

/// A difference of two times that may have wrapped at 2^32 ms (as FLV and RTMP times do).
fn wrapped(difference: f64) -> f64 {
    const TURN: f64 = 4_294_967_296.0;
    difference - (difference / TURN).round() * TURN
}

fn around(name: &str, table: &[Packet], at: usize) -> String {
    let mut text = format!("\n  {name}:");
    for (number, packet) in table.iter().enumerate().skip(at.saturating_sub(2)).take(5) {
        let Packet {
            dts,
            size,
            hash,
            key,
            ..
        } = packet;
        let _ = write!(
            text,
            "\n    {number}: {dts:.2} ms, {size} B, key {key}, {}",
            &hash[..12]
        );
    }
    text
}

/// The media tags of an FLV file as messages on stream 1: what must arrive, byte for byte.
pub fn flv_tags(file: &Path) -> Vec<Message> {
    let data = std::fs::read(file).expect("an FLV file");
    assert_eq!(&data[..3], b"FLV", "{} is no FLV file", file.display());
    let mut at = 13;
    let mut tags = Vec::new();
    while let Some(head) = data.get(at..at + 11) {
        let length = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
        let time = u32::from_be_bytes([head[7], head[4], head[5], head[6]]);
        let body = data
            .get(at + 11..at + 11 + length)
            .unwrap_or_default()
            .to_vec();
        tags.push(Message {
            chunk_stream: 0,
            kind: head[0],
            time,
            stream: 1,
            body,
        });
        at += 11 + length + 4;
    }
    tags.retain(|tag| tag.is_media());
    tags
}

/// A message table written by hand: kind, time, size of the body, whether decoding can begin.
pub type Written = Vec<(Kind, i64, usize, bool)>;

/// Reads `NAME.expected`.
pub fn written(file: &Path) -> Written {
    let text = std::fs::read_to_string(file).expect("an expected table");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let kind = if fields[0] == "video" {
                Kind::Video
            } else {
                Kind::Audio
            };
            let time = fields[1].parse().expect("a time");
            (
                kind,
                time,
                fields[2].parse().expect("a size"),
                fields[3] == "K",
            )
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
