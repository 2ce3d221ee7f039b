//! How the figures grow: with processes, senders, workers, bytes and load. Each curve is a CSV and a picture.
//!
//! `peer_bench curves` measures them all and writes them beside this file, into `figures`; `peer_bench curves brief`
//! measures little, to see that all of it works, and writes into a folder for what does not last. Every point is a run
//! of its own, in a program of its own, several times over: the line is the median, the band goes from the least to
//! the most.

mod chart;
mod plan;
mod svg;

use chart::{Chart, Point};
use plan::{Curve, Series};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

/// How often each point is measured. An odd number, so that there is a middle one.
const ROUNDS: usize = 3;

/// Measures every curve and writes it.
pub(crate) fn draw(how: Option<&str>) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (folder, brief) = match how {
        None => (home.join("examples/peer_bench/curves/figures"), false),
        Some("brief") => (env::temp_dir().join("peer_bench_curves"), true),
        Some(other) => panic!("curves are drawn in full, or brief, not {other}"),
    };
    fs::create_dir_all(&folder).expect("the folder can be made");
    for curve in plan::CURVES {
        let chart = measure(curve, brief);
        let svg = svg::draw(&chart).unwrap_or_else(|fault| panic!("{}: {fault}", curve.file));
        let path = folder.join(curve.file);
        fs::write(path.with_extension("csv"), chart.csv()).expect("it can be written");
        fs::write(path.with_extension("svg"), svg).expect("it can be written");
        println!("{}", path.with_extension("svg").display());
    }
    if brief {
        fs::remove_dir_all(&folder).expect("it was just made");
    }
}

fn measure(curve: &Curve, brief: bool) -> Chart {
    let (points, rounds) = if brief { (2, 1) } else { (usize::MAX, ROUNDS) };
    let xs: Vec<u64> = curve.xs.iter().copied().take(points).collect();
    // Round by round, so that what disturbs the machine for a while disturbs one round of each point.
    let mut runs = vec![Vec::new(); curve.series.len() * xs.len()];
    for _ in 0..rounds {
        let mut at = 0;
        for group in curve.series.chunk_by(|one, next| one.same_run(next)) {
            for (column, &x) in xs.iter().enumerate() {
                let line = run(&group[0], x, brief);
                for (row, series) in group.iter().enumerate() {
                    let figure = figure(&line, series.figure) / series.divisor;
                    runs[(at + row) * xs.len() + column].push(figure);
                }
            }
            at += group.len();
        }
    }
    let series = curve.series.iter().zip(runs.chunks_mut(xs.len()));
    let series = series.map(|(series, runs)| {
        let points = xs.iter().zip(runs);
        let points = points.map(|(&x, runs)| Point::of_runs(x as f64, runs));
        (series.name.to_owned(), points.collect())
    });
    Chart {
        title: curve.title.into(),
        x: curve.x,
        y: curve.y,
        series: series.collect(),
    }
}

/// Runs this program on one point and gives back the line that it prints.
fn run(series: &Series, x: u64, brief: bool) -> String {
    let [n, k, workers] = (series.args)(x);
    let n = if brief { n.clamp(1, 100) } else { n };
    let words = [Some(n), Some(k), Some(workers).filter(|count| *count > 0)];
    let words = words.iter().flatten().map(u64::to_string);
    let program = env::current_exe().expect("a program knows where it is");
    let output = Command::new(program)
        .arg(series.workload)
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .expect("this program can be started");
    assert!(output.status.success(), "{} {n} {k}", series.workload);
    String::from_utf8(output.stdout).expect("a line of text")
}

/// A figure of a line, by its name.
fn figure(line: &str, name: &str) -> f64 {
    let after = line.split_once(&format!("\"{name}\":"));
    let (_, after) = after.unwrap_or_else(|| panic!("no {name} in {line}"));
    let end = after.find([',', '}']).expect("an object is closed");
    after[..end].parse().expect("a figure is a number")
}
