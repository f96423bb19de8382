//! The macros, with probes in them. `macros_off.rs` has the same without.

/// Records the rest of the block as a zone: `zone!("name");`, with arguments
/// `zone!("name", key = value);`, with a colour `zone!(colour: 0xffaa00, "name");`.
///
/// The name is a constant. Arguments are numbers, truths and texts, and are only computed when the
/// zone is recorded.
///
/// ```
/// fn parse(text: &str) -> usize {
///     sondage::zone!("parse", bytes = text.len());
///     text.split(',').count()
/// }
/// # assert_eq!(parse("a,b"), 2);
/// ```
#[macro_export]
macro_rules! zone {
    (colour: $colour:expr, $name:expr $(, $key:ident = $value:expr)* $(,)?) => {
        let zone = $crate::enter!(colour: $colour, $name $(, $key = $value)*);
    };
    ($name:expr $(, $key:ident = $value:expr)* $(,)?) => {
        let zone = $crate::enter!(colour: 0, $name $(, $key = $value)*);
    };
}

/// Begins a zone as [`zone!`](crate::zone) does, and returns it: it ends when it is dropped.
///
/// ```
/// let load = sondage::enter!("load");
/// drop(load);
/// ```
#[macro_export]
macro_rules! enter {
    (colour: $colour:expr, $name:expr $(, $key:ident = $value:expr)* $(,)?) => {{
        let zone = $crate::Zone::begin($crate::__site!($name, $colour));
        $( if zone.is_open() {
            zone.value($crate::__text!(::core::stringify!($key)), &$value);
        } )*
        zone
    }};
    ($name:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::enter!(colour: 0, $name $(, $key = $value)*)
    };
}

/// Begins a [`Span`](crate::Span) and returns it: a zone with a number, which may change threads.
/// Takes what [`zone!`](crate::zone) takes. It is inside the span that the thread is in.
///
/// ```
/// let span = sondage::span!("request", path = "/");
/// let answer = span.enter(|| 42);
/// # assert_eq!(answer, 42);
/// ```
#[macro_export]
macro_rules! span {
    (colour: $colour:expr, $name:expr $(, $key:ident = $value:expr)* $(,)?) => {{
        let span = $crate::Span::begin($crate::__site!($name, $colour));
        $( if span.is_open() {
            span.value($crate::__text!(::core::stringify!($key)), &$value);
        } )*
        span
    }};
    ($name:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::span!(colour: 0, $name $(, $key = $value)*)
    };
}

/// Adds many passes of one place up to a single event, where a zone for each would be too much.
///
/// ```
/// let mut hash = sondage::cumulative!("hash");
/// for word in ["a", "b", "c"] {
///     let _pass = hash.pass();
///     # let _ = word;
/// }
/// ```
#[macro_export]
macro_rules! cumulative {
    ($name:expr) => {
        $crate::Cumulative::new($crate::__site!($name, 0))
    };
}

/// Marks the end of a frame and the begin of the next: the program's main frame with
/// `frame_mark!()`, another one with `frame_mark!("name")`.
#[macro_export]
macro_rules! frame_mark {
    () => {
        $crate::mark_frame(::core::option::Option::None)
    };
    ($name:expr) => {
        $crate::mark_frame(::core::option::Option::Some($crate::__text!($name)))
    };
}

/// A frame that does not follow the one before at once: from here until what it returns is
/// dropped.
///
/// ```
/// {
///     let _frame = sondage::frame!("physics");
/// }
/// ```
#[macro_export]
macro_rules! frame {
    ($name:expr) => {
        $crate::Frame::begin($crate::__text!($name))
    };
}

/// A point of a plot, now: `plot!("queue", queue.len())`.
#[macro_export]
macro_rules! plot {
    ($name:expr, $value:expr) => {
        if $crate::raw::is_enabled() {
            $crate::plot_value($crate::__text!($name), &$value);
        }
    };
}

/// A line of text, now: `message!("loaded {n} files")`. With a level before it
/// (`message!(Level::Warning, "…")`) and a colour (`message!(Level::Info, colour: 0x00ff00, "…")`).
///
/// ```
/// use sondage::{Level, message};
/// let n = 3;
/// message!("loaded {n} files");
/// message!(Level::Warning, "{} is missing", "a.toml");
/// ```
#[macro_export]
macro_rules! message {
    ($format:literal $($rest:tt)*) => {
        $crate::message!($crate::Level::Info, colour: 0, $format $($rest)*)
    };
    ($level:expr, colour: $colour:expr, $format:literal $($rest:tt)*) => {
        if $crate::raw::is_enabled() {
            $crate::write_message($level, $colour, ::core::format_args!($format $($rest)*));
        }
    };
    ($level:expr, $format:literal $($rest:tt)*) => {
        $crate::message!($level, colour: 0, $format $($rest)*)
    };
}

/// The place where it stands.
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    ($name:expr, $colour:expr) => {{
        fn function() -> &'static ::core::primitive::str {
            ::core::any::type_name_of_val(&function)
        }
        static SITE: $crate::Site =
            $crate::Site::new($name, function, (::core::file!(), ::core::line!()), $colour);
        &SITE
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __text {
    ($text:expr) => {{
        static TEXT: $crate::Text = $crate::Text::new($text);
        &TEXT
    }};
}

/// What `#[instrument]` makes of the body of an `async` function.
#[doc(hidden)]
#[macro_export]
macro_rules! __follow {
    ($colour:expr, $name:expr $(, $key:ident = $value:expr)* => $body:block) => {{
        let site = $crate::__site!($name, $colour);
        $crate::InSpan::at(site, async move {
            $( $crate::__span_value!($key, $value); )*
            $body
        })
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __span_value {
    ($key:ident, $value:expr) => {
        let span = $crate::raw::current_span();
        if span != $crate::SpanId(0) {
            let value = $crate::AsValue::as_value(&$value);
            $crate::raw::value(span, $crate::__text!(::core::stringify!($key)).id(), value);
        }
    };
}
