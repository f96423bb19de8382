//! The program's log lines.

use sondage_model::{LogRow, TimeRange};

use crate::zones::ZoneScope;
use crate::{AnalyzeError, Analyzer, Empty, Filter, Search};

/// Lines that are kept at most, instead of being read for each picture.
const MOST_KEPT: usize = 1 << 16;

/// Which log lines are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogQuery {
    /// Only lines that match.
    pub only: Option<Search>,
    /// Only lines at least as serious.
    pub least_level: u8,
    /// Lines to leave out at the beginning.
    pub offset: usize,
    /// Lines to give at most.
    pub limit: usize,
}

/// Log lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLines {
    /// The lines asked for, in order.
    pub rows: Vec<LogRow>,
    /// How many there are in all.
    pub count: usize,
    /// Why there is nothing, if there is nothing.
    pub empty: Option<Empty>,
}

/// The log lines that fall on one pixel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogMark {
    /// The most serious line; of equals the first.
    pub row: LogRow,
    /// How many there are.
    pub count: u64,
}

impl Analyzer {
    /// Log lines in the filter's range; of the filter the range, processes and threads count.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn logs(&self, filter: &Filter, query: &LogQuery) -> Result<LogLines, AnalyzeError> {
        let all = self.logs_of(filter)?;
        let total = all.len();
        let matches = |row: &LogRow| {
            row.level >= query.least_level
                && query
                    .only
                    .as_ref()
                    .is_none_or(|search| search.matches(&row.text))
        };
        let found: Vec<LogRow> = all.into_iter().filter(matches).collect();
        let count = found.len();
        let empty = match (count, total) {
            (1.., _) => None,
            (0, 0) if self.log_count()? == 0 => Some(Empty::NoLogs),
            (0, 0) => Some(Empty::LogsOfRange),
            _ => Some(match &query.only {
                Some(search) => Empty::Search {
                    pattern: search.pattern().to_owned(),
                },
                None => Empty::LogsOfLevel,
            }),
        };
        Ok(LogLines {
            rows: found
                .into_iter()
                .skip(query.offset)
                .take(query.limit)
                .collect(),
            count,
            empty,
        })
    }

    /// Log lines over time: one mark for those of a thread that fall on one of `px` pixels.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn log_marks(&self, filter: &Filter, px: u32) -> Result<Vec<LogMark>, AnalyzeError> {
        let range = filter.range.unwrap_or(self.source().range());
        let width = range.span().0.div_ceil(u64::from(px.max(1))).max(1);
        let mut rows = self.logs_of(filter)?;
        rows.sort_by_key(|row| (row.thread, row.time));
        let mut marks: Vec<LogMark> = Vec::new();
        for row in rows {
            match marks.last_mut() {
                Some(last)
                    if last.row.thread == row.thread
                        && last.row.time.0 / width == row.time.0 / width =>
                {
                    last.count += 1;
                    if row.level > last.row.level {
                        last.row = row;
                    }
                }
                _ => marks.push(LogMark { row, count: 1 }),
            }
        }
        Ok(marks)
    }

    fn logs_of(&self, filter: &Filter) -> Result<Vec<LogRow>, AnalyzeError> {
        let scope = ZoneScope::new(self.source(), filter);
        let range = scope.range.unwrap_or(TimeRange::ALL);
        let wanted = |row: &&LogRow| range.contains(row.time) && scope.takes_thread(row.thread);
        if let Some(kept) = self.kept_logs()? {
            return Ok(kept.iter().filter(wanted).cloned().collect());
        }
        let mut rows = self.source().logs(range)?;
        rows.retain(|row| wanted(&row));
        Ok(rows)
    }

    fn kept_logs(&self) -> Result<Option<&[LogRow]>, AnalyzeError> {
        let slot = &self.zone_index().logs;
        if let Some(kept) = slot.get() {
            return Ok(kept.as_deref());
        }
        let rows = self.source().logs(TimeRange::ALL)?;
        let kept = (rows.len() <= MOST_KEPT).then_some(rows);
        Ok(slot.get_or_init(|| kept).as_deref())
    }

    /// Number of log lines in the recording.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn log_count(&self) -> Result<usize, AnalyzeError> {
        match self.kept_logs()? {
            Some(kept) => Ok(kept.len()),
            None => Ok(self.source().logs(TimeRange::ALL)?.len()),
        }
    }
}
