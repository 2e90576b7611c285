//! What viewers were served: the names of a [`Meter`].

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::readings::Readings;
use crate::delivery::meter::{Close, Fault, Meter, PlayEnd, SignatureFault, Turned};

pub(super) fn register(registry: &mut Registry, meter: &Arc<Meter>) {
    connections(registry, meter);
    plays(registry, meter);
    waits(registry, meter);
    let sent = [
        ("media", meter.media_bytes.clone()),
        ("control", meter.control_bytes.clone()),
    ];
    let sent = sent.map(|(kind, bytes)| (kind, move || number(bytes.get())));
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_sent_bytes",
        "RTMP bytes that viewers' sockets took: media of segments, and all other messages.",
        "kind",
        sent,
    )));
    let segments = [
        ("memory", meter.segments_ready.clone()),
        ("waited", meter.segments_waited.clone()),
    ];
    let segments = segments.map(|(found, count)| (found, move || number(count.get())));
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_viewer_segments",
        "Segments that viewers came to: in memory already, or waited for.",
        "found",
        segments,
    )));
}

fn connections(registry: &mut Registry, meter: &Arc<Meter>) {
    registry.register(
        "streamfront_connections_open",
        "RTMP connections now, those included that are being refused",
        meter.open.clone(),
    );
    registry.register(
        "streamfront_connections_accepted",
        "Connections accepted where viewers come, those included that were refused",
        meter.accepted.clone(),
    );
    registry.register(
        "streamfront_streams_open",
        "Message streams in use on all connections",
        meter.streams.clone(),
    );
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_connections_refused",
        "Viewers turned away, by the reason they were told (unheard: closed without a word).",
        "reason",
        counts(meter, Turned::ALL, Turned::word, Meter::turned),
    )));
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_connections_closed",
        "Connections that ended, by who ended them and why (stalled: took no byte for too long).",
        "reason",
        counts(meter, Close::ALL, Close::word, Meter::closed),
    )));
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_violations",
        "Connections closed because the viewer broke the protocol or a limit of it, by where.",
        "kind",
        counts(meter, Fault::ALL, Fault::word, Meter::fault),
    )));
}

fn plays(registry: &mut Registry, meter: &Arc<Meter>) {
    registry.register(
        "streamfront_plays_started",
        "Plays that began, items of playlists and switches included",
        meter.started.clone(),
    );
    registry.register(
        "streamfront_plays_underway",
        "Plays begun and not ended, paused ones included",
        meter.underway.clone(),
    );
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_plays_ended",
        "Plays that ended, by how.",
        "result",
        counts(meter, PlayEnd::ALL, PlayEnd::word, Meter::ended),
    )));
    registry.register(
        "streamfront_signatures_accepted",
        "Signed names that were accepted, at a play, a seek or a question for the length",
        meter.signatures_accepted.clone(),
    );
    registry.register_collector(Box::new(Readings::counters(
        "streamfront_signatures_refused",
        "Names of distributions with trusted signers that were refused, by what is wrong with their \
         signature.",
        "reason",
        counts(meter, SignatureFault::ALL, SignatureFault::word, Meter::signature_refused),
    )));
}

fn waits(registry: &mut Registry, meter: &Arc<Meter>) {
    registry.register(
        "streamfront_first_byte_seconds",
        "From a play command to its first media byte in the viewer's socket",
        meter.first_byte.clone(),
    );
    registry.register(
        "streamfront_seek_seconds",
        "From a seek command to its first media byte in the viewer's socket",
        meter.seek.clone(),
    );
    registry.register(
        "streamfront_backpressure_seconds",
        "Time for which viewers' sockets took nothing while media was due, added when it is over",
        meter.blocked.clone(),
    );
}

/// A word and a reading for each of some counters.
fn counts<T: Copy + Send + Sync + 'static>(
    meter: &Arc<Meter>,
    all: &'static [T],
    word: fn(T) -> &'static str,
    counter: fn(&Meter, T) -> &prometheus_client::metrics::counter::Counter,
) -> impl Iterator<Item = (&'static str, impl Fn() -> f64 + Send + Sync + 'static)> {
    all.iter().map(move |it| {
        let (it, meter) = (*it, Arc::clone(meter));
        (word(it), move || number(counter(&meter, it).get()))
    })
}

/// A count as the format writes it; exact up to 2^53.
pub(super) fn number(count: u64) -> f64 {
    count as f64
}
