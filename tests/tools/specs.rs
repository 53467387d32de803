//! `billswitch specs`.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use super::run;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Output without the name of the folder, which is another each time.
fn told(text: &str, folder: &Path) -> String {
    text.replace(&folder.display().to_string(), "SPECS")
}

const SMALL: &str = r#"name = "small"
note = "For a test. And nothing else."
mti = "ascii"
bitmap = "hex"
binary = "raw"
[fields]
2 = { name = "primary account number", type = "n..19", card_data = "pan" }
11 = { name = "systems trace audit number", type = "n 6" }
48 = { name = "additional data", type = "ans...999", tlv = { tag = 2, length = 3 } }
52 = { name = "PIN data", type = "b 8", card_data = "never" }
"#;

#[test]
fn the_list_says_what_there_is_and_what_for() {
    let folder = folder(&[
        ("dialects/small.toml", SMALL),
        ("dialects/wrong.toml", "name = \"wrong\"\nmti = 4\n"),
        ("profiles/note.toml", "note = \"Of a bank. Or two.\"\n"),
    ]);
    let ran = run(&["specs", "list", "--json", "--specs", folder.path().to_str().unwrap()], b"");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert_snapshot!(told(&ran.out, folder.path()), @r#"
    [
      {
        "name": "small",
        "kind": "dialect",
        "about": "For a test."
      },
      {
        "name": "wrong",
        "kind": "dialect",
        "about": "wrong: SPECS/dialects/wrong.toml:2: `mti` must be \"ascii\", \"bcd\" or \"ebcdic\""
      },
      {
        "name": "note",
        "kind": "profile",
        "about": "Of a bank."
      }
    ]
    "#);
    let table = run(&["specs", "list"], b"");
    let is_row = |line: &str| line.starts_with("│ onelink ") && line.contains("┆ profile  ┆ MTIs, DE 70");
    assert!(table.out.lines().any(is_row), "{}", table.out);
    let built_in = run(&["specs", "list", "--json"], b"");
    let listed: Vec<Value> = serde_json::from_str(&built_in.out).unwrap();
    let onelink: Vec<&Value> = listed.iter().filter(|spec| spec["name"] == "onelink").collect();
    assert_eq!(onelink.iter().map(|spec| &spec["kind"]).collect::<Vec<_>>(), ["dialect", "profile"]);
    assert!(listed.iter().all(|spec| !spec["about"].as_str().unwrap().is_empty()));
}

#[test]
fn a_dialect_is_shown_by_field() {
    let folder = folder(&[("dialects/small.toml", SMALL)]);
    let specs = folder.path().to_str().unwrap();
    let ran = run(&["specs", "show", "small", "--specs", specs], b"");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert_snapshot!(ran.out, @r#"
    small: For a test. And nothing else.
    framing: binary 2
    ┌─────┬────────────────────────────┬───────────┬────────────────────────────────────────────┐
    │ DE  ┆ name                       ┆ type      ┆ notes                                      │
    ╞═════╪════════════════════════════╪═══════════╪════════════════════════════════════════════╡
    │   2 ┆ primary account number     ┆ n..19     ┆ card number: shown masked                  │
    │  11 ┆ systems trace audit number ┆ n 6       ┆                                            │
    │  48 ┆ additional data            ┆ ans...999 ┆ elements: tag of 2 characters, length of 3 │
    │  52 ┆ PIN data                   ┆ b 8       ┆ card data: never kept                      │
    └─────┴────────────────────────────┴───────────┴────────────────────────────────────────────┘
    "#);
    let json = run(&["specs", "show", "small", "--specs", specs, "--json"], b"");
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["fields"][0]["card_data"], "pan");
    assert_eq!(json["fields"].as_array().unwrap().len(), 4);
    let missing = run(&["specs", "show", "large", "--specs", specs], b"");
    assert_eq!(missing.status, 2);
    assert_eq!(
        told(&missing.err, folder.path()),
        "billswitch: there is no dialect `large` in SPECS: it has small\n"
    );
}

#[test]
fn a_profile_is_shown_as_it_is_written() {
    let ran = run(&["specs", "show", "onelink", "--profile"], b"");
    assert_eq!(ran.out, fs::read_to_string("specs/profiles/onelink.toml").unwrap());
    let json = run(&["specs", "show", "onelink", "--profile", "--json"], b"");
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["kind"], &json["file"]["fields"]["stan"]), (&"profile".into(), &"11".into()));
}

#[test]
fn all_that_is_built_in_is_well() {
    let ran = run(&["specs", "check"], b"");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("ok: built-in profile onelink.toml: profile for onelink\n"), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.starts_with("ok: ")), "{}", ran.out);
}

#[test]
fn what_is_wrong_is_told_by_file_line_and_the_line_itself() {
    let profile = fs::read_to_string("specs/profiles/onelink.toml").unwrap();
    let folder = folder(&[
        ("dialects/small.toml", SMALL),
        (
            "dialects/child.toml",
            "name = \"child\"\nextends = \"small\"\n[fields]\n12 = { name = \"time\", type = \"n6\" }\n",
        ),
        ("dialects/heir.toml", "name = \"heir\"\nextends = \"child\"\n"),
        ("dialects/renamed.toml", &SMALL.replace("binary =", "bynary =")),
        ("dialects/other.toml", SMALL),
        ("dialects/mine.toml", "name = \"mine\"\nextends = \"iso87-ascii\"\n"),
        ("profiles/bank.toml", &profile.replace("\"onelink\"", "\"small\"")),
    ]);
    let ran = run(&["specs", "check", "--specs", folder.path().to_str().unwrap()], b"");
    assert_eq!((ran.status, ran.err.as_str()), (2, ""));
    assert_snapshot!(told(&ran.out, folder.path()), @r#"
    SPECS/dialects/child.toml:4: DE 12: not a field type: write a class (a, n, an, ns, as, ans, char, x+n, z, b) and a length, as in `n 6` or `ans...999`
         4 | 12 = { name = "time", type = "n6" }
    child.toml:4: DE 12: not a field type: write a class (a, n, an, ns, as, ans, char, x+n, z, b) and a length, as in `n 6` or `ans...999` (which SPECS/dialects/heir.toml extends)
         4 | 12 = { name = "time", type = "n6" }
    ok: SPECS/dialects/mine.toml: dialect, 126 fields
    SPECS/dialects/other.toml:1: the name is `small`, but it is found by that of its file, `other`
         1 | name = "small"
    SPECS/dialects/renamed.toml:5: unknown key `bynary`; known here: name, note, extends, framing, header, mti, bitmap, secondary, tertiary, digits, text, track, binary, lengths, odd, track_odd, fields, when, presence, codes, names
         5 | bynary = "raw"
    ok: SPECS/dialects/small.toml: dialect, 4 fields
    SPECS/profiles/bank.toml:8: path `3`: the dialect has no DE 3
         8 | processing_code = "3"
    "#);
    // A file for itself, with what it names beside it: the same is said of it.
    let file = |name: &str| run(&["specs", "check", folder.path().join(name).to_str().unwrap()], b"");
    for name in ["child", "heir", "renamed", "other"] {
        let alone = file(&format!("dialects/{name}.toml"));
        assert_eq!(alone.status, 2);
        assert!(ran.out.contains(&alone.out), "{}", alone.out);
    }
    assert_eq!(file("profiles/bank.toml").status, 2);
    assert_eq!(file("dialects/mine.toml").status, 0);
}

#[test]
fn a_contract_is_listed_shown_as_its_file_reads_and_checked_by_line() {
    let listed = run(&["specs", "list"], b"");
    let is_row =
        |line: &str| line.starts_with("│ 1bill ") && line.contains("┆ contract ┆ The 1BILL-style contract");
    assert!(listed.out.lines().any(is_row), "{}", listed.out);
    let shown = run(&["specs", "show", "1bill"], b"");
    assert_eq!((shown.status, shown.out.as_str()), (0, include_str!("../../specs/billers/1bill.toml")));
    let json: Value = serde_json::from_str(&run(&["specs", "show", "1bill", "--json"], b"").out).unwrap();
    assert_eq!(json["file"]["payment"]["codes"]["03"], "duplicate");
    let wrong = shown.out.replace("\"01/B\" = \"expired\"", "\"01/B\" = \"gone\"");
    let line = wrong.lines().position(|line| line.contains("gone")).unwrap() + 1;
    let folder = folder(&[("billers/mine.toml", shown.out.as_str()), ("billers/wrong.toml", wrong.as_str())]);
    let checked = run(&["specs", "check", "--specs", folder.path().to_str().unwrap()], b"");
    assert_eq!(checked.status, 2);
    let told = told(&checked.out, folder.path());
    assert!(told.contains("ok: SPECS/billers/mine.toml: contract, /BillInquiry and /BillPayment"), "{told}");
    let fault = format!(
        "SPECS/billers/wrong.toml:{line}: `gone` is not `found`, `unknown`, or an outcome of the switch"
    );
    assert!(told.contains(&fault), "{told}");
}
