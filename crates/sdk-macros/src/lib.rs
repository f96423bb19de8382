//! The attribute `#[sondage::instrument]`.
//!
//! **Supplies** that one attribute, which the crate `sondage` gives on.
//!
//! **Solves** that a function is a zone, and an `async` function a span that follows its future
//! across polls and threads, with one line above it.
//!
//! **Not for** use by itself: what it writes calls `sondage`, whose documentation has the running
//! examples. It takes a function apart by its tokens, without a parser of the whole language: a
//! program with probes should not build longer for it.
//!
//! ```ignore
//! #[sondage::instrument]
//! fn parse(text: &str) -> usize {
//!     text.len()
//! }
//! ```

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

mod function;

/// Records each call of a function as a zone, and each call of an `async` function as a span.
///
/// An `async` function's span begins with its first poll and follows its future to whatever thread
/// polls it; the time between polls is its waiting. A future that is dropped before it is done is
/// a span that failed.
///
/// In brackets it takes `name = "…"` (else it is the function's), `colour = 0xRRGGBB`, and
/// `args(a, b)`: arguments of the function to keep, which must be numbers, truths or texts.
///
/// ```ignore
/// #[sondage::instrument(name = "load", colour = 0xffaa00, args(path))]
/// async fn load_file(path: &str, retries: u32) -> std::io::Result<Vec<u8>> {
///     std::fs::read(path)
/// }
/// ```
#[proc_macro_attribute]
pub fn instrument(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let options = match Options::parse(attribute) {
        Ok(options) => options,
        Err(error) => return error.report(item),
    };
    match function::Function::parse(item.clone()) {
        Ok(function) => function.instrumented(&options),
        Err(error) => error.report(item),
    }
}

/// What stands in the attribute's brackets.
#[derive(Default)]
struct Options {
    name: Option<Literal>,
    colour: Option<Literal>,
    args: Vec<Ident>,
}

/// What is wrong, and where.
struct Error {
    what: &'static str,
    at: Span,
}

impl Error {
    /// The item as it was, and an error beside it.
    fn report(self, item: TokenStream) -> TokenStream {
        let spanned = |mut tree: TokenTree| {
            tree.set_span(self.at);
            tree
        };
        let text = TokenTree::from(Literal::string(self.what));
        let group = Group::new(Delimiter::Brace, TokenStream::from(spanned(text)));
        let error = [
            TokenTree::from(Ident::new("compile_error", self.at)),
            TokenTree::from(Punct::new('!', Spacing::Alone)),
            TokenTree::from(group),
        ];
        item.into_iter().chain(error.map(spanned)).collect()
    }
}

impl Options {
    fn parse(attribute: TokenStream) -> Result<Options, Error> {
        const WANTED: &str =
            "expected `name = \"…\"`, `colour = 0xRRGGBB` or `args(…)`, with commas between them";
        let mut options = Options::default();
        let mut trees = attribute.into_iter();
        while let Some(tree) = trees.next() {
            let error = |at| Error { what: WANTED, at };
            let TokenTree::Ident(key) = &tree else {
                return Err(error(tree.span()));
            };
            match (key.to_string().as_str(), trees.next()) {
                ("args", Some(TokenTree::Group(group))) => {
                    for tree in group.stream() {
                        match tree {
                            TokenTree::Ident(name) => options.args.push(name),
                            TokenTree::Punct(comma) if comma.as_char() == ',' => {}
                            other => return Err(error(other.span())),
                        }
                    }
                }
                (key, Some(TokenTree::Punct(equals))) if equals.as_char() == '=' => {
                    match (key, trees.next()) {
                        ("name", Some(TokenTree::Literal(name))) => options.name = Some(name),
                        ("colour", Some(TokenTree::Literal(colour))) => {
                            options.colour = Some(colour);
                        }
                        _ => return Err(error(tree.span())),
                    }
                }
                _ => return Err(error(tree.span())),
            }
            match trees.next() {
                None => break,
                Some(TokenTree::Punct(comma)) if comma.as_char() == ',' => {}
                Some(other) => return Err(error(other.span())),
            }
        }
        Ok(options)
    }
}
