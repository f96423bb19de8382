//! The profile format of Valgrind's Callgrind, read by KCachegrind and `callgrind_annotate`.

use std::io::Write;

use rustc_hash::{FxHashMap, FxHashSet};
use sondage_model::{Dictionary, FunctionId, Source, StackId, ThreadId};

use crate::collapsed::frame_text;
use crate::names::{NO_FUNCTION, Names};
use crate::select::{Selection, Sum};
use crate::{ExportOptions, Format, FormatError};

pub(crate) const FORMAT: Format = Format {
    name: "callgrind",
    description: "Callgrind profile, for KCachegrind and callgrind_annotate: functions and lines",
    extension: "callgrind",
    loses: "when things happened, thread states, and whole stacks: only who called whom. Call \
            counts are numbers of samples. In recursion only the outermost call counts, so that \
            inclusive times stay right",
    text: true,
    export: Some(write),
    import: None,
};

/// Who pays: a function, or a thread as the caller of its outermost functions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Who {
    Thread(ThreadId),
    Function(FunctionId),
}

#[derive(Default)]
struct Costs {
    /// By function and line.
    own: FxHashMap<(Who, u32), Sum>,
    /// By caller, line of the call, and function called.
    calls: FxHashMap<(Who, u32, FunctionId), Sum>,
}

impl Costs {
    fn add(&mut self, dictionary: &Dictionary, thread: ThreadId, stack: StackId, sum: Sum) {
        let path = dictionary.path(stack);
        let mut caller = (Who::Thread(thread), 0);
        let mut met = FxHashSet::default();
        for frame in path {
            let row = dictionary.frames().get(frame.index());
            let (function, line) = row.map_or((NO_FUNCTION, 0), |row| (row.function, row.line));
            // The sums of all calls of a function are its inclusive cost, so each sample may
            // count once only: at the outermost call.
            if met.insert(function) {
                let key = (caller.0, caller.1, function);
                self.calls.entry(key).or_default().add(sum);
            }
            caller = (Who::Function(function), line);
        }
        self.own.entry(caller).or_default().add(sum);
    }
}

fn write(
    source: &dyn Source,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<(), FormatError> {
    let dictionary = source.dictionary();
    let selection = Selection::new(source, &options.filter)?;
    let mut costs = Costs::default();
    let mut total = Sum::default();
    for ((thread, stack), sum) in selection.by_thread_and_stack()? {
        costs.add(dictionary, thread, stack, sum);
        total.add(sum);
    }
    let mut own: Vec<_> = costs.own.into_iter().collect();
    own.sort_unstable_by_key(|(key, _)| *key);
    let mut calls: Vec<_> = costs.calls.into_iter().collect();
    calls.sort_unstable_by_key(|(key, _)| *key);
    let mut whos: Vec<Who> = own.iter().map(|((who, _), _)| *who).collect();
    whos.extend(calls.iter().map(|((who, _, _), _)| *who));
    whos.sort_unstable();
    whos.dedup();

    write!(
        out,
        "# callgrind format\nversion: 1\ncreator: sondage {}\ncmd: {}\npositions: line\n\
         event: Nanoseconds : Wall time\nevent: Samples : Samples\nevents: Nanoseconds Samples\n\
         summary: {} {}\n",
        env!("CARGO_PKG_VERSION"),
        frame_text(&source.info().command.join(" ")),
        total.weight.0,
        total.count,
    )?;
    let mut spelling = Spelling::new(source);
    let (mut own, mut calls) = (own.into_iter().peekable(), calls.into_iter().peekable());
    for who in whos {
        let (file, name) = spelling.of(who);
        write!(out, "\nfl={file}\nfn={name}\n")?;
        while let Some(((_, line), sum)) = own.next_if(|((of, _), _)| *of == who) {
            writeln!(out, "{line} {} {}", sum.weight.0, sum.count)?;
        }
        while let Some(((_, line, callee), sum)) = calls.next_if(|((of, _, _), _)| *of == who) {
            let (file, name) = spelling.of(Who::Function(callee));
            write!(
                out,
                "cfi={file}\ncfn={name}\ncalls={} {}\n",
                sum.count,
                spelling.names.first_line(callee)
            )?;
            writeln!(out, "{line} {} {}", sum.weight.0, sum.count)?;
        }
    }
    write!(out, "\ntotals: {} {}\n", total.weight.0, total.count)?;
    Ok(())
}

/// Files and names with the format's numbers for them: spelled out the first time, then `(12)`.
struct Spelling<'a> {
    names: Names<'a>,
    files: Numbered,
    functions: Numbered,
    /// Who has a name in a file.
    owners: FxHashMap<(String, String), Who>,
    known: FxHashMap<Who, (String, String)>,
}

#[derive(Default)]
struct Numbered(FxHashMap<String, usize>);

impl Numbered {
    fn spell(&mut self, text: &str) -> String {
        if let Some(number) = self.0.get(text) {
            return format!("({number})");
        }
        let number = self.0.len() + 1;
        self.0.insert(text.to_owned(), number);
        format!("({number}) {text}")
    }
}

impl<'a> Spelling<'a> {
    fn new(source: &'a dyn Source) -> Spelling<'a> {
        Spelling {
            names: Names::new(source.dictionary()),
            files: Numbered::default(),
            functions: Numbered::default(),
            owners: FxHashMap::default(),
            known: FxHashMap::default(),
        }
    }

    /// File and name, as to be written now.
    fn of(&mut self, who: Who) -> (String, String) {
        let (file, name) = self.texts(who);
        (self.files.spell(&file), self.functions.spell(&name))
    }

    /// File and name; a name that another function of the file has gets its line.
    fn texts(&mut self, who: Who) -> (String, String) {
        if let Some(known) = self.known.get(&who) {
            return known.clone();
        }
        let (file, mut name) = match who {
            Who::Thread(thread) => {
                let process = self.names.process(self.names.process_of(thread));
                let name = format!("{process} {}", self.names.thread(thread));
                ("(threads)".to_owned(), frame_text(&name))
            }
            Who::Function(function) => {
                let file = match self.names.file(function) {
                    "" => "???",
                    file => file,
                };
                (frame_text(file), frame_text(self.names.name(function)))
            }
        };
        let mut next = match who {
            Who::Function(function) => self.names.first_line(function),
            Who::Thread(thread) => thread.0,
        };
        let plain = name.clone();
        while *self
            .owners
            .entry((file.clone(), name.clone()))
            .or_insert(who)
            != who
        {
            name = format!("{plain}:{next}");
            next += 1;
        }
        self.known.insert(who, (file.clone(), name.clone()));
        (file, name)
    }
}
