//! Whether well-known fields hold what they usually do: what tells a dialect that happens to fit from the right one.

use crate::iso8583::{Dialect, Message, Mti, has_check_digit};

/// What the well-known fields of a message say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Likely {
    /// Well-known fields that are there.
    pub(super) known: usize,
    /// Those of them that hold what they usually do.
    pub(super) plausible: usize,
    /// Whether the version in the message type is the one that the dialect's fields are of.
    pub(super) version_fits: bool,
    /// Evidence, in tenths of bits.
    pub(super) bits: i64,
}

/// What a field's value is like, as far as it is known.
type Test = fn(&[u8]) -> Option<bool>;

/// Well-known fields, and what it says, in tenths of bits, if one holds what it should; what it costs if not.
const FIELDS: &[(u8, Test, i64, i64)] = &[
    (2, card_number, 33, 20),
    (3, processing_code, 30, 30),
    (7, |value| sized(value, 10, month_to_second), 80, 150),
    (11, |value| digits(value).then(|| value.iter().any(|digit| *digit != b'0')), 1, 20),
    (12, local_time, 35, 100),
    (13, local_date, 45, 100),
    (14, |value| sized(value, 4, |value| (1..=12).contains(&number(value, 2, 4))), 30, 30),
    (15, local_date, 30, 40),
    (17, local_date, 30, 40),
    (32, |value| digits(value).then_some(!value.is_empty()), 5, 10),
    (37, |value| Some(value.iter().any(u8::is_ascii_digit)), 5, 20),
    // Most begin with the day of the year, and go on with digits.
    (37, |value| digits(value).then_some(true), 15, 0),
    (39, |value| sized(value, 2, |value| value.iter().all(u8::is_ascii_alphanumeric)), 5, 40),
    (41, |value| Some(value.iter().any(u8::is_ascii_alphanumeric)), 5, 20),
    (49, currency, 35, 35),
    (50, currency, 35, 35),
    (51, currency, 35, 35),
    (
        70,
        |value| sized(value, 3, |value| matches!(number(value, 0, 3), 1..=8 | 61..=63 | 81..=83 | 101..=399)),
        10,
        20,
    ),
];

/// ISO 4217 codes of currencies in use, as numbers and as letters.
#[rustfmt::skip]
const CURRENCIES: &[(u16, &str)] = &[
    (8, "ALL"), (12, "DZD"), (32, "ARS"), (36, "AUD"), (44, "BSD"), (48, "BHD"), (50, "BDT"), (51, "AMD"),
    (52, "BBD"), (60, "BMD"), (64, "BTN"), (68, "BOB"), (72, "BWP"), (84, "BZD"), (90, "SBD"), (96, "BND"),
    (104, "MMK"), (108, "BIF"), (116, "KHR"), (124, "CAD"), (132, "CVE"), (136, "KYD"), (144, "LKR"),
    (152, "CLP"), (156, "CNY"), (170, "COP"), (174, "KMF"), (188, "CRC"), (191, "HRK"), (192, "CUP"),
    (203, "CZK"), (208, "DKK"), (214, "DOP"), (222, "SVC"), (230, "ETB"), (232, "ERN"), (242, "FJD"),
    (262, "DJF"), (270, "GMD"), (292, "GIP"), (320, "GTQ"), (324, "GNF"), (328, "GYD"), (332, "HTG"),
    (340, "HNL"), (344, "HKD"), (348, "HUF"), (352, "ISK"), (356, "INR"), (360, "IDR"), (364, "IRR"),
    (368, "IQD"), (376, "ILS"), (388, "JMD"), (392, "JPY"), (398, "KZT"), (400, "JOD"), (404, "KES"),
    (408, "KPW"), (410, "KRW"), (414, "KWD"), (417, "KGS"), (418, "LAK"), (422, "LBP"), (426, "LSL"),
    (430, "LRD"), (434, "LYD"), (446, "MOP"), (454, "MWK"), (458, "MYR"), (462, "MVR"), (480, "MUR"),
    (484, "MXN"), (496, "MNT"), (498, "MDL"), (504, "MAD"), (512, "OMR"), (516, "NAD"), (524, "NPR"),
    (532, "ANG"), (533, "AWG"), (548, "VUV"), (554, "NZD"), (558, "NIO"), (566, "NGN"), (578, "NOK"),
    (586, "PKR"), (590, "PAB"), (598, "PGK"), (600, "PYG"), (604, "PEN"), (608, "PHP"), (634, "QAR"),
    (643, "RUB"), (646, "RWF"), (654, "SHP"), (682, "SAR"), (690, "SCR"), (694, "SLL"), (702, "SGD"),
    (704, "VND"), (706, "SOS"), (710, "ZAR"), (728, "SSP"), (748, "SZL"), (752, "SEK"), (756, "CHF"),
    (760, "SYP"), (764, "THB"), (776, "TOP"), (780, "TTD"), (784, "AED"), (788, "TND"), (800, "UGX"),
    (807, "MKD"), (818, "EGP"), (826, "GBP"), (834, "TZS"), (840, "USD"), (858, "UYU"), (860, "UZS"),
    (882, "WST"), (886, "YER"), (901, "TWD"), (925, "SLE"), (926, "VED"), (928, "VES"), (929, "MRU"),
    (930, "STN"), (933, "BYN"), (934, "TMT"), (936, "GHS"), (938, "SDG"), (941, "RSD"), (943, "MZN"),
    (944, "AZN"), (946, "RON"), (949, "TRY"), (950, "XAF"), (951, "XCD"), (952, "XOF"), (953, "XPF"),
    (967, "ZMW"), (968, "SRD"), (969, "MGA"), (971, "AFN"), (972, "TJS"), (973, "AOA"), (975, "BGN"),
    (976, "CDF"), (977, "BAM"), (978, "EUR"), (980, "UAH"), (981, "GEL"), (985, "PLN"), (986, "BRL"),
];

/// What a message's well-known fields and its type say.
pub(super) fn judge(message: &Message<'_, '_>) -> Likely {
    let dialect = message.dialect();
    let mut likely = Likely { version_fits: version_fits(dialect, message.mti()), ..Likely::default() };
    likely.bits = if is_usual(message.mti()) { 20 } else { -300 };
    if !likely.version_fits {
        likely.bits = likely.bits.saturating_sub(200);
    }
    for (field, test, gain, cost) in FIELDS {
        let value = message.field(*field).filter(|_| !dialect.is_binary(*field));
        let Some(plausible) = value.and_then(test) else { continue };
        likely.known = likely.known.saturating_add(1);
        likely.plausible = likely.plausible.saturating_add(usize::from(plausible));
        let bits = if plausible { *gain } else { cost.saturating_neg() };
        likely.bits = likely.bits.saturating_add(bits);
    }
    likely
}

/// A version, class, function and origin that the standard has.
fn is_usual(mti: Mti) -> bool {
    matches!(mti.as_bytes(), [b'0'..=b'2' | b'8' | b'9', b'1'..=b'8', b'0'..=b'7', b'0'..=b'5'])
}

/// DE 12 is the time in 1987, with the date in 1993, and with the century in 2003.
fn version_fits(dialect: &Dialect, mti: Mti) -> bool {
    match (dialect.field_max(12), mti.version()) {
        (Some(6), version) => version == b'0',
        (Some(12), version) => version == b'1',
        (Some(14), version) => version == b'2',
        _ => true,
    }
}

fn digits(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit)
}

/// The test of a value that is so many digits; of another it is not known.
fn sized(value: &[u8], len: usize, test: fn(&[u8]) -> bool) -> Option<bool> {
    (value.len() == len).then(|| test(value))
}

/// The digits from one place to another as a number; none are 0, and what is no digit is too large for anything.
fn number(value: &[u8], from: usize, to: usize) -> u32 {
    value.get(from..to).unwrap_or_default().iter().fold(0_u32, |number, byte| match byte {
        b'0'..=b'9' => number.saturating_mul(10).saturating_add(u32::from(byte & 15)),
        _ => u32::MAX,
    })
}

fn month_and_day(value: &[u8], at: usize) -> bool {
    let (middle, end) = (at.saturating_add(2), at.saturating_add(4));
    (1..=12).contains(&number(value, at, middle)) && (1..=31).contains(&number(value, middle, end))
}

fn hour_to_second(value: &[u8], at: usize) -> bool {
    let [a, b, c] = [2_usize, 4, 6].map(|add| at.saturating_add(add));
    number(value, at, a) < 24 && number(value, a, b) < 60 && number(value, b, c) < 60
}

fn month_to_second(value: &[u8]) -> bool {
    month_and_day(value, 0) && hour_to_second(value, 4)
}

/// A card number with its check digit; one that is masked says nothing, and what is no card number little.
fn card_number(value: &[u8]) -> Option<bool> {
    let is_card = (13..=19).contains(&value.len()) && digits(value);
    is_card.then(|| has_check_digit(value))
}

/// Transaction types that networks have, with account types of two digits of which the second is mostly 0.
fn processing_code(value: &[u8]) -> Option<bool> {
    sized(value, 6, |value| digits(value) && (value.get(3) == Some(&b'0') || value.get(5) == Some(&b'0')))
}

/// Time alone, or with the date before it.
fn local_time(value: &[u8]) -> Option<bool> {
    match value.len() {
        6 => Some(hour_to_second(value, 0)),
        10 => Some(month_to_second(value)),
        12 => Some(month_and_day(value, 2) && hour_to_second(value, 6)),
        14 => Some(month_and_day(value, 4) && hour_to_second(value, 8)),
        _ => None,
    }
}

/// Month and day; with the year, or with year and century, before them.
fn local_date(value: &[u8]) -> Option<bool> {
    match value.len() {
        4 => Some(month_and_day(value, 0)),
        6 => Some(month_and_day(value, 2)),
        8 => Some(month_and_day(value, 4)),
        _ => None,
    }
}

fn currency(value: &[u8]) -> Option<bool> {
    sized(value, 3, |value| {
        let number = number(value, 0, 3);
        CURRENCIES.iter().any(|(code, name)| u32::from(*code) == number || name.as_bytes() == value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::{Mirror, decode, shipped};

    #[test]
    fn values_are_told_from_what_only_fits() {
        let table: &[(&str, Option<bool>, Option<bool>)] = &[
            ("time", local_time(b"235959"), Some(true)),
            ("no time", local_time(b"246000"), Some(false)),
            ("date and time", local_time(b"261120140009"), Some(true)),
            ("with century", local_time(b"20261120140009"), Some(true)),
            ("of another width", local_time(b"1400"), None),
            ("date", local_date(b"1231"), Some(true)),
            ("no date", local_date(b"1332"), Some(false)),
            ("card number", card_number(b"4242424242424242"), Some(true)),
            ("wrong check digit", card_number(b"4242424242424243"), Some(false)),
            ("masked card number", card_number(b"424242******4242"), None),
            ("rupees", currency(b"586"), Some(true)),
            ("letters", currency(b"USD"), Some(true)),
            ("no currency", currency(b"000"), Some(false)),
            ("code", processing_code(b"380000"), Some(true)),
            ("no code", processing_code(b"123456"), Some(false)),
        ];
        for (name, got, want) in table {
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_message_of_another_version_is_told() {
        let iso93 = shipped::dialect("iso93-ascii").unwrap().unwrap();
        let mut mirror = Mirror::new();
        let fits = |frame: &[u8], mirror: &mut Mirror| judge(&decode(&iso93, frame, mirror).message);
        let (old, new) = (
            fits(b"08000020000000000000004709", &mut mirror),
            fits(b"18000020000000000000004709", &mut mirror),
        );
        assert!(!old.version_fits && new.version_fits);
        assert!(old.bits < new.bits);
        assert_eq!((new.known, new.plausible), (1, 1));
    }
}
