//! A recording begins whatever its program is at.

mod common;

use common::at_rate;
use sondage_collect::launch::{Child, Inherited};
use sondage_collect::{About, NewRecording, Session};

#[test]
fn a_program_inside_exec_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    // Five programs, one after the other, in one process: as shims do.
    let shims = "exec sh -c 'exec sh -c \"exec sh -c \\\"exec sleep 0.02\\\"\"'";
    let command = ["sh", "-c", shims].map(Into::into);
    for round in 0..150 {
        let path = folder.path().join(format!("{round}.sondage"));
        let file = NewRecording::create(&path, false).expect("a file");
        let mut child = Child::launch(&command, &Inherited::capture()).expect("it starts");
        let started = Session::start(child.pid(), file, About::default(), at_rate(100));
        child.wait();
        let (summary, _) = started.expect("a session").stop();
        assert_eq!(summary.error, None);
    }
}
