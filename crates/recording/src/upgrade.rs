//! Old versions open for ever: how a chunk of an earlier version becomes one of this version.
//!
//! When the format changes in a way that a reader cannot see from the stored schemas, raise
//! [`VERSION`](crate::chunk::VERSION), add the step from the version before to [`UPGRADES`], and
//! keep the golden files of that version. Columns that are only added need no new version.

use crate::chunk::{Header, VERSION};
use crate::error::ChunkError;

/// One step from a version to the next.
#[derive(Clone, Copy)]
pub(crate) struct Upgrade {
    /// The version that it takes.
    pub from: u16,
    /// Changes a chunk: its header and its decompressed Arrow message.
    pub chunk: fn(&mut Header, Vec<u8>) -> Result<Vec<u8>, ChunkError>,
}

/// All steps, oldest first. Version 1 is the first there is.
const UPGRADES: &[Upgrade] = &[
    // Version 2 has what programs say of themselves: new tables, none of the old ones changed.
    Upgrade {
        from: 1,
        chunk: |_, message| Ok(message),
    },
];

/// Why there is no way from a version to this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoWay {
    Newer,
    NeverWas,
}

/// The steps from `version` to the one that is read here.
pub(crate) fn steps_from(version: u16) -> Result<&'static [Upgrade], NoWay> {
    chain(UPGRADES, version, VERSION)
}

fn chain(upgrades: &[Upgrade], version: u16, known: u16) -> Result<&[Upgrade], NoWay> {
    if version > known {
        return Err(NoWay::Newer);
    }
    let steps = usize::from(known - version);
    let chain = upgrades
        .len()
        .checked_sub(steps)
        .map(|start| &upgrades[start..])
        .ok_or(NoWay::NeverWas)?;
    if chain.first().is_some_and(|step| step.from != version) {
        return Err(NoWay::NeverWas);
    }
    Ok(chain)
}

/// Takes a chunk through the steps.
pub(crate) fn apply(
    steps: &[Upgrade],
    header: &mut Header,
    message: Vec<u8>,
) -> Result<Vec<u8>, ChunkError> {
    steps
        .iter()
        .try_fold(message, |message, step| (step.chunk)(header, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Upgrade] = &[
        Upgrade {
            from: 1,
            chunk: |header, mut message| {
                header.count += 1;
                message.push(b'2');
                Ok(message)
            },
        },
        Upgrade {
            from: 2,
            chunk: |_, mut message| {
                message.push(b'3');
                Ok(message)
            },
        },
    ];

    #[test]
    fn an_old_chunk_takes_every_step_in_order() {
        for (version, expected, count) in [(1, "x23", 1), (2, "x3", 0), (3, "x", 0)] {
            let mut header = Header::default();
            let steps = chain(STEPS, version, 3).unwrap_or_default();
            let message = apply(steps, &mut header, b"x".to_vec());
            assert_eq!(message, Ok(expected.into()));
            assert_eq!(header.count, count);
        }
    }

    #[test]
    fn versions_of_the_future_and_of_no_time_have_no_way() {
        assert_eq!(chain(STEPS, 4, 3).err(), Some(NoWay::Newer));
        assert_eq!(chain(STEPS, 0, 3).err(), Some(NoWay::NeverWas));
        assert_eq!(steps_from(0).err(), Some(NoWay::NeverWas));
        assert_eq!(steps_from(VERSION + 1).err(), Some(NoWay::Newer));
        assert!(steps_from(VERSION).is_ok());
    }
}
