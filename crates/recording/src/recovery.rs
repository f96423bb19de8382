//! What had to be done to read a recording that is not whole, and how to say it.

use crate::index::Index;

/// What was found and lost when a recording was opened. All zero and `false` for a whole file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// There was no footer, so that the file was read through to find its parts.
    pub scanned: bool,
    /// It had been finished: only its footer is damaged.
    pub finished: bool,
    /// Its first bytes are damaged.
    pub head_damaged: bool,
    /// Bytes after the last whole chunk that were left out.
    pub cut_bytes: u64,
    /// Bytes before the last whole chunk that were left out …
    pub damaged_bytes: u64,
    /// … in this number of places.
    pub damaged_places: u64,
    /// Chunks that had been written and are not there.
    pub lost_chunks: u64,
    /// Chunks whose checksum is wrong.
    pub bad_chunks: u64,
    /// Rows of the dictionary that had to be made up because theirs are lost.
    pub made_up_rows: u64,
}

impl Recovery {
    pub(crate) fn new(index: &Index) -> Recovery {
        let scan = index.scan.unwrap_or_default();
        Recovery {
            scanned: index.scan.is_some(),
            finished: scan.finished,
            head_damaged: index.head_damaged,
            cut_bytes: scan.cut_bytes,
            damaged_bytes: scan.damaged_bytes,
            damaged_places: scan.damaged_places,
            lost_chunks: scan.lost_chunks,
            bad_chunks: index.bad_chunks,
            ..Recovery::default()
        }
    }

    /// Whether something from before the end is missing, so that ids may lead nowhere. A torn
    /// tail is no such loss: what is before it is complete in itself. Nor is a torn chunk that
    /// was written again after it.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.lost_chunks > 0 || self.bad_chunks > 0 || self.made_up_rows > 0
    }

    /// The sentence for the user; `None` for a whole file.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        if self.head_damaged {
            parts.push("its first bytes are damaged".into());
        }
        if self.scanned && self.finished {
            parts.push(
                "its footer is damaged, so its parts were found by reading it through".into(),
            );
        } else if self.scanned {
            parts.push("it was not finished, so its parts were found by reading it through".into());
        }
        if self.cut_bytes > 0 && !self.finished {
            parts.push(format!(
                "{} after its last whole part {} left out",
                count(self.cut_bytes, "byte"),
                if self.cut_bytes == 1 { "was" } else { "were" },
            ));
        }
        if self.damaged_bytes > 0 {
            parts.push(format!(
                "{} in {} {} damaged and left out",
                count(self.damaged_bytes, "byte"),
                count(self.damaged_places, "place"),
                if self.damaged_bytes == 1 { "is" } else { "are" },
            ));
        }
        let lost = self.lost_chunks + self.bad_chunks;
        if lost > 0 {
            parts.push(format!(
                "{} lost",
                count(lost, "part") + if lost == 1 { " is" } else { " are" }
            ));
        }
        if self.made_up_rows > 0 {
            parts.push(format!(
                "{} of names or stacks are shown as <lost>",
                count(self.made_up_rows, "row")
            ));
        }
        (!parts.is_empty()).then(|| format!("The recording is not whole: {}.", parts.join("; ")))
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_needs_no_words_and_damage_is_told() {
        assert_eq!(Recovery::default().sentence(), None);
        let killed = Recovery {
            scanned: true,
            cut_bytes: 17,
            ..Recovery::default()
        };
        assert_eq!(
            killed.sentence().as_deref(),
            Some(
                "The recording is not whole: it was not finished, so its parts were found by \
                 reading it through; 17 bytes after its last whole part were left out."
            )
        );
        assert!(!killed.is_lossy());
        let torn = Recovery {
            scanned: true,
            finished: true,
            cut_bytes: 24,
            damaged_bytes: 100,
            damaged_places: 1,
            lost_chunks: 1,
            made_up_rows: 2,
            ..Recovery::default()
        };
        assert_eq!(
            torn.sentence().as_deref(),
            Some(
                "The recording is not whole: its footer is damaged, so its parts were found by \
                 reading it through; 100 bytes in 1 place are damaged and left out; 1 part is \
                 lost; 2 rows of names or stacks are shown as <lost>."
            )
        );
        assert!(torn.is_lossy());
    }
}
