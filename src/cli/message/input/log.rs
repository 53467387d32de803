//! Messages in text that was written for people: runs of hex, and hex dumps over several lines.

use std::sync::Arc;

use super::dump::Dump;
use super::likeness::MESSAGE_BYTES_MIN;
use super::text::{hex_lines, is_hex};
use super::{Found, Input, InputError, Judge, MESSAGE_BYTES_MAX, MESSAGES_MAX, Place};
use crate::sim::replay::ways::tcp_payload;

/// Groups of hex wider than this many digits stand for themselves: identifiers, or whole messages.
const GROUP_DIGITS_MAX: usize = 16;
/// An odd number of digits is worth a remark from here on: shorter ones are numbers and words.
const ODD_DIGITS_MIN: usize = 40;
/// What may stand between two groups of one run.
const SEPARATORS: &[&str] = &[" ", ":", "-", ",", ", ", "\\x", " 0x", ",0x", ", 0x"];

/// What a log holds.
#[derive(Default)]
pub(super) struct Scan {
    /// What looks like a message.
    pub(super) sure: Vec<Found>,
    /// The longest run of each line that has none such.
    unsure: Vec<Found>,
    remarks: Vec<String>,
}

/// Lines that belong together.
enum Block<'t> {
    Dump(Dump<'t>),
    /// Lines of nothing but hex, from number `first` on; `from` and `to` are their place in the text.
    Hex {
        first: usize,
        from: usize,
        to: usize,
    },
}

/// Looks through all lines.
pub(super) fn scan(source: &Arc<str>, text: &str, judge: &Judge<'_>) -> Scan {
    let mut scanner = Scanner { source, text, judge, scan: Scan::default() };
    let mut open: Option<Block<'_>> = None;
    let mut to = 0_usize;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let from = to;
        to = to.saturating_add(line.len());
        let line = line.trim_end_matches(['\n', '\r']);
        let is_hex = is_hex(line);
        let goes_on = match &mut open {
            Some(Block::Dump(dump)) => dump.take(number, line),
            Some(Block::Hex { to: end, .. }) if is_hex => {
                *end = to;
                true
            }
            Some(Block::Hex { .. }) | None => false,
        };
        if goes_on {
            continue;
        }
        scanner.block(open.take());
        open = match Dump::begin(number, line) {
            Some(dump) => Some(Block::Dump(dump)),
            None if is_hex => Some(Block::Hex { first: number, from, to }),
            None => None,
        };
        if open.is_none() {
            scanner.line(number, line);
        }
    }
    scanner.block(open);
    scanner.scan
}

impl Scan {
    /// What looks like messages; if nothing does, the longest runs of hex that there are.
    pub(super) fn into_input(self, source: &Arc<str>) -> Result<Input, InputError> {
        let Self { sure, unsure, mut remarks } = self;
        if sure.len() > MESSAGES_MAX || (sure.is_empty() && unsure.len() > MESSAGES_MAX) {
            return Err(InputError::TooMany { name: Arc::clone(source) });
        }
        if sure.is_empty() && unsure.is_empty() {
            return Err(InputError::NothingFound { name: Arc::clone(source), remarks });
        }
        if sure.is_empty() {
            remarks
                .push(format!("{source}: nothing looks like a message; the longest runs of hex are taken"));
            return Ok(Input { found: unsure, remarks });
        }
        if !unsure.is_empty() {
            let count = unsure.len();
            remarks.push(format!(
                "{source}: lines passed over, since their hex does not look like a message: {count}"
            ));
        }
        Ok(Input { found: sure, remarks })
    }
}

struct Scanner<'s> {
    source: &'s Arc<str>,
    text: &'s str,
    judge: &'s Judge<'s>,
    scan: Scan,
}

impl Scanner<'_> {
    fn block(&mut self, block: Option<Block<'_>>) {
        match block {
            Some(Block::Dump(dump)) => self.dump(&dump),
            Some(Block::Hex { first, from, to }) => {
                self.hex(first, self.text.get(from..to).unwrap_or_default())
            }
            None => {}
        }
    }

    fn hex(&mut self, first: usize, text: &str) {
        match hex_lines(self.source, first, text, self.judge) {
            Ok(found) => {
                for Found { bytes, place } in found {
                    if bytes.len() >= MESSAGE_BYTES_MIN {
                        self.found(bytes, place);
                    }
                }
            }
            // One bad line among them: each for itself.
            Err(_) => {
                for (number, line) in (first..).zip(text.lines()) {
                    self.line(number, line);
                }
            }
        }
    }

    fn dump(&mut self, dump: &Dump<'_>) {
        let first = dump.lines().next().map_or(0, |(number, _)| number);
        let last = dump.lines().last().map_or(first, |(number, _)| number);
        match dump.bytes(self.judge) {
            Ok(bytes) if bytes.len() >= MESSAGE_BYTES_MIN => {
                // tcpdump and tshark show the packet with its headers; one without payload only acknowledges.
                let bytes = tcp_payload(&bytes).map_or_else(|| bytes.clone(), <[u8]>::to_vec);
                if !bytes.is_empty() {
                    self.found(bytes, self.lines(first, last));
                }
            }
            Ok(_) => {
                for (number, line) in dump.lines() {
                    self.line(number, line);
                }
            }
            Err(line) => {
                let source = self.source;
                self.scan
                    .remarks
                    .push(format!("{source}:{line}: the hex dump has a gap here, or is too long"));
            }
        }
    }

    fn line(&mut self, number: usize, line: &str) {
        let mut longest: Option<Vec<u8>> = None;
        let mut is_sure = false;
        for run in runs(line) {
            let remark = match run {
                Ok(run) if run.len() > MESSAGE_BYTES_MAX => {
                    format!("{} bytes of hex are more than a message has", run.len())
                }
                Ok(run) if self.judge.is_plausible(&run) => {
                    is_sure = true;
                    self.found(run, self.lines(number, number));
                    continue;
                }
                Ok(run) => {
                    if longest.as_ref().is_none_or(|longest| run.len() > longest.len()) {
                        longest = Some(run);
                    }
                    continue;
                }
                Err(digits) => format!("{digits} hex digits are an odd number, so half a byte is missing"),
            };
            self.scan.remarks.push(format!("{}:{number}: {remark}", self.source));
        }
        if let Some(run) = longest.filter(|_| !is_sure) {
            self.found(run, self.lines(number, number));
        }
    }

    fn lines(&self, first: usize, last: usize) -> Place {
        Place::Lines { source: Arc::clone(self.source), first, last }
    }

    fn found(&mut self, bytes: Vec<u8>, place: Place) {
        let is_sure = self.judge.is_plausible(&bytes);
        let found = Found { bytes, place };
        let list = if is_sure { &mut self.scan.sure } else { &mut self.scan.unsure };
        if list.len() <= MESSAGES_MAX {
            list.push(found);
        }
    }
}

/// A group of hex digits in a line.
#[derive(Clone, Copy)]
struct Group<'t> {
    digits: &'t str,
    /// What stands between the group before and this one, the `0x` or `\x` of this one included.
    before: &'t str,
}

/// The runs of a line that are long enough for a message; `Err` is the length of one that is an odd number of digits.
fn runs(line: &str) -> Vec<Result<Vec<u8>, usize>> {
    let mut runs = Vec::new();
    let mut digits = String::new();
    let mut shape: Option<(usize, Option<&str>)> = None;
    for group in groups(line) {
        let Some(Group { digits: more, before }) = group else {
            finish(&mut digits, &mut runs);
            shape = None;
            continue;
        };
        // A run has one separator and one width, but for a shorter end.
        let goes_on = shape.is_some_and(|(width, separator)| {
            more.len() <= width
                && width.is_multiple_of(2)
                && more.len().is_multiple_of(2)
                && width <= GROUP_DIGITS_MAX
                && separator.map_or_else(|| SEPARATORS.contains(&before), |separator| separator == before)
        });
        if goes_on {
            digits.push_str(more);
            let width = shape.map_or(0, |(width, _)| width);
            shape = (more.len() == width).then_some((width, Some(before)));
        } else {
            finish(&mut digits, &mut runs);
            digits.push_str(more);
            shape = Some((more.len(), None));
        }
    }
    finish(&mut digits, &mut runs);
    runs
}

fn finish(digits: &mut String, runs: &mut Vec<Result<Vec<u8>, usize>>) {
    let len = digits.len();
    match hex::decode(&*digits) {
        Ok(bytes) if bytes.len() >= MESSAGE_BYTES_MIN => runs.push(Ok(bytes)),
        Err(_) if len >= ODD_DIGITS_MIN => runs.push(Err(len)),
        Ok(_) | Err(_) => {}
    }
    digits.clear();
}

/// The words of a line that are hex; `None` for those that are not.
fn groups(line: &str) -> impl Iterator<Item = Option<Group<'_>>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let start = rest.find(|c: char| c.is_ascii_alphanumeric())?;
        let (between, from_word) = rest.split_at_checked(start)?;
        let end = from_word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(from_word.len());
        let (word, behind) = from_word.split_at_checked(end)?;
        let escape = if between.ends_with('\\') { "x" } else { "0x" };
        let digits = word.strip_prefix(escape).unwrap_or(word);
        let before = rest.get(..start.checked_add(word.len().checked_sub(digits.len())?)?)?;
        rest = behind;
        let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(is_hex.then_some(Group { digits, before }))
    })
}
