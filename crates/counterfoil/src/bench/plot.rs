//! Curves, as SVG.

use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;

const SIZE: (u32, u32) = (900, 540);
/// Told apart also by those who do not see red and green (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// What is drawn: lines over one axis, which begins at 0 upwards.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) across: String,
    pub(crate) upwards: String,
    /// Whether each step across is ten times the last.
    pub(crate) is_logarithmic: bool,
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot {
    /// Writes it.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let svg = self.to_svg().context("the plot cannot be drawn")?;
        std::fs::write(file, svg).with_context(|| file.display().to_string())
    }

    fn to_svg(&self) -> anyhow::Result<String> {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let least = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
        let most = points().map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
        anyhow::ensure!(least.is_finite() && most.is_finite(), "there is nothing to draw");
        // One place needs some room around it too.
        let most = if most > least { most } else { least * 2.0 + 1.0 };
        let top = points().map(|(_, y)| *y).fold(0.0, f64::max).max(f64::MIN_POSITIVE) * 1.1;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area);
            chart.caption(&self.title, ("sans-serif", 20)).margin(16);
            chart.x_label_area_size(44).y_label_area_size(64);
            // The two axes have types of their own, and so the charts on them.
            macro_rules! draw {
                ($chart:expr) => {{
                    let mut chart = $chart;
                    chart
                        .configure_mesh()
                        .x_desc(&self.across)
                        .y_desc(&self.upwards)
                        .light_line_style(WHITE)
                        .draw()?;
                    for ((name, points), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
                        let drawn = chart
                            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
                        let colour = *colour;
                        drawn.label(name).legend(move |(x, y)| {
                            PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                        });
                        chart.draw_series(
                            points.iter().map(|point| Circle::new(*point, 3, colour.filled())),
                        )?;
                    }
                    chart
                        .configure_series_labels()
                        .position(SeriesLabelPosition::LowerRight)
                        .background_style(WHITE.mix(0.8))
                        .border_style(BLACK)
                        .draw()?;
                }};
            }
            if self.is_logarithmic {
                draw!(chart.build_cartesian_2d((least..most).log_scale(), 0.0..top)?);
            } else {
                draw!(chart.build_cartesian_2d(least..most, 0.0..top)?);
            }
            area.present()?;
        }
        Ok(svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[(f64, f64)], is_logarithmic: bool) -> Plot {
        Plot {
            title: "Cost".to_owned(),
            across: "events".to_owned(),
            upwards: "times".to_owned(),
            is_logarithmic,
            lines: vec![("processor <time>".to_owned(), points.to_vec())],
        }
    }

    #[test]
    fn a_plot_is_svg_with_its_words_escaped() {
        for is_logarithmic in [false, true] {
            let svg = plot(&[(1e5, 1.0), (1e6, 1.1), (1e7, 1.2)], is_logarithmic).to_svg().unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
            assert!(svg.contains("events") && svg.contains("processor &lt;time&gt;"), "{svg}");
        }
    }

    #[test]
    fn one_point_is_drawn_and_none_is_said() {
        assert!(plot(&[(1e5, 0.0)], true).to_svg().is_ok());
        assert!(plot(&[], false).to_svg().unwrap_err().to_string().contains("nothing to draw"));
    }
}
