//! Families whose samples are read when they are asked for.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Names and values. Values are names of shops, sinks, types and the like, which have no character that would have to be
/// escaped.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// One number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(i64),
    Seconds(f64),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Whole(i64::from(is))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<Duration> for Value {
    fn from(duration: Duration) -> Self {
        Self::Seconds(duration.as_secs_f64())
    }
}

/// An age or a time in milliseconds, in seconds.
pub(crate) fn seconds(ms: i64) -> Value {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0)).into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    samples: Vec<(Labels, Value)>,
}

/// Families, in their order.
#[derive(Debug, Default)]
pub(crate) struct Page(Vec<Family>);

impl Page {
    pub(crate) fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, Value)>,
    ) {
        self.0.push(Family { name, help, kind: Kind::Gauge, samples: samples.into_iter().collect() });
    }

    /// What only rises. Its name has no `_total`: the format adds it.
    pub(crate) fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, Value)>,
    ) {
        self.0.push(Family { name, help, kind: Kind::Counter, samples: samples.into_iter().collect() });
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, help, kind, samples } in &self.0 {
            let kind_of = match kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind_of)?;
            for (labels, value) in samples {
                if labels.is_empty() {
                    write(&mut family, *kind, *value)?;
                } else {
                    write(&mut family.encode_family(labels)?, *kind, *value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(sample: &mut MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Gauge, Value::Whole(number)) => sample.encode_gauge(&number),
        (Kind::Gauge, Value::Seconds(seconds)) => sample.encode_gauge(&seconds),
        (Kind::Counter, Value::Whole(number)) => {
            let number = u64::try_from(number).unwrap_or(0);
            sample.encode_counter::<NoLabelSet, _, u64>(&number, None)
        }
        (Kind::Counter, Value::Seconds(seconds)) => {
            sample.encode_counter::<NoLabelSet, _, f64>(&seconds, None)
        }
    }
}
