//! Numbers that are kept elsewhere and read when the metrics are.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Below this (2^53) every whole number is exact as a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

type Read = Box<dyn Fn() -> f64 + Send + Sync>;

/// A metric whose values are read.
pub struct Readings {
    name: &'static str,
    /// A sentence, with its full stop.
    help: &'static str,
    kind: MetricType,
    values: Values,
}

enum Values {
    One(Read),
    /// One for each value of a label.
    By(&'static str, Vec<(&'static str, Read)>),
}

impl Readings {
    /// Something that goes up and down. `help`: a sentence with its full stop.
    pub fn gauge(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self::one(name, help, MetricType::Gauge, Box::new(read))
    }

    /// Something that only grows; its name without `_total`.
    pub fn counter(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self::one(name, help, MetricType::Counter, Box::new(read))
    }

    /// Something that only grows, told apart by a label.
    pub fn counters<R: Fn() -> f64 + Send + Sync + 'static>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, R)>,
    ) -> Self {
        Self::by(name, help, MetricType::Counter, label, values)
    }

    /// Something that goes up and down, told apart by a label.
    pub fn gauges<R: Fn() -> f64 + Send + Sync + 'static>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, R)>,
    ) -> Self {
        Self::by(name, help, MetricType::Gauge, label, values)
    }

    fn by<R: Fn() -> f64 + Send + Sync + 'static>(
        name: &'static str,
        help: &'static str,
        kind: MetricType,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, R)>,
    ) -> Self {
        let boxed = |(value, read): (&'static str, R)| (value, Box::new(read) as Read);
        Self {
            name,
            help,
            kind,
            values: Values::By(label, values.into_iter().map(boxed).collect()),
        }
    }

    fn one(name: &'static str, help: &'static str, kind: MetricType, read: Read) -> Self {
        Self {
            name,
            help,
            kind,
            values: Values::One(read),
        }
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        match &self.values {
            Values::One(read) => write(self.kind, read(), metric),
            Values::By(label, values) => values.iter().try_for_each(|(value, read)| {
                let labels = [(*label, *value)];
                write(self.kind, read(), metric.encode_family(&labels)?)
            }),
        }
    }
}

fn write(
    kind: MetricType,
    value: f64,
    encoder: prometheus_client::encoding::MetricEncoder,
) -> Result<(), fmt::Error> {
    // A count is written as one: 5, not 5.0.
    let whole = (value.fract() == 0.0 && (0.0..EXACT).contains(&value)).then_some(value as u64);
    match (kind, whole) {
        (MetricType::Counter, Some(count)) => ConstCounter::new(count).encode(encoder),
        (MetricType::Counter, None) => ConstCounter::new(value).encode(encoder),
        (_, Some(count)) => ConstGauge::new(count).encode(encoder),
        (_, None) => ConstGauge::new(value).encode(encoder),
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readings").field(&self.name).finish()
    }
}
