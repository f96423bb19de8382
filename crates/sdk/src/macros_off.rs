//! The macros of `macros.rs` without probes: for `default-features = false`. What they are given
//! is looked at by the compiler, so that a program that builds with probes builds without, and is
//! not computed.

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! zone {
    (colour: $colour:expr, $name:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::__unused!($($value)*)
    };
    ($name:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::__unused!($($value)*)
    };
}

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! enter {
    (colour: $colour:expr, $name:expr $(, $key:ident = $value:expr)* $(,)?) => {{
        $crate::__unused!($($value)*);
        $crate::Zone::none()
    }};
    ($name:expr $(, $key:ident = $value:expr)* $(,)?) => {{
        $crate::__unused!($($value)*);
        $crate::Zone::none()
    }};
}

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! span {
    (colour: $colour:expr, $name:expr $(, $key:ident = $value:expr)* $(,)?) => {{
        $crate::__unused!($($value)*);
        $crate::Span::none()
    }};
    ($name:expr $(, $key:ident = $value:expr)* $(,)?) => {{
        $crate::__unused!($($value)*);
        $crate::Span::none()
    }};
}

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! cumulative {
    ($name:expr) => {
        $crate::Cumulative::none()
    };
}

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! frame_mark {
    () => {
        ()
    };
    ($name:expr) => {
        ()
    };
}

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! frame {
    ($name:expr) => {
        $crate::Frame::none()
    };
}

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! plot {
    ($name:expr, $value:expr) => {
        $crate::__unused!($value)
    };
}

/// Nothing: the probes are compiled out.
#[macro_export]
macro_rules! message {
    ($format:literal $($rest:tt)*) => {
        $crate::__unused!(::core::format_args!($format $($rest)*))
    };
    ($level:expr, colour: $colour:expr, $format:literal $($rest:tt)*) => {
        $crate::__unused!($level ::core::format_args!($format $($rest)*))
    };
    ($level:expr, $format:literal $($rest:tt)*) => {
        $crate::__unused!($level ::core::format_args!($format $($rest)*))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __unused {
    ($($value:expr)*) => {
        if false {
            $( let _ = &$value; )*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __text {
    ($text:expr) => {{
        static TEXT: $crate::Text = $crate::Text::new($text);
        &TEXT
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __follow {
    ($colour:expr, $name:expr $(, $key:ident = $value:expr)* => $body:block) => {
        async move {
            $crate::__unused!($($value)*);
            $body
        }
    };
}
