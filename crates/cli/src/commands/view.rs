//! `sondage view`: look at recordings in the browser.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sondage_serve::{Options, ServeError, Server};

use crate::commands::open;
use crate::error::{CliError, ExitStatus};
use crate::ui::Ui;

/// Arguments of `sondage view`.
#[derive(clap::Args)]
#[command(after_help = "\
The page and its data stay on this machine: the server listens on the loopback address only, and its
address holds a secret. Ctrl-C ends it.")]
pub struct Args {
    /// Recordings to look at, or files that `sondage import` reads.
    #[arg(required = true, value_name = "REC")]
    recordings: Vec<PathBuf>,
    /// TCP port to listen on, instead of a free one.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Print the address only; do not open the browser.
    #[arg(long)]
    no_open: bool,
}

/// Runs the command.
pub fn run(args: Args, ui: &Ui) -> Result<ExitStatus, CliError> {
    sondage_serve::keep_memory_small();
    let recordings = args
        .recordings
        .iter()
        .map(|path| open::recording(path, ui))
        .collect::<Result<Vec<_>, _>>()?;
    if !sondage_serve::page_is_embedded() {
        ui.warning("this sondage was built without the viewer's page; only the API will answer");
        ui.hint("run `make web` in the source folder and build again, or `pip install sondage`");
    }
    let server = Server::bind(recordings, Options { port: args.port }).map_err(serve_error)?;
    ui.line(server.url())?;
    if !args.no_open {
        show(&server, ui)?;
    }
    ui.note("press Ctrl-C to stop");
    server
        .run(sondage_serve::stop_signal())
        .map_err(serve_error)?;
    Ok(ExitStatus::OK)
}

fn serve_error(error: ServeError) -> CliError {
    let hint = match &error {
        ServeError::Bind { .. } => "leave `--port` out to take a free one",
        ServeError::Random(_) | ServeError::Start(_) => {
            "`sondage report` prints the same figures without a server"
        }
    };
    CliError::new(&error).hint(hint)
}

/// Opens the page in the user's browser, or says how to reach it.
fn show(server: &Server, ui: &Ui) -> Result<(), CliError> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let has_display = cfg!(target_os = "macos") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    if !has_display {
        if is_set("SSH_CONNECTION") {
            let port = server.port();
            ui.hint(format_args!(
                "on your own machine run `ssh -L {port}:127.0.0.1:{port} HOST`, then open the address there"
            ));
        }
        return Ok(());
    }
    let url = server.launch_url().map_err(serve_error)?;
    // A group of its own, so that Ctrl-C ends us and not the browser.
    let started = Command::new(opener)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    match started {
        Ok(mut child) => {
            std::thread::spawn(move || child.wait());
        }
        Err(error) => ui.hint(format_args!(
            "open the address in a browser yourself: {opener} cannot be started ({error})"
        )),
    }
    Ok(())
}
