//! Another library makes the same MACs: `mac.py` with pyca/cryptography.

use std::io::Write;
use std::process::{Command, Stdio};

use billswitch::iso8583::{Covered, MacAlgorithm, MacPadding, SentMac};
use billswitch::vault::{Kek, MacKey};
use serde_json::{Value, json};

use crate::mutate::Dice;
use crate::tools;

#[test]
fn macs_check_values_and_keys_under_keys_are_those_of_another_library() {
    let Some(python) = tools::python_of_cryptography() else { return };
    let mut dice = Dice::new(24);
    let mut bytes =
        |len: usize| (0..len).map(|_| u8::try_from(dice.below(256)).unwrap()).collect::<Vec<u8>>();
    let mut cases = Vec::new();
    for len in 0..200 {
        for padding in 0..3 {
            cases.push((padding, bytes(16), bytes(16), bytes(len)));
        }
    }
    let lines: Vec<String> = cases
        .iter()
        .map(|(padding, key, kek, data)| {
            let hex = |bytes| hex::encode(bytes);
            json!({ "padding": padding, "key": hex(key), "kek": hex(kek), "data": hex(data) }).to_string()
        })
        .collect();
    let mut child = Command::new(python)
        .arg(tools::file("mac.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = std::thread::spawn(move || stdin.write_all(lines.join("\n").as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    let said: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(said.len(), cases.len());
    for ((padding, key, kek, data), said) in cases.iter().zip(said) {
        let algorithm = match padding {
            0 => MacAlgorithm::AesCmac,
            1 => MacAlgorithm::Retail(MacPadding::Zeros),
            _ => MacAlgorithm::Retail(MacPadding::Bit),
        };
        let mac = MacKey::new(algorithm, key).unwrap();
        let tag = hex::decode(said["tag"].as_str().unwrap()).unwrap();
        assert!(
            mac.fits(&Covered::bytes(data), &SentMac::of(&tag)),
            "padding {padding}, {} bytes",
            data.len()
        );
        let check = said["check"].as_str().unwrap();
        assert_eq!(mac.check_value().to_string().to_lowercase(), check);
        let wrapped = hex::decode(said["wrapped"].as_str().unwrap()).unwrap();
        let received =
            Kek::new(algorithm, kek).unwrap().receive(algorithm, &wrapped, &hex::decode(check).unwrap());
        assert!(received.unwrap().is(&mac));
    }
}
