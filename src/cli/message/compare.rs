//! Two messages field by field: what is the same, what differs, what only one of them has.

use std::collections::BTreeMap;

use crate::iso8583::{self, Decoded, Node, Shown};

/// A place that the two messages do not agree on, or do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Line {
    /// `mti`, `header`, or a path such as `48.CN`; of a tag that repeats, `120.FH#2` is the second.
    pub(super) path: String,
    pub(super) name: String,
    /// What the first has there, as it may be shown; `None` if nothing.
    pub(super) a: Option<String>,
    pub(super) b: Option<String>,
    /// Whether they are the same in full, be it shown or not.
    pub(super) same: bool,
}

impl Line {
    /// In a word.
    pub(super) const fn verdict(&self) -> &'static str {
        match (&self.a, &self.b, self.same) {
            (Some(_), None, _) => "only in A",
            (None, Some(_), _) => "only in B",
            (_, _, true) => "same",
            (_, _, false) => "differs",
        }
    }
}

/// A value in full and as it may be shown.
struct Leaf {
    name: String,
    value: String,
    shown: String,
}

/// All places of both messages but the ignored ones, in the order of the fields. `masked`: card data is compared, but not
/// shown.
pub(super) fn compare(
    a: &Decoded<'_, '_>,
    b: &Decoded<'_, '_>,
    ignored: &[String],
    masked: bool,
) -> Vec<Line> {
    let (a, b) = (leaves(a, masked), leaves(b, masked));
    let mut lines = Vec::new();
    let mut rest: BTreeMap<Order, (&String, &Leaf)> =
        b.iter().map(|(path, leaf)| (order(path), (path, leaf))).collect();
    let mut all: BTreeMap<Order, Line> = BTreeMap::new();
    for (path, leaf) in &a {
        let other = rest.remove(&order(path)).map(|(_, other)| other);
        all.insert(
            order(path),
            Line {
                path: path.clone(),
                name: leaf.name.clone(),
                a: Some(leaf.shown.clone()),
                b: other.map(|other| other.shown.clone()),
                same: other.is_some_and(|other| other.value == leaf.value),
            },
        );
    }
    for (place, (path, leaf)) in rest {
        let (path, name) = (path.clone(), leaf.name.clone());
        all.insert(place, Line { path, name, a: None, b: Some(leaf.shown.clone()), same: false });
    }
    lines.extend(all.into_values().filter(|line| !ignored.iter().any(|path| is_under(&line.path, path))));
    lines
}

/// Where a path stands: header and MTI first, then by number and, within a field, by key.
type Order = (u16, String);

fn order(path: &str) -> Order {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let number = match first {
        "header" => 0,
        "mti" => 1,
        number => number.parse::<u16>().unwrap_or(u16::MAX).saturating_add(2),
    };
    // Numbers as numbers: subfield 10 stands behind 9.
    let keys = rest.split('.').map(|key| match key.parse::<u32>() {
        Ok(number) => format!("{number:>10}"),
        Err(_) => key.to_owned(),
    });
    (number, keys.collect::<Vec<String>>().join("."))
}

/// Whether a path is the ignored one or inside of it; the second of a repeated tag goes with the first.
fn is_under(path: &str, ignored: &str) -> bool {
    let rest = path.strip_prefix(ignored);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '#']))
}

/// All values that have nothing inside, by path.
fn leaves(decoded: &Decoded<'_, '_>, masked: bool) -> Vec<(String, Leaf)> {
    let message = &decoded.message;
    let mut leaves = Vec::new();
    let mut plain = |path: &str, value: String| {
        let leaf = Leaf { name: String::new(), shown: value.clone(), value };
        leaves.push((path.to_owned(), leaf));
    };
    if !message.header().is_empty() {
        plain("header", hex::encode_upper(message.header()));
    }
    plain("mti", message.mti().to_string());
    let (full, shown) = (iso8583::tree(message, false), iso8583::tree(message, masked));
    collect(&full, &shown, &mut leaves);
    leaves
}

fn collect(full: &[Node], shown: &[Node], leaves: &mut Vec<(String, Leaf)>) {
    for (node, shown) in full.iter().zip(shown) {
        match (&node.value, &shown.value) {
            (Shown::Inside(full), Shown::Inside(shown)) => collect(full, shown, leaves),
            (Shown::Text(value) | Shown::Binary(value), Shown::Text(shown) | Shown::Binary(shown)) => {
                let before = leaves.iter().filter(|(path, _)| is_under(path, &node.path)).count();
                let path = match before {
                    0 => node.path.clone(),
                    before => format!("{}#{}", node.path, before.saturating_add(1)),
                };
                let (name, value, shown) = (node.name.clone(), value.clone(), shown.clone());
                leaves.push((path, Leaf { name, value, shown }));
            }
            // Masking changes no structure.
            (Shown::Inside(_), Shown::Text(_) | Shown::Binary(_))
            | (Shown::Text(_) | Shown::Binary(_), Shown::Inside(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::iso8583::{Dialect, Mirror, decode, from_json, shipped};

    fn frame(dialect: &Dialect, json: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        from_json(dialect, &serde_json::from_str(json).unwrap(), &mut out).unwrap();
        out.to_vec()
    }

    /// Paths with verdicts, of what is not the same.
    fn told(a: &str, b: &str, ignored: &[&str]) -> Vec<String> {
        let onelink = shipped::dialect("onelink").unwrap().unwrap();
        let (a, b) = (frame(&onelink, a), frame(&onelink, b));
        let (mut first, mut second) = (Mirror::new(), Mirror::new());
        let (a, b) = (decode(&onelink, &a, &mut first), decode(&onelink, &b, &mut second));
        let ignored: Vec<String> = ignored.iter().map(|path| (*path).to_owned()).collect();
        let lines = compare(&a, &b, &ignored, true);
        let differing = lines.iter().filter(|line| !line.same);
        differing.map(|line| format!("{} {}", line.path, line.verdict())).collect()
    }

    const A: &str = r#"{"mti": "0200", "fields": {"2": "4242424242424242", "4": "1000", "11": "1",
        "48": {"BI": "KPEXCISE", "CN": "01"}, "120": [["FH", "A=1"], ["FH", "B=2"]]}}"#;
    const B: &str = r#"{"mti": "0210", "fields": {"2": "4242420000004242", "4": "1000", "11": "1", "39": "00",
        "48": {"BI": "KPEXCISE", "CH": "6011"}, "120": [["FH", "A=1"], ["FH", "B=3"]]}}"#;

    #[test]
    fn what_differs_is_told_by_path_also_where_it_is_masked() {
        let want = [
            "mti differs",
            "2 differs",
            "39 only in B",
            "48.CH only in B",
            "48.CN only in A",
            "120.FH#2 differs",
        ];
        assert_eq!(told(A, B, &[]), want);
        assert_eq!(told(A, A, &[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_ignored_is_left_out_with_all_that_is_inside() {
        assert_eq!(told(A, B, &["mti", "48", "120.FH"]), ["2 differs", "39 only in B"]);
        assert_eq!(told(A, B, &["4", "12", "2", "39", "48", "120"]), ["mti differs"]);
    }

    #[test]
    fn card_data_is_compared_and_not_shown() {
        let onelink = shipped::dialect("onelink").unwrap().unwrap();
        let (a, b) = (frame(&onelink, A), frame(&onelink, B));
        let (mut first, mut second) = (Mirror::new(), Mirror::new());
        let (a, b) = (decode(&onelink, &a, &mut first), decode(&onelink, &b, &mut second));
        let line = compare(&a, &b, &[], true).into_iter().find(|line| line.path == "2").unwrap();
        assert_eq!(
            (line.a.unwrap(), line.b.unwrap()),
            ("424242******4242".to_owned(), "424242******4242".to_owned())
        );
        assert!(!line.same);
    }
}
