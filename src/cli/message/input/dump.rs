//! Hex dumps with offsets, as xxd, hexdump, od, tcpdump, tshark and most logs write them.

use super::likeness::looks_like_message;
use super::{Judge, MESSAGE_BYTES_MAX};

/// Most bytes that a line of a dump shows.
const LINE_BYTES_MAX: usize = 64;
/// Words of a line among which its offset is looked for: a log puts time and level before.
const WORDS_BEFORE_MAX: usize = 8;

/// How a dump writes its offsets; all of its lines write them alike.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Style {
    digits: usize,
    colon: bool,
}

/// An offset in both bases: od's are octal.
#[derive(Clone, Copy)]
struct Offset {
    hex: usize,
    octal: Option<usize>,
}

/// A line of a dump.
struct Row<'t> {
    number: usize,
    line: &'t str,
    offset: Offset,
    /// What stands behind the offset.
    rest: &'t str,
    /// Whether a `*` stands for more lines like it.
    repeats: bool,
}

/// A dump, taken line by line. No `Debug`: it holds card data.
pub(super) struct Dump<'t> {
    style: Style,
    rows: Vec<Row<'t>>,
    /// The offset behind the last byte, if the dump says it.
    end: Option<Offset>,
}

/// Whether the first line that is not blank begins a dump.
pub(super) fn begins(text: &str) -> bool {
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.is_some_and(|line| Dump::begin(1, line).is_some_and(|dump| dump.stands_first()))
}

impl<'t> Dump<'t> {
    /// The dump that begins with this line, if one does.
    pub(super) fn begin(number: usize, line: &'t str) -> Option<Self> {
        let (style, offset, rest) = offsets(line).find(|(style, offset, rest)| {
            // Zero is an ordinary number, so it must be written as none but an offset is.
            let apart = style.colon || style.digits >= 6 || rest.starts_with("  ") || rest.starts_with('\t');
            offset.hex == 0 && apart && !groups(rest, LINE_BYTES_MAX).is_empty()
        })?;
        let row = Row { number, line, offset, rest, repeats: false };
        Some(Self { style, rows: vec![row], end: None })
    }

    /// Takes the next line, if it goes on with the dump.
    pub(super) fn take(&mut self, number: usize, line: &'t str) -> bool {
        let Some(before) = self.rows.last_mut().filter(|_| self.end.is_none()) else {
            return false;
        };
        if line.trim() == "*" {
            before.repeats = true;
            return true;
        }
        let later = |(style, offset, _): &(Style, Offset, &str)| {
            *style == self.style && offset.hex > before.offset.hex
        };
        let Some((_, offset, rest)) = offsets(line).find(later) else {
            return false;
        };
        if rest.trim().is_empty() {
            self.end = Some(offset);
        } else {
            self.rows.push(Row { number, line, offset, rest, repeats: false });
        }
        true
    }

    /// Its lines, with their numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &'t str)> {
        self.rows.iter().map(|row| (row.number, row.line))
    }

    /// What it shows. `Err` is the number of a line before which bytes are missing, or at which there are too many.
    pub(super) fn bytes(&self, judge: &Judge<'_>) -> Result<Vec<u8>, usize> {
        let hex = self.read(judge, &|offset| Some(offset.hex));
        hex.or_else(|line| self.read(judge, &|offset| offset.octal).map_err(|_| line))
    }

    fn read(&self, judge: &Judge<'_>, at: &dyn Fn(Offset) -> Option<usize>) -> Result<Vec<u8>, usize> {
        let first = self.rows.first().map_or("", |row| row.rest);
        let width = groups(first, LINE_BYTES_MAX).len();
        let is_words = !self.style.colon
            && self.style.digits == 7
            && first.split_whitespace().all(|word| word.len() == 4);
        let nexts = self.rows.iter().skip(1).map(|row| Some(row.offset)).chain([self.end]);
        let mut bytes: Vec<u8> = Vec::new();
        for (row, next) in self.rows.iter().zip(nexts) {
            if at(row.offset) != Some(bytes.len()) {
                return Err(row.number);
            }
            let left = |have: usize| next.and_then(at).and_then(|next| next.checked_sub(have));
            // Without an end, the last line is as long as the first at most, and what follows is its text.
            let otherwise = if self.rows.len() == 1 { LINE_BYTES_MAX } else { width };
            let room = if row.repeats { width } else { left(bytes.len()).unwrap_or(otherwise) };
            let shown = groups(row.rest, if is_words { room.next_multiple_of(2) } else { room });
            bytes.extend_from_slice(&shown);
            while let Some(left) = left(bytes.len()).filter(|left| row.repeats && *left > 0) {
                if shown.is_empty() || bytes.len() > MESSAGE_BYTES_MAX {
                    return Err(row.number);
                }
                bytes.extend(shown.iter().take(left));
            }
            if bytes.len() > MESSAGE_BYTES_MAX {
                return Err(row.number);
            }
        }
        let end = self.end.map_or(Some(bytes.len()), at).filter(|end| *end <= bytes.len());
        let end = end.ok_or_else(|| self.rows.last().map_or(0, |row| row.number))?;
        if is_words {
            bytes = as_bytes(bytes, judge);
        }
        bytes.truncate(end);
        Ok(bytes)
    }

    /// Whether the offset is the line's first word.
    fn stands_first(&self) -> bool {
        let line = self.rows.first().map_or("", |row| row.line).trim_start();
        let digits = line.strip_prefix("0x").unwrap_or(line);
        let zeros = digits.len().saturating_sub(digits.trim_start_matches('0').len());
        zeros == self.style.digits
    }
}

/// Words of two bytes as hexdump and od write them: the machine's order, which mostly has the low byte first.
fn as_bytes(words: Vec<u8>, judge: &Judge<'_>) -> Vec<u8> {
    let swapped: Vec<u8> = words.chunks(2).flat_map(|word| word.iter().rev().copied()).collect();
    let worth = |bytes: &[u8]| ((judge.score)(bytes), looks_like_message(bytes));
    if worth(&words) > worth(&swapped) { words } else { swapped }
}

/// What may be an offset in a line, with what follows it.
fn offsets(line: &str) -> impl Iterator<Item = (Style, Offset, &str)> {
    let words = line.split_whitespace().take(WORDS_BEFORE_MAX);
    words.filter_map(move |word| {
        let start = word.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
        let rest = line.get(start.checked_add(word.len())?..)?;
        let bare = word.strip_prefix("0x").unwrap_or(word);
        let (digits, colon) = bare.strip_suffix(':').map_or((bare, false), |digits| (digits, true));
        if !(4..=8).contains(&digits.len()) {
            return None;
        }
        let hex = usize::from_str_radix(digits, 16).ok()?;
        let octal = usize::from_str_radix(digits, 8).ok();
        Some((Style { digits: digits.len(), colon }, Offset { hex, octal }, rest))
    })
}

/// The bytes of a line: groups of digits, all as wide as the first but for the last. Two blanks end them, but for
/// the gap that some leave after eight; so does anything that is not hex.
fn groups(rest: &str, room: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut width = None;
    let mut left = rest.trim_start_matches([' ', '\t', '|']);
    while bytes.len() < room {
        let end = left.find([' ', '\t']).unwrap_or(left.len());
        let (word, behind) = left.split_at_checked(end).unwrap_or((left, ""));
        let Ok(group) = hex::decode(word) else {
            break;
        };
        let first = *width.get_or_insert(group.len());
        if group.is_empty() || group.len() > first {
            break;
        }
        bytes.extend_from_slice(&group);
        left = behind.trim_start_matches([' ', '\t']);
        let gap = behind.len().saturating_sub(left.len());
        let middle = gap == 2 && bytes.len() == 8 && first == 1;
        if group.len() < first || (gap > 1 && !middle) {
            break;
        }
    }
    bytes.truncate(room);
    bytes
}
