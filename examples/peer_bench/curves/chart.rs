//! A chart as data: axes, and for each line its points, which are all there and all finite.

use std::fmt::Write;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scale {
    Linear,
    Log,
}

#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// What is counted, with its unit.
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

/// What several runs at the same place came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Point {
    pub(super) fn of_runs(x: f64, runs: &mut [f64]) -> Self {
        runs.sort_by(f64::total_cmp);
        Point {
            x,
            median: runs[runs.len() / 2],
            least: runs[0],
            most: runs[runs.len() - 1],
        }
    }
}

pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Lines by their names.
    pub(super) series: Vec<(String, Vec<Point>)>,
}

impl Chart {
    /// One row for each point of each line.
    pub(super) fn csv(&self) -> String {
        let mut csv = String::from("series,x,median,min,max\n");
        for (name, points) in &self.series {
            for Point {
                x,
                median,
                least,
                most,
            } in points
            {
                writeln!(csv, "{name},{x},{median},{least},{most}").expect("a string grows");
            }
        }
        csv
    }

    /// Says what is wrong with a chart that would show something else than what was measured.
    pub(super) fn check(&self) -> Result<(), String> {
        let xs = |points: &[Point]| points.iter().map(|point| point.x).collect::<Vec<_>>();
        let first = self.series.first().map(|(_, points)| xs(points));
        let first = first.ok_or("a chart without lines")?;
        if first.is_empty() {
            return Err("a line without points".into());
        }
        for (name, points) in &self.series {
            if name.contains([',', '\n']) {
                return Err(format!("{name}: a name that is no field of a CSV"));
            }
            if xs(points) != first {
                return Err(format!(
                    "{name}: a gap, its points are not those of the first"
                ));
            }
            for point in points {
                self.check_point(name, point)?;
            }
            if points.windows(2).any(|pair| pair[0].x >= pair[1].x) {
                return Err(format!("{name}: points that are not in order"));
            }
        }
        Ok(())
    }

    fn check_point(&self, name: &str, point: &Point) -> Result<(), String> {
        let figures = [point.least, point.median, point.most];
        let on = |axis: Axis, figure: f64| {
            figure.is_finite() && (axis.scale == Scale::Linear || figure > 0.0)
        };
        if !on(self.x, point.x) || !figures.iter().all(|figure| on(self.y, *figure)) {
            return Err(format!("{name}: {point:?} has no place on the axes"));
        }
        if !figures.is_sorted() {
            return Err(format!("{name}: {point:?} has its median outside its band"));
        }
        Ok(())
    }
}
