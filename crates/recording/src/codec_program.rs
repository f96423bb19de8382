//! Rows of what programs say of themselves (zones, frame marks, log lines, waits) to columns and
//! back.

use std::ops::Range;

use sondage_model::schema::Table;
use sondage_model::{
    FrameMarkKind, FrameMarkRow, LockId, LogRow, Nanos, SiteId, SpanId, StringId, TaskId, ThreadId,
    Time, WaitKind, WaitRow, ZoneColumns, ZoneDetail, ZoneFlags, ZoneSummaryRow, ZoneTileRow,
};

use crate::codec::NO_ID;
use crate::error::ChunkError;
use crate::ipc::{Batch, BatchEncoder, Encoded};
use crate::zone_lod::ZoneTileRun;

/// Zones as a message, and what the chunk's header must say for them to be read back.
pub(crate) struct EncodedZones {
    pub encoded: Encoded,
    /// The details of those that have some.
    pub details: Option<Encoded>,
    /// Start of the first row, from which the steps go on.
    pub base: Time,
    /// Earliest start and latest end.
    pub first: Time,
    pub last: Time,
}

/// Encodes these rows, of which there is at least one.
pub(crate) fn encode_zones(zones: &ZoneColumns, rows: Range<usize>) -> EncodedZones {
    let base = zones.starts[rows.start];
    let starts = &zones.starts[rows.clone()];
    let ends = starts.iter().zip(&zones.durations[rows.clone()]);
    let last = ends.map(|(start, duration)| *start + *duration).max();
    let mut batch = BatchEncoder::new(Table::Zones, rows.len());
    batch.i64(steps(base.0, starts.iter().map(|start| start.0)));
    batch.u64(zones.durations[rows.clone()].iter().map(|time| time.0));
    let busies = zones.durations[rows.clone()].iter();
    let idle = busies.zip(&zones.busies[rows.clone()]);
    batch.u64(idle.map(|(duration, busy)| duration.saturating_sub(*busy).0));
    batch.u32(zones.threads[rows.clone()].iter().map(|id| id.0));
    batch.u32(zones.sites[rows.clone()].iter().map(|id| id.0));
    batch.u16(zones.lanes[rows.clone()].iter().copied());
    batch.u16(zones.depths[rows.clone()].iter().copied());
    batch.u8(zones.flags[rows.clone()].iter().map(|flags| flags.0));
    batch.i64(steps(0, zones.spans[rows.clone()].iter().map(|id| id.0)));
    batch.i64(steps(0, zones.parents[rows.clone()].iter().map(|id| id.0)));
    EncodedZones {
        encoded: batch.finish(),
        details: encode_details(zones, rows.clone()),
        base,
        first: starts.iter().copied().min().unwrap_or_default(),
        last: last.unwrap_or_default(),
    }
}

/// Each value as the difference from the one before. Wrapping, here and when it is read.
fn steps(base: u64, values: impl Iterator<Item = u64>) -> impl Iterator<Item = i64> {
    let mut before = base;
    values.map(move |value| value.wrapping_sub(std::mem::replace(&mut before, value)) as i64)
}

fn encode_details(zones: &ZoneColumns, rows: Range<usize>) -> Option<Encoded> {
    let first = rows.start;
    let found: Vec<(u32, &ZoneDetail)> = rows
        .filter_map(|row| {
            let detail = zones.detail(&zones.row(row))?;
            Some(((row - first) as u32, detail))
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    let details = || found.iter().map(|(_, detail)| *detail);
    let mut batch = BatchEncoder::new(Table::ZoneDetails, found.len());
    batch.u32(found.iter().map(|(row, _)| *row));
    batch.utf8(details().map(|detail| detail.arguments.as_str()));
    batch.u64(details().map(|detail| (detail.trace >> 64) as u64));
    batch.u64(details().map(|detail| detail.trace as u64));
    batch.u32(details().map(|detail| detail.task.0));
    batch.u64(details().map(|detail| detail.count));
    batch.u64(details().map(|detail| detail.min.0));
    batch.u64(details().map(|detail| detail.max.0));
    batch.u64(details().map(|detail| detail.total.0));
    Some(batch.finish())
}

/// Appends the rows of a batch to `zones`, without their details.
pub(crate) fn decode_zones(
    batch: &Batch<'_>,
    base: Time,
    zones: &mut ZoneColumns,
) -> Result<(), ChunkError> {
    fn sums(base: u64, steps: impl Iterator<Item = i64>) -> impl Iterator<Item = u64> {
        steps.scan(base, |sum, step| {
            *sum = sum.wrapping_add(step as u64);
            Some(*sum)
        })
    }
    let from = zones.len();
    let starts = sums(base.0, batch.i64("start_step")?);
    zones.starts.extend(starts.map(Time));
    zones.durations.extend(batch.u64("duration")?.map(Nanos));
    let idle = batch.u64("idle")?.map(Nanos);
    let busies = zones.durations[from..].iter().zip(idle);
    zones
        .busies
        .extend(busies.map(|(duration, idle)| duration.saturating_sub(idle)));
    zones.threads.extend(batch.u32("thread")?.map(ThreadId));
    zones.sites.extend(batch.u32("site")?.map(SiteId));
    zones.lanes.extend(batch.u16("lane")?);
    zones.depths.extend(batch.u16("depth")?);
    zones.flags.extend(batch.u8("flags")?.map(ZoneFlags));
    let spans = sums(0, batch.i64("span_step")?);
    zones.spans.extend(spans.map(SpanId));
    let parents = sums(0, batch.i64("parent_step")?);
    zones.parents.extend(parents.map(SpanId));
    zones.detail_numbers.resize(zones.starts.len(), 0);
    Ok(())
}

/// Gives the zones from `first` on their details. Those of rows that are not there are left out.
pub(crate) fn decode_details(
    batch: &Batch<'_>,
    first: usize,
    zones: &mut ZoneColumns,
) -> Result<(), ChunkError> {
    let traces = batch.u64("trace_high")?.zip(batch.u64("trace_low")?);
    let passes = batch.u64("count")?.zip(batch.u64("total")?);
    let bounds = batch.u64("min")?.zip(batch.u64("max")?);
    let rest = traces
        .zip(batch.u32("task")?)
        .zip(passes.zip(bounds))
        .zip(batch.utf8("arguments")?);
    for (row, (((trace, task), ((count, total), (min, max))), arguments)) in
        batch.u32("row")?.zip(rest)
    {
        let Some(number) = zones.detail_numbers.get_mut(first + row as usize) else {
            continue;
        };
        zones.details.push(ZoneDetail {
            arguments: arguments.into_owned(),
            trace: u128::from(trace.0) << 64 | u128::from(trace.1),
            task: TaskId(task),
            count,
            min: Nanos(min),
            max: Nanos(max),
            total: Nanos(total),
        });
        *number = zones.details.len() as u32;
    }
    Ok(())
}

pub(crate) fn encode_zone_summary(rows: &[ZoneSummaryRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::ZoneSummaries, rows.len());
    batch.u32(rows.iter().map(|row| row.site.0));
    batch.u32(rows.iter().map(|row| row.thread.0));
    batch.u64(rows.iter().map(|row| row.count));
    batch.u64(rows.iter().map(|row| row.total.0));
    batch.u64(rows.iter().map(|row| row.own.0));
    batch.u64(rows.iter().map(|row| row.min.0));
    batch.u64(rows.iter().map(|row| row.max.0));
    batch.finish()
}

pub(crate) fn decode_zone_summary(batch: &Batch<'_>) -> Result<Vec<ZoneSummaryRow>, ChunkError> {
    let keys = batch.u32("site")?.zip(batch.u32("thread")?);
    let sums = batch.u64("total")?.zip(batch.u64("own")?);
    let bounds = batch.u64("min")?.zip(batch.u64("max")?);
    let rows = keys.zip(batch.u64("count")?).zip(sums.zip(bounds));
    Ok(rows
        .map(
            |(((site, thread), count), ((total, own), (min, max)))| ZoneSummaryRow {
                site: SiteId(site),
                thread: ThreadId(thread),
                count,
                total: Nanos(total),
                own: Nanos(own),
                min: Nanos(min),
                max: Nanos(max),
            },
        )
        .collect())
}

pub(crate) fn encode_zone_tiles(runs: &[ZoneTileRun]) -> Encoded {
    let tiles = || runs.iter().map(|run| &run.tile);
    let mut batch = BatchEncoder::new(Table::ZoneTiles, runs.len());
    batch.u32(tiles().map(|tile| tile.thread.0));
    batch.u16(tiles().map(|tile| tile.lane));
    batch.u16(tiles().map(|tile| tile.depth));
    batch.u64(tiles().map(|tile| tile.start.0));
    batch.u64(tiles().map(|tile| tile.width.0));
    batch.u64(tiles().map(|tile| tile.busy.0));
    batch.u32(tiles().map(|tile| tile.count));
    batch.u32(tiles().map(|tile| tile.site.0));
    batch.u32(runs.iter().map(|run| run.repeat));
    batch.finish()
}

pub(crate) fn decode_zone_tiles(batch: &Batch<'_>) -> Result<Vec<ZoneTileRun>, ChunkError> {
    let places = batch.u16("lane")?.zip(batch.u16("depth")?);
    let times = batch.u64("start")?.zip(batch.u64("width")?);
    let contents = batch.u64("busy")?.zip(batch.u32("count")?);
    let rest = places.zip(times).zip(contents);
    let rest = rest.zip(batch.u32("site")?.zip(batch.u32("repeat")?));
    Ok(batch
        .u32("thread")?
        .zip(rest)
        .map(|(thread, (((place, time), content), (site, repeat)))| {
            let tile = ZoneTileRow {
                thread: ThreadId(thread),
                lane: place.0,
                depth: place.1,
                start: Time(time.0),
                width: Nanos(time.1),
                busy: Nanos(content.0),
                count: content.1,
                site: SiteId(site),
            };
            ZoneTileRun { tile, repeat }
        })
        .collect())
}

pub(crate) fn encode_frame_marks(rows: &[FrameMarkRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::FrameMarks, rows.len());
    batch.u64(rows.iter().map(|row| row.time.0));
    batch.u32(rows.iter().map(|row| row.thread.0));
    batch.u32(rows.iter().map(|row| row.name.0));
    batch.u8(rows.iter().map(|row| row.kind as u8));
    batch.finish()
}

pub(crate) fn decode_frame_marks(batch: &Batch<'_>) -> Result<Vec<FrameMarkRow>, ChunkError> {
    let heads = batch.u64("time")?.zip(batch.u32("thread")?);
    let tails = batch.u32("name")?.zip(batch.u8("kind")?);
    Ok(heads
        .zip(tails)
        .map(|((time, thread), (name, kind))| FrameMarkRow {
            time: Time(time),
            thread: ThreadId(thread),
            name: StringId(name),
            kind: match kind {
                1 => FrameMarkKind::Begin,
                2 => FrameMarkKind::End,
                _ => FrameMarkKind::Mark,
            },
        })
        .collect())
}

pub(crate) fn encode_logs(rows: &[LogRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Logs, rows.len());
    batch.u64(rows.iter().map(|row| row.time.0));
    batch.u32(rows.iter().map(|row| row.thread.0));
    batch.u8(rows.iter().map(|row| row.level));
    batch.u32(rows.iter().map(|row| row.colour));
    batch.utf8(rows.iter().map(|row| row.text.as_str()));
    batch.finish()
}

pub(crate) fn decode_logs(batch: &Batch<'_>) -> Result<Vec<LogRow>, ChunkError> {
    let heads = batch.u64("time")?.zip(batch.u32("thread")?);
    let looks = batch.u8("level")?.zip(batch.u32("colour")?);
    Ok(heads
        .zip(looks)
        .zip(batch.utf8("text")?)
        .map(|(((time, thread), (level, colour)), text)| LogRow {
            time: Time(time),
            thread: ThreadId(thread),
            level,
            colour,
            text: text.into_owned(),
        })
        .collect())
}

pub(crate) fn encode_waits(rows: &[WaitRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Waits, rows.len());
    batch.u64(rows.iter().map(|row| row.start.0));
    batch.u64(rows.iter().map(|row| row.wait.0));
    batch.u64(rows.iter().map(|row| row.hold.0));
    batch.u32(rows.iter().map(|row| row.thread.0));
    batch.u32(rows.iter().map(|row| row.lock.0));
    batch.u32(rows.iter().map(|row| row.holder.map_or(NO_ID, |id| id.0)));
    batch.u8(rows.iter().map(|row| row.kind as u8));
    batch.finish()
}

pub(crate) fn decode_waits(batch: &Batch<'_>) -> Result<Vec<WaitRow>, ChunkError> {
    let times = batch.u64("wait")?.zip(batch.u64("hold")?);
    let ids = batch.u32("thread")?.zip(batch.u32("lock")?);
    let rest = times.zip(ids).zip(batch.u32("holder")?);
    Ok(batch
        .u64("start")?
        .zip(rest)
        .zip(batch.u8("kind")?)
        .map(
            |((start, (((wait, hold), (thread, lock)), holder)), kind)| WaitRow {
                start: Time(start),
                wait: Nanos(wait),
                hold: Nanos(hold),
                thread: ThreadId(thread),
                lock: LockId(lock),
                holder: (holder != NO_ID).then_some(ThreadId(holder)),
                kind: match kind {
                    1 => WaitKind::Shared,
                    2 => WaitKind::GivenUp,
                    _ => WaitKind::Exclusive,
                },
            },
        )
        .collect())
}
