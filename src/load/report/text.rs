//! The report for a terminal: one screen, aligned, units beside the figures.

use std::fmt::Write;

use super::{Percentiles, Report, Window};

/// The report as text.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(report, &mut text);
    text
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    head(report, out)?;
    players(report, out)?;
    writeln!(
        out,
        "\nlatency, ms          p50       p90       p99      max        n"
    )?;
    let latency = &report.latency_ms;
    percentiles(out, "connect", &latency.connect)?;
    percentiles(out, "first byte", &latency.first_byte)?;
    percentiles(out, "seek", &latency.seek)?;
    percentiles(out, "to the end", &latency.complete)?;
    writeln!(
        out,
        "\n                 seconds  Gbit/s        GB   server CPU  per GB     tool CPU  per GB"
    )?;
    window(out, "whole run", &report.whole)?;
    match &report.steady {
        Some(steady) => window(out, "steady", steady)?,
        None => writeln!(
            out,
            "  steady         (no second in which nearly all players played)"
        )?,
    }
    memory(report, out)
}

fn head(report: &Report, out: &mut String) -> std::fmt::Result {
    let asked = &report.asked;
    let pace = if asked.unpaced {
        "unpaced".to_owned()
    } else {
        format!("{} ms of client buffer", asked.buffer_ms)
    };
    let what = match asked.targets.as_slice() {
        [one] => one.clone(),
        [first, ..] => format!("{first} and {} more", asked.targets.len() - 1),
        [] => String::new(),
    };
    writeln!(out, "{what}")?;
    let early = if report.interrupted {
        ", stopped early"
    } else {
        ""
    };
    writeln!(
        out,
        "{} players over {:.1} s, then {:.0} s; {pace}; start {}{early}\n",
        asked.players, asked.ramp_seconds, asked.duration_seconds, asked.start
    )
}

fn players(report: &Report, out: &mut String) -> std::fmt::Result {
    let players = &report.players;
    writeln!(
        out,
        "players    {} started, {} played, {} saw the end, {} stopped, {} failed",
        players.started, players.played, players.ended, players.stopped, players.failed
    )?;
    writeln!(
        out,
        "           {} plays, {} seeks, {} pauses",
        players.plays, players.seeks, players.pauses
    )?;
    let underruns = &report.underruns;
    writeln!(
        out,
        "underruns  {} in {} players, {} ms in all",
        underruns.count, underruns.players, underruns.stalled_ms
    )?;
    writeln!(
        out,
        "bytes      {} of media in {} messages, {} on the wire",
        report.bytes.media, report.bytes.messages, report.bytes.wire
    )?;
    for error in &report.errors {
        writeln!(
            out,
            "error      {} x {}: {}",
            error.count, error.kind, error.example
        )?;
    }
    Ok(())
}

fn percentiles(out: &mut String, name: &str, times: &Percentiles) -> std::fmt::Result {
    if times.count == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "  {name:<12} {:>9.2} {:>9.2} {:>9.2} {:>8.1} {:>8}",
        times.p50, times.p90, times.p99, times.max, times.count
    )
}

fn window(out: &mut String, name: &str, window: &Window) -> std::fmt::Result {
    write!(
        out,
        "  {name:<12} {:>9.2} {:>7.3} {:>9.3}",
        window.seconds,
        window.gbit_per_second,
        window.media_bytes as f64 / 1e9
    )?;
    for cpu in [window.server, Some(window.tool)] {
        match cpu {
            Some(cpu) => {
                let per_gb = cpu.seconds_per_gb.map(|it| format!("{it:.3} s"));
                let per_gb = per_gb.unwrap_or_else(|| "-".to_owned());
                write!(out, " {:>11.1}% {per_gb:>8}", cpu.percent)?;
            }
            None => write!(out, " {:>12} {:>8}", "-", "-")?,
        }
    }
    writeln!(out)
}

fn memory(report: &Report, out: &mut String) -> std::fmt::Result {
    let Some(memory) = &report.memory else {
        return Ok(());
    };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    writeln!(
        out,
        "\nserver memory  {:.1} MiB before, {:.1} MiB with {} players: {:.1} KiB a player ({:.1} KiB anonymous); {} descriptors",
        mib(memory.before.rss),
        mib(memory.full.rss),
        memory.players,
        memory.rss_bytes_per_player / 1024.0,
        memory.rss_anon_bytes_per_player / 1024.0,
        memory.full.descriptors
    )
}
