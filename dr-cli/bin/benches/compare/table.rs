//! The medians side by side.

use std::fmt;
use std::time::Duration;

use crate::args::Args;
use crate::round::Figures;
use crate::way::Way;

/// The figures of all rounds.
pub(crate) struct Table {
    ways: Vec<Way>,
    all: Vec<(Way, Figures)>,
}

impl Table {
    pub(crate) fn new(args: &Args) -> Self {
        Self { ways: args.ways.clone(), all: Vec::new() }
    }

    pub(crate) fn add(&mut self, way: Way, figures: Figures) {
        self.all.push((way, figures));
    }

    fn of<T>(&self, way: Way, figure: impl Fn(&Figures) -> T) -> Vec<T> {
        self.all.iter().filter(|(one, _)| *one == way).map(|(_, figures)| figure(figures)).collect()
    }

    fn times(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        time: impl Fn(&Figures) -> Duration,
    ) -> fmt::Result {
        let medians: Vec<f64> = self.ways.iter().map(|way| median(self.of(*way, &time))).collect();
        write!(f, "| {what} |")?;
        for median in &medians {
            write!(f, " {median:.1} s |")?;
        }
        match medians.as_slice() {
            [dr, script] => writeln!(f, " {:.2} |", script / dr),
            _ => writeln!(f, " |"),
        }
    }

    fn counts(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        count: impl Fn(&Figures) -> String,
    ) -> fmt::Result {
        write!(f, "| {what} |")?;
        for way in &self.ways {
            write!(f, " {} |", self.of(*way, &count).join(", "))?;
        }
        writeln!(f, " |")
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.ways.iter().map(ToString::to_string).collect();
        writeln!(f, "| median | {} | script / dr |", names.join(" | "))?;
        writeln!(f, "|---|{}---|", "---|".repeat(names.len()))?;
        self.times(f, "until the command begins", |figures| figures.noticed)?;
        self.times(f, "from there until the record has moved", |figures| figures.turned)?;
        self.times(f, "client outage without a cache", |figures| figures.of_the_forgetful)?;
        self.times(f, "client outage of the median caller", |figures| figures.of_the_median)?;
        self.times(f, "client outage, until the last caller is served", |figures| figures.outage)?;
        self.times(f, "the whole command", |figures| figures.whole)?;
        self.counts(f, "acknowledged writes lost", |figures| {
            format!("{} of {}", figures.lost, figures.acknowledged)
        })?;
        self.counts(f, "writable databases once the lost region is back", |figures| {
            figures.writable.to_string()
        })
    }
}
