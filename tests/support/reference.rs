//! Turns the notation of `fixtures/codec/dialects.json` into dialect files (its README says what it means).

use std::fmt::Write as _;

use serde_json::Value;

/// Fields of which a dialect must say what card data they hold.
const CARD_DATA: &[(u8, &str)] =
    &[(2, "pan"), (34, "never"), (35, "never"), (36, "never"), (45, "never"), (52, "never"), (55, "never")];

/// The text of a dialect file called `name` that says what `dialect` says.
pub(crate) fn to_toml(name: &str, dialect: &Value) -> String {
    let word = |key: &str| dialect.get(key).and_then(Value::as_str);
    let (bitmap, secondary) = match word("bitmap").expect("a bitmap") {
        "hex" => ("\"hex\"", "\"announced\""),
        "hex32" => ("\"hex\"", "\"unannounced\""),
        "bin" => ("\"binary\"", "\"announced\""),
        other => panic!("{name}: bitmap {other}"),
    };
    let mti = match word("mti").expect("an MTI") {
        "a" => "ascii",
        "n" => "bcd",
        "e" => "ebcdic",
        other => panic!("{name}: MTI {other}"),
    };
    let tertiary = match word("tertiary") {
        None => "\"none\"",
        Some("leading") => "\"leading\"",
        Some("f127") => "127",
        Some(other) => panic!("{name}: tertiary {other}"),
    };
    let mut text = format!(
        "name = {name:?}\nnote = {:?}\nmti = {mti:?}\nbitmap = {bitmap}\nsecondary = {secondary}\n\
         tertiary = {tertiary}\nbinary = \"raw\"\n[fields]\n",
        word("note").unwrap_or("a test's"),
    );
    let fields = dialect.get("fields").and_then(Value::as_object).expect("fields");
    for (number, layout) in fields {
        let number = number.parse::<u8>().expect("a field number");
        let layout = field(layout.as_str().expect("a layout"));
        let card_data = CARD_DATA.iter().find(|(field, _)| *field == number);
        let card_data = card_data.map_or(String::new(), |(_, what)| format!(", card_data = {what:?}"));
        writeln!(text, "{number} = {{ name = \"DE {number}\", {layout}{card_data} }}").expect("room");
    }
    text
}

/// `ENC[pad]:LEN` as the keys of a field.
fn field(notation: &str) -> String {
    let (form, length) = notation.split_once(':').expect("a colon");
    let (form, pad) = form.split_at(1);
    let (class, keys) = match form {
        "a" | "l" => ("ans", "as = \"latin1\"".to_owned()),
        "e" => ("ans", "as = \"cp1047\"".to_owned()),
        "n" => ("n", format!("as = \"bcd\", odd = \"{} 0\"", side(pad, "left"))),
        "z" => ("z", format!("as = \"bcd\", odd = \"{} F\"", side(pad, "right"))),
        "b" => ("b", "as = \"raw\"".to_owned()),
        "h" => ("b", "as = \"hex\"".to_owned()),
        other => panic!("no form {other}"),
    };
    let (kind, rest) = length.split_at(1);
    let counts_bytes = rest.ends_with('b');
    let number = rest.trim_end_matches('b').parse::<u32>().expect("a number");
    if kind == "f" {
        let units = if form == "h" { number / 2 } else { number };
        return format!("type = \"{class} {units}\", {keys}");
    }
    // Of hex characters, the length counts each.
    let counts = if counts_bytes || form == "h" { ", counts = \"bytes\"" } else { "" };
    let (prefix, most) = match kind {
        "v" => (format!("as = \"ascii\", bytes = {number}"), 10_u32.pow(number) - 1),
        "E" => (format!("as = \"ebcdic\", bytes = {number}"), 10_u32.pow(number) - 1),
        "B" => (format!("as = \"bcd\", bytes = {}", number.div_ceil(2)), 10_u32.pow(number) - 1),
        "X" => (format!("as = \"binary\", bytes = {number}"), 256_u32.pow(number) - 1),
        other => panic!("no length {other}"),
    };
    let most = if form == "h" { most / 2 } else { most };
    let most = most.min(65_535);
    let dots = ".".repeat(most.to_string().len());
    format!("type = \"{class}{dots}{most}\", length = {{ {prefix}{counts} }}, {keys}")
}

fn side(pad: &str, usual: &'static str) -> &'static str {
    match pad {
        "L" => "left",
        "R" => "right",
        "" => usual,
        other => panic!("no side {other}"),
    }
}
