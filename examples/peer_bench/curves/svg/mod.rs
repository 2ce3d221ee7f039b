//! A chart as a picture: axes with their ticks, and for each line its band, its points and its name.

use super::chart::{Axis, Chart, Point, Scale};
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 84.0;

/// Told apart by people who see fewer colours, too.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// The picture, or what is wrong with the chart.
pub(super) fn draw(chart: &Chart) -> Result<String, String> {
    chart.check()?;
    if chart.series.len() > COLOURS.len() {
        return Err(format!("more than {} lines", COLOURS.len()));
    }
    let points = || chart.series.iter().flat_map(|(_, points)| points);
    let x = Ruler::new(
        chart.x,
        points().map(|point| point.x),
        (LEFT, WIDTH - RIGHT),
    );
    let ys = points().flat_map(|point| [point.least, point.most]);
    let y = Ruler::new(chart.y, ys, (HEIGHT - BOTTOM, TOP));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    text(
        &mut svg,
        (WIDTH / 2.0, 26.0),
        "middle",
        &chart.title,
        " font-size=\"16\"",
    );
    axes(&mut svg, chart, &x, &y);
    for (at, (name, points)) in chart.series.iter().enumerate() {
        let colour = COLOURS[at];
        line(&mut svg, (name, points), colour, &x, &y);
        let left = LEFT + at as f64 * (WIDTH - LEFT - RIGHT) / chart.series.len() as f64;
        let middle = HEIGHT - 14.0;
        put(
            &mut svg,
            format!(
                "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>",
                middle - 6.0
            ),
        );
        text(&mut svg, (left + 18.0, middle), "start", name, "");
    }
    put(&mut svg, "</svg>".into());
    Ok(svg)
}

/// Where a figure lies on the picture.
struct Ruler {
    axis: Axis,
    from: f64,
    to: f64,
    /// Where the picture has `from` and `to`.
    ends: (f64, f64),
    ticks: Vec<f64>,
}

impl Ruler {
    /// From the tick below the least figure to the tick above the most.
    fn new(axis: Axis, figures: impl Iterator<Item = f64>, ends: (f64, f64)) -> Self {
        let (least, most) = figures.fold((f64::MAX, f64::MIN), |(least, most), figure| {
            (least.min(figure), most.max(figure))
        });
        let ticks: Vec<f64> = match axis.scale {
            Scale::Log => {
                let (low, high) = (least.log10().floor() as i32, most.log10().ceil() as i32);
                (low..=high.max(low + 1))
                    .map(|power| 10_f64.powi(power))
                    .collect()
            }
            Scale::Linear => {
                let step = step(most);
                (0..=(most / step).ceil().max(1.0) as u32)
                    .map(|at| f64::from(at) * step)
                    .collect()
            }
        };
        Ruler {
            axis,
            from: ticks[0],
            to: ticks[ticks.len() - 1],
            ends,
            ticks,
        }
    }

    fn at(&self, figure: f64) -> f64 {
        let share = match self.axis.scale {
            Scale::Log => (figure / self.from).log10() / (self.to / self.from).log10(),
            Scale::Linear => (figure - self.from) / (self.to - self.from),
        };
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }
}

/// One, two or five times a power of ten, so that there are four to ten ticks up to `most`.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|times| times * power >= rough);
    if most > 0.0 {
        times.unwrap_or(10.0) * power
    } else {
        1.0
    }
}

fn axes(svg: &mut String, chart: &Chart, x: &Ruler, y: &Ruler) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for &tick in &x.ticks {
        let at = x.at(tick);
        put(
            svg,
            format!("<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#ddd\"/>"),
        );
        text(svg, (at, bottom + 18.0), "middle", &short(tick), "");
    }
    for &tick in &y.ticks {
        let at = y.at(tick);
        put(
            svg,
            format!("<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>"),
        );
        text(svg, (LEFT - 8.0, at + 4.0), "end", &short(tick), "");
    }
    put(
        svg,
        format!("<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#222\"/>"),
    );
    text(
        svg,
        ((LEFT + right) / 2.0, bottom + 40.0),
        "middle",
        chart.x.label,
        "",
    );
    let middle = f64::midpoint(TOP, bottom);
    let turned = format!(" transform=\"rotate(-90 18 {middle:.1})\"");
    text(svg, (18.0, middle), "middle", chart.y.label, &turned);
}

fn line(svg: &mut String, (name, points): (&str, &[Point]), colour: &str, x: &Ruler, y: &Ruler) {
    let place = |point: &Point, figure: f64| format!("{:.1},{:.1} ", x.at(point.x), y.at(figure));
    let over = points.iter().map(|point| place(point, point.most));
    let under = points.iter().rev().map(|point| place(point, point.least));
    let band: String = over.chain(under).collect();
    put(
        svg,
        format!(
            "<polygon points=\"{}\" fill=\"{colour}\" fill-opacity=\"0.18\"/>",
            band.trim()
        ),
    );
    let middle: String = points
        .iter()
        .map(|point| place(point, point.median))
        .collect();
    put(
        svg,
        format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            middle.trim()
        ),
    );
    for point in points {
        let (across, up) = (x.at(point.x), y.at(point.median));
        let Point {
            x,
            median,
            least,
            most,
        } = point;
        let name = escaped(name);
        put(
            svg,
            format!(
                "<circle cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"3\" fill=\"{colour}\">\
                 <title>{name},{x},{median},{least},{most}</title></circle>"
            ),
        );
    }
}

fn put(svg: &mut String, element: String) {
    svg.push_str(&element);
    svg.push('\n');
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str, more: &str) {
    let words = escaped(words);
    writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{more}>{words}</text>"
    )
    .expect("a string grows");
}

fn escaped(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A tick as it is written: `1M` for a million, `2k` for two thousand.
fn short(figure: f64) -> String {
    let (divisor, unit) = match figure {
        1e6.. => (1e6, "M"),
        1e3.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    let digits = format!("{:.3}", figure / divisor);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}{unit}")
}

#[cfg(test)]
mod tests;
