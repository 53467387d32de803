//! Messages in a packet capture.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use super::{Found, Input, InputError, MESSAGES_MAX, Place, Reading};
use crate::sim::replay::ways::{self, Share, Way};

/// How capture files begin: classic pcap in both byte orders and resolutions, and pcapng.
const MAGICS: [[u8; 4]; 5] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

pub(super) fn is_capture(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|magic| MAGICS.contains(magic))
}

/// The messages of all connections in the order of the file.
pub(super) fn read(source: &Arc<str>, bytes: Vec<u8>, reading: &Reading<'_>) -> Result<Input, InputError> {
    let ways = ways::read(Path::new(&**source), Cursor::new(bytes), reading.port)?;
    let (mut found, mut remarks) = (Vec::new(), Vec::new());
    for way in &ways {
        let Way { from, to, .. } = way;
        let ends = Arc::new((*from, *to));
        let mut remark = |text: String| remarks.push(format!("{source}: {from} → {to}: {text}"));
        if way.lost_before() > 0 {
            remark(format!("{} bytes are not in the capture", way.lost_before()));
        }
        for Share { bytes, packet, at } in messages(way, reading, &mut remark) {
            let place = Place::Packet { source: Arc::clone(source), packet, ends: Arc::clone(&ends), at };
            found.push((packet, Found { bytes: bytes.to_vec(), place }));
            if found.len() > MESSAGES_MAX {
                return Err(InputError::TooMany { name: Arc::clone(source) });
            }
        }
    }
    if found.is_empty() {
        return Err(InputError::NoMessages { name: Arc::clone(source), port: reading.port, remarks });
    }
    // Stable: what one packet completed stays in its order.
    found.sort_by_key(|(packet, _)| *packet);
    Ok(Input { found: found.into_iter().map(|(_, found)| found).collect(), remarks })
}

/// Frames as the dialect has them; failing that, those packets that are messages each.
fn messages(way: &Way, reading: &Reading<'_>, remark: &mut dyn FnMut(String)) -> Vec<Share> {
    if let Some(framed) = way.framed(reading.framing) {
        if framed.skipped_bytes > 0 {
            remark(format!("{} bytes before the first whole frame are passed over", framed.skipped_bytes));
        }
        if framed.unfinished_bytes > 0 {
            remark(format!("the last frame is cut after {} bytes", framed.unfinished_bytes));
        }
        return framed.frames;
    }
    let (messages, others): (Vec<Share>, Vec<Share>) =
        way.shares().partition(|share| reading.judge.is_plausible(&share.bytes));
    if !others.is_empty() {
        let count = others.len();
        let framing = reading.framing;
        remark(format!("not framed as `{framing}`, and {count} of its packets do not look like a message"));
    }
    messages
}
