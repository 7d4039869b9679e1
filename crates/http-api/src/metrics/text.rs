//! The two text formats: OpenMetrics 1.0, which the client writes, and the older one of Prometheus, which everything reads.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header;

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>, without exemplars.
    Text,
    /// <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.
    OpenMetrics,
}

impl Format {
    /// What is asked for: OpenMetrics where it is named, else text.
    pub(crate) fn asked(request: &HttpRequest) -> Self {
        let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
        Self::of_accept(accept.unwrap_or_default())
    }

    fn of_accept(accept: &str) -> Self {
        let mut named = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        let is_open = |name: &str| name.eq_ignore_ascii_case("application/openmetrics-text");
        if named.any(is_open) { Self::OpenMetrics } else { Self::Text }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What the client has written, without its end, in this format.
    pub(crate) fn finish(self, mut metrics: String) -> String {
        match self {
            Self::OpenMetrics => {
                metrics.push_str("# EOF\n");
                metrics
            }
            Self::Text => to_text(&metrics),
        }
    }
}

/// In the older format a counter's family is called as its samples are, and there are no exemplars.
fn to_text(metrics: &str) -> String {
    let mut text = String::with_capacity(metrics.len() + 1024);
    let mut lines = metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(help) = line.strip_prefix("# HELP ") else {
            text.push_str(&without_exemplar(line));
            text.push('\n');
            continue;
        };
        // The type comes behind the help, and tells how the family is called.
        let (name, help) = help.split_once(' ').unwrap_or((help, ""));
        let kind = lines.next_if(|line| line.starts_with("# TYPE "));
        let kind = kind.and_then(|line| line.rsplit(' ').next()).unwrap_or("untyped");
        let suffix = if kind == "counter" { "_total" } else { "" };
        text.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
    }
    text
}

fn without_exemplar(line: &str) -> Cow<'_, str> {
    // No label's value has a ` # {`: see `Labels`.
    line.split_once(" # {").map_or(line, |(sample, _)| sample).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "# HELP a Things.\n# TYPE a counter\na_total{of=\"x\"} 3\n# HELP b How long.\n\
        # TYPE b histogram\nb_sum 0.5\nb_count 1\nb_bucket{le=\"1.0\"} 1 # {trace_id=\"4b\"} 0.5 1.7\n\
        # HELP c Now.\n# TYPE c gauge\nc 1\n";

    #[test]
    fn given_open_metrics_when_written_as_text_then_counters_have_their_samples_name_and_there_is_no_exemplar()
     {
        let text = Format::Text.finish(OPEN.to_owned());
        let expected = "# HELP a_total Things.\n# TYPE a_total counter\na_total{of=\"x\"} 3\n\
            # HELP b How long.\n# TYPE b histogram\nb_sum 0.5\nb_count 1\nb_bucket{le=\"1.0\"} 1\n\
            # HELP c Now.\n# TYPE c gauge\nc 1\n";
        assert_eq!(text, expected);
        assert_eq!(Format::OpenMetrics.finish(OPEN.to_owned()), format!("{OPEN}# EOF\n"));
    }

    #[test]
    fn open_metrics_are_given_to_whoever_asks_for_them() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
        assert_eq!(Format::of_accept(prometheus), Format::OpenMetrics);
        for other in ["", "*/*", "text/plain;version=0.0.4", "application/json"] {
            assert_eq!(Format::of_accept(other), Format::Text, "{other}");
        }
    }
}
