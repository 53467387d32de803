//! Key files of links: made, and shown by their check values.

use super::run;

fn key(args: &[&str], input: &str) -> super::Ran {
    run(&[&["key"], args].concat(), input.as_bytes())
}

#[test]
fn a_new_key_file_is_random_and_shown_by_its_check_values_only() {
    for algorithm in ["retail", "aes-cmac"] {
        let made = key(&["link", "--algorithm", algorithm], "");
        let again = key(&["link", "--algorithm", algorithm], "");
        assert_eq!(made.status, 0, "{}", made.err);
        assert_ne!(made.out, again.out);
        let secret = made.out.lines().find_map(|line| line.strip_prefix("kek ")).unwrap();
        assert_eq!(secret.len(), 32);
        let shown = key(&["show", "-", "--algorithm", algorithm, "--json"], &made.out);
        let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
        let check = made.out.lines().find_map(|line| line.strip_prefix("mac ")).unwrap();
        assert_eq!(shown["mac"], check.split(' ').nth(1).unwrap());
        assert!(made.out.contains(&format!("of the kek: {}.", shown["kek"].as_str().unwrap())));
        let people = key(&["show", "-", "--algorithm", algorithm], &made.out);
        assert!(people.out.contains("kek") && !people.out.contains(secret), "{}", people.out);
    }
}

#[test]
fn components_make_the_kek_and_are_never_quoted() {
    let parts =
        "0123456789ABCDEF0123456789ABCDEF # the first custodian's\n\nFFFFFFFFFFFFFFFF0000000000000000\n";
    let made = key(&["link", "--components", "-", "--no-mac"], parts);
    assert!(made.out.ends_with("kek FEDCBA98765432100123456789ABCDEF\n"), "{}{}", made.out, made.err);
    let shown = key(&["show", "-"], &made.out);
    assert!(shown.out.contains("none: the peer sends one"), "{}", shown.out);
    for (parts, want) in [
        ("0123456789ABCDEF\n", "16 or 24 bytes"),
        ("0123456789ABCDEF0123456789ABCDEF\n0123\n", "not of one length"),
        ("0123456789ABCDEF0123456789ABCDEG\n", "line 1"),
        ("# nobody came\n", "no component"),
    ] {
        let refused = key(&["link", "--components", "-"], parts);
        assert_eq!((refused.status, refused.out.as_str()), (2, ""), "{}", refused.err);
        assert!(refused.err.contains(want) && !refused.err.contains("0123456"), "{}", refused.err);
    }
    let refused = key(&["show", "-"], "kek 0123\n");
    assert!(refused.status == 2 && refused.err.contains("-:1: no KEK"), "{}", refused.err);
}
