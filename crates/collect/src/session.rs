//! A recording in progress: the sampling and the writing thread, and how to end them.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;

use sondage_inspect::{OpenError, Target};
use sondage_model::{Label, Nanos, Pid};
use sondage_recording::{WriteError, Writer, Written};

use crate::batch::Batch;
use crate::machine;
use crate::options::Options;
use crate::program::{Drain, DrainShared, Listener, Scope};
use crate::recorder::Recorder;
use crate::sampler::{Channels, Notice, Programs, Sampler, Shared};
use crate::writer::{Outcome, RecordingWriter};

/// Batches in use between the sampler and the writer.
const BATCHES: usize = 4;

/// How often rows go to the writer: what a `kill -9` of the profiler can cost.
/// Batches of programs' rows on their way to the sampler.
const PROGRAM_BATCHES: usize = 16;

const HAND_OVER: Nanos = Nanos(400_000_000);

/// Why a recording could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such process, or it has just ended.
    #[error("there is no process {}", .0.0)]
    NoProcess(Pid),
    /// The process cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file cannot be made.
    #[error("the recording {} cannot be made: {error}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
}

/// What the recording is to be called inside.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The command line recorded.
    pub command: Vec<String>,
    /// Labels given by the user.
    pub labels: Vec<Label>,
}

/// A recording file that exists and waits for its first rows.
pub struct NewRecording {
    path: PathBuf,
    file: File,
}

impl NewRecording {
    /// Makes the file. An existing one is replaced only when `replace` is set.
    ///
    /// # Errors
    /// When it exists already or cannot be made.
    pub fn create(path: &Path, replace: bool) -> Result<NewRecording, StartError> {
        let mut options = OpenOptions::new();
        options.write(true);
        if replace {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        match options.open(path) {
            Ok(file) => Ok(NewRecording {
                path: path.to_owned(),
                file,
            }),
            Err(error) => Err(StartError::Create {
                path: path.to_owned(),
                error,
            }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file away again, for nothing was recorded.
    pub fn discard(self) {
        // What cannot be removed stays as an empty file: no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A recording in progress.
pub struct Session {
    path: PathBuf,
    shared: Arc<Shared>,
    bytes: Arc<AtomicU64>,
    notices: Receiver<Notice>,
    programs: Arc<DrainShared>,
    drain: JoinHandle<()>,
    sampler: JoinHandle<Nanos>,
    writer: JoinHandle<Outcome>,
}

/// How far a recording is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Observations kept.
    pub samples: u64,
    /// Observations rejected.
    pub rejected: u64,
    /// Ticks left out.
    pub late: u64,
    /// Processes seen.
    pub processes: u64,
    /// Of these, Pythons that could be read.
    pub pythons: u64,
    /// Programs that told of themselves.
    pub programs: u64,
    /// Events that they told.
    pub events: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Whether no process is left.
    pub finished: bool,
}

/// How a recording ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The file.
    pub path: PathBuf,
    /// The last figures.
    pub progress: Progress,
    /// How long it lasted.
    pub span: Nanos,
    /// What is in the file.
    pub written: Written,
    /// Why the file is not whole, if it is not.
    pub error: Option<String>,
}

/// Checks that `pid` is a Python that can be recorded, for `attach`.
///
/// # Errors
/// See [`OpenError`].
pub fn check_target(pid: Pid) -> Result<String, OpenError> {
    Target::open(pid).map(|target| target.runtime().implementation.clone())
}

impl Session {
    /// Begins to record `root` and what it starts, into `recording`. What they say of themselves is
    /// found in their memory.
    ///
    /// # Errors
    /// When the process is gone or the file cannot be written.
    pub fn start(
        root: Pid,
        recording: NewRecording,
        about: About,
        options: Options,
    ) -> Result<Session, StartError> {
        Session::start_with(Some(root), None, recording, about, options)
    }

    /// The same, with a socket at which programs call. Without `root`, every process of this user
    /// that calls is recorded, until [`Session::stop`].
    ///
    /// # Errors
    /// When the process is gone or the file cannot be written.
    pub fn start_with(
        root: Option<Pid>,
        listener: Option<Listener>,
        recording: NewRecording,
        about: About,
        options: Options,
    ) -> Result<Session, StartError> {
        let scope = match root {
            Some(root) if options.children => Scope::Family(root),
            Some(root) => Scope::One(root),
            None => Scope::Anyone,
        };
        let rate = if options.samples {
            options.interval
        } else {
            Nanos::ZERO
        };
        let mut info = machine::recording_info(rate);
        info.command = about.command;
        info.labels = about.labels;
        let source_text = options.source_text;
        machine::allow_many_files();
        let file = Writer::create(recording.file, &info)?;
        let recorder = Recorder::new(options, info.mono_start);
        let shared = Arc::new(Shared::default());
        let bytes = Arc::new(AtomicU64::new(0));
        let (send_notices, notices) = mpsc::channel();
        let (send_batches, batches) = mpsc::sync_channel(BATCHES);
        let (send_empties, empties) = mpsc::channel();
        for _ in 0..BATCHES {
            // The receiver is right here.
            let _ = send_empties.send(Batch::default());
        }
        let programs = DrainShared::new().map_err(|errno| StartError::Thread(errno.into()))?;
        let programs = Arc::new(programs);
        let (send_programs, program_batches) = mpsc::sync_channel(PROGRAM_BATCHES);
        let channels = Channels {
            batches: send_batches,
            empties,
            notices: send_notices.clone(),
            hand_over: HAND_OVER,
            programs: Some(Programs::new(
                program_batches,
                Arc::clone(&programs),
                root.is_none(),
            )),
        };
        let sampler = Sampler::new(recorder, root, Arc::clone(&shared), channels)
            .ok_or(StartError::NoProcess(root.unwrap_or_default()))?;
        let drain = Drain::new(
            listener,
            scope,
            info.mono_start,
            Arc::clone(&programs),
            send_programs,
        );
        let writer = RecordingWriter::new(file, source_text, send_notices, Arc::clone(&bytes));
        let start = info.mono_start;
        let writer = std::thread::Builder::new()
            .name("sondage-write".into())
            .spawn(move || writer.run(&batches, &send_empties))
            .map_err(StartError::Thread)?;
        let drain = std::thread::Builder::new()
            .name("sondage-drain".into())
            .spawn(move || drain.run())
            .map_err(StartError::Thread)?;
        let sampler = std::thread::Builder::new()
            .name("sondage-sample".into())
            .spawn(move || {
                sampler
                    .run()
                    .in_recording(start)
                    .since(sondage_model::Time::ZERO)
            })
            .map_err(StartError::Thread)?;
        Ok(Session {
            path: recording.path,
            shared,
            bytes,
            notices,
            programs,
            drain,
            sampler,
            writer,
        })
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let figure = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Progress {
            samples: figure(&self.shared.kept),
            rejected: figure(&self.shared.rejected),
            late: figure(&self.shared.late),
            processes: figure(&self.shared.processes),
            pythons: figure(&self.shared.pythons),
            programs: figure(&self.programs.programs),
            events: figure(&self.programs.events),
            bytes: figure(&self.bytes),
            finished: self.shared.finished.load(Ordering::Acquire),
        }
    }

    /// The messages since the last call.
    pub fn notices(&self) -> impl Iterator<Item = Notice> + '_ {
        self.notices.try_iter()
    }

    /// Ends the recording and closes the file.
    #[must_use]
    pub fn stop(self) -> (Summary, Vec<Notice>) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let crashed =
            |what: &str| Some(format!("sondage's {what} thread failed; please report it"));
        let mut error = None;
        let span = self.sampler.join().unwrap_or_else(|_| {
            error = crashed("sampling");
            Nanos::ZERO
        });
        // It has ended unless the sampler failed.
        self.programs.stop();
        if self.drain.join().is_err() {
            error = crashed("collecting");
        }
        let outcome = self.writer.join().unwrap_or_else(|_| {
            error = crashed("writing");
            Outcome::default()
        });
        let figure = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let progress = Progress {
            samples: figure(&self.shared.kept),
            rejected: figure(&self.shared.rejected),
            late: figure(&self.shared.late),
            processes: figure(&self.shared.processes),
            pythons: figure(&self.shared.pythons),
            programs: figure(&self.programs.programs),
            events: figure(&self.programs.events),
            bytes: outcome.written.bytes,
            finished: true,
        };
        let summary = Summary {
            path: self.path,
            progress,
            span,
            written: outcome.written,
            error: error.or(outcome.error),
        };
        (summary, self.notices.try_iter().collect())
    }
}
