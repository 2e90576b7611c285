//! The report as one HTML page: figures, plots, tables. It needs no network and no script, and is
//! light or dark as the reader's system is.

use super::plot::{COLOURS, GRID, INK, Plot};
use super::{Percentiles, Report, Sample, Window};

/// Over how long a time rates are taken, seconds: processor time comes in hundredths.
const SMOOTH: f64 = 1.0;

const STYLE: &str = "
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1d2330;--soft:#667085;--grid:#e6e9ef;--line:#d9dee7;--bad:#c62f2f}
@media(prefers-color-scheme:dark){:root{--page:#12151b;--card:#1b2029;--ink:#e7eaf0;--soft:#98a2b3;--grid:#2b323e;--line:#333b49;--bad:#ff7b72}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:20px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:15px;margin:0 0 6px}
p{margin:0 0 18px;color:var(--soft)}
.grid{display:grid;gap:14px;margin-bottom:14px}
.figures{grid-template-columns:repeat(auto-fit,minmax(120px,1fr))}
.plots{grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;min-width:0}
.figure b{display:block;font-size:24px;font-weight:600;font-variant-numeric:tabular-nums}
.figure span{color:var(--soft);font-size:13px}.bad b{color:var(--bad)}
svg{display:block;width:100%;height:auto}
.key{font-size:13px;color:var(--soft);margin:0}.key i{display:inline-block;width:14px;height:3px;margin:0 6px 3px 0}.key span{margin-right:16px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:600;color:var(--soft);font-size:13px}
th:first-child,td:first-child{text-align:left;padding-left:0}
td.text{text-align:left;white-space:normal;overflow-wrap:anywhere}tr:last-child td{border-bottom:0}
";

/// The report as a page.
pub fn render(report: &Report) -> String {
    let title = format!("{} players", report.asked.players);
    [
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">".to_owned(),
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">".to_owned(),
        format!("<title>{title} · streamfront bench</title><style>{STYLE}"),
        recolour(),
        "</style></head><body><main>\n".to_owned(),
        head(report),
        figures(report),
        plots(report),
        latencies(report),
        windows(report),
        players(report),
        errors(report),
        "</main></body></html>\n".to_owned(),
    ]
    .concat()
}

/// Rules that give the drawings the page's colours.
fn recolour() -> String {
    let hex = |colour: plotters::style::RGBColor| {
        let (red, green, blue) = (colour.0, colour.1, colour.2);
        format!("#{red:02X}{green:02X}{blue:02X}")
    };
    [(INK, "ink"), (GRID, "grid")]
        .map(|(colour, name)| {
            let hex = hex(colour);
            format!(
                "svg [fill=\"{hex}\"]{{fill:var(--{name})}}svg [stroke=\"{hex}\"]{{stroke:var(--{name})}}\n"
            )
        })
        .concat()
}

fn head(report: &Report) -> String {
    let asked = &report.asked;
    let first = asked.targets.first().map_or("", String::as_str);
    let more = match asked.targets.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let pace = if asked.unpaced {
        "unpaced".to_owned()
    } else {
        format!("{} ms of client buffer", asked.buffer_ms)
    };
    let early = if report.interrupted {
        " Stopped early."
    } else {
        ""
    };
    format!(
        "<h1>{}{more}</h1><p>{} players over {:.1} s, then {:.0} s; {pace}; start {}. {} on {} cores, seed {}.{early}</p>\n",
        escape(first),
        asked.players,
        asked.ramp_seconds,
        asked.duration_seconds,
        escape(&asked.start),
        escape(&report.tool),
        report.cores,
        asked.seed,
    )
}

fn figures(report: &Report) -> String {
    let window = report.steady.as_ref().unwrap_or(&report.whole);
    let span = if report.steady.is_some() {
        "steady"
    } else {
        "whole run"
    };
    let mut list = vec![
        figure(
            &format!("{:.2}", window.gbit_per_second),
            &format!("Gbit/s, {span}"),
            false,
        ),
        figure(&report.players.played.to_string(), "players played", false),
        figure(
            &format!("{:.1} ms", report.latency_ms.first_byte.p50),
            &format!("first byte; p99 {:.1} ms", report.latency_ms.first_byte.p99),
            false,
        ),
    ];
    if let Some(server) = window.server {
        let per_gb = server.seconds_per_gb;
        let text = per_gb.map_or("–".to_owned(), |seconds| format!("{seconds:.3} s"));
        list.push(figure(&text, &format!("server CPU per GB, {span}"), false));
        list.push(figure(
            &format!("{:.0} %", server.percent),
            "server CPU, of one core",
            false,
        ));
    }
    if let Some(memory) = &report.memory {
        let text = format!("{:.1} KiB", memory.rss_bytes_per_player / 1024.0);
        list.push(figure(&text, "server memory per player", false));
    }
    let (dry, failed) = (report.underruns.count, report.players.failed);
    list.push(figure(&dry.to_string(), "underruns", dry > 0));
    list.push(figure(&failed.to_string(), "players failed", failed > 0));
    format!("<div class=\"grid figures\">{}</div>\n", list.concat())
}

fn figure(value: &str, what: &str, bad: bool) -> String {
    let class = if bad { " bad" } else { "" };
    let (value, what) = (escape(value), escape(what));
    format!("<div class=\"card figure{class}\"><b>{value}</b><span>{what}</span></div>")
}

fn plots(report: &Report) -> String {
    let samples = &report.samples;
    let over_time = |y, lines| Plot {
        x: "time, s",
        y,
        log: false,
        lines,
    };
    let wire = rate(samples, |sample| Some(sample.wire_bytes as f64 * 8e-9));
    let at = |get: fn(&Sample) -> u64| samples.iter().map(|s| (s.at, get(s) as f64)).collect();
    let server = rate(samples, |it| it.server.map(|seen| 100.0 * seen.cpu_seconds));
    let tool = rate(samples, |it| Some(100.0 * it.tool_cpu_seconds));
    let mut cards = vec![
        plot(
            "Throughput",
            &["on the wire"],
            &over_time("Gbit/s", vec![wire]),
        ),
        plot(
            "Players",
            &["started", "playing", "ended"],
            &over_time(
                "players",
                vec![at(|s| s.started), at(|s| s.playing), at(|s| s.ended)],
            ),
        ),
        latency_plot(report),
        plot(
            "Processor time",
            &["server", "this tool"],
            &over_time("% of one core", vec![server, tool]),
        ),
        plot(
            "Underruns",
            &["underruns so far"],
            &over_time("count", vec![at(|s| s.underruns)]),
        ),
    ];
    if report.memory.is_some() {
        let memory = samples.iter().filter_map(|sample| {
            let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            sample.server.map(|seen| (sample.at, mebibytes(seen.rss)))
        });
        let lines = vec![memory.collect()];
        cards.push(plot(
            "Server memory",
            &["resident"],
            &over_time("MiB", lines),
        ));
    }
    format!("<div class=\"grid plots\">{}</div>\n", cards.concat())
}

fn latency_plot(report: &Report) -> String {
    let curves = &report.latency_curves_ms;
    let named = [
        ("connect", &curves.connect),
        ("first byte", &curves.first_byte),
        ("seek", &curves.seek),
    ];
    let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    // A hundredth of a millisecond is below what can be told, and has a logarithm.
    let line = |curve: &[(f64, f64)]| {
        let points = curve.iter();
        points
            .map(|(share, millis)| (millis.max(0.01).log10(), *share))
            .collect()
    };
    let plot_ = Plot {
        x: "ms, logarithmic",
        y: "% answered within",
        log: true,
        lines: named.iter().map(|(_, curve)| line(curve)).collect(),
    };
    plot("Latency", &names, &plot_)
}

fn plot(title: &str, names: &[&str], plot: &Plot) -> String {
    let drawn = names.iter().zip(&plot.lines).zip(COLOURS.iter().cycle());
    let key: String = drawn
        .filter(|((_, points), _)| !points.is_empty())
        .map(|((name, _), colour)| {
            let (red, green, blue) = (colour.0, colour.1, colour.2);
            format!("<span><i style=\"background:rgb({red},{green},{blue})\"></i>{name}</span>")
        })
        .collect();
    let svg = plot.svg();
    format!("<section class=\"card\"><h2>{title}</h2>{svg}<p class=\"key\">{key}</p></section>\n")
}

/// Growth in a second of what is added up, at each sample, over the second before it.
fn rate(samples: &[Sample], get: impl Fn(&Sample) -> Option<f64>) -> Vec<(f64, f64)> {
    let mut from = 0;
    let mut points = Vec::new();
    for (index, sample) in samples.iter().enumerate().skip(1) {
        let is_old = |at: usize| {
            samples
                .get(at)
                .is_some_and(|it| it.at + SMOOTH <= sample.at)
        };
        while from + 1 < index && is_old(from + 1) {
            from += 1;
        }
        let Some(before) = samples.get(from) else {
            continue;
        };
        let seconds = sample.at - before.at;
        if let Some((then, now)) = get(before).zip(get(sample))
            && seconds > 0.0
        {
            points.push((sample.at, (now - then).max(0.0) / seconds));
        }
    }
    points
}

fn latencies(report: &Report) -> String {
    let latency = &report.latency_ms;
    let row = |name: &str, times: &Percentiles| {
        if times.count == 0 {
            return String::new();
        }
        let cells = [
            times.min, times.mean, times.p50, times.p90, times.p99, times.p999, times.max,
        ];
        let cells = cells.map(|millis| format!("<td>{millis:.2}</td>")).concat();
        format!("<tr><td>{name}</td>{cells}<td>{}</td></tr>", times.count)
    };
    let rows = [
        row("connect", &latency.connect),
        row("first byte", &latency.first_byte),
        row("seek", &latency.seek),
        row("to the end", &latency.complete),
    ];
    let columns = ["min", "mean", "p50", "p90", "p99", "p99.9", "max", "count"];
    table("Latency, ms", &columns, &rows.concat())
}

fn windows(report: &Report) -> String {
    let row = |name: &str, window: &Window| {
        let cpu = [window.server, Some(window.tool)]
            .map(|cpu| match cpu {
                Some(cpu) => {
                    let per_gb = cpu.seconds_per_gb;
                    let per_gb = per_gb.map_or("–".to_owned(), |it| format!("{it:.3}"));
                    format!(
                        "<td>{:.2}</td><td>{:.1}</td><td>{per_gb}</td>",
                        cpu.seconds, cpu.percent
                    )
                }
                None => "<td>–</td><td>–</td><td>–</td>".to_owned(),
            })
            .concat();
        format!(
            "<tr><td>{name}</td><td>{:.2}</td><td>{:.3}</td><td>{:.3}</td>{cpu}</tr>",
            window.seconds,
            window.gbit_per_second,
            window.media_bytes as f64 / 1e9
        )
    };
    let steady = report.steady.as_ref().map(|window| row("steady", window));
    let rows = row("whole run", &report.whole) + &steady.unwrap_or_default();
    let columns = [
        "s",
        "Gbit/s",
        "GB of media",
        "server CPU, s",
        "%",
        "s per GB",
        "tool CPU, s",
        "%",
        "s per GB",
    ];
    table("Throughput and processor time", &columns, &rows)
}

fn players(report: &Report) -> String {
    let players = &report.players;
    let cells = [
        players.started,
        players.connected,
        players.played,
        players.ended,
        players.stopped,
        players.failed,
        players.plays,
        players.seeks,
        players.pauses,
        report.underruns.count,
        report.underruns.players,
        report.underruns.stalled_ms,
    ];
    let cells = cells.map(|count| format!("<td>{count}</td>")).concat();
    let columns = [
        "started",
        "connected",
        "played",
        "saw the end",
        "stopped",
        "failed",
        "plays",
        "seeks",
        "pauses",
        "underruns",
        "players that had any",
        "ms stood still",
    ];
    table("Players", &columns, &format!("<tr><td></td>{cells}</tr>"))
}

fn errors(report: &Report) -> String {
    if report.errors.is_empty() {
        return String::new();
    }
    let row = |error: &super::ErrorCount| {
        let (kind, example) = (escape(&error.kind), escape(&error.example));
        let count = error.count;
        format!("<tr><td>{kind}</td><td>{count}</td><td class=\"text\">{example}</td></tr>")
    };
    let rows: String = report.errors.iter().map(row).collect();
    table("Errors", &["count", "the first said"], &rows)
}

fn table(title: &str, columns: &[&str], rows: &str) -> String {
    let heads: String = columns.iter().map(|it| format!("<th>{it}</th>")).collect();
    format!(
        "<section class=\"card\" style=\"margin-bottom:14px\"><h2>{title}</h2><div class=\"wide\"><table><tr><th></th>{heads}</tr>{rows}</table></div></section>\n"
    )
}

/// Text that others wrote, as text of the page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn a_page_stands_alone_and_trusts_nobody() {
        let page = render(&report());
        for foreign in ["<script", "src=", "<link", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        // The only addresses are those of the run and of the SVG name space.
        let addresses = page.matches("http").count();
        assert_eq!(
            addresses,
            page.matches("http://www.w3.org/2000/svg").count()
        );
        assert!(page.contains("&lt;b&gt; said no") && !page.contains("<b> said no"));
        assert_eq!(page.matches("<svg").count(), 6);
        // Drawings carry the marker colours that the style replaces.
        assert!(page.matches("\"#010203\"").count() > 10, "{page}");
        assert!(page.contains("svg [fill=\"#010203\"]"));
    }

    #[test]
    fn rates_are_taken_over_a_second() {
        let sample = |at: f64, wire_bytes| Sample {
            at,
            wire_bytes,
            ..Sample::default()
        };
        let samples: Vec<Sample> = (0..9_u32)
            .map(|step| sample(f64::from(step) * 0.25, u64::from(step * step)))
            .collect();
        let rates = rate(&samples, |sample| Some(sample.wire_bytes as f64));
        assert_eq!(rates.len(), 8);
        assert_eq!(rates[0], (0.25, 4.0));
        assert_eq!(rates[7], (2.0, 64.0 - 16.0));
        assert!(rate(&samples[..1], |_| Some(0.0)).is_empty());
    }
}
