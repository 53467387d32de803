//! Looks for secrets in files, byte by byte, in every form in which they might have been written.

use std::path::Path;

/// What is looked for.
#[derive(Default)]
pub(crate) struct Needles {
    all: Vec<(String, Vec<u8>)>,
}

impl Needles {
    /// A secret as it is, as hexadecimal digits of either case, and as a list of numbers.
    pub(crate) fn text(&mut self, what: &str, secret: &[u8]) {
        let numbers: Vec<String> = secret.iter().map(ToString::to_string).collect();
        let hex = hex::encode(secret);
        for (form, bytes) in [
            ("as it is", secret.to_vec()),
            ("in hexadecimal", hex.clone().into_bytes()),
            ("in hexadecimal", hex.to_uppercase().into_bytes()),
            ("as numbers", numbers.join(",").into_bytes()),
            ("as numbers", numbers.join(", ").into_bytes()),
        ] {
            let shown = String::from_utf8_lossy(secret).into_owned();
            self.all.push((format!("{what} {shown} {form}"), bytes));
        }
    }

    /// Any `width` digits of a number, also packed two to a byte.
    pub(crate) fn digits(&mut self, what: &str, number: &str, width: usize) {
        for part in number.as_bytes().windows(width) {
            self.text(what, part);
        }
        // Ten digits at least, or chance would find them in what is encrypted.
        for part in number.as_bytes().windows(10) {
            self.all.push((format!("{what}, packed"), hex::decode(part).unwrap()));
        }
    }

    /// A card number, of which the first six and the last four digits may be seen: so any seven.
    pub(crate) fn card_number(&mut self, pan: &str) {
        self.digits("card number", pan, 7);
    }

    /// What of it is in these bytes.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut by_start: Vec<Vec<usize>> = vec![Vec::new(); 1 << 16];
        let start = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        for (index, (_, needle)) in self.all.iter().enumerate() {
            by_start[start(needle)].push(index);
        }
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(1) {
            let rest = &bytes[at..];
            let here = by_start[start(rest)].iter().filter(|index| rest.starts_with(&self.all[**index].1));
            for index in here {
                let around = &bytes[at.saturating_sub(60)..bytes.len().min(at + 40)];
                found.push(format!("at {at}: {}: …{}…", self.all[*index].0, around.escape_ascii()));
            }
        }
        found
    }
}

/// Everything that is found in the files under `dir`.
pub(crate) fn hunt(dir: &Path, needles: &Needles) -> Vec<String> {
    let mut found = Vec::new();
    let (mut dirs, mut files) = (vec![dir.to_path_buf()], 0);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                files += 1;
                found.extend(
                    needles.found_in(&bytes).iter().map(|place| format!("{}: {place}", path.display())),
                );
            }
        }
    }
    assert!(files > 0);
    found
}
