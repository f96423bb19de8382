//! Probes can be turned off while the program runs. A file of its own: the switch is the process's.
#![cfg(feature = "enabled")]

mod common;

use sondage::{frame_mark, message, plot, raw, zone};

#[test]
fn what_is_off_records_nothing_and_what_was_open_ends() {
    assert!(raw::is_enabled());
    sondage::thread_name("switched");
    let open = sondage::enter!("open");
    sondage::set_enabled(false);
    {
        zone!("off", n = unreachable_when_off());
        frame_mark!();
        plot!("off", 1);
        message!("off");
        let span = sondage::span!("off");
        assert_eq!(span.enter(|| 7), 7);
        let mut passes = sondage::cumulative!("off");
        drop(passes.pass());
    }
    drop(open);
    sondage::set_enabled(true);
    {
        zone!("on again");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = sondage::save(folder.path().join("{pid}.events")).unwrap();
    assert!(path.ends_with(format!("{}.events", std::process::id())));
    let story = common::Story::of_file(&path);
    assert_eq!(
        story.of_thread("switched"),
        ["zone open depth 0", "end", "zone on again depth 0", "end"]
    );
    assert!(!story.names.sites.values().any(|(name, _)| name == "off"));
}

fn unreachable_when_off() -> u32 {
    unreachable!("arguments of a zone that is off are not computed")
}
