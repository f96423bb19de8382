//! What Tracy keeps of a single zone beside its arguments.

/// Something about one zone, which Tracy alone is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note<'a> {
    /// A line of text.
    Text(&'a str),
    /// A number.
    Value(u64),
    /// What this one is called, where its place has another name.
    Name(&'a str),
    /// Its colour: `0xRRGGBB`.
    Colour(u32),
}
