//! What a chip's tags are called: EMV Book 3, Annex A, in our own words.

/// Tag in upper-case hex and its name, ascending.
const NAMES: &[(&str, &str)] = &[
    ("42", "issuer identification number"),
    ("4F", "application identifier of the card"),
    ("50", "application label"),
    ("56", "track 1 data"),
    ("57", "track 2 equivalent data"),
    ("5A", "primary account number"),
    ("5F20", "cardholder name"),
    ("5F24", "application expiration date"),
    ("5F25", "application effective date"),
    ("5F28", "issuer country code"),
    ("5F2A", "transaction currency code"),
    ("5F2D", "language preference"),
    ("5F30", "service code"),
    ("5F34", "primary account number sequence number"),
    ("5F36", "transaction currency exponent"),
    ("61", "application template"),
    ("6F", "file control information template"),
    ("70", "record template"),
    ("71", "issuer script template 1"),
    ("72", "issuer script template 2"),
    ("77", "response template, format 2"),
    ("80", "response template, format 1"),
    ("81", "amount authorised, binary"),
    ("82", "application interchange profile"),
    ("83", "command template"),
    ("84", "dedicated file name"),
    ("86", "issuer script command"),
    ("87", "application priority"),
    ("88", "short file identifier"),
    ("89", "authorisation code"),
    ("8A", "authorisation response code"),
    ("8C", "card risk management data objects 1"),
    ("8D", "card risk management data objects 2"),
    ("8E", "cardholder verification methods"),
    ("8F", "certification authority key index"),
    ("90", "issuer public key certificate"),
    ("91", "issuer authentication data"),
    ("92", "issuer public key remainder"),
    ("94", "application file locator"),
    ("95", "terminal verification results"),
    ("9A", "transaction date"),
    ("9B", "transaction status information"),
    ("9C", "transaction type"),
    ("9F01", "acquirer identifier"),
    ("9F02", "amount authorised"),
    ("9F03", "amount, other"),
    ("9F06", "application identifier of the terminal"),
    ("9F07", "application usage control"),
    ("9F08", "application version of the card"),
    ("9F09", "application version of the terminal"),
    ("9F0D", "issuer action code, default"),
    ("9F0E", "issuer action code, denial"),
    ("9F0F", "issuer action code, online"),
    ("9F10", "issuer application data"),
    ("9F11", "issuer code table"),
    ("9F12", "application preferred name"),
    ("9F15", "merchant category code"),
    ("9F16", "merchant identifier"),
    ("9F1A", "terminal country code"),
    ("9F1C", "terminal identification"),
    ("9F1E", "interface device serial number"),
    ("9F1F", "track 1 discretionary data"),
    ("9F20", "track 2 discretionary data"),
    ("9F21", "transaction time"),
    ("9F26", "application cryptogram"),
    ("9F27", "cryptogram information"),
    ("9F33", "terminal capabilities"),
    ("9F34", "cardholder verification result"),
    ("9F35", "terminal type"),
    ("9F36", "application transaction counter"),
    ("9F37", "unpredictable number"),
    ("9F38", "processing options data objects"),
    ("9F39", "point of service entry mode"),
    ("9F40", "additional terminal capabilities"),
    ("9F41", "transaction sequence counter"),
    ("9F42", "application currency code"),
    ("9F45", "data authentication code"),
    ("9F4E", "merchant name and location"),
    ("9F53", "transaction category code"),
    ("9F5B", "issuer script results"),
    ("9F66", "terminal transaction qualifiers"),
    ("9F6C", "card transaction qualifiers"),
    ("9F6E", "form factor, or third party data"),
    ("9F7C", "customer exclusive data"),
    ("A5", "proprietary file control information"),
    ("BF0C", "issuer discretionary data of the file control information"),
];

/// What a tag in upper-case hex is called, if it is one that chips and terminals commonly have.
pub(super) fn name(tag: &str) -> Option<&'static str> {
    NAMES.binary_search_by_key(&tag, |(tag, _)| tag).ok().and_then(|at| NAMES.get(at)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::{Dialect, ber, shipped};

    #[test]
    fn every_tag_is_one_and_found_by_itself() {
        for (tag, known) in NAMES {
            assert!(ber::tag_fits(&hex::decode(tag).unwrap()), "{tag}");
            assert_eq!(name(tag), Some(*known), "{tag} stands out of order");
            assert!(!known.is_empty());
        }
        assert_eq!(name("9F99"), None);
        assert_eq!(name("9f26"), None, "tags are written in upper case");
    }

    #[test]
    fn tags_have_names_in_chip_data_and_nowhere_else() {
        let dialect = |name: &str| shipped::dialect(name).unwrap().unwrap();
        let pos = dialect("tpdu-pos");
        assert_eq!(pos.element_name("55.9F26"), Some("application cryptogram"));
        assert_eq!(pos.element_name("55.70.95"), Some("terminal verification results"), "inside another");
        assert_eq!(pos.element_name("55.DF01"), None);
        assert_eq!(pos.element_name("48.95"), None, "not chip data");
        assert_eq!(dialect("iso2003-ascii").element_name("34.01.80"), None, "a data set has its own tags");
    }

    #[test]
    fn a_dialect_may_call_a_tag_otherwise() {
        let base = |name: &str| shipped::dialect_text(name).map(str::to_owned);
        let text = "name = \"mine\"\nextends = \"tpdu-pos\"\n[names]\n\"55.9F26\" = \"our cryptogram\"\n";
        let mine = Dialect::parse("mine.toml", text, &base).unwrap();
        assert_eq!(mine.element_name("55.9F26"), Some("our cryptogram"));
        assert_eq!(mine.element_name("55.82"), Some("application interchange profile"));
    }
}
