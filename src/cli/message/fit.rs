//! How well a dialect fits messages: how much of their bytes it explains.
//!
//! A layout explains bytes by what it forbids: a digit in ASCII could have been any of 256 values and is one of ten, a byte
//! of class `b` could have been anything and was. What is forbidden and did not happen is evidence, counted here in
//! tenths of bits; so strict classes weigh more than lax ones, and dialects of any coding can be compared.

use crate::iso8583::{self, DecodeError, Decoded, Dialect, Framing, Mirror, Node, Shown};

use super::MESSAGE_BYTES_MAX;
use super::likely::{self, Likely};

/// Tenths of bits in a byte.
const BYTE: i64 = 80;
/// What a frame whose layout is lost costs: more than any evidence short of a long message.
const LOST: i64 = 4_000;
/// What a field with bad content costs.
const BAD: i64 = 800;
/// What a framing costs that is not the dialect's own: as one of fourteen.
const UNUSUAL_FRAMING: i64 = 40;
/// What each byte costs that stands before the message and that the dialect does not know.
const UNKNOWN_HEADER: i64 = 160;
/// Message types that there are, and a bitmap, as nobody knows them before.
const MTI: i64 = 75;
const BITMAP: i64 = 640;
/// A tag's length, and a tag's byte, within chip data.
const ELEMENT_LENGTH: i64 = 50;
/// Most bytes of an unknown header that are looked behind.
const HEADER_BYTES_MAX: usize = 32;
/// Most messages that are looked at: what fits so many fits the others.
pub(super) const MESSAGES_MAX: usize = 4_096;

/// How a dialect under a framing fits messages.
#[derive(Clone, Debug)]
pub(super) struct Fit<'d> {
    pub(super) dialect: &'d Dialect,
    pub(super) framing: Framing,
    /// Bytes before each message that the dialect has no header for.
    pub(super) unknown_header: usize,
    /// Evidence for it, in bits a message.
    pub(super) score: i64,
    /// Messages looked at, and those of them without a fault.
    pub(super) messages: usize,
    pub(super) sound: usize,
    /// Well-known fields looked at, and those of them that hold what they usually do.
    pub(super) known: usize,
    pub(super) plausible: usize,
    /// Whether the version in the message types is that of the dialect.
    pub(super) version_fits: bool,
    /// The first fault: of which message, counted from 0, and what.
    pub(super) fault: Option<(usize, DecodeError)>,
}

impl Fit<'_> {
    /// Whether every message is read without a fault, and nothing stands before it that the dialect does not know.
    pub(super) const fn is_sound(&self) -> bool {
        self.sound == self.messages && self.unknown_header == 0
    }
}

/// All dialects, each under the framing that suits it best, the best first. Of equals the first stays first.
pub(super) fn rank<'d>(dialects: &'d [Dialect], inputs: &[&[u8]]) -> Vec<Fit<'d>> {
    let mut mirror = Mirror::new();
    let inputs = inputs.get(..inputs.len().min(MESSAGES_MAX)).unwrap_or_default();
    let mut fits: Vec<Fit<'d>> =
        dialects.iter().map(|dialect| best_framing(dialect, inputs, &mut mirror)).collect();
    if !fits.iter().any(Fit::is_sound) {
        for fit in fits.iter_mut().filter(|fit| fit.sound == 0) {
            if let Some(behind) = behind_a_header(fit, inputs, &mut mirror) {
                *fit = behind;
            }
        }
    }
    fits.sort_by_key(|fit| std::cmp::Reverse(fit.score));
    fits
}

/// How a dialect fits a message that stands bare; `None` if it refuses it.
pub(super) fn sound_score(dialect: &Dialect, frame: &[u8], mirror: &mut Mirror) -> Option<i64> {
    let fit = weigh(dialect, Framing::NONE, 0, &[frame], mirror);
    fit.is_sound().then_some(fit.score)
}

/// Under its own framing, as bare messages, and under all common ones.
fn best_framing<'d>(dialect: &'d Dialect, inputs: &[&[u8]], mirror: &mut Mirror) -> Fit<'d> {
    let own = dialect.framing();
    let others = Framing::COMMON.into_iter().filter(|framing| *framing != own);
    let framings = [own].into_iter().chain(others).filter(|framing| *framing != Framing::NONE);
    let bare = weigh(dialect, Framing::NONE, 0, inputs, mirror);
    framings.fold(bare, |best, framing| {
        let Some(messages) = split(framing, inputs) else { return best };
        let mut fit = weigh(dialect, framing, 0, &messages, mirror);
        let count = i64::try_from(messages.len()).unwrap_or(i64::MAX).max(1);
        let explained = messages.iter().map(|message| message.len()).sum::<usize>();
        let all = inputs.iter().map(|input| input.len()).sum::<usize>();
        let framed = i64::try_from(all.saturating_sub(explained)).unwrap_or(0).saturating_mul(BYTE);
        let unusual = if framing == own { 0 } else { UNUSUAL_FRAMING };
        let bits = framed.saturating_sub(unusual).checked_div(count.saturating_mul(10)).unwrap_or(0);
        fit.score = fit.score.saturating_add(bits);
        if fit.score > best.score { fit } else { best }
    })
}

/// The messages, if all of the input is whole frames.
fn split<'i>(framing: Framing, inputs: &[&'i [u8]]) -> Option<Vec<&'i [u8]>> {
    let mut messages = Vec::new();
    for input in inputs {
        let mut rest = *input;
        while !rest.is_empty() {
            let frame = framing.next(rest, MESSAGE_BYTES_MAX).ok()??;
            messages.push(rest.get(frame.start..frame.end)?);
            rest = rest.get(frame.consumed..)?;
        }
    }
    Some(messages)
}

/// The same with as many bytes left out as make every message sound.
fn behind_a_header<'d>(fit: &Fit<'d>, inputs: &[&[u8]], mirror: &mut Mirror) -> Option<Fit<'d>> {
    let messages = if fit.framing == Framing::NONE { inputs.to_vec() } else { split(fit.framing, inputs)? };
    (1..=HEADER_BYTES_MAX).find_map(|skip| {
        // The first tells nearly always, and there may be thousands.
        let first = messages.first().and_then(|message| message.get(skip..))?;
        sound_score(fit.dialect, first, mirror)?;
        let behind: Option<Vec<&[u8]>> = messages.iter().map(|message| message.get(skip..)).collect();
        let found = weigh(fit.dialect, fit.framing, skip, &behind?, mirror);
        (found.sound == found.messages).then_some(found)
    })
}

fn weigh<'d>(
    dialect: &'d Dialect,
    framing: Framing,
    unknown_header: usize,
    messages: &[&[u8]],
    mirror: &mut Mirror,
) -> Fit<'d> {
    let (mut total, mut sound, mut fault) = (0_i64, 0_usize, None);
    let (mut known, mut plausible, mut version_fits) = (0_usize, 0_usize, true);
    for (index, frame) in messages.iter().enumerate() {
        let decoded = iso8583::decode(dialect, frame, mirror);
        let likely = likely::judge(&decoded.message);
        let Likely { bits, .. } = likely;
        total = total.saturating_add(evidence(&decoded)).saturating_add(bits);
        known = known.saturating_add(likely.known);
        plausible = plausible.saturating_add(likely.plausible);
        version_fits &= likely.version_fits;
        match decoded.fault {
            None => sound = sound.saturating_add(1),
            Some(found) => {
                fault.get_or_insert((index, found));
            }
        }
    }
    let skipped = i64::try_from(unknown_header).unwrap_or(i64::MAX).saturating_mul(UNKNOWN_HEADER);
    let count = i64::try_from(messages.len()).unwrap_or(i64::MAX).max(1);
    let score = total.checked_div(count).unwrap_or(0).saturating_sub(skipped) / 10;
    let messages = messages.len();
    Fit { dialect, framing, unknown_header, score, messages, sound, known, plausible, version_fits, fault }
}

/// What the frame's bytes forbid by its layout, in tenths of bits.
fn evidence(decoded: &Decoded<'_, '_>) -> i64 {
    let message = &decoded.message;
    let dialect = message.dialect();
    let nodes = iso8583::tree(message, false);
    let mut bytes = message.header().len();
    let mut free = length(bytes).saturating_mul(BYTE);
    let mut highest = 0_u8;
    for node in &nodes {
        let number = node.key.parse::<u8>().unwrap_or(0);
        highest = highest.max(number);
        let prefix = dialect.prefix_bytes(number);
        bytes = bytes.saturating_add(prefix).saturating_add(message.wire(number).unwrap_or_default().len());
        if prefix > 0 {
            let values = u32::from(dialect.field_max(number).unwrap_or(1)).saturating_add(1);
            free = free.saturating_add(i64::from(values.ilog2()).saturating_mul(10));
        }
        free = free.saturating_add(freedom(node, BYTE));
    }
    let bitmaps = match highest {
        0..=64 => 1,
        65..=128 => 2,
        _ => 3,
    };
    let head = dialect.mti_bytes().saturating_add(dialect.bitmap_bytes().saturating_mul(bitmaps));
    free = free.saturating_add(MTI).saturating_add(BITMAP.saturating_mul(length(bitmaps)));
    let read = bytes.saturating_add(head).min(message.frame().len());
    let explained = length(read).saturating_mul(BYTE).saturating_sub(free);
    match decoded.fault {
        None => explained,
        Some(_) if decoded.layout_lost => explained.min(LOST / 2).saturating_sub(LOST),
        Some(_) => explained.saturating_sub(BAD),
    }
}

/// What a value may be, in tenths of bits. `around` is a character of what the node is inside of.
fn freedom(node: &Node, around: i64) -> i64 {
    let each = if node.notation.is_empty() { around } else { character(&node.notation) };
    match &node.value {
        Shown::Text(_) | Shown::Binary(_) => length(node.length).saturating_mul(each),
        Shown::Inside(nodes) => nodes.iter().fold(0_i64, |sum, inside| {
            let own = if inside.notation.is_empty() {
                // A tag, in whatever form it is shown.
                ELEMENT_LENGTH.saturating_add(length(inside.key.len()).saturating_mul(40))
            } else {
                0
            };
            sum.saturating_add(own).saturating_add(freedom(inside, each))
        }),
    }
}

/// What one character of a type may be, in tenths of bits.
fn character(notation: &str) -> i64 {
    let class: String = notation.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '+').collect();
    match class.as_str() {
        "n" | "x+n" => 33,
        "z" => 40,
        "ns" => 54,
        "a" => 57,
        "an" => 60,
        "as" => 64,
        "ans" => 66,
        _ => BYTE,
    }
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::iso8583::shipped;

    /// Senders who laid fields out in a way that is only their own.
    const ODD: &[&str] = &[
        "epoc-purchasewithcashbackrequest",
        "epoc-purchasewithcashbackpartialapprovaltoaquirer",
        "epoc-reversaladvice",
    ];

    fn dialects() -> Vec<Dialect> {
        shipped::DIALECTS.iter().map(|(name, _)| shipped::dialect(name).unwrap().unwrap()).collect()
    }

    /// Name, shipped dialect, bytes from the dialect's header on, and all bytes.
    fn vectors() -> Vec<(String, String, Vec<u8>, Vec<u8>)> {
        let covered: Value =
            serde_json::from_str(include_str!("../../../fixtures/codec/shipped.json")).unwrap();
        let lines = include_str!("../../../fixtures/codec/vectors.jsonl").lines();
        let vectors = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut all = Vec::new();
        for vector in vectors.filter(|vector| vector["expect"] == "ok") {
            let (name, reference) = (vector["name"].as_str().unwrap(), vector["dialect"].as_str().unwrap());
            let known = covered.get(reference);
            let Some(known) = known.filter(|_| !ODD.contains(&name)) else { continue };
            let (dialect, header) =
                (known["dialect"].as_str().unwrap(), known["header_bytes"].as_u64().unwrap());
            let bytes = hex::decode(vector["hex"].as_str().unwrap()).unwrap();
            let skip = usize::try_from(vector["header_bytes"].as_u64().unwrap().checked_sub(header).unwrap())
                .unwrap();
            let mut frame = bytes[skip..].to_vec();
            if dialect == "visa-base1-style" {
                // The public message comes without the header that all messages of the network have.
                frame = [&[22], &[0; 21][..], &frame].concat();
            }
            let whole = if skip == 2 { bytes } else { frame.clone() };
            all.push((name.to_owned(), dialect.to_owned(), frame, whole));
        }
        all
    }

    #[test]
    fn the_worlds_messages_are_told_their_dialects() {
        let dialects = dialects();
        let mut wrong = Vec::new();
        let mut right = 0;
        for (name, dialect, bare, framed) in vectors() {
            for bytes in [&bare, &framed] {
                let fits = rank(&dialects, &[bytes]);
                let own = fits.iter().find(|fit| fit.dialect.name() == dialect).unwrap();
                let first = &fits[0];
                if own.score < first.score {
                    wrong.push(format!(
                        "{name}: {} {} rather than {dialect} {} {:?} {}/{} {}/{}",
                        first.dialect.name(),
                        first.score,
                        own.score,
                        own.fault,
                        first.plausible,
                        first.known,
                        own.plausible,
                        own.known
                    ));
                } else {
                    right += 1;
                }
            }
        }
        assert!(wrong.is_empty(), "{right} right, wrong:\n{}", wrong.join("\n"));
    }

    /// A sign-on of onelink.
    fn sign_on() -> Vec<u8> {
        hex::decode("30383030823800000000000004000000000000003131323030393030303030303338303630393030303031313230303031")
            .unwrap()
    }

    #[test]
    fn the_framing_is_told_too() {
        let dialects = dialects();
        let message = sign_on();
        for framing in Framing::COMMON {
            let mut out = bytes::BytesMut::new();
            framing.put(&message, &mut out).unwrap();
            framing.put(&message, &mut out).unwrap();
            let fits = rank(&dialects, &[&out]);
            assert_eq!((fits[0].framing, fits[0].sound, fits[0].messages), (framing, 2, 2), "{framing}");
        }
    }

    #[test]
    fn of_several_messages_all_must_fit() {
        let dialects = dialects();
        let vectors = vectors();
        let epoc = vectors.iter().find(|(name, ..)| name == "epoc-networkmanagementrequest").unwrap();
        let fits = rank(&dialects, &[&sign_on(), &epoc.2]);
        assert!(fits.iter().all(|fit| !fit.is_sound()));
        let iso93 = fits.iter().find(|fit| fit.dialect.name() == "iso93-ascii").unwrap();
        assert_eq!((iso93.sound, iso93.fault.unwrap().0), (1, 0));
    }

    #[test]
    fn a_header_that_no_dialect_has_is_looked_behind() {
        let dialects = dialects();
        let bytes = [b"HEADER-OF-16-BYT", &sign_on()[..]].concat();
        let fits = rank(&dialects, &[&bytes]);
        assert_eq!((fits[0].dialect.name(), fits[0].unknown_header), ("iso87-ascii-binary-bitmap", 16));
        assert!(!fits[0].is_sound());
    }

    #[test]
    fn any_bytes_are_weighed() {
        let dialects = dialects();
        for (len, step) in [(1, 1), (17, 7), (300, 31), (2_000, 53)] {
            let bytes: Vec<u8> =
                (0..len).map(|at: usize| u8::try_from(at.wrapping_mul(step) & 255).unwrap()).collect();
            assert_eq!(rank(&dialects, &[&bytes]).len(), dialects.len());
        }
    }
}
