//! `GET /metrics`: all counts, in the text format that the scraper asks for.
//!
//! The library writes OpenMetrics. Scrapers that do not ask for it get the classic text format
//! (version 0.0.4), which is the same but for the names on the comment lines of counters, the
//! types that it does not have, and the end mark.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::Api;

const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers the call.
pub(super) async fn answer(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let registry = Arc::clone(&api.metrics);
    // Counting open descriptors takes milliseconds where there are ten thousands.
    let written = tokio::task::spawn_blocking(move || write(&registry)).await;
    let Some(text) = written.ok().flatten() else {
        tracing::error!("the metrics cannot be written");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if wants_open(&headers) {
        ([(header::CONTENT_TYPE, OPEN)], text).into_response()
    } else {
        ([(header::CONTENT_TYPE, CLASSIC)], classic(&text)).into_response()
    }
}

fn write(registry: &Registry) -> Option<String> {
    let mut text = String::new();
    encode(&mut text, registry).ok()?;
    Some(text)
}

/// Whether OpenMetrics is asked for, and not less than the classic format (RFC 9110, 12.5.1).
fn wants_open(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT);
    let accepts = accepts.iter().filter_map(|value| value.to_str().ok());
    let (mut open, mut plain) = (0.0, 0.0);
    for range in accepts.flat_map(|value| value.split(',')) {
        let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = weight(parameters);
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/openmetrics-text" => open = weight.max(open),
            "text/plain" => plain = weight.max(plain),
            _ => {}
        }
    }
    open > 0.0 && open >= plain
}

fn weight(parameters: &str) -> f64 {
    let weight = parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("q="));
    weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0))
}

/// OpenMetrics as the classic text format.
fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            // It stands before the line that tells how the name is written.
            (Some("#"), Some("HELP"), Some(name), about) => help = Some((name, about)),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                if let Some((_, about)) = help.take().filter(|(of, _)| *of == name) {
                    let about = about.unwrap_or_default();
                    text.push_str(&format!("# HELP {name}{suffix} {about}\n"));
                }
                text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
            }
            (Some("#"), ..) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::Unit;

    fn registry() -> Registry {
        let mut registry = Registry::with_prefix("x");
        let counter: Counter = Counter::default();
        counter.inc();
        registry.register("plays", "Plays that # TYPE began", counter);
        let gauge: Gauge = Gauge::default();
        registry.register_with_unit("held", "Held", Unit::Bytes, gauge);
        registry.register("wait", "Waits", Histogram::new([1.0]));
        registry.register("build", "Build", Info::new([("version", "1")]));
        registry
    }

    #[test]
    fn the_classic_format_names_counters_as_they_are_sampled() {
        let expected = "\
# HELP x_plays_total Plays that # TYPE began.
# TYPE x_plays_total counter
x_plays_total 1
# HELP x_held_bytes Held.
# TYPE x_held_bytes gauge
x_held_bytes 0
# HELP x_wait Waits.
# TYPE x_wait histogram
x_wait_sum 0.0
x_wait_count 0
x_wait_bucket{le=\"1.0\"} 0
x_wait_bucket{le=\"+Inf\"} 0
# HELP x_build_info Build.
# TYPE x_build_info gauge
x_build_info{version=\"1\"} 1
";
        let open = write(&registry()).unwrap();
        assert!(open.ends_with("# EOF\n") && open.contains("# TYPE x_plays counter\n"));
        assert_eq!(classic(&open), expected);
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            wants_open(&headers)
        };
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
            "text/html, Application/OpenMetrics-Text; q=0.9",
        ] {
            assert!(wants(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;q=0.1,text/plain;q=0.2",
            "application/openmetrics-textual",
        ] {
            assert!(!wants(accept), "{accept}");
        }
        assert!(!wants_open(&HeaderMap::new()));
    }
}
