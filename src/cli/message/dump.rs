//! Bytes as hex, sixteen a line, with a mark under some of them.

use std::fmt::Write as _;
use std::ops::Range;

/// Bytes of a line.
const WIDTH: usize = 16;
/// Most lines that are marked: the rest of a long mark says nothing more.
const MARKED_MAX: usize = 3;

/// The neighbourhood of the marked bytes: the lines that they are on, and one before and behind.
pub(super) fn dump(bytes: &[u8], marked: &Range<usize>) -> String {
    let first = marked.start / WIDTH;
    let last = (marked.end.saturating_sub(1) / WIDTH).clamp(first, first.saturating_add(MARKED_MAX));
    let mut text = String::new();
    let columns: Vec<String> = (0..WIDTH).map(|column| format!("{column:>2}")).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {:>6}   {}", "byte", spaced(&columns));
    for line in first.saturating_sub(1)..=last.saturating_add(1) {
        let from = line.saturating_mul(WIDTH);
        let row = bytes.get(from..bytes.len().min(from.saturating_add(WIDTH))).unwrap_or_default();
        let is_marked = |at: usize| marked.contains(&at);
        if !row.is_empty() {
            let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02X}")).collect();
            let ascii: String = row.iter().map(|byte| printable(*byte)).collect();
            let _ = writeln!(text, "  {from:>6}   {:<48}   {ascii}", spaced(&hex));
        }
        let places = || (from..).take(WIDTH);
        if line >= first && line <= last && places().any(is_marked) {
            let under: Vec<String> =
                places().map(|at| if is_marked(at) { "^^" } else { "  " }.to_owned()).collect();
            let ascii: String = places().map(|at| if is_marked(at) { '^' } else { ' ' }).collect();
            let line = format!("  {:>6}   {:<48}   {ascii}", "", spaced(&under));
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// With a blank between two, and another in the middle.
fn spaced(cells: &[String]) -> String {
    let (left, right) = cells.split_at(cells.len().min(WIDTH / 2));
    if right.is_empty() { left.join(" ") } else { format!("{}  {}", left.join(" "), right.join(" ")) }
}

fn printable(byte: u8) -> char {
    if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_shown_with_a_line_before_and_behind() {
        let bytes: Vec<u8> = (0..80).map(|at| at + 0x20).collect();
        let want = "    byte    0  1  2  3  4  5  6  7   8  9 10 11 12 13 14 15
      16   30 31 32 33 34 35 36 37  38 39 3A 3B 3C 3D 3E 3F   0123456789:;<=>?
      32   40 41 42 43 44 45 46 47  48 49 4A 4B 4C 4D 4E 4F   @ABCDEFGHIJKLMNO
                                                      ^^ ^^                 ^^
      48   50 51 52 53 54 55 56 57  58 59 5A 5B 5C 5D 5E 5F   PQRSTUVWXYZ[\\]^_
           ^^                                                 ^
      64   60 61 62 63 64 65 66 67  68 69 6A 6B 6C 6D 6E 6F   `abcdefghijklmno
";
        assert_eq!(dump(&bytes, &(46..49)), want);
    }

    #[test]
    fn a_mark_behind_the_end_stands_where_the_next_byte_would() {
        let shown = dump(b"0800", &(4..5));
        let want = "                       ^^                                         ^\n";
        assert!(shown.ends_with(want), "{shown}");
    }
}
