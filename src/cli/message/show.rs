//! A message for people: what it is, and a line for every field and everything inside.

use std::fmt::Write as _;

use super::doubt::Doubt;
use super::unframe::Unframed;
use crate::iso8583::{self, Decoded, Node, Shown};

/// Columns that a level is indented by.
const INDENT: usize = 2;

/// The message in words, then its fields. `masked`: card data as stars, and what may be some.
pub(super) fn message(decoded: &Decoded<'_, '_>, unframed: &Unframed<'_>, masked: bool) -> String {
    let message = &decoded.message;
    let nodes = iso8583::tree(message, masked);
    let mut text = String::new();
    let count = nodes.len();
    let framed = unframed.framing.map(|framing| format!(", framed as `{framing}`")).unwrap_or_default();
    let size = message.frame().len();
    // Writing to a string cannot fail.
    let _ = match message.mti() {
        iso8583::Mti::UNREADABLE => writeln!(text, "no message type can be read"),
        mti => writeln!(text, "{mti}  {}", mti.words()),
    };
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let name = message.dialect().name();
    let _ = writeln!(text, "{name}, {size} bytes{framed}, {count} field{}", plural(count));
    if !message.header().is_empty() {
        let _ = writeln!(text, "header: {}", hex::encode_upper(message.header()));
    }
    if let Some(said) = unframed.said {
        let _ = writeln!(text, "note: the length before it says {said} bytes, {size} are here");
    }
    if nodes.is_empty() {
        return text;
    }
    let widths = Widths::of(&nodes);
    let Widths { key, notation, name } = widths;
    let _ =
        writeln!(text, "\n{:<key$}  offset  length  {:<notation$}  {:<name$}  value", " DE", "type", "name");
    let doubt = if masked { Doubt::of(decoded) } else { None };
    for node in &nodes {
        let touched = |doubt: &Doubt| doubt.touches_field(decoded, node.key.parse().unwrap_or(0));
        line(&mut text, node, 0, widths, doubt.as_ref().map(touched));
    }
    if doubt.is_some() {
        text.push_str("(the layout is lost, so digits that may be a card number are hidden)\n");
    }
    text
}

/// Columns of what is as wide as its widest.
#[derive(Clone, Copy)]
struct Widths {
    key: usize,
    notation: usize,
    name: usize,
}

impl Widths {
    fn of(nodes: &[Node]) -> Self {
        let mut widths = Self { key: 3, notation: 4, name: 4 };
        widths.take(nodes, 0);
        widths
    }

    fn take(&mut self, nodes: &[Node], depth: usize) {
        for node in nodes {
            self.key = self.key.max(key(node, depth).chars().count());
            self.notation = self.notation.max(node.notation.chars().count());
            self.name = self.name.max(node.name.chars().count());
            if let Shown::Inside(inside) = &node.value {
                self.take(inside, depth.saturating_add(1));
            }
        }
    }
}

/// A field's number to the right; what is inside further in.
fn key(node: &Node, depth: usize) -> String {
    if depth == 0 {
        return format!("{:>3}", node.key);
    }
    let indent = depth.saturating_mul(INDENT).saturating_add(2);
    format!("{:indent$}{}", "", node.key)
}

/// A node and all that is inside; `touched` is there if the message is in doubt, and says whether this field is.
fn line(text: &mut String, node: &Node, depth: usize, widths: Widths, touched: Option<bool>) {
    let Widths { key: key_width, notation, name } = widths;
    let offset = node.offset.map(|offset| offset.to_string()).unwrap_or_default();
    let mut line = format!(
        "{:<key_width$}  {offset:>6}  {:>6}  {:<notation$}  {:<name$}  ",
        key(node, depth),
        node.length,
        node.notation,
        node.name,
    );
    if let Shown::Text(value) | Shown::Binary(value) = &node.value {
        match touched {
            Some(touched) => line.push_str(&Doubt::value(value, touched)),
            None => line.push_str(value),
        }
    }
    if let Some(meaning) = node.meaning.as_ref().filter(|_| touched != Some(true)) {
        let _ = write!(line, " = {meaning}");
    }
    text.push_str(line.trim_end());
    text.push('\n');
    if let Shown::Inside(inside) = &node.value {
        for node in inside {
            self::line(text, node, depth.saturating_add(1), widths, touched);
        }
    }
}
