//! A message as each network of the shipped dialects sends it.

/// A field of a message that is to be written.
pub(crate) enum Piece {
    Value(u8, &'static [u8]),
    /// With what is inside, in the order of the wire.
    Inside(u8, &'static [(&'static str, &'static [u8])]),
}

use Piece::{Inside, Value};

/// A message of a network: dialect, type, fields, and what is to be found in it afterwards.
pub(crate) type Typical =
    (&'static str, &'static str, &'static [Piece], &'static [(&'static str, &'static [u8])]);

const PAYMENT_87: &[Piece] = &[
    Value(2, b"4242424242424242"),
    Value(3, b"500000"),
    Value(4, b"000000015160"),
    Value(7, b"1120090009"),
    Value(11, b"004709"),
    Value(12, b"140009"),
    Value(13, b"1120"),
    Value(18, b"6011"),
    Value(22, b"051"),
    Value(32, b"12345"),
    Value(35, b"4242424242424242D29122011234567890123"),
    Value(37, b"632509004709"),
    Value(41, b"ATM00017"),
    Value(42, b"BRANCH000000042"),
    Value(49, b"586"),
    Value(52, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
    Value(102, b"PK36SCBL0000001123456702"),
];

const PURCHASE_93: &[Piece] = &[
    Value(2, b"4242424242424242"),
    Value(3, b"000000"),
    Value(4, b"000000015160"),
    Value(11, b"004709"),
    Value(12, b"261120140009"),
    Value(15, b"261121"),
    Value(22, b"21010121314C"),
    Value(24, b"200"),
    Value(26, b"5912"),
    Value(30, b"000000015160000000015160"),
    Value(37, b"632509004709"),
    Value(39, b"000"),
    Value(43, b"BOOKS\\1 MALL\\PESHAWAR\\25000     KPKPAK"),
    Value(53, b"\x01\x02\x03\x04"),
    Inside(55, &[("9F26", b"\xaa\xbb"), ("82", b"\x39\x00")]),
    Value(56, b"12000047092611201400090512345"),
];

/// One for every shipped dialect.
pub(crate) const TYPICAL: &[Typical] = &[
    ("iso87-ascii", "0200", PAYMENT_87, &[("4", b"000000015160"), ("37", b"632509004709")]),
    ("iso87-ascii-binary-bitmap", "0200", PAYMENT_87, &[("52", b"\x01\x02\x03\x04\x05\x06\x07\x08")]),
    ("iso87-bcd", "0200", PAYMENT_87, &[("22", b"051"), ("32", b"12345"), ("41", b"ATM00017")]),
    ("tpdu-pos", "0200", PAYMENT_87, &[("2", b"4242424242424242")]),
    ("iso93-ascii", "1200", PURCHASE_93, &[("30.reconciliation", b"000000015160"), ("55.82", b"\x39\x00")]),
    ("iso93-bcd", "1210", PURCHASE_93, &[("39", b"000"), ("56.stan", b"004709"), ("55.9F26", b"\xaa\xbb")]),
    (
        "iso2003-ascii",
        "2200",
        &[
            Value(2, b"4242424242424242"),
            Value(4, b"5862000000015160"),
            Value(11, b"000000004709"),
            Value(12, b"20261120140009"),
            Value(22, b"21010121314C0000"),
            Inside(34, &[("01", b"\x80\x01\x05")]),
            Value(39, b"0000"),
            Value(43, b"\x71\x00\x03\x80\x00\x01"),
            Value(52, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            Inside(55, &[("9F26", b"\xaa\xbb")]),
            Value(56, b"2200000000004709202611201400090512345"),
            Value(97, b"5862C0000000000015160"),
        ],
        &[("4.value", b"000000015160"), ("34.01.80", b"\x05"), ("55.9F26", b"\xaa\xbb"), ("97.sign", b"C")],
    ),
    (
        "onelink",
        "0200",
        &[
            Value(3, b"500000"),
            Value(4, b"000000015160"),
            Value(11, b"004709"),
            Value(28, b"C00000100"),
            Inside(48, &[("BI", b"KPEXCISE"), ("CN", b"10020030040050061")]),
            Value(52, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
            Inside(120, &[("ST", b"U"), ("FH", b"A1=100"), ("FH", b"A2=200")]),
        ],
        &[("48.CN", b"10020030040050061"), ("120.FH", b"A1=100")],
    ),
    (
        "ebipp",
        "0210",
        &[
            Value(3, b"370000"),
            Value(4, b"000000015160"),
            Value(7, b"1120090009"),
            Value(11, b"004709"),
            Value(39, b"00"),
            Value(41, b"ATM0000000000017"),
            Inside(48, &[("PI", b"PDAM01"), ("CN", b"100200300"), ("NM", b"A CITIZEN"), ("AT", b"000000015160")]),
            Inside(57, &[("R0", b"PAID"), ("R1", b"THANK YOU")]),
        ],
        &[("48.PI", b"PDAM01"), ("48.AT", b"000000015160"), ("57.R1", b"THANK YOU")],
    ),
    (
        "pln",
        "2110",
        &[
            Value(2, b"99501"),
            Value(4, b"3600000000015160"),
            Value(11, b"000000004709"),
            Value(12, b"20261120140009"),
            Value(32, b"4510017"),
            Value(39, b"0000"),
            Value(41, b"ATM0000000000017"),
            Value(
                48,
                b"0000000543210987654101REFERENCE-OF-THIRTY-TWO-SIGNS-01A CITIZEN                51106021-555-0001   R\
                  1  000000900000001600202611202611202026110100000015160C000000000000000000000000000000000010000000200\
                  00000000000000000000000000000000",
            ),
        ],
        &[
            ("4.currency", b"360"),
            ("4.value", b"000000015160"),
            ("48.switcher", b"0000000"),
            ("48.customer", b"543210987654"),
            ("48.bills", b"1"),
            ("48.outstanding", b"01"),
            ("48.name", b"A CITIZEN                "),
            ("48.b1_period", b"202611"),
            ("48.b1_due", b"20261120"),
        ],
    ),
    (
        "postilion",
        "0200",
        &[
            Value(3, b"500000"),
            Value(11, b"004709"),
            Value(28, b"D00000100"),
            Value(41, b"ATM00017"),
            Value(123, b"21010121314C101"),
            Inside(
                127,
                &[
                    ("2", b"0200:004709"),
                    ("3", b"SourceNode  SinkNode    004709004710TotalsGroup "),
                    ("20", b"20261120"),
                    ("25", b"<IccData/>"),
                    ("29", &[7; 40]),
                ],
            ),
        ],
        &[("127.2", b"0200:004709"), ("127.3.sink_stan", b"004710"), ("127.25", b"<IccData/>")],
    ),
    (
        "base24",
        "0200",
        &[
            Value(3, b"500000"),
            Value(11, b"004709"),
            Value(41, b"CAF\xc9 17         "),
            Value(43, b"QISSA KHAWANI           PESHAWAR     KPK"),
            Value(63, b"& 0000200024! B400002 01"),
            Value(126, b"X"),
        ],
        &[("41", b"CAF\xc9 17         "), ("126", b"X")],
    ),
    (
        "visa-base1-style",
        "0100",
        &[
            Value(2, b"4242424242424242424"),
            Value(3, b"500000"),
            Value(4, b"000000015160"),
            Value(22, b"0510"),
            Value(35, b"4242424242424242D29122011234567890123"),
            Value(37, b"632509004709"),
            Value(41, b"ATM00017"),
            Value(43, b"QISSA KHAWANI            PESHAWAR     PK"),
            Value(49, b"586"),
            Value(55, b"\x01\x00\x05\x9f\x26\x02\xaa\xbb"),
            Inside(62, &[("1", b"Y"), ("2", b"123456789012345"), ("23", b"A ")]),
            Inside(63, &[("1", b"0002"), ("3", b"2501"), ("11", b"7")]),
        ],
        &[("49", b"586"), ("55.01.9F26", b"\xaa\xbb"), ("62.2", b"123456789012345"), ("63.3", b"2501")],
    ),
    (
        "mastercard-ipm-style",
        "1240",
        &[
            Value(3, b"000000"),
            Value(24, b"200"),
            Inside(48, &[("0023", b"NA "), ("0165", b"M")]),
            Inside(125, &[("0148", b"5862")]),
        ],
        &[("48.0165", b"M"), ("125.0148", b"5862")],
    ),
    (
        "mastercard-ipm-ebcdic-style",
        "1240",
        &[
            Value(3, b"000000"),
            Value(24, b"200"),
            Value(43, b"BOOKS!\\1 MALL\\PESHAWAR\\25000     KPKPAK"),
            Inside(48, &[("0023", b"NA "), ("0165", b"M")]),
            Inside(55, &[("9F26", b"\xaa\xbb")]),
        ],
        &[("48.0165", b"M"), ("43", b"BOOKS!\\1 MALL\\PESHAWAR\\25000     KPKPAK"), ("55.9F26", b"\xaa\xbb")],
    ),
    (
        "unionpay-pos-style",
        "0200",
        &[
            Value(2, b"6224242900000113123"),
            Value(3, b"000000"),
            Value(4, b"000000000001"),
            Value(22, b"071"),
            Value(23, b"000"),
            Value(35, b"6224242900000113D280620139490310132"),
            Value(41, b"10000019"),
            Inside(55, &[("9F26", b"\xaa\xbb"), ("5F2A", b"\x01\x56")]),
            Value(60, b"22000024000600"),
        ],
        &[("22", b"071"), ("60.batch", b"000024"), ("60.network_code", b"000"), ("55.5F2A", b"\x01\x56")],
    ),
    (
        "postilion-icc",
        "0200",
        &[
            Value(11, b"004709"),
            // Bits 2, 12 and 26: amount, cryptogram, currency.
            Value(127, b"\x00\x00\x00\x80\x00\x00\x00\x000047\x34\x30\x31\x30\x30\x30\x34\x30\x30\x30\x30\x30\x30\x30\x30\x30\
000000015160AABBCCDDEEFF0011586"),
        ],
        &[("127.25.2", b"000000015160"), ("127.25.12", b"AABBCCDDEEFF0011"), ("127.25.26", b"586")],
    ),
];
