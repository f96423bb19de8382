//! speedscope's own format: a table of frames, and for each thread its samples in order of time.

use std::io::Write;

use rustc_hash::FxHashMap;
use sondage_model::{FrameId, FunctionId, SiteId, Source, StackId, Time};

use crate::json::{Quoted, array};
use crate::names::{LEFT_OUT, NO_FUNCTION, Names, shorten};
use crate::select::{DRAWN, Selection, Slice};
use crate::zones::{self, Edge, Place, Zone};
use crate::{Detail, ExportOptions, Format, FormatError};

pub(crate) const FORMAT: Format = Format {
    name: "speedscope",
    description: "speedscope, in the browser or from npm: each thread, and its zones, in order of time",
    extension: "speedscope.json",
    loses: "thread states, GIL, tasks, counters, messages and arguments of zones; time asleep is a gap. Of stacks with \
            more than 1,000 frames the middle is left out. One thread is seen at a time. speedscope itself stops at about 500 MB",
    text: true,
    export: Some(write),
    import: None,
};

/// Deepest stack that is written: speedscope shows nothing at all of a profile that is 4,000 deep.
const MAX_DEPTH: usize = 1_000;

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let names = Names::new(source.dictionary());
    let selection = Selection::new(source, &options.filter)?;
    let mut frames = Frames::new(source, options.detail);
    write!(
        out,
        "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\
         \"exporter\":{},\"name\":{},\"activeProfileIndex\":",
        Quoted(concat!("sondage ", env!("CARGO_PKG_VERSION"))),
        Quoted(&title(source)),
    )?;
    write!(out, "{},\"profiles\":[", busiest(&selection)?)?;
    let mut any = false;
    selection.per_thread(|thread, slices| {
        if any {
            out.write_all(b",")?;
        }
        any = true;
        let process = names.process(names.process_of(thread));
        let name = format!("{process} {}", names.thread(thread));
        profile(out, &name, slices, &mut frames, selection.timeless)
    })?;
    zones::per_thread(&selection, |thread, all| {
        for lane in zones::lanes(all) {
            if any {
                out.write_all(b",")?;
            }
            any = true;
            let process = names.process(names.process_of(thread));
            let name = format!("{process} {}", names.thread(thread));
            let name = zones::track_name(&name, lane[0].row.lane);
            zone_profile(out, &name, lane, &mut frames)?;
        }
        Ok(())
    })?;
    if !any {
        profile(out, "no samples", &[], &mut frames, selection.timeless)?;
    }
    out.write_all(b"],\"shared\":{\"frames\":")?;
    array(out, frames.order.iter(), |out, &frame| {
        let (function, line) = match frame {
            Key::Function(function, line) => (function, line),
            Key::Site(site) => return zone_frame(out, &zones::place(source.dictionary(), site)),
        };
        write!(out, "{{\"name\":{}", Quoted(names.name(function)))?;
        let file = names.file(function);
        if !file.is_empty() {
            write!(out, ",\"file\":{}", Quoted(file))?;
        }
        if line > 0 {
            write!(out, ",\"line\":{line}")?;
        }
        out.write_all(b"}")
    })?;
    out.write_all(b"}}\n")?;
    Ok(())
}

fn zone_frame(out: &mut dyn Write, place: &Place<'_>) -> std::io::Result<()> {
    write!(out, "{{\"name\":{}", Quoted(place.name))?;
    if !place.file.is_empty() {
        write!(out, ",\"file\":{}", Quoted(place.file))?;
    }
    if place.line > 0 {
        write!(out, ",\"line\":{}", place.line)?;
    }
    out.write_all(b"}")
}

/// The zones of one lane, as they opened and closed.
fn zone_profile(
    out: &mut dyn Write,
    name: &str,
    lane: &[Zone],
    frames: &mut Frames<'_>,
) -> Result<(), FormatError> {
    let start = lane.first().map_or(Time::ZERO, |zone| zone.row.start);
    let end = lane.iter().map(|zone| zone.row.range().end).max();
    write!(
        out,
        "{{\"type\":\"evented\",\"name\":{},\"unit\":\"nanoseconds\",\"startValue\":{},\
         \"endValue\":{},\"events\":[",
        Quoted(name),
        start.0,
        end.unwrap_or(start).0,
    )?;
    let mut comma = "";
    zones::edges(lane, |edge, zone, at| {
        let kind = match edge {
            Edge::Begin => 'O',
            Edge::End => 'C',
        };
        write!(
            out,
            "{}{{\"type\":\"{kind}\",\"frame\":{},\"at\":{}}}",
            std::mem::replace(&mut comma, ","),
            frames.number(Key::Site(zone.row.site)),
            at.0,
        )
    })?;
    out.write_all(b"]}")?;
    Ok(())
}

/// What the whole file is called: the command.
fn title(source: &dyn Source) -> String {
    match source.info().command.join(" ") {
        empty if empty.is_empty() => "sondage".into(),
        command => command,
    }
}

/// Position of the thread with the most weight, the one to show first.
fn busiest(selection: &Selection<'_>) -> Result<usize, FormatError> {
    let mut weights: FxHashMap<_, u64> = FxHashMap::default();
    for ((thread, _), sum) in selection.by_thread_and_stack()? {
        *weights.entry(thread).or_default() += match selection.timeless {
            true => sum.count,
            false => sum.weight.0,
        };
    }
    let names = Names::new(selection.source.dictionary());
    let mut threads: Vec<_> = weights.into_iter().collect();
    threads.sort_unstable_by_key(|(thread, _)| (names.process_of(*thread), *thread));
    let most = threads.iter().map(|(_, weight)| *weight).max();
    Ok(threads
        .iter()
        .position(|(_, weight)| Some(*weight) == most)
        .unwrap_or(0))
}

/// The samples of one thread. A gap is a sample without frames, which speedscope leaves blank.
fn profile(
    out: &mut dyn Write,
    name: &str,
    slices: &[Slice],
    frames: &mut Frames<'_>,
    timeless: bool,
) -> Result<(), FormatError> {
    let start = slices.first().map_or(Time::ZERO, |slice| slice.start);
    // Without times, each sample is drawn as one.
    let unit = if timeless { DRAWN.0 } else { 1 };
    let end = slices.last().map_or(Time::ZERO, Slice::end);
    write!(
        out,
        "{{\"type\":\"sampled\",\"name\":{},\"unit\":\"{}\",\"startValue\":{},\
         \"endValue\":{},\"samples\":",
        Quoted(name),
        if timeless { "none" } else { "nanoseconds" },
        start.0 / unit,
        end.0 / unit,
    )?;
    array(out, with_gaps(slices), |out, (stack, _)| {
        let path = frames.path(stack);
        array(out, path, |out, frame| write!(out, "{frame}"))
    })?;
    out.write_all(b",\"weights\":")?;
    array(out, with_gaps(slices), |out, (_, weight)| {
        write!(out, "{}", weight / unit)
    })?;
    out.write_all(b"}")?;
    Ok(())
}

fn with_gaps(slices: &[Slice]) -> impl Iterator<Item = (Option<StackId>, u64)> + '_ {
    let mut at = slices.first().map_or(Time::ZERO, |slice| slice.start);
    slices.iter().flat_map(move |slice| {
        let gap = slice.start.since(at).0;
        at = slice.end();
        let gap = (gap > 0).then_some((None, gap));
        gap.into_iter().chain([(Some(slice.stack), slice.weight.0)])
    })
}

/// Numbers frames in the order they are met.
struct Frames<'a> {
    source: &'a dyn Source,
    detail: Detail,
    ids: FxHashMap<Key, usize>,
    of_frame: FxHashMap<FrameId, usize>,
    order: Vec<Key>,
}

/// What a frame of the file stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// A function, or a line of it.
    Function(FunctionId, u32),
    /// A place where zones are made.
    Site(SiteId),
}

impl<'a> Frames<'a> {
    fn new(source: &'a dyn Source, detail: Detail) -> Frames<'a> {
        Frames {
            source,
            detail,
            ids: FxHashMap::default(),
            of_frame: FxHashMap::default(),
            order: Vec::new(),
        }
    }

    /// The numbers of a stack's frames, outermost first; none for a gap.
    fn path(&mut self, stack: Option<StackId>) -> Vec<usize> {
        let Some(stack) = stack else {
            return Vec::new();
        };
        let path = self.source.dictionary().path(stack);
        if path.is_empty() {
            // A sample of a thread that runs no Python still takes time.
            return vec![self.number(Key::Function(NO_FUNCTION, 0))];
        }
        let mut path: Vec<usize> = path.into_iter().map(|frame| self.frame(frame)).collect();
        if path.len() > MAX_DEPTH {
            let marker = self.number(Key::Function(LEFT_OUT, 0));
            shorten(&mut path, MAX_DEPTH, marker);
        }
        path
    }

    fn frame(&mut self, frame: FrameId) -> usize {
        if let Some(&number) = self.of_frame.get(&frame) {
            return number;
        }
        let dictionary = self.source.dictionary();
        let function = dictionary
            .frames()
            .get(frame.index())
            .map_or(NO_FUNCTION, |row| row.function);
        let line = match (self.detail, dictionary.frames().get(frame.index())) {
            (Detail::Line, Some(row)) => row.line,
            _ => Names::new(dictionary).first_line(function),
        };
        let number = self.number(Key::Function(function, line));
        self.of_frame.insert(frame, number);
        number
    }

    fn number(&mut self, key: Key) -> usize {
        let order = &mut self.order;
        *self.ids.entry(key).or_insert_with(|| {
            order.push(key);
            order.len() - 1
        })
    }
}
