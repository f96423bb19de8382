//! `sondage top`: watch a process live in the terminal.

mod draw;
mod state;

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use sondage_collect::live::Live;
use sondage_collect::{Options, check_target, process_name, procfs};
use sondage_inspect::OpenError;
use sondage_model::{Nanos, Pid};

use super::attach::open_error;
use crate::error::{CliError, ExitStatus};
use crate::signals::Signals;
use crate::ui::Ui;
use state::{Flow, State};

const EXAMPLES: &str = "\
EXAMPLES
  sondage top 4711           functions and threads of a running process; `?` lists the keys
  sondage top 4711 -r 1000   look more often
";

/// Arguments of `sondage top`.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub struct Args {
    /// The process, by its number.
    #[arg(value_name = "PID")]
    pid: i32,

    /// Samples a second, of each thread.
    #[arg(short, long, value_name = "HZ", default_value = "100",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,

    /// Leave out the processes that it starts.
    #[arg(long)]
    no_children: bool,
}

/// How often the picture changes: often enough for a person, seldom enough for ssh.
const REFRESH: Duration = Duration::from_millis(500);

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    let pid = Pid(args.pid);
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(
            CliError::usage("`sondage top` needs a terminal").hint(format_args!(
                "`sondage dump {0}` prints stacks, `sondage attach {0}` records",
                args.pid
            )),
        );
    }
    let runtime = match check_target(pid) {
        Ok(runtime) => runtime,
        // An interpreter that starts is waited for; so are the Pythons of what is none.
        Err(OpenError::NotReady { .. }) => String::new(),
        Err(OpenError::NotPython { .. }) if !args.no_children => String::new(),
        Err(error) => return Err(open_error(&error)),
    };
    let options = Options {
        interval: Nanos(1_000_000_000 / u64::from(args.rate)),
        children: !args.no_children,
        source_text: false,
        ..Options::default()
    };
    let signals = Signals::take()?;
    let live = Live::start(pid, options).map_err(CliError::new)?;
    let name = process_name(&procfs::command_line(pid));
    let title = if runtime.is_empty() {
        format!("{name} ({})", args.pid)
    } else {
        format!("{name} ({}, {runtime})", args.pid)
    };
    let mut state = State::new(live, title, args.rate, ui.is_colorful());
    // It installs a panic hook that puts the terminal back.
    let mut terminal = ratatui::try_init()
        .map_err(|error| CliError::new(format!("the terminal cannot be set up: {error}")))?;
    let result = watch(&mut terminal, &mut state, &signals);
    ratatui::restore();
    result.map_err(|error| CliError::new(format!("the terminal failed: {error}")))?;
    if state.is_over() {
        ui.note(format_args!("{name} has ended"));
    }
    Ok(ExitStatus::OK)
}

/// Draws and takes keys until the user has enough.
fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    state: &mut State,
    signals: &Signals,
) -> std::io::Result<()> {
    let mut due = Instant::now();
    loop {
        if Instant::now() >= due {
            due = Instant::now() + REFRESH;
            state.refresh();
        }
        terminal.draw(|frame| draw::draw(frame, state))?;
        if !wait_for_input(signals, due.saturating_duration_since(Instant::now()))? {
            return Ok(());
        }
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
                && state.key(key) == Flow::Quit
            {
                return Ok(());
            }
        }
    }
}

/// Waits until there may be keys to read, at most for `time`. Says no when it is time to leave: a
/// signal came, or the terminal is gone, which crossterm would go on asking without end.
fn wait_for_input(signals: &Signals, time: Duration) -> std::io::Result<bool> {
    let stdin = std::io::stdin();
    let mut fds = [
        PollFd::new(&stdin, PollFlags::IN),
        PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
    ];
    let time = Timespec::try_from(time).unwrap_or_default();
    match rustix::event::poll(&mut fds, Some(&time)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let hung_up = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    Ok(!fds[0].revents().intersects(hung_up) && signals.next().is_none())
}
