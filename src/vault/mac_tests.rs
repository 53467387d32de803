//! MACs and keys against check values that others published.

use super::*;
use crate::iso8583::{Covered, MacAlgorithm, MacPadding, SentMac};

const RETAIL_1: MacAlgorithm = MacAlgorithm::Retail(MacPadding::Zeros);
const RETAIL_2: MacAlgorithm = MacAlgorithm::Retail(MacPadding::Bit);
/// `domain.md` 4.
const KEY: &str = "0123456789ABCDEFFEDCBA9876543210";
const KEYS: &str = "1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn tag(algorithm: MacAlgorithm, key: &str, text: &[u8]) -> String {
    let key = MacKey::new(algorithm, &bytes(key)).unwrap();
    hex::encode_upper(key.tag(&Covered::bytes(text)))
}

#[test]
fn the_retail_mac_gives_the_published_check_values() {
    let table = [
        (RETAIL_1, "Now is the time for all ", "A1C72E74EA3FA9B6"),
        (RETAIL_2, "Now is the time for all ", "E9086230CA3BE796"),
        (RETAIL_1, "Now is the time for it", "2E2B1428CC78254F"),
        (RETAIL_2, "Now is the time for it", "5A692CE64F404145"),
    ];
    for (algorithm, text, want) in table {
        assert_eq!(tag(algorithm, KEY, text.as_bytes()), format!("{want}{}", "0".repeat(16)), "{text}");
    }
    let key = MacKey::new(RETAIL_1, &bytes(KEY)).unwrap();
    assert_eq!(key.check_value().to_string(), "08D7B4");
}

#[test]
fn aes_cmac_gives_the_values_of_rfc_4493() {
    let key = "2b7e151628aed2a6abf7158809cf4f3c";
    let message = bytes(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    let table = [
        (0, "BB1D6929E95937287FA37D129B756746"),
        (16, "070A16B46B4D4144F79BDD9DD04A287C"),
        (40, "DFA66747DE9AE63030CA32611497C827"),
        (64, "51F0BEBF7E3B9D92FC49741779363CFE"),
    ];
    for (len, want) in table {
        assert_eq!(tag(MacAlgorithm::AesCmac, key, &message[..len]), want, "{len}");
    }
}

#[test]
fn a_mac_is_the_same_however_its_bytes_come() {
    let text: Vec<u8> = (0..=255).collect();
    for algorithm in [RETAIL_1, RETAIL_2, MacAlgorithm::AesCmac] {
        let whole = tag(algorithm, KEY, &hex::encode_upper(&text).into_bytes());
        let key = MacKey::new(algorithm, &bytes(KEY)).unwrap();
        assert_eq!(hex::encode_upper(key.tag(&Covered::bytes(&text).in_hex())), whole);
    }
}

#[test]
fn a_mac_fits_in_full_or_cut_and_not_with_any_bit_of_it_changed() {
    let key = MacKey::new(RETAIL_1, &bytes(KEY)).unwrap();
    let covered = Covered::bytes(b"Now is the time for all ");
    let tag = bytes("A1C72E74EA3FA9B6");
    for len in [4, 8] {
        assert!(key.fits(&covered, &SentMac::of(&tag[..len])));
        for bit in 0..len * 8 {
            let mut wrong = tag[..len].to_vec();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.fits(&covered, &SentMac::of(&wrong)), "bit {bit}");
        }
    }
    assert!(!key.fits(&Covered::bytes(b"Now is the time for all"), &SentMac::of(&tag)));
    assert!(!key.fits(&covered, &SentMac::of(&[])), "nothing is no MAC");
}

#[test]
fn a_key_that_makes_single_des_or_has_a_wrong_length_is_refused() {
    for key in ["01234567", "0123456789ABCDEF0123456789ABCDEF", "0123456789ABCDEFFEDCBA9876543210AB"] {
        assert!(MacKey::new(RETAIL_1, &bytes(key)).is_err(), "{key}");
    }
    assert!(MacKey::new(MacAlgorithm::AesCmac, &[0; 20]).is_err());
}

#[test]
fn a_key_is_received_under_its_kek_with_its_own_check_value_only() {
    for algorithm in [RETAIL_1, MacAlgorithm::AesCmac] {
        let kek = Kek::new(algorithm, &bytes("00112233445566778899AABBCCDDEEFF")).unwrap();
        let key = MacKey::new(algorithm, &bytes(KEY)).unwrap();
        let wrapped = kek.send(&bytes(KEY)).unwrap();
        let check = bytes(&key.check_value().to_string());
        assert!(kek.receive(algorithm, &wrapped, &check).unwrap().is(&key));
        let mut wrong = check.clone();
        wrong[2] ^= 1;
        assert!(matches!(kek.receive(algorithm, &wrapped, &wrong), Err(VaultError::CheckValue)));
        assert!(kek.receive(algorithm, &wrapped, &check[..2]).is_err(), "two bytes prove little");
        assert!(kek.receive(algorithm, &wrapped[..15], &check).is_err());
        assert!(kek.receive(algorithm, &[], &check).is_err());
        let other = Kek::new(algorithm, &bytes("10112233445566778899AABBCCDDEEFF")).unwrap();
        assert!(other.receive(algorithm, &wrapped, &check).is_err());
    }
}

#[test]
fn stored_keys_open_for_their_own_link_alone_and_only_unchanged() {
    let vault = Vault::parse("keys", KEYS).unwrap();
    let current = MacKey::new(RETAIL_1, &bytes(KEY)).unwrap();
    let former = MacKey::new(RETAIL_1, &bytes("00112233445566778899AABBCCDDEEFF")).unwrap();
    let mut spent = Spent::default();
    spent.add(vault.mark_of(&former));
    let sealed = vault.seal_link_keys(b"atmnet", &current, Some(&former), &spent).unwrap();
    let open = |link: &[u8], sealed: &[u8]| vault.open_link_keys(link, RETAIL_1, sealed);
    let keys = open(b"atmnet", &sealed).unwrap();
    assert!(keys.current.is(&current) && keys.former.unwrap().is(&former));
    assert!(keys.spent.knows(&vault.mark_of(&former)) && !keys.spent.knows(&vault.mark_of(&current)));
    assert!(open(b"northbank", &sealed).is_err());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(open(b"atmnet", &changed).is_err(), "byte {at}");
        assert!(open(b"atmnet", &sealed[..at]).is_err(), "cut at {at}");
    }
    let alone = vault.seal_link_keys(b"atmnet", &current, None, &spent).unwrap();
    let alone = open(b"atmnet", &alone).unwrap();
    assert!(alone.former.is_none() && alone.spent.knows(&vault.mark_of(&former)));
}

#[test]
fn of_the_keys_that_were_in_use_the_last_hundred_are_known() {
    let vault = Vault::parse("keys", KEYS).unwrap();
    let key = |number: u8| std::array::from_fn::<u8, 16, _>(|at| if at < 8 { number } else { !number });
    let mark = |number: u8| vault.mark_of(&MacKey::new(RETAIL_1, &key(number)).unwrap());
    let mut spent = Spent::default();
    (1..=101).for_each(|number| spent.add(mark(number)));
    assert!(!spent.knows(&mark(1)) && (2..=101).all(|number| spent.knows(&mark(number))));
}

#[test]
fn a_links_key_file_is_read_and_its_faults_told_by_line() {
    let component = |text: &str| zeroize::Zeroizing::new(bytes(text));
    let parts =
        [component("0123456789ABCDEFFEDCBA9876543210"), component("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF")];
    let text = LinkKeyFile::compose(RETAIL_1, &parts, true).unwrap();
    assert!(text.contains("\nkek FEDCBA98765432100123456789ABCDEF\n"));
    let read = LinkKeyFile::parse("atmnet.keys", &text, RETAIL_1).unwrap();
    assert!(read.mac.is_some());
    let kek = "kek 0123456789ABCDEFFEDCBA9876543210\n";
    let table = [
        ("", 0, "holds no kek"),
        ("kek 0123\n", 1, "no KEK"),
        ("kek 01G3\n", 1, "hexadecimal"),
        ("mac 00 00\n", 1, "want one line `kek HEX`"),
        (&format!("{kek}mac 00112233445566778899AABBCCDDEEFF 000000"), 2, "not the key"),
        (&format!("{kek}\n{kek}"), 3, "want one line"),
    ];
    for (text, line, want) in table {
        let error = LinkKeyFile::parse("atmnet.keys", text, RETAIL_1).unwrap_err().to_string();
        assert!(error.starts_with(&format!("atmnet.keys:{line}: ")) && error.contains(want), "{error}");
        assert!(!error.contains("0123") && !error.contains("0011"), "{error}");
    }
}

#[test]
fn what_is_shown_of_keys_is_their_check_value() {
    let key = MacKey::new(RETAIL_1, &bytes(KEY)).unwrap();
    let file = LinkKeyFile { kek: Kek::new(RETAIL_1, &bytes(KEY)).unwrap(), mac: Some(key) };
    let shown = format!("{file:?}");
    assert!(shown.contains("08D7B4") && !shown.contains("0123") && !shown.contains("[1, 35"), "{shown}");
}
