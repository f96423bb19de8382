//! `co_linetable`: instruction offset → line (the format of 3.11 and later).

/// The line of the instruction at `offset` bytes, counted from `first_line`; 0 where it has none
/// or the table ends before it.
///
/// An entry is a byte `1cccclll` (code c, length l + 1 in code units of 2 bytes), then for some
/// codes a signed variable-length number to add to the line.
pub(crate) fn line(table: &[u8], first_line: u32, offset: u32) -> u32 {
    let mut bytes = table.iter().copied();
    let mut end = 0_u32;
    let mut line = i64::from(first_line);
    while let Some(head) = bytes.next() {
        if head & 0x80 == 0 {
            return 0;
        }
        let code = (head >> 3) & 15;
        end = end.saturating_add((u32::from(head & 7) + 1) * 2);
        let step = match code {
            13 | 14 => signed_number(&mut bytes),
            10..=12 => Some(i64::from(code) - 10),
            _ => Some(0),
        };
        let Some(step) = step else { return 0 };
        line = line.saturating_add(step);
        match code {
            // Columns, which are not used: one byte, two bytes, or three numbers.
            0..=9 => drop(bytes.next()),
            10..=12 => {
                bytes.next();
                bytes.next();
            }
            14 => {
                for _ in 0..3 {
                    number(&mut bytes);
                }
            }
            _ => {}
        }
        if offset < end {
            return if code == 15 {
                0
            } else {
                u32::try_from(line).unwrap_or(0)
            };
        }
    }
    0
}

fn number(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0_u64;
    let mut shift = 0;
    loop {
        let byte = bytes.next()?;
        value |= u64::from(byte & 63).checked_shl(shift)?;
        if byte & 64 == 0 {
            return Some(value);
        }
        shift += 6;
    }
}

fn signed_number(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let value = number(bytes)?;
    let size = (value >> 1) as i64;
    Some(if value & 1 == 1 { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn entries_of_every_kind() {
        let table = [
            0x80 | 13 << 3,
            2, // 1 unit, line +1
            0x80 | 10 << 3 | 1,
            0,
            0, // 2 units, line +0
            0x80 | 12 << 3,
            0,
            0,              // 1 unit, line +2
            0x80 | 15 << 3, // 1 unit, no line
            0x80 | 14 << 3,
            0x43,
            1,
            0,
            0,
            0, // 1 unit, line −(3 + 64 >> 1) = −33
            0x80 | 3 << 3,
            7, // 1 unit, short form
        ];
        assert_eq!(line(&table, 100, 0), 101);
        assert_eq!(line(&table, 100, 2), 101);
        assert_eq!(line(&table, 100, 4), 101);
        assert_eq!(line(&table, 100, 6), 103);
        assert_eq!(line(&table, 100, 8), 0);
        assert_eq!(line(&table, 100, 10), 70);
        assert_eq!(line(&table, 100, 12), 70);
        assert_eq!(line(&table, 100, 14), 0, "past the end");
    }

    #[test]
    fn hostile_tables_end() {
        assert_eq!(line(&[], 1, 0), 0);
        assert_eq!(line(&[0x80 | 13 << 3], 1, 0), 0);
        assert_eq!(
            line(
                &[
                    0x80 | 14 << 3,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff
                ],
                1,
                0
            ),
            0
        );
        assert_eq!(line(&[0x00], 1, 0), 0);
    }
}
