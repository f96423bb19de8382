//! A function taken apart as far as is needed: what stands before its body, and its body.

use crate::{Error, Options};
use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

/// A function.
pub struct Function {
    /// Attributes, qualifiers, name, arguments, result, bounds.
    head: Vec<TokenTree>,
    name: Ident,
    is_async: bool,
    /// The type of its result, where it can be written down again.
    result: Option<TokenStream>,
    body: TokenStream,
}

impl Function {
    pub fn parse(item: TokenStream) -> Result<Function, Error> {
        let error = |what, at| Err(Error { what, at });
        let mut head: Vec<TokenTree> = item.into_iter().collect();
        let body = match head.pop() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group,
            Some(other) => return error("expected a function with a body", other.span()),
            None => return error("expected a function", Span::call_site()),
        };
        let is_word = |tree: &TokenTree, word: &str| match tree {
            TokenTree::Ident(ident) => ident.to_string() == word,
            _ => false,
        };
        let Some(at) = head.iter().position(|tree| is_word(tree, "fn")) else {
            return error("expected a function", body.span());
        };
        let name = match head.get(at + 1) {
            Some(TokenTree::Ident(name)) => name.clone(),
            _ => return error("expected a function with a name", body.span()),
        };
        if let Some(word) = head[..at].iter().find(|tree| is_word(tree, "const")) {
            return error("a const function cannot be recorded", word.span());
        }
        Ok(Function {
            is_async: head[..at].iter().any(|tree| is_word(tree, "async")),
            result: result_of(&head[at..]),
            name,
            head,
            body: body.stream(),
        })
    }

    /// The function with probes in it.
    pub fn instrumented(self, options: &Options) -> TokenStream {
        let name = match &options.name {
            Some(name) => name.clone(),
            None => Literal::string(self.name.to_string().trim_start_matches("r#")),
        };
        let colour = match &options.colour {
            Some(colour) => colour.clone(),
            None => Literal::u32_suffixed(0),
        };
        let args: String = options
            .args
            .iter()
            .map(|argument| format!(", {argument} = {argument}"))
            .collect();
        let body = TokenTree::from(Group::new(Delimiter::Brace, self.body));
        let body = if self.is_async {
            let mut inner = TokenStream::new();
            if let Some(result) = self.result {
                // What the body's `?` and `return` give is known before the body is looked at.
                inner.extend(tokens(
                    "#[allow(unreachable_code, clippy::diverging_sub_expression, \
                     clippy::empty_loop)] if false",
                ));
                let mut known = tokens("let result:");
                known.extend(result);
                known.extend(tokens("= loop {}; return result;"));
                inner.extend([TokenTree::from(Group::new(Delimiter::Brace, known))]);
            }
            inner.extend([body]);
            let inner = TokenTree::from(Group::new(Delimiter::Brace, inner));
            let mut call = tokens(&format!("{colour}, {name}{args} =>"));
            call.extend([inner]);
            let mut out = tokens("::sondage::__follow!");
            out.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, call))]);
            out.extend(tokens(".await"));
            out
        } else {
            let mut out = tokens(&format!(
                "::sondage::zone!(colour: {colour}, {name}{args});"
            ));
            out.extend([body]);
            out
        };
        let body = TokenTree::from(Group::new(Delimiter::Brace, body));
        self.head.into_iter().chain([body]).collect()
    }
}

/// The type between `->` and the bounds or the body. `()` where there is none; nothing where it
/// has no name.
fn result_of(head: &[TokenTree]) -> Option<TokenStream> {
    let is_punct = |tree: &TokenTree, wanted: char| match tree {
        TokenTree::Punct(punct) => punct.as_char() == wanted,
        _ => false,
    };
    let is_word = |tree: &TokenTree, word: &str| match tree {
        TokenTree::Ident(ident) => ident.to_string() == word,
        _ => false,
    };
    let arguments = head.iter().position(
        |tree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis),
    )?;
    let after = &head[arguments + 1..];
    let after = match after {
        [minus, more, rest @ ..] if is_punct(minus, '-') && is_punct(more, '>') => rest,
        _ => return Some(tokens("()")),
    };
    let end = after.iter().position(|tree| is_word(tree, "where"));
    let result: TokenStream = after[..end.unwrap_or(after.len())]
        .iter()
        .cloned()
        .collect();
    let has_impl = result.to_string().contains("impl ");
    (!has_impl && !result.is_empty()).then_some(result)
}

/// Tokens of Rust that is written here.
fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}
