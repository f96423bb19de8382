//! Any rows, flushed anywhere, come back.

mod common;

use common::{rich, rows_of};
use proptest::prelude::*;
use sondage_model::*;
use sondage_recording::{Recording, Writer};

/// A time: mostly a little after the one before, now and then anywhere.
fn sample() -> impl Strategy<Value = (i64, u64, u32, u32, u32, u32, u8)> {
    (
        prop_oneof![8 => -1_000i64..2_000_000, 1 => any::<i64>()],
        prop_oneof![4 => Just(None), 1 => any::<u64>().prop_map(Some)],
        prop_oneof![9 => Just(1u32), 1 => any::<u32>()],
        0u32..3,
        0u32..100,
        0u32..2,
        any::<u8>(),
    )
        .prop_map(|(step, weight, count, thread, stack, task, state)| {
            (
                step,
                weight.unwrap_or(1_000_000),
                count,
                thread,
                stack,
                task,
                state,
            )
        })
}

#[derive(Clone, Debug)]
enum Step {
    Sample((i64, u64, u32, u32, u32, u32, u8)),
    Flush(u64),
    Function(String),
    RenameThread(String),
    Message(String),
    Counter(f64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => sample().prop_map(Step::Sample),
        2 => (0u64..10_000_000_000).prop_map(Step::Flush),
        2 => ".{0,20}".prop_map(Step::Function),
        1 => ".{0,20}".prop_map(Step::RenameThread),
        1 => ".{0,50}".prop_map(Step::Message),
        1 => (-1e18..1e18f64).prop_map(Step::Counter),
    ]
}

proptest! {
    #![proptest_config(common::cases(150))]

    #[test]
    fn what_was_pushed_comes_back(steps in prop::collection::vec(step(), 0..300), interval in any::<u64>()) {
        let start = rich(1);
        let info = RecordingInfo { interval: Nanos(interval), ..start.info.clone() };
        let mut writer = Writer::create(Vec::new(), &info).unwrap();
        *writer.dictionary_mut() = start.dictionary.clone();
        let mut expected = MemoryRecording::new(info);
        let (mut time, mut now) = (0u64, 0u64);
        for step in &steps {
            match step {
                Step::Sample((delta, weight, count, thread, stack, task, state)) => {
                    time = time.wrapping_add_signed(*delta);
                    let row = SampleRow {
                        time: Time(time),
                        weight: Nanos(*weight),
                        count: *count,
                        thread: ThreadId(*thread),
                        stack: StackId(*stack),
                        task: TaskId(*task),
                        state: State::from_code(*state),
                    };
                    writer.push_sample(row).unwrap();
                    expected.samples.push(row);
                }
                Step::Flush(after) => {
                    now += after;
                    writer.flush(Time(now)).unwrap();
                }
                Step::Function(name) => {
                    let dict = writer.dictionary_mut();
                    let function = dict.function(name, name, name, 1, FunctionKind::Native);
                    let frame = dict.frame(function, 2);
                    dict.stack(StackId(5), frame);
                }
                Step::RenameThread(name) => {
                    let dict = writer.dictionary_mut();
                    let name = dict.string(name);
                    dict.update_thread(ThreadId(1), |row| row.name = name);
                }
                Step::Message(text) => {
                    let row = MessageRow { time: Time(time), text: text.clone(), ..MessageRow::default() };
                    writer.push_message(row.clone());
                    expected.messages.push(row);
                }
                Step::Counter(value) => {
                    let row = CounterRow { counter: CounterId(0), time: Time(now), value: *value };
                    writer.push_counter(row);
                    expected.counters.push(row);
                }
            }
        }
        let written = writer.finish(Time(now)).unwrap();
        prop_assert_eq!(written.rows, expected.samples.len() as u64);
        expected.dictionary = writer.dictionary().clone();
        let recording = Recording::from_bytes(writer.into_inner()).unwrap();
        prop_assert_eq!(recording.recovered(), None);
        prop_assert_eq!(rows_of(&recording), expected.samples.clone());
        prop_assert_eq!(recording.messages(), &expected.messages[..]);
        let counters = recording.counters(TimeRange::ALL).unwrap();
        prop_assert_eq!(counters.len(), expected.counters.len());
        let (ours, theirs) = (recording.dictionary(), &expected.dictionary);
        prop_assert_eq!(ours.strings.as_slice(), theirs.strings.as_slice());
        prop_assert_eq!(ours.functions(), theirs.functions());
        prop_assert_eq!(ours.stacks(), theirs.stacks());
        prop_assert_eq!(ours.threads(), theirs.threads());
        prop_assert_eq!(&*recording.totals().unwrap(), &tiles::summarize(&expected.samples)[..]);
    }
}
