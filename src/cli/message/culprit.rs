//! What is most likely wrong when a message is refused: suspicions are tried on the bytes, and the one that explains most of
//! them is told.

use std::collections::BTreeMap;

use super::fit;
use crate::config::{SpecKind, Specs};
use crate::iso8583::{CardData, DecodeError, Decoded, Dialect, Mirror, Reason};

/// How much likelier a dialect is that exists than one with a change that was made up.
const EXISTS: i64 = 20;
/// What each field costs between a suspect and the place of the fault.
const FARTHER: i64 = 2;
/// What it costs to suspect a field that nearly all networks have as the standard does.
const STANDARD: i64 = 18;
/// Such fields.
const STANDARD_FIELDS: [u8; 16] = [3, 4, 7, 11, 12, 13, 14, 15, 18, 22, 23, 25, 37, 38, 39, 49];
/// Most fields that are suspected.
const SUSPECTS_MAX: usize = 8;
/// How far from a fixed length another one is looked for.
const LENGTH_OFF_MAX: usize = 12;
/// Longest fixed length that is tried for a field that has a length.
const FIXED_MAX: usize = 40;

/// Settings of a whole dialect, with what they would mean.
const SETTINGS: &[(&str, &str)] = &[
    ("bitmap = \"hex\"", "bitmaps are hex characters"),
    ("bitmap = \"binary\"", "bitmaps are bytes"),
    ("bitmap = \"ebcdic hex\"", "bitmaps are hex characters in EBCDIC"),
    ("secondary = \"always\"", "there is always a second bitmap"),
    ("secondary = \"none\"", "there is never a second bitmap, and bit 1 means nothing"),
    ("mti = \"bcd\"", "the message type is packed in two bytes"),
    ("mti = \"ascii\"", "the message type is in ASCII"),
    ("mti = \"ebcdic\"", "the message type is in EBCDIC"),
    ("lengths = \"bcd\"", "length prefixes are BCD"),
    ("lengths = \"ascii\"", "length prefixes are ASCII digits"),
    ("lengths = \"binary\"", "length prefixes are binary"),
    ("lengths = \"ebcdic\"", "length prefixes are EBCDIC digits"),
    ("digits = \"bcd\"", "digits are packed (BCD)"),
    ("digits = \"ascii\"", "digits are ASCII, one a byte"),
    ("digits = \"cp1047\"", "digits are EBCDIC"),
    ("track = \"ascii\"", "track data is ASCII"),
    ("track = \"bcd\"", "track data is packed (BCD)"),
    ("text = \"latin1\"", "text is Latin-1, and not ASCII alone"),
    ("text = \"cp1047\"", "text is EBCDIC"),
    ("text = \"cp037\"", "text is EBCDIC (code page 037)"),
    ("text = \"ascii\"", "text is ASCII"),
    ("binary = \"raw\"", "binary fields are bytes"),
    ("binary = \"hex\"", "binary fields are hex characters"),
    ("header = []", "there is no header before the message type"),
    ("header = [{ tpdu = \"6000000000\" }]", "a TPDU of five bytes stands before the message type"),
    ("odd = \"right 0\"", "odd digits are filled behind, with 0"),
    ("odd = \"right F\"", "odd digits are filled behind, with F"),
    ("odd = \"left 0\"", "odd digits are filled before, with 0"),
    ("odd = \"left F\"", "odd digits are filled before, with F"),
];

/// Forms of one field.
const FORMS: &[(&str, &str)] = &[
    ("length = \"ascii\"", "has a length in ASCII digits"),
    ("length = \"bcd\"", "has a length in BCD"),
    ("length = \"binary\"", "has a binary length"),
    ("length = \"ebcdic\"", "has a length in EBCDIC digits"),
    ("length = { as = \"bcd\", counts = \"bytes\" }", "has a length in BCD that counts bytes"),
    ("length = { as = \"binary\", counts = \"bytes\" }", "has a binary length that counts bytes"),
    ("length = { as = \"ascii\", includes = \"itself\" }", "has a length that counts itself"),
    ("as = \"ascii\"", "is in ASCII"),
    ("as = \"bcd\"", "is packed (BCD)"),
    ("as = \"raw\"", "is bytes"),
    ("as = \"hex\"", "is hex characters"),
    ("as = \"latin1\"", "is Latin-1"),
    ("as = \"cp1047\"", "is EBCDIC"),
    ("odd = \"right 0\"", "has odd digits filled behind"),
    ("odd = \"left 0\"", "has odd digits filled before"),
];

/// A dialect that is like the one asked for but for one thing.
struct Variant {
    dialect: Dialect,
    /// What would be so.
    says: String,
    /// How it is written in a dialect file.
    written: String,
    /// Whether it makes all that is left the value of one field: then it fits whatever was cut off, or put on.
    absorbs: bool,
    /// What it costs to think so, in bits.
    unlikely: i64,
}

/// Looks for what is wrong with messages of one dialect. Remembers what it made up: many messages have the same fault.
pub(super) struct Detective<'s> {
    specs: &'s Specs,
    others: Option<Vec<Dialect>>,
    settings: Option<Vec<Variant>>,
    fields: BTreeMap<u8, Vec<Variant>>,
}

impl<'s> Detective<'s> {
    pub(super) const fn new(specs: &'s Specs) -> Self {
        Self { specs, others: None, settings: None, fields: BTreeMap::new() }
    }

    /// One sentence; never with anything that the message holds.
    pub(super) fn culprit(&mut self, decoded: &Decoded<'_, '_>, fault: DecodeError) -> String {
        let dialect = decoded.message.dialect();
        if matches!(fault.reason, Reason::Missing | Reason::Forbidden | Reason::FrameTooLong { .. }) {
            return by_reason(decoded, fault);
        }
        let frame = decoded.message.frame();
        let twice = hex::decode(frame).ok();
        if twice.is_some_and(|bytes| fit::sound_score(dialect, &bytes, &mut Mirror::new()).is_some()) {
            return "these bytes are hex digits themselves: made bytes once more, all of it can be read"
                .to_owned();
        }
        // Where a field's content alone is bad, a dialect that asks for less fits always, and says nothing.
        let another = if decoded.layout_lost { self.another_dialect(dialect, frame) } else { None };
        let found = self.variant(decoded, fault);
        let made_up = found.as_ref().map_or(i64::MIN, |(score, _)| score.saturating_sub(EXISTS));
        match (another, found) {
            (Some((score, sentence)), _) if score > made_up => {
                format!("{sentence} (`billswitch doctor` says more)")
            }
            (_, Some((_, sentence))) => sentence,
            (_, None) => by_reason(decoded, fault),
        }
    }

    /// The dialect that reads the message best, with its evidence.
    fn another_dialect(&mut self, dialect: &Dialect, frame: &[u8]) -> Option<(i64, String)> {
        let specs = self.specs;
        let others = self.others.get_or_insert_with(|| all_dialects(specs));
        let fits = fit::rank(others, &[frame]);
        let best = fits.iter().find(|fit| fit.is_sound() && fit.score > 0)?;
        let framing = best.framing.to_string();
        let framed = if framing == "none" { String::new() } else { format!(", framed as `{framing}`") };
        let what = if best.dialect.name() == dialect.name() { "another framing" } else { "another dialect" };
        let sentence = format!("{what}: all of it reads well as {}{framed}", best.dialect.name());
        Some((best.score, sentence))
    }

    /// The one thing which, were it otherwise, would make the message sound.
    fn variant(&mut self, decoded: &Decoded<'_, '_>, fault: DecodeError) -> Option<(i64, String)> {
        let dialect = decoded.message.dialect();
        let specs = self.specs;
        self.settings.get_or_insert_with(|| settings(specs, dialect));
        let ends = matches!(fault.reason, Reason::Truncated { .. } | Reason::TrailingBytes { .. });
        // Another type would also do away with what is inside.
        let ends = ends || !decoded.layout_lost;
        let suspects = suspects(decoded, fault);
        for (field, _) in &suspects {
            self.fields.entry(*field).or_insert_with(|| of_field(specs, dialect, *field));
        }
        let mut mirror = Mirror::new();
        let frame = decoded.message.frame();
        let settings = self.settings.iter().flatten().map(|variant| (0, variant));
        let of_fields = suspects.iter().filter_map(|(field, far)| Some((*far, self.fields.get(field)?)));
        let of_fields = of_fields.flat_map(|(far, variants)| {
            let fits = move |variant: &&Variant| !(ends && far == 0 && variant.absorbs);
            variants
                .iter()
                .filter(fits)
                .map(move |variant| (variant.unlikely.saturating_add(FARTHER.saturating_mul(far)), variant))
        });
        let scored = settings.chain(of_fields).filter_map(|(unlikely, variant)| {
            let score = fit::sound_score(&variant.dialect, frame, &mut mirror)?;
            Some((score.saturating_sub(unlikely), variant))
        });
        // Of equals the first: settings of the whole, then the field itself.
        let (score, variant) = scored.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        let Variant { says, written, .. } = variant;
        Some((score, format!("{says}: with `{written}` all of it can be read")))
    }
}

/// Fields that may be to blame, the likeliest first, and how far each is from where the fault showed: what is wrong with a
/// length shows only later.
fn suspects(decoded: &Decoded<'_, '_>, fault: DecodeError) -> Vec<(u8, i64)> {
    let mut fields: Vec<u8> = Some(fault.field).filter(|field| *field > 1).into_iter().collect();
    if decoded.layout_lost && fault.field != 1 {
        let present = decoded.message.fields().map(|(field, _)| field);
        let mut before: Vec<u8> = present.filter(|field| fault.field == 0 || *field < fault.field).collect();
        before.reverse();
        fields.extend(before);
    }
    fields.into_iter().take(SUSPECTS_MAX).zip(0..).collect()
}

/// All dialects that there are; those that are at fault are left out.
pub(super) fn all_dialects(specs: &Specs) -> Vec<Dialect> {
    let built_in = Specs::default();
    let mut names = specs.names(SpecKind::Dialect);
    let mut all: Vec<Dialect> = names.iter().filter_map(|name| specs.dialect(name).ok()).collect();
    for name in built_in.names(SpecKind::Dialect) {
        if !names.contains(&name) {
            all.extend(built_in.dialect(&name).ok());
            names.push(name);
        }
    }
    all
}

fn changed(specs: &Specs, dialect: &Dialect, change: &str) -> Option<Dialect> {
    let text = format!("name = \"changed\"\nextends = \"{}\"\n{change}\n", dialect.name());
    let base = |name: &str| specs.named(name).ok().map(|(_, text)| text);
    Dialect::parse("changed.toml", &text, &base).ok()
}

fn settings(specs: &Specs, dialect: &Dialect) -> Vec<Variant> {
    let variants = SETTINGS.iter().filter_map(|(written, says)| {
        let dialect = changed(specs, dialect, written)?;
        Some(Variant {
            dialect,
            says: (*says).to_owned(),
            written: (*written).to_owned(),
            absorbs: false,
            unlikely: 0,
        })
    });
    variants.collect()
}

/// A field in every form and length that it may have been written in.
fn of_field(specs: &Specs, dialect: &Dialect, field: u8) -> Vec<Variant> {
    let Some(notation) = dialect.field_type(field) else { return Vec::new() };
    let is_class = |c: &char| c.is_ascii_alphabetic() || *c == '+';
    let class: String = notation.chars().take_while(is_class).collect();
    let dots = notation.matches('.').count();
    let longest = dialect.field_max(field).map_or(0, usize::from);
    let mut forms: Vec<(String, String)> =
        FORMS.iter().map(|(written, says)| ((*written).to_owned(), format!("DE {field} {says}"))).collect();
    let card = match dialect.card_data(field) {
        CardData::None => "none",
        CardData::Pan => "pan",
        CardData::Never => "never",
    };
    let mut typed = |class: &str, length: &str, says: String| {
        let written = format!("name = \"field\", card_data = \"{card}\", type = \"{class}{length}\"");
        forms.push((written, says));
    };
    let unit = if class == "b" { "bytes" } else { "characters" };
    for digits in (1..=4_u32).filter(|digits| usize::try_from(*digits) != Ok(dots)) {
        let max = 10_usize.saturating_pow(digits).saturating_sub(1);
        let length = format!("{}{max}", ".".repeat(usize::try_from(digits).unwrap_or(0)));
        let says = format!("DE {field} has {digits} digits of length, and not {dots}");
        typed(&class, &length, says);
    }
    if dots > 0 {
        let max = 10_usize.saturating_pow(u32::try_from(dots).unwrap_or(1)).saturating_sub(1);
        let length = format!("{}{max}", ".".repeat(dots));
        typed(&class, &length, format!("DE {field} may be longer than {longest}"));
        for length in 1..=FIXED_MAX {
            typed(
                &class,
                &format!(" {length}"),
                format!("DE {field} has no length, but {length} {unit} always"),
            );
        }
    } else {
        let shortest = longest.saturating_sub(LENGTH_OFF_MAX).max(1);
        for length in (shortest..=longest.saturating_add(LENGTH_OFF_MAX)).filter(|length| *length != longest)
        {
            typed(
                &class,
                &format!(" {length}"),
                format!("DE {field} has {length} {unit}, and not {longest}"),
            );
        }
    }
    let variants = forms.into_iter().filter_map(|(written, says)| {
        let dialect = changed(specs, dialect, &format!("[fields]\n{field} = {{ {written} }}"))?;
        // The name was only for the loader.
        let notation = written.split_once("type = ").map(|(_, notation)| format!("type = {notation}"));
        let absorbs = notation.is_some();
        let written = format!("{field} = {{ {} }}", notation.unwrap_or(written));
        let unlikely = if absorbs && STANDARD_FIELDS.contains(&field) { STANDARD } else { 0 };
        Some(Variant { dialect, says, written, absorbs, unlikely })
    });
    variants.collect()
}

/// What the fault itself suggests.
fn by_reason(decoded: &Decoded<'_, '_>, fault: DecodeError) -> String {
    let DecodeError { field, offset, reason } = fault;
    let frame = decoded.message.frame();
    let name = decoded.message.dialect().name();
    match reason {
        Reason::BadFilling => format!("DE {field} is filled up otherwise by this sender, or is longer than its length says"),
        Reason::Missing => format!("the sender left DE {field} out, or `[[presence]]` of {name} asks for too much"),
        Reason::Forbidden => format!("the sender should not have set DE {field}, or `[[presence]]` of {name} forbids too much"),
        Reason::FrameTooLong { .. } => "more than one message: a length that was read as part of another".to_owned(),
        Reason::BadMti | Reason::BadHeader => {
            format!("something else stands where {name} has its message type: a header, a length, or another coding")
        }
        Reason::BadBitmap => format!("bitmaps of another form than {name} has, or something before the message type"),
        Reason::Undefined => format!("{name} does not have DE {field}: a bitmap of another form, or a field of this network's own"),
        Reason::Truncated { need, have } => {
            let missing = need.saturating_sub(have);
            let plural = if missing == 1 { "" } else { "s" };
            format!("the message is cut off, and {missing} byte{plural} or more of it missing; or a field before DE {field} is shorter than {name} has it")
        }
        Reason::TrailingBytes { count } => match frame.last() {
            Some(b'\n' | b'\r' | 0x03 | 0xff) if count <= 2 => {
                "a byte that ends lines or frames is still on the message".to_owned()
            }
            _ => "two messages run together, a field without its bit, or a field shorter than the sender has it".to_owned(),
        },
        Reason::BadLength => format!("DE {field}, or a field before it, has another length than in {name}"),
        Reason::TooLong { .. } => format!("DE {field} may be longer with this sender; or a field before it has another length than in {name}"),
        Reason::Character { .. } => match frame.get(offset) {
            Some(b' ') => format!("DE {field} is filled up with blanks, which its class does not have"),
            Some(0x80..) => format!("DE {field} is in another character set, or holds bytes"),
            Some(0..b' ') => format!("DE {field} holds bytes, or is packed, rather than characters"),
            Some(_) | None => format!("the sender put a character into DE {field} that its class does not have"),
        },
        Reason::BadElement => format!("what is inside DE {field} is divided in another way, or the length of an element is wrong"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::iso8583::{decode, from_json, shipped};

    fn payment(dialect: &Dialect) -> Vec<u8> {
        let json = r#"{"mti": "0200", "fields": {"2": "4242424242424242", "3": "380000", "4": "1000",
            "7": "1120090009", "11": "4709", "12": "090009", "13": "1120", "37": "632509004709", "41": "ATM00017",
            "48": {"BI": "KPEXCISE", "CN": "10020030040050061"}, "49": "586"}}"#;
        let mut out = BytesMut::new();
        from_json(dialect, &serde_json::from_str(json).unwrap(), &mut out).unwrap();
        out.to_vec()
    }

    /// A message with one text in it replaced by another.
    fn with(frame: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
        let at = frame.windows(old.len()).position(|window| window == old).unwrap();
        [&frame[..at], new, frame[at..].strip_prefix(old).unwrap()].concat()
    }

    #[test]
    fn what_is_wrong_is_found_by_trying() {
        let onelink = shipped::dialect("onelink").unwrap().unwrap();
        let specs = Specs::default();
        let mut detective = Detective::new(&specs);
        let mut mirror = Mirror::new();
        let whole = payment(&onelink);
        let hex = {
            let mut bytes = whole[..4].to_vec();
            bytes.extend(hex::encode_upper(&whole[4..12]).into_bytes());
            [&bytes[..], &whole[12..]].concat()
        };
        let table: &[(Vec<u8>, &str)] = &[
            (
                with(&whole, b"035BI", b"\x00\x23BI"),
                "DE 48 has a binary length: with `48 = { length = \"binary\" }`",
            ),
            (with(&whole, b"035BI", b"\x00\x35BI"), "DE 48 has a length in BCD: with"),
            (with(&whole, b"ATM00017", b"ATM0001700000001"), "DE 41 has 16 characters, and not 8: with"),
            (with(&whole, b"001000112009", b"1000112009"), "DE 4 has 10 characters, and not 12: with"),
            (hex, "bitmaps are hex characters: with `bitmap = \"hex\"`"),
            (whole[..whole.len() - 5].to_vec(), "the message is cut off, and 2 bytes or more of it missing"),
            ([&whole[..], b"\x03"].concat(), "a byte that ends lines or frames is still on the message"),
            (with(&whole, b"00000000100011", b"        100011"), "DE 4 is filled up with blanks"),
            (with(&whole, b"BI008", b"BI009"), "what is inside DE 48 is divided in another way"),
            (
                whole.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect(),
                "these bytes are hex digits",
            ),
        ];
        for (frame, want) in table {
            let decoded = decode(&onelink, frame, &mut mirror);
            let found = detective.culprit(&decoded, decoded.fault.unwrap());
            assert!(found.starts_with(want), "{want}: {found}");
        }
    }

    #[test]
    fn another_dialect_that_fits_is_named() {
        let [bcd, ascii] = ["iso87-bcd", "iso87-ascii"].map(|name| shipped::dialect(name).unwrap().unwrap());
        let mut frame = BytesMut::new();
        let json = r#"{"mti": "0800", "fields": {"7": "1120090000", "11": "3806", "70": "301"}}"#;
        from_json(&bcd, &serde_json::from_str(json).unwrap(), &mut frame).unwrap();
        let (specs, mut mirror) = (Specs::default(), Mirror::new());
        let decoded = decode(&ascii, &frame, &mut mirror);
        let found = Detective::new(&specs).culprit(&decoded, decoded.fault.unwrap());
        assert!(
            found.starts_with("another dialect: all of it reads well as iso87-bcd (`billswitch doctor`"),
            "{found}"
        );
    }
}
