//! Places and texts that a program's source holds: they get their number at their first use.

use crate::raw::{self, SpanId, Value};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Not asked for yet.
const UNKNOWN: u32 = 0;
/// There were too many. A number that no definition has.
const REFUSED: u32 = u32::MAX;

#[cold]
#[inline(never)]
fn learn(id: &AtomicU32, ask: impl FnOnce() -> u32) -> u32 {
    let got = match ask() {
        0 => REFUSED,
        got => got,
    };
    id.store(got, Ordering::Relaxed);
    got
}

/// A place in the source where zones or spans begin. [`zone!`](crate::zone) and its kin make one
/// for each place where they stand.
#[derive(Debug)]
pub struct Site {
    id: AtomicU32,
    name: &'static str,
    function: fn() -> &'static str,
    file: &'static str,
    line: u32,
    colour: u32,
}

impl Site {
    /// A place. `function` tells its function's path, with a `::` and a last word behind it that
    /// is cut off; `colour` is `0xRRGGBB`, 0 for none.
    #[must_use]
    pub const fn new(
        name: &'static str,
        function: fn() -> &'static str,
        (file, line): (&'static str, u32),
        colour: u32,
    ) -> Site {
        Site {
            id: AtomicU32::new(UNKNOWN),
            name,
            function,
            file,
            line,
            colour,
        }
    }

    /// Its number.
    #[inline(always)]
    #[must_use]
    pub fn id(&self) -> u32 {
        match self.id.load(Ordering::Relaxed) {
            UNKNOWN => self.learn(),
            id => id,
        }
    }

    #[cold]
    fn learn(&self) -> u32 {
        let function = function_of((self.function)());
        learn(&self.id, || {
            raw::site(self.name, function, self.file, self.line, self.colour)
        })
    }
}

/// `app::parse` of `app::parse::{{closure}}::function`.
fn function_of(inner: &'static str) -> &'static str {
    let mut path = inner.rsplit_once("::").map_or(inner, |(path, _)| path);
    while let Some(outer) = path.strip_suffix("::{{closure}}") {
        path = outer;
    }
    path
}

/// A text that the source holds: the name of a plot, a frame, an argument.
#[derive(Debug)]
pub struct Text {
    id: AtomicU32,
    text: &'static str,
}

impl Text {
    /// A text.
    #[must_use]
    pub const fn new(text: &'static str) -> Text {
        Text {
            id: AtomicU32::new(UNKNOWN),
            text,
        }
    }

    /// Its number.
    #[inline(always)]
    #[must_use]
    pub fn id(&self) -> u32 {
        match self.id.load(Ordering::Relaxed) {
            UNKNOWN => learn(&self.id, || raw::text(self.text)),
            id => id,
        }
    }
}

/// A zone of this thread: from its making to its end. Zones of a thread end in the opposite order
/// of their begins, so it cannot leave its thread, and should not be dropped out of order.
#[derive(Debug)]
#[must_use = "the zone ends when this is dropped: bind it to a name, or use `zone!`"]
pub struct Zone {
    is_open: bool,
    stays: std::marker::PhantomData<*const ()>,
}

impl Zone {
    /// Begins a zone.
    #[inline(always)]
    pub fn begin(site: &Site) -> Zone {
        Zone {
            is_open: raw::zone_begin_at(|| site.id()),
            stays: std::marker::PhantomData,
        }
    }

    /// A zone that is not recorded.
    #[inline(always)]
    pub const fn none() -> Zone {
        Zone {
            is_open: false,
            stays: std::marker::PhantomData,
        }
    }

    /// Whether it is recorded.
    #[inline(always)]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Notes an argument of the zone. Only the innermost zone of the thread can have one.
    #[inline]
    pub fn value(&self, key: &Text, value: impl AsValue) {
        if self.is_open {
            raw::value(SpanId(0), key.id(), value.as_value());
        }
    }
}

impl Drop for Zone {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_open {
            raw::zone_end();
        }
    }
}

/// What can be an argument, or a point of a plot.
pub trait AsValue {
    /// As a value.
    fn as_value(&self) -> Value<'_>;
}

macro_rules! as_value {
    ($($kind:ident: $($of:ty)*;)*) => { $($(
        impl AsValue for $of {
            #[inline]
            fn as_value(&self) -> Value<'_> {
                Value::$kind((*self).into())
            }
        }
    )*)* };
}

as_value! {
    Int: i8 i16 i32 i64;
    Uint: u8 u16 u32 u64;
    Float: f32 f64;
    Bool: bool;
}

impl AsValue for usize {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::Uint(*self as u64)
    }
}

impl AsValue for isize {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::Int(*self as i64)
    }
}

impl AsValue for str {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl AsValue for String {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

macro_rules! through {
    ($($of:ty)*) => { $(
        impl<T: AsValue + ?Sized> AsValue for $of {
            #[inline]
            fn as_value(&self) -> Value<'_> {
                (**self).as_value()
            }
        }
    )* };
}

through! { &T &mut T Box<T> Rc<T> Arc<T> }

impl AsValue for Cow<'_, str> {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::function_of;

    #[test]
    fn a_function_is_named_without_what_the_macro_adds() {
        let cases = [
            ("app::parse::function", "app::parse"),
            ("app::parse::{{closure}}::function", "app::parse"),
            ("app::run::{{closure}}::{{closure}}::function", "app::run"),
            ("function", "function"),
        ];
        for (inner, outer) in cases {
            assert_eq!(function_of(inner), outer);
        }
    }
}
