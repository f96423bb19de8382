//! The parts of a report on what the program said of itself: zones, frames, locks.

use sondage_analyze::human::{count, duration, plural, share};
use sondage_analyze::{Program, SiteName};

use super::table::{Align, Cell, Table};
use super::text::Writer;
use crate::ui::Paint;

impl Writer<'_> {
    /// Zones, frames and locks; nothing of what the program did not speak of.
    pub(super) fn program(&mut self, program: &Program) {
        self.zones(program);
        self.frames(program);
        self.locks(program);
    }

    fn zones(&mut self, program: &Program) {
        if program.zones.is_empty() {
            return;
        }
        let mut columns = vec![Align::Right; 5];
        columns.resize(7, Align::Left);
        let mut table = Table::new(&columns);
        // A report does not read millions of zones for their percentiles.
        let known = program
            .zones
            .iter()
            .any(|(_, figures)| figures.percentiles.is_some());
        let p95 = if known { "95 %" } else { "longest" };
        let head = ["total", "self", "zones", "mean", p95, "zone", "where"];
        table.row(head.map(|text| Cell::painted(Paint::Dim, text)));
        for (name, figures) in &program.zones {
            let most = figures.percentiles.map_or(figures.max, |p| p.p95);
            table.row([
                Cell::new(duration(figures.total.0)),
                Cell::new(duration(figures.own.0)),
                Cell::new(count(figures.count)),
                Cell::new(duration(figures.mean().0)),
                Cell::new(duration(most.0)),
                Cell::painted(Paint::Bold, name.label.clone()),
                Cell::painted(Paint::Cyan, place(name)),
            ]);
        }
        self.title("Zones of the program");
        self.table(&table);
        self.omitted(program.site_count - program.zones.len(), "more place");
    }

    fn frames(&mut self, program: &Program) {
        if program.frames.is_empty() {
            return;
        }
        let mut columns = vec![Align::Right; 6];
        columns.push(Align::Left);
        let mut table = Table::new(&columns);
        let head = [
            "frames", "a second", "median", "95 %", "99 %", "longest", "name",
        ];
        table.row(head.map(|text| Cell::painted(Paint::Dim, text)));
        for set in &program.frames {
            let p = &set.percentiles;
            let name = match set.name.as_str() {
                "" => "frame",
                name => name,
            };
            table.row([
                Cell::new(count(set.count)),
                Cell::new(format!("{:.1}", set.per_second())),
                Cell::new(duration(p.p50.0)),
                Cell::new(duration(p.p95.0)),
                Cell::new(duration(p.p99.0)),
                Cell::new(duration(set.max.0)),
                Cell::painted(Paint::Bold, name),
            ]);
        }
        self.title("Frames");
        self.table(&table);
    }

    fn locks(&mut self, program: &Program) {
        if program.locks.is_empty() {
            return;
        }
        let mut columns = vec![Align::Right; 5];
        columns.resize(7, Align::Left);
        let mut table = Table::new(&columns);
        let head = [
            "waited", "waits", "of", "longest", "held", "lock", "made at",
        ];
        table.row(head.map(|text| Cell::painted(Paint::Dim, text)));
        for lock in &program.locks {
            table.row([
                Cell::new(duration(lock.wait.0)),
                Cell::new(count(lock.waits)),
                Cell::new(count(lock.count)),
                Cell::new(duration(lock.max_wait.0)),
                Cell::new(duration(lock.hold.0)),
                Cell::painted(Paint::Bold, lock.name.clone()),
                Cell::painted(Paint::Cyan, lock.place.clone()),
            ]);
        }
        self.title("Locks");
        self.table(&table);
    }

    /// What the probes in the program cost it, in a sentence of the report on cost.
    pub(super) fn probe_cost(&self, program: &Program, span: u64) -> Option<String> {
        let probes = program.probes?;
        Some(format!(
            "the program's probes {} for {}, {} of a CPU",
            duration(probes.cost.0),
            plural(probes.events, "event"),
            share(probes.cost.0, span)
        ))
    }
}

fn place(name: &SiteName) -> String {
    match (name.short.as_str(), name.line) {
        ("", _) => name.function.clone(),
        (short, 0) => short.to_owned(),
        (short, line) => format!("{short}:{line}"),
    }
}
