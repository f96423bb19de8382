//! Rows of samples, events and level of detail to columns and back. Those of the dictionary are
//! in [`crate::codec_dictionary`].

use std::ops::Range;

use sondage_model::schema::Table;
use sondage_model::{
    ClockRow, CounterId, CounterKind, CounterRow, FileId, Label, LossKind, LossRow, MessageLevel,
    MessageRow, MonoTime, Nanos, ProcessId, RecordingInfo, SampleColumns, StackId, State,
    StateKind, SummaryRow, TaskId, ThreadId, TileRow, Time,
};

use crate::error::ChunkError;
use crate::ipc::{Batch, BatchEncoder, Encoded};
use crate::lod::TileRun;

/// Stands for "none" where an id may be missing.
pub(crate) const NO_ID: u32 = u32::MAX;

pub(crate) fn process_code(process: Option<ProcessId>) -> u32 {
    process.map_or(NO_ID, |id| id.0)
}

pub(crate) fn process_of(code: u32) -> Option<ProcessId> {
    (code != NO_ID).then_some(ProcessId(code))
}

// ---- info -------------------------------------------------------------------------------------

const LABEL: &str = "label:";

pub(crate) fn encode_info(info: &RecordingInfo, tile_widths: &[Nanos]) -> Encoded {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut put = |key: &str, value: String| pairs.push((key.to_owned(), value));
    for argument in &info.command {
        put("command", argument.clone());
    }
    put("engine", info.engine.clone());
    put("writer", info.writer.clone());
    put("unix_start_nanos", info.unix_start_nanos.to_string());
    put("mono_start", info.mono_start.0.to_string());
    put("interval", info.interval.0.to_string());
    put("host", info.host.clone());
    put("system", info.system.clone());
    put("cpus", info.cpus.to_string());
    put("boot_id", info.boot_id.clone());
    for label in &info.labels {
        put(&format!("{LABEL}{}", label.key), label.value.clone());
    }
    for width in tile_widths {
        put("tile_width", width.0.to_string());
    }
    let mut batch = BatchEncoder::new(Table::Info, pairs.len());
    batch.utf8(pairs.iter().map(|(key, _)| key.as_str()));
    batch.utf8(pairs.iter().map(|(_, value)| value.as_str()));
    batch.finish()
}

/// Adds the pairs of a batch to `info` and `tile_widths`. Unknown keys are left out.
pub(crate) fn decode_info(
    batch: &Batch<'_>,
    info: &mut RecordingInfo,
    tile_widths: &mut Vec<Nanos>,
) -> Result<(), ChunkError> {
    for (key, value) in batch.utf8("key")?.zip(batch.utf8("value")?) {
        let value = value.into_owned();
        let number = || value.parse::<u64>().unwrap_or(0);
        match key.as_ref() {
            "command" => info.command.push(value),
            "engine" => info.engine = value,
            "writer" => info.writer = value,
            "unix_start_nanos" => info.unix_start_nanos = number(),
            "mono_start" => info.mono_start = MonoTime(number()),
            "interval" => info.interval = Nanos(number()),
            "host" => info.host = value,
            "system" => info.system = value,
            "cpus" => info.cpus = number().min(u64::from(u32::MAX)) as u32,
            "boot_id" => info.boot_id = value,
            "tile_width" => tile_widths.push(Nanos(number())),
            key => {
                if let Some(key) = key.strip_prefix(LABEL) {
                    info.labels.push(Label {
                        key: key.to_owned(),
                        value,
                    });
                }
            }
        }
    }
    Ok(())
}

// ---- samples ----------------------------------------------------------------------------------

/// Samples as a message, and what the chunk's header must say for them to be read back.
pub(crate) struct EncodedSamples {
    pub encoded: Encoded,
    /// The time of the first row, from which the steps go on.
    pub base: Time,
    /// Whether weights are differences.
    pub relative: bool,
    /// Earliest start of a row.
    pub first: Time,
    /// Latest time of a row.
    pub last: Time,
    /// Sum of the counts.
    pub count: u64,
    /// Bit `id % 64` for each thread with rows.
    pub threads: u64,
}

/// Time of the row before, by thread.
#[derive(Default)]
struct LastTimes(Vec<Option<Time>>);

impl LastTimes {
    /// What the weight is expected to be, and remembers `time`.
    fn expected(&mut self, thread: ThreadId, time: Time) -> u64 {
        // Slots are shared by threads with large ids: the expectation is then worse, not wrong.
        let slot = thread.index() % 4096;
        if slot >= self.0.len() {
            self.0.resize(slot + 1, None);
        }
        self.0[slot]
            .replace(time)
            .map_or(0, |before| time.since(before).0)
    }
}

/// Encodes these rows, of which there is at least one.
pub(crate) fn encode_samples(samples: &SampleColumns, rows: Range<usize>) -> EncodedSamples {
    let base = samples.times[rows.start];
    let times = &samples.times[rows.clone()];
    let before = std::iter::once(&base).chain(times);
    // Wrapping, here and when it is read: so every step can be stored.
    let steps = times
        .iter()
        .zip(before)
        .map(|(time, before)| time.0.wrapping_sub(before.0) as i64);
    let mut last_times = LastTimes::default();
    let (mut first, mut last, mut count, mut threads) = (Time::MAX, Time::ZERO, 0u64, 0u64);
    let mut extras = Vec::with_capacity(rows.len());
    let (mut same_as_expected, mut same_as_before) = (0usize, 0usize);
    let mut weight_before = None;
    for index in rows.clone() {
        let (time, weight, thread) = (
            samples.times[index],
            samples.weights[index],
            samples.threads[index],
        );
        let extra = weight.0.wrapping_sub(last_times.expected(thread, time)) as i64;
        same_as_expected += usize::from(extra == 0);
        same_as_before += usize::from(weight_before == Some(weight));
        weight_before = Some(weight);
        extras.push(extra);
        first = first.min(time.saturating_sub(weight));
        last = last.max(time);
        count += u64::from(samples.counts[index]);
        threads |= 1 << (thread.0 % 64);
    }
    let relative = same_as_expected > same_as_before;
    let mut batch = BatchEncoder::new(Table::Samples, rows.len());
    batch.i64(steps);
    if relative {
        batch.i64(extras.into_iter());
    } else {
        batch.i64(samples.weights[rows.clone()].iter().map(|w| w.0 as i64));
    }
    batch.u32(samples.counts[rows.clone()].iter().copied());
    batch.u32(samples.threads[rows.clone()].iter().map(|id| id.0));
    batch.u32(samples.stacks[rows.clone()].iter().map(|id| id.0));
    batch.u32(samples.tasks[rows.clone()].iter().map(|id| id.0));
    batch.u8(samples.states[rows].iter().map(|state| state.code()));
    EncodedSamples {
        encoded: batch.finish(),
        base,
        relative,
        first,
        last,
        count,
        threads,
    }
}

/// No samples, with room for so many rows, which the caller has bounded.
pub(crate) fn samples_with_room(rows: usize) -> SampleColumns {
    SampleColumns {
        times: Vec::with_capacity(rows),
        weights: Vec::with_capacity(rows),
        counts: Vec::with_capacity(rows),
        threads: Vec::with_capacity(rows),
        stacks: Vec::with_capacity(rows),
        tasks: Vec::with_capacity(rows),
        states: Vec::with_capacity(rows),
    }
}

/// Appends the rows of a batch to `samples`.
pub(crate) fn decode_samples(
    batch: &Batch<'_>,
    base: Time,
    relative: bool,
    samples: &mut SampleColumns,
) -> Result<(), ChunkError> {
    let start = samples.len();
    let mut time = base.0;
    for step in batch.i64("time_step")? {
        time = time.wrapping_add(step as u64);
        samples.times.push(Time(time));
    }
    samples.threads.extend(batch.u32("thread")?.map(ThreadId));
    let weights = batch.i64("weight_extra")?;
    if relative {
        let mut last_times = LastTimes::default();
        let rows = samples.times[start..].iter().zip(&samples.threads[start..]);
        samples
            .weights
            .extend(rows.zip(weights).map(|((&time, &thread), extra)| {
                Nanos(last_times.expected(thread, time).wrapping_add(extra as u64))
            }));
    } else {
        samples
            .weights
            .extend(weights.map(|weight| Nanos(weight as u64)));
    }
    samples.counts.extend(batch.u32("count")?);
    samples.stacks.extend(batch.u32("stack")?.map(StackId));
    samples.tasks.extend(batch.u32("task")?.map(TaskId));
    samples
        .states
        .extend(batch.u8("state")?.map(State::from_code));
    Ok(())
}

// ---- level of detail --------------------------------------------------------------------------

pub(crate) fn encode_summary(rows: &[SummaryRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Summaries, rows.len());
    batch.u32(rows.iter().map(|row| row.thread.0));
    batch.u32(rows.iter().map(|row| row.stack.0));
    batch.u32(rows.iter().map(|row| row.task.0));
    batch.u8(rows.iter().map(|row| row.state.code()));
    batch.u64(rows.iter().map(|row| row.count));
    batch.u64(rows.iter().map(|row| row.weight.0));
    batch.finish()
}

pub(crate) fn decode_summary(batch: &Batch<'_>) -> Result<Vec<SummaryRow>, ChunkError> {
    let mut stacks = batch.u32("stack")?;
    let mut tasks = batch.u32("task")?;
    let mut states = batch.u8("state")?;
    let mut counts = batch.u64("count")?;
    let mut weights = batch.u64("weight")?;
    Ok(batch
        .u32("thread")?
        .map(|thread| SummaryRow {
            thread: ThreadId(thread),
            stack: StackId(stacks.next().unwrap_or_default()),
            task: TaskId(tasks.next().unwrap_or_default()),
            state: State::from_code(states.next().unwrap_or_default()),
            count: counts.next().unwrap_or_default(),
            weight: Nanos(weights.next().unwrap_or_default()),
        })
        .collect())
}

const STATE_COLUMNS: [&str; StateKind::COUNT] = [
    "on_cpu", "runnable", "gil_wait", "blocked", "disk", "unknown",
];

pub(crate) fn encode_tiles(runs: &[TileRun]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Tiles, runs.len());
    batch.u32(runs.iter().map(|run| run.tile.thread.0));
    batch.u64(runs.iter().map(|run| run.tile.start.0));
    batch.u64(runs.iter().map(|run| run.tile.width.0));
    for kind in StateKind::ALL {
        batch.u64(runs.iter().map(|run| run.tile.by_state[kind.index()].0));
    }
    batch.u64(runs.iter().map(|run| run.tile.gil.0));
    batch.u32(runs.iter().map(|run| run.tile.stack.0));
    batch.u32(runs.iter().map(|run| run.tile.active_stack.0));
    batch.u32(runs.iter().map(|run| run.repeat));
    batch.finish()
}

pub(crate) fn decode_tiles(batch: &Batch<'_>) -> Result<Vec<TileRun>, ChunkError> {
    let mut runs: Vec<TileRun> = batch
        .u32("thread")?
        .map(|thread| TileRun {
            tile: TileRow {
                thread: ThreadId(thread),
                ..TileRow::default()
            },
            repeat: 0,
        })
        .collect();
    for (run, start) in runs.iter_mut().zip(batch.u64("start")?) {
        run.tile.start = Time(start);
    }
    for (run, width) in runs.iter_mut().zip(batch.u64("width")?) {
        run.tile.width = Nanos(width);
    }
    for (kind, name) in StateKind::ALL.into_iter().zip(STATE_COLUMNS) {
        for (run, weight) in runs.iter_mut().zip(batch.u64(name)?) {
            run.tile.by_state[kind.index()] = Nanos(weight);
        }
    }
    for (run, gil) in runs.iter_mut().zip(batch.u64("gil")?) {
        run.tile.gil = Nanos(gil);
    }
    for (run, stack) in runs.iter_mut().zip(batch.u32("stack")?) {
        run.tile.stack = StackId(stack);
    }
    for (run, stack) in runs.iter_mut().zip(batch.u32("active_stack")?) {
        run.tile.active_stack = StackId(stack);
    }
    for (run, repeat) in runs.iter_mut().zip(batch.u32("repeat")?) {
        run.repeat = repeat;
    }
    Ok(runs)
}

// ---- events -----------------------------------------------------------------------------------

pub(crate) fn encode_counters(rows: &[CounterRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Counters, rows.len());
    batch.u32(rows.iter().map(|row| row.counter.0));
    batch.u64(rows.iter().map(|row| row.time.0));
    batch.f64(rows.iter().map(|row| row.value));
    batch.finish()
}

pub(crate) fn decode_counters(batch: &Batch<'_>) -> Result<Vec<CounterRow>, ChunkError> {
    let columns = batch.u32("counter")?.zip(batch.u64("time")?);
    Ok(columns
        .zip(batch.f64("value")?)
        .map(|((counter, time), value)| CounterRow {
            counter: CounterId(counter),
            time: Time(time),
            value,
        })
        .collect())
}

pub(crate) fn counter_kind(code: u8) -> CounterKind {
    if code == CounterKind::Total as u8 {
        CounterKind::Total
    } else {
        CounterKind::Gauge
    }
}

pub(crate) fn encode_messages(rows: &[MessageRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Messages, rows.len());
    batch.u64(rows.iter().map(|row| row.time.0));
    batch.u8(rows.iter().map(|row| row.level as u8));
    batch.u32(rows.iter().map(|row| process_code(row.process)));
    batch.utf8(rows.iter().map(|row| row.text.as_str()));
    batch.finish()
}

pub(crate) fn decode_messages(batch: &Batch<'_>) -> Result<Vec<MessageRow>, ChunkError> {
    let heads = batch.u64("time")?.zip(batch.u8("level")?);
    Ok(heads
        .zip(batch.u32("process")?)
        .zip(batch.utf8("text")?)
        .map(|(((time, level), process), text)| MessageRow {
            time: Time(time),
            level: match level {
                0 => MessageLevel::Info,
                1 => MessageLevel::Warning,
                _ => MessageLevel::Error,
            },
            process: process_of(process),
            text: text.into_owned(),
        })
        .collect())
}

pub(crate) fn encode_losses(rows: &[LossRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Losses, rows.len());
    batch.u64(rows.iter().map(|row| row.time.0));
    batch.u32(rows.iter().map(|row| process_code(row.process)));
    batch.u8(rows.iter().map(|row| row.kind as u8));
    batch.u64(rows.iter().map(|row| row.count));
    batch.finish()
}

pub(crate) fn decode_losses(batch: &Batch<'_>) -> Result<Vec<LossRow>, ChunkError> {
    let heads = batch.u64("time")?.zip(batch.u32("process")?);
    Ok(heads
        .zip(batch.u8("kind")?)
        .zip(batch.u64("count")?)
        .map(|(((time, process), kind), count)| LossRow {
            time: Time(time),
            process: process_of(process),
            kind: LossKind::from_code(kind),
            count,
        })
        .collect())
}

pub(crate) fn encode_clock(rows: &[ClockRow]) -> Encoded {
    let mut batch = BatchEncoder::new(Table::Clock, rows.len());
    batch.u64(rows.iter().map(|row| row.time.0));
    batch.u64(rows.iter().map(|row| row.unix_nanos));
    batch.u64(rows.iter().map(|row| row.own_cpu.0));
    batch.u64(rows.iter().map(|row| row.ticks));
    batch.u64(rows.iter().map(|row| row.reads));
    batch.u64(rows.iter().map(|row| row.stops));
    batch.finish()
}

pub(crate) fn decode_clock(batch: &Batch<'_>) -> Result<Vec<ClockRow>, ChunkError> {
    let mut unix = batch.u64("unix_nanos")?;
    let mut own_cpu = batch.u64("own_cpu")?;
    let mut ticks = batch.u64("ticks")?;
    let mut reads = batch.u64("reads")?;
    let mut stops = batch.u64("stops")?;
    Ok(batch
        .u64("time")?
        .map(|time| ClockRow {
            time: Time(time),
            unix_nanos: unix.next().unwrap_or_default(),
            own_cpu: Nanos(own_cpu.next().unwrap_or_default()),
            ticks: ticks.next().unwrap_or_default(),
            reads: reads.next().unwrap_or_default(),
            stops: stops.next().unwrap_or_default(),
        })
        .collect())
}

pub(crate) fn encode_source_text(file: FileId, text: &str) -> Encoded {
    let mut batch = BatchEncoder::new(Table::SourceTexts, 1);
    batch.u32([file.0].into_iter());
    batch.utf8([text].into_iter());
    batch.finish()
}

pub(crate) fn decode_source_texts(batch: &Batch<'_>) -> Result<Vec<(FileId, String)>, ChunkError> {
    Ok(batch
        .u32("file")?
        .map(FileId)
        .zip(batch.utf8("text")?)
        .map(|(file, text)| (file, text.into_owned()))
        .collect())
}
