//! The text that Prometheus scrapes, read as strictly as its format is written (versions 0.0.4 and
//! OpenMetrics 1.0.0): anything else fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::http;

/// Looks before a test gives up waiting for a count: a minute.
const LOOKS: u32 = 600;

/// All samples: name with labels as written -> value.
#[derive(Debug, Default)]
pub struct Metrics {
    pub samples: BTreeMap<String, f64>,
    /// Family -> type.
    pub families: BTreeMap<String, String>,
}

impl Metrics {
    /// What the server says now.
    pub fn of(api: SocketAddr) -> Self {
        let answer = http::get(api, "/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        Self::parse(&answer.text(), false)
    }

    /// What it says as soon as `done` accepts it: counts follow what was seen by a moment.
    pub fn until(api: SocketAddr, what: &str, done: impl Fn(&Self) -> bool) -> Self {
        let mut last = Self::of(api);
        for _ in 0..LOOKS {
            if done(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(100));
            last = Self::of(api);
        }
        panic!("never {what}: {:#?}", last.samples);
    }

    /// The value of a sample, named with its labels.
    pub fn get(&self, name: &str) -> f64 {
        let value = self.samples.get(name);
        *value.unwrap_or_else(|| panic!("no {name} among {:#?}", self.samples.keys()))
    }

    /// The sum over all labels of a name.
    pub fn sum(&self, name: &str) -> f64 {
        let of = self
            .samples
            .iter()
            .filter(|(sample, _)| sample.split('{').next() == Some(name));
        let values: Vec<f64> = of.map(|(_, value)| *value).collect();
        assert!(!values.is_empty(), "no {name}");
        values.iter().sum()
    }

    /// Reads a text; `open`: as OpenMetrics.
    pub fn parse(text: &str, open: bool) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        assert_eq!(text.ends_with("# EOF\n"), open, "the end mark");
        let mut metrics = Self::default();
        let mut helped = BTreeSet::new();
        let mut family = String::new();
        for line in text.lines() {
            if line == "# EOF" {
                continue;
            }
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, about) = rest.split_once(' ').expect("HELP has a text");
                assert!(!about.is_empty() && is_name(name), "{line}");
                assert!(helped.insert(name.to_owned()), "HELP twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("TYPE has a type");
                let kinds = ["counter", "gauge", "histogram", "info"];
                assert!(kinds.contains(&kind) && (open || kind != "info"), "{line}");
                assert!(helped.contains(name), "no HELP before {line}");
                let before = metrics.families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "TYPE twice: {line}");
                assert!(
                    open || kind != "counter" || name.ends_with("_total"),
                    "{line}"
                );
                name.clone_into(&mut family);
            } else {
                assert!(!line.starts_with('#') && !line.is_empty(), "{line:?}");
                metrics.sample(line, &family, open);
            }
        }
        metrics.check_histograms();
        metrics
    }

    fn sample(&mut self, line: &str, family: &str, open: bool) {
        let (sample, value) = line.rsplit_once(' ').expect("a sample has a value");
        let (name, labels) = sample.strip_suffix('}').map_or((sample, ""), |sample| {
            sample.split_once('{').expect("labels open")
        });
        assert!(is_name(name), "{line}");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once("=\"").expect("a label has a value");
            let value = value.strip_suffix('"').expect("it is quoted");
            assert!(is_name(label) && !value.contains(['"', '\\']), "{line}");
        }
        let kind = self.families.get(family).expect("TYPE stands before");
        let suffixes: &[&str] = match (kind.as_str(), open) {
            ("histogram", _) => &["_sum", "_count", "_bucket"],
            ("counter", true) => &["_total"],
            ("info", true) => &["_info"],
            _ => &[""],
        };
        let own = suffixes
            .iter()
            .any(|suffix| format!("{family}{suffix}") == name);
        assert!(own, "{line} does not belong to {family}");
        let value: f64 = value.parse().expect("a number");
        assert!(value.is_finite() && value >= 0.0, "{line}");
        let before = self.samples.insert(sample.to_owned(), value);
        assert_eq!(before, None, "twice: {line}");
    }

    fn check_histograms(&self) {
        let histograms = self
            .families
            .iter()
            .filter(|(_, kind)| *kind == "histogram");
        for (name, _) in histograms {
            let prefix = format!("{name}_bucket{{le=\"");
            let buckets = self.samples.iter().filter_map(|(sample, count)| {
                let edge = sample.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                Some((edge.parse::<f64>().expect("an edge"), *count))
            });
            let mut buckets: Vec<(f64, f64)> = buckets.collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(
                buckets.is_sorted_by(|a, b| a.1 <= b.1),
                "{name}: {buckets:?}"
            );
            let (edge, all) = *buckets.last().expect("buckets");
            assert_eq!(
                (edge, all),
                (f64::INFINITY, self.get(&format!("{name}_count")))
            );
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '_')
}
