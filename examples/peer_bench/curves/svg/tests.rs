//! A picture is well formed, shows every point where the axes have it, and none that was not measured.

use super::super::chart::{Axis, Chart, Point, Scale};
use super::draw;

const AXIS: Axis = Axis {
    label: "bytes < 5 & more",
    scale: Scale::Log,
};

fn point(x: f64, median: f64) -> Point {
    Point::of_runs(x, &mut [median, median / 2.0, median * 3.0])
}

fn chart() -> Chart {
    let line = |height: f64| {
        [(10.0, 1.0), (100.0, 2.5), (1_000_000.0, 40.0)]
            .map(|(x, times)| point(x, height * times))
            .to_vec()
    };
    Chart {
        title: "a <b> & \"c\"".into(),
        x: AXIS,
        y: AXIS,
        series: vec![("one & all".into(), line(1.0)), ("p99.9".into(), line(7.0))],
    }
}

/// Walks the elements of `xml`: each that is opened is closed, and text has no sign that begins one.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        assert_text(&rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag is closed");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<'), "{tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_matches('/').split(' ').next().expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 1..];
        assert!(
            !open.is_empty() || rest.trim().is_empty(),
            "one root: {rest}"
        );
    }
    assert_eq!(open, Vec::<&str>::new());
    assert_eq!(rest.trim(), "");
}

fn assert_text(text: &str) {
    let entities = ["&amp;", "&lt;", "&gt;"];
    let plain = entities
        .iter()
        .fold(text.to_owned(), |text, entity| text.replace(entity, ""));
    assert!(!plain.contains(['&', '>']), "{text}");
}

fn attribute(element: &str, name: &str) -> f64 {
    let (_, after) = element
        .split_once(&format!(" {name}=\""))
        .expect("it has the attribute");
    let (value, _) = after.split_once('"').expect("it is closed");
    value.parse().expect("a number")
}

#[test]
fn picture_is_well_formed_whatever_it_is_called() {
    let svg = draw(&chart()).expect("the chart is whole");
    assert_well_formed(&svg);
    assert!(svg.contains("a &lt;b&gt; &amp; \"c\""));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn every_row_of_the_csv_is_a_point_of_the_picture() {
    let chart = chart();
    let svg = draw(&chart).expect("the chart is whole");
    let csv = chart.csv();
    assert_eq!(csv.lines().next(), Some("series,x,median,min,max"));
    assert_eq!(csv.lines().count(), 1 + 6);
    assert_eq!(svg.matches("<circle").count(), 6);
    for row in csv.lines().skip(1) {
        let title = format!("<title>{}</title>", row.replace('&', "&amp;"));
        assert_eq!(svg.matches(&title).count(), 1, "{row}");
    }
}

#[test]
fn points_lie_where_the_axes_have_them() {
    let svg = draw(&chart()).expect("the chart is whole");
    let circles: Vec<&str> = svg
        .lines()
        .filter(|line| line.starts_with("<circle"))
        .collect();
    let across: Vec<f64> = circles
        .iter()
        .map(|circle| attribute(circle, "cx"))
        .collect();
    let up: Vec<f64> = circles
        .iter()
        .map(|circle| attribute(circle, "cy"))
        .collect();
    // One, and then four of five powers of ten to the right of the first.
    assert_eq!(across[..3], across[3..]);
    let share = (across[1] - across[0]) / (across[2] - across[0]);
    assert!((share - 0.2).abs() < 0.001, "{across:?}");
    // More is higher, and the same factor is the same height.
    assert!(up[0] > up[1] && up[1] > up[2], "{up:?}");
    let raised: Vec<f64> = (0..3).map(|at| up[at] - up[at + 3]).collect();
    assert!(
        raised[0] > 0.0 && raised.iter().all(|by| (by - raised[0]).abs() < 0.2),
        "{raised:?}"
    );
}

#[test]
fn gaps_and_figures_without_a_place_are_refused() {
    type Fault = (&'static str, fn(&mut Chart));
    let faults: [Fault; 9] = [
        ("a gap", |chart| chart.series[1].1.truncate(2)),
        ("another x", |chart| chart.series[1].1[1].x = 101.0),
        ("no order", |chart| {
            chart
                .series
                .iter_mut()
                .for_each(|(_, points)| points.reverse())
        }),
        ("not a number", |chart| {
            chart.series[0].1[1].median = f64::NAN
        }),
        ("without end", |chart| {
            chart.series[0].1[1].most = f64::INFINITY
        }),
        ("nothing on a log scale", |chart| {
            chart.series[0].1[1].least = 0.0
        }),
        ("outside its band", |chart| chart.series[0].1[1].least = 1e9),
        ("no points", |chart| {
            chart
                .series
                .iter_mut()
                .for_each(|(_, points)| points.clear())
        }),
        ("no lines", |chart| chart.series.clear()),
    ];
    for (what, break_it) in faults {
        let mut chart = chart();
        break_it(&mut chart);
        assert!(draw(&chart).is_err(), "{what}");
    }
}

#[test]
fn nothing_is_a_figure_on_a_linear_scale() {
    let mut chart = chart();
    chart.y.scale = Scale::Linear;
    chart.series[0].1[0] = Point::of_runs(10.0, &mut [0.0, 0.0, 0.0]);
    assert_well_formed(&draw(&chart).expect("the chart is whole"));
}

#[test]
fn a_point_is_the_middle_of_its_runs_between_the_least_and_the_most() {
    let point = Point::of_runs(3.0, &mut [5.0, 1.0, 9.0, 2.0, 7.0]);
    assert_eq!((point.least, point.median, point.most), (1.0, 5.0, 9.0));
}
