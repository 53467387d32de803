//! What programs read instead of what people do.

use std::fs;

use serde_json::{Value, json};

use super::{Ran, run};

fn read(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
}

#[test]
fn a_sound_configuration_is_told_by_its_parts() {
    let ran = run(&["check", "--config", "deploy/billswitch.toml", "--json"], b"");
    let told = read(&ran);
    assert_eq!((ran.status, &told["ok"]), (0, &json!(true)));
    let atmnet =
        json!({ "name": "atmnet", "listen": "127.0.0.1:8583", "profile": "onelink", "framing": "binary 2" });
    assert_eq!(told["links"][0], atmnet);
    assert_eq!(told["billers"][1], json!({ "code": "KPPOLICE", "name": "Police" }));
    assert_eq!(told["hosts"], json!([]));
    let hosts = run(&["check", "--config", "deploy/examples/hosts.toml", "--json"], b"");
    assert_eq!(read(&hosts)["hosts"].as_array().unwrap().len(), 2, "{}", hosts.out);
}

#[test]
fn a_fault_of_a_configuration_is_told_by_file_line_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let text = fs::read_to_string("deploy/billswitch.toml").unwrap();
    let check = |text: &str| {
        fs::write(at("mine.toml"), text).unwrap();
        let ran = run(&["check", "--config", at("mine.toml").to_str().unwrap(), "--json"], b"");
        assert_eq!((ran.status, ran.err.as_str()), (2, ""));
        let told = read(&ran);
        assert_eq!(told["ok"], false);
        told["fault"].clone()
    };
    let wrong = text.replace("queue_max = 4096", "queue_max = 0");
    let line = wrong.lines().position(|line| line == "queue_max = 0").unwrap() + 1;
    let fault = check(&wrong);
    let want = json!({ "file": at("mine.toml"), "line": line, "reason": "queue_max is 1 to 100,000" });
    assert_eq!(fault, want);
    // Of a profile that it names the line in the profile's file.
    let profile = fs::read_to_string("specs/profiles/onelink.toml").unwrap();
    for folder in ["specs/profiles", "specs/dialects"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::copy("specs/dialects/onelink.toml", at("specs/dialects/onelink.toml")).unwrap();
    fs::write(at("specs/profiles/onelink.toml"), format!("wrong = 1\n{profile}")).unwrap();
    let fault = check(&text.replace("# specs = \"specs\"", "specs = \"specs\""));
    assert_eq!((&fault["file"], &fault["line"]), (&json!(at("specs/profiles/onelink.toml")), &json!(1)));
    let missing = run(&["check", "--config", at("none.toml").to_str().unwrap(), "--json"], b"");
    assert_eq!((missing.status, &read(&missing)["fault"]["line"]), (2, &Value::Null));
}

#[test]
fn files_of_specs_are_told_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.toml");
    fs::write(&file, "name = \"mine\"\nextends = \"iso87-ascii\"\nbitmap = 7\n").unwrap();
    let good = "specs/dialects/onelink.toml";
    let ran = run(&["specs", "check", good, file.to_str().unwrap(), "--json"], b"");
    let told = read(&ran);
    assert_eq!((ran.status, told.as_array().unwrap().len()), (2, 2));
    assert_eq!((&told[0]["file"], &told[0]["ok"]), (&json!(good), &json!(true)));
    let fault = &told[1]["fault"];
    assert_eq!((&told[1]["ok"], &fault["file"], &fault["line"]), (&json!(false), &json!(file), &json!(3)));
    assert_eq!(fault["excerpt"], "bitmap = 7");
}

#[test]
fn the_demonstration_tells_what_it_found_and_what_does_not_agree() {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir("fixtures/morning").unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let list = dir.path().join("paid-KPPOLICE.txt");
    let paid = fs::read_to_string(&list).unwrap();
    let kept: Vec<&str> = paid.lines().skip(1).collect();
    fs::write(&list, kept.join("\n")).unwrap();
    let ran = run(&["demo", dir.path().to_str().unwrap(), "--json"], b"");
    let told = read(&ran);
    assert_eq!((ran.status, &told["ok"]), (1, &json!(false)), "{}", ran.err);
    assert_eq!(
        told["faults"],
        json!(["KPPOLICE: 0 bills should be paid and are not, 1 are and should not be"])
    );
    assert_eq!((&told["replay"]["messages"], &told["replay"]["differences"]), (&json!(3062), &json!(0)));
    let police = told["paid"].as_array().unwrap().iter().find(|it| it["biller"] == "KPPOLICE").unwrap();
    assert_eq!(police["payments"], kept.len() + 1);
    let heads: u64 =
        police["heads"].as_array().unwrap().iter().map(|head| head["amount"].as_u64().unwrap()).sum();
    assert_eq!(police["amount"], heads);
}
