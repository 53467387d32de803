//! Dice that fall the same way every time, and what they do to bytes and to text.

/// SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap().max(1);
        usize::try_from(self.next() % end).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(crate) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    /// A place to begin and to end, not far from each other.
    fn span(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let longest = if self.below(8) == 0 { len } else { 12 };
        start..(start + self.below(longest)).min(len)
    }
}

/// Bytes at which something begins, ends or turns over.
const EDGES: &[u8] = b"\x00\x01\x02\x03\x0a\x0f\x10\x1f\x20\x3f\x40\x5f\x70\x7f\x80\x81\x82\x83\x84\xc3\xc4\xf0\xf9\xff09ADFZ \"{}[]=,.";

/// Spoils bytes in one to six ways; `others` is what pieces are taken from.
pub(crate) fn bytes(dice: &mut Dice, data: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..=dice.below(6) {
        let span = dice.span(data.len());
        match dice.below(10) {
            0 | 1 => {
                let (at, bit) = (dice.below(data.len()), dice.below(8));
                data.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
            2 | 3 => {
                let (at, edge) = (dice.below(data.len()), *dice.pick(EDGES));
                data.iter_mut().skip(at).take(1).for_each(|byte| *byte = edge);
            }
            4 => {
                let any = dice.byte();
                data[span].fill(any);
            }
            5 => drop(data.drain(span)),
            6 => {
                let copy = data[span].to_vec();
                let at = dice.below(data.len() + 1);
                data.splice(at..at, copy);
            }
            7 => {
                let other = dice.pick(others);
                let piece = other[dice.span(other.len())].to_vec();
                data.splice(span, piece);
            }
            8 => number(dice, data),
            _ => data.truncate(dice.below(data.len() + 1)),
        }
    }
}

/// Puts another number where there is one: lengths are.
fn number(dice: &mut Dice, data: &mut Vec<u8>) {
    let from = dice.below(data.len());
    let Some(start) = data.iter().skip(from).position(u8::is_ascii_digit) else { return };
    let start = from + start;
    let len = data[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = *dice
        .pick(&["0", "1", "9", "99", "255", "256", "999", "9999", "65535", "65536", "999999", "00", "-1"]);
    data.splice(start..start + dice.below(len) + 1, number.bytes());
}

/// Spoils a text by its lines and words, so that much of it still means something.
pub(crate) fn text(dice: &mut Dice, text: &str, words: &[String]) -> Vec<u8> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=dice.below(4) {
        let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
        match dice.below(7) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => {
                let joined = format!("{} {}", lines[at], lines[other]);
                lines[at] = joined;
            }
            _ => {
                let mut pieces: Vec<&str> =
                    lines[at].split_inclusive([' ', '"', '{', '}', ',', '.', '=']).collect();
                let piece = dice.below(pieces.len());
                let word = dice.pick(words);
                if let Some(place) = pieces.get_mut(piece) {
                    *place = word;
                }
                lines[at] = pieces.concat();
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n").into_bytes()
}
