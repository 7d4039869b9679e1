//! What was found, for programs and for people.

use serde::Serialize;
use serde_json::{Map, Value, json};

use clap::ValueEnum;

use crate::bench::Profile;
use crate::bench::figures::{Quantiles, median, rounded};
use crate::bench::plot::Plot;
use crate::output::{self, Column, Format};

/// What a profile found: its figures by name, how far those of the rounds lie apart, and the curves that it has.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    values: Map<String, Value>,
    spread: Map<String, Value>,
    conditions: Map<String, Value>,
    plot: Option<Plot>,
}

impl Findings {
    /// What has a shape of its own.
    pub(crate) fn of(figures: &impl Serialize) -> anyhow::Result<Self> {
        let values = match serde_json::to_value(figures)? {
            Value::Object(values) => values,
            value => Map::from_iter([("figures".to_owned(), value)]),
        };
        Ok(Self { values, ..Self::default() })
    }

    /// Something by its name.
    pub(crate) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// What it was measured with beside what every profile says.
    pub(crate) fn condition(&mut self, name: &str, value: impl Into<Value>) {
        self.conditions.insert(name.to_owned(), value.into());
    }

    /// The median, and the least and the most; null where nothing was measured.
    pub(crate) fn add(&mut self, name: &str, figures: &[f64], digits: u32) {
        let value = if figures.is_empty() { Value::Null } else { number(median(figures), digits) };
        self.put(name, value);
        self.note_spread(name, figures, digits);
    }

    /// Half and all but a hundredth, each of every round.
    pub(crate) fn quantiles(&mut self, name: &str, rounds: &[Quantiles]) {
        let mut both = Map::new();
        let mut part = |label: &str, of: fn(&Quantiles) -> f64| {
            let figures: Vec<f64> = rounds.iter().map(of).collect();
            both.insert(label.to_owned(), number(median(&figures), 2));
            self.note_spread(&format!("{name}.{label}"), &figures, 2);
        };
        part("p50", |quantiles| quantiles.p50);
        part("p99", |quantiles| quantiles.p99);
        self.put(name, both);
    }

    /// What is drawn.
    pub(crate) fn draw(&mut self, plot: Plot) {
        self.plot = Some(plot);
    }

    fn note_spread(&mut self, name: &str, figures: &[f64], digits: u32) {
        if !figures.is_empty() {
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            self.spread.insert(name.to_owned(), json!([number(least, digits), number(most, digits)]));
        }
    }
}

/// The result.
#[derive(Debug)]
pub(crate) struct Report {
    values: Map<String, Value>,
    plot: Option<Plot>,
}

impl Report {
    /// What was found by whom, and on what.
    pub(crate) fn new(profile: Profile, found: Findings, machine: Map<String, Value>) -> Self {
        let Findings { mut values, spread, conditions, plot } = found;
        let name = profile.to_possible_value().map(|value| value.get_name().to_owned());
        values.insert("profile".to_owned(), json!(name));
        values.insert("spread".to_owned(), Value::Object(spread));
        values.insert("conditions".to_owned(), machine.into_iter().chain(conditions).collect());
        Self { values, plot }
    }

    /// Its curves.
    pub(crate) fn plot(&self) -> Option<&Plot> {
        self.plot.as_ref()
    }

    /// Prints it.
    pub(crate) fn show(self, format: Format) -> anyhow::Result<()> {
        let value = Value::Object(self.values);
        if format != Format::Table {
            return output::one(format, &value);
        }
        let mut rows = Vec::new();
        flatten("", &value, &mut rows);
        let spread = value["spread"].as_object().cloned().unwrap_or_default();
        let rows: Vec<Value> = rows
            .into_iter()
            .filter(|(name, _)| !name.starts_with("spread."))
            .map(|(name, shown)| {
                let range = spread.get(&name).map(|range| format!("{} .. {}", range[0], range[1]));
                json!({ "what": name, "median": shown, "rounds": range })
            })
            .collect();
        let columns = [
            Column::text("WHAT", "what"),
            Column::number("MEDIAN", "median"),
            Column::text("LEAST .. MOST OF THE ROUNDS", "rounds"),
        ];
        output::rows(format, &rows, &columns)
    }
}

/// To so many digits behind the point; without any, whole.
pub(crate) fn number(figure: f64, digits: u32) -> Value {
    let figure = rounded(figure, digits);
    if digits == 0 { json!(figure as i64) } else { json!(figure) }
}

/// Every figure by the names that lead to it; of a list, objects by their places.
fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, Value)>) {
    let below = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                flatten(&below(name), value, rows);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (place, value) in list.iter().enumerate() {
                flatten(&below(&place.to_string()), value, rows);
            }
        }
        Value::Null => rows.push((prefix.to_owned(), json!("not measured"))),
        value => rows.push((prefix.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_null_and_has_no_spread() {
        let mut found = Findings::default();
        found.add("baseline_tps", &[], 0);
        found.add("ingest_per_s", &[3.0, 1.0, 2.0], 0);
        assert_eq!(found.values["baseline_tps"], Value::Null);
        assert_eq!(found.values["ingest_per_s"], json!(2));
        assert_eq!(Value::Object(found.spread), json!({"ingest_per_s": [1, 3]}));
    }

    #[test]
    fn people_are_shown_every_figure_by_its_name() {
        let mut rows = Vec::new();
        flatten("", &json!({"a": {"b": 1}, "c": [{"d": null}, {"d": 2}], "e": [3, 4]}), &mut rows);
        let rows: Vec<(&str, Value)> =
            rows.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let wanted =
            [("a.b", json!(1)), ("c.0.d", json!("not measured")), ("c.1.d", json!(2)), ("e", json!([3, 4]))];
        assert_eq!(rows, wanted);
    }
}
