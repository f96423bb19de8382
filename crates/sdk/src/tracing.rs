//! What `tracing` records, as spans and messages of sondage (feature `tracing`).

use crate::raw::{self, SpanId, Value};
use std::collections::HashMap;
use std::fmt::{self, Debug, Write};
use std::sync::{PoisonError, RwLock};
use tracing_core::callsite::Identifier;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Interest, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A layer of `tracing-subscriber`: spans become spans, their fields arguments, events messages.
///
/// ```
/// use tracing_subscriber::prelude::*;
/// let subscriber = tracing_subscriber::registry().with(sondage::tracing::Layer::new());
/// tracing::subscriber::with_default(subscriber, || {
///     let span = tracing::info_span!("load", path = "a.toml");
///     span.in_scope(|| tracing::warn!(bytes = 12, "it is short"));
/// });
/// ```
#[derive(Debug, Default)]
pub struct Layer {
    /// What is known of each place, kept for good: there are as many as the source has.
    places: RwLock<HashMap<Identifier, &'static Place>>,
}

/// The numbers of a span's place, and of its fields in their order.
#[derive(Debug)]
struct Place {
    site: u32,
    fields: Vec<u32>,
}

/// What a span of `tracing` carries along.
struct Mark(SpanId);

impl Layer {
    /// A layer that records.
    #[must_use]
    pub fn new() -> Layer {
        Layer::default()
    }

    fn place(&self, metadata: &'static Metadata<'static>) -> &'static Place {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&metadata.callsite()) {
            return place;
        }
        drop(places);
        let place: &'static Place = Box::leak(Box::new(Place {
            site: raw::site(
                metadata.name(),
                metadata.target(),
                metadata.file().unwrap_or(""),
                metadata.line().unwrap_or(0),
                0,
            ),
            fields: metadata
                .fields()
                .iter()
                .map(|field| raw::text(field.name()))
                .collect(),
        }));
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        places.entry(metadata.callsite()).or_insert(place)
    }
}

fn mark<S>(context: &Context<'_, S>, id: &Id) -> SpanId
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let span = context.span(id);
    span.and_then(|span| span.extensions().get::<Mark>().map(|mark| mark.0))
        .unwrap_or_default()
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_span() {
            self.place(metadata);
        }
        Interest::always()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !raw::is_enabled() {
            return;
        }
        let Some(span) = context.span(id) else {
            return;
        };
        let place = self.place(attributes.metadata());
        let parent = span.parent().map_or_else(raw::current_span, |parent| {
            let extensions = parent.extensions();
            extensions.get::<Mark>().map_or(SpanId(0), |mark| mark.0)
        });
        let number = raw::new_span_id();
        // It begins where it is made, and may go on elsewhere.
        if !raw::span_make(place.site, number, parent) {
            return;
        }
        attributes.record(&mut Arguments {
            span: number,
            place,
        });
        span.extensions_mut().insert(Mark(number));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = mark(&context, id);
        if let Some(metadata) = context.metadata(id)
            && span != SpanId(0)
        {
            let place = self.place(metadata);
            values.record(&mut Arguments { span, place });
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let span = mark(&context, id);
        if span != SpanId(0) {
            raw::span_enter(span);
            raw::set_current_span(span);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let span = mark(&context, id);
        if span != SpanId(0) {
            raw::span_exit(span);
            let outer = context.lookup_current().and_then(|outer| {
                let extensions = outer.extensions();
                extensions.get::<Mark>().map(|mark| mark.0)
            });
            raw::set_current_span(outer.unwrap_or_default());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = mark(&context, &id);
        if span != SpanId(0) {
            raw::span_end(span, false);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !raw::is_enabled() {
            return;
        }
        let level = match *event.metadata().level() {
            Level::ERROR => crate::Level::Error,
            Level::WARN => crate::Level::Warning,
            Level::INFO => crate::Level::Info,
            _ => crate::Level::Debug,
        };
        let mut line = Line::default();
        event.record(&mut line);
        raw::message(level as u8, 0, line.message.trim_end());
    }
}

/// Records fields as a span's arguments.
struct Arguments<'a> {
    span: SpanId,
    place: &'a Place,
}

impl Arguments<'_> {
    fn record(&self, field: &Field, value: Value<'_>) {
        let key = self.place.fields.get(field.index()).copied();
        raw::value(self.span, key.unwrap_or(0), value);
    }
}

impl Visit for Arguments<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, Value::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, Value::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, Value::Uint(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, Value::Text(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, Value::Text(&format!("{value:?}")));
    }
}

/// An event as a line: its message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail; what a value's own `Debug` says of it is its own.
        let _: fmt::Result = if field.name() == "message" {
            let rest = std::mem::take(&mut self.message);
            write!(self.message, "{value:?} {rest}")
        } else {
            write!(self.message, "{}={value:?} ", field.name())
        };
    }
}
