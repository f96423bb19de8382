//! Records a command into a file, with nothing around it:
//! `cargo run -p sondage-collect --example record -- out.sondage 1000 python3 app.py`

use std::error::Error;
use std::ffi::OsString;

use sondage_collect::launch::{Child, Inherited};
use sondage_collect::{About, NewRecording, Options, Session};
use sondage_model::Nanos;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(path), Some(rate)) = (words.next(), words.next()) else {
        return Err("give a file, a rate and a command".into());
    };
    let rate: f64 = rate.to_string_lossy().parse()?;
    let command: Vec<OsString> = words.collect();
    let recording = NewRecording::create(path.as_ref(), true)?;
    let mut child = Child::launch(&command, &Inherited::capture())?;
    let options = Options {
        interval: Nanos((1e9 / rate) as u64),
        ..Options::default()
    };
    let session = Session::start(child.pid(), recording, About::default(), options)?;
    child.wait();
    let (summary, notices) = session.stop();
    assert!(
        notices.is_empty() && summary.error.is_none(),
        "{notices:?} {summary:?}"
    );
    Ok(())
}
