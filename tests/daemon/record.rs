//! What a daemon records can be read, and played again.

use billswitch::sim::replay::capture::Capture;

use crate::support::bank::{Bank, Frame, PAN, Slip, network};
use crate::support::bills::import;
use crate::support::site::Site;

#[test]
fn what_was_recorded_with_its_cards_masked_plays_again_with_the_same_outcome() {
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 40);
    let recording = site.path("traffic.pcap").to_str().unwrap().to_owned();
    let daemon = site.serve(&["--record", &recording]);
    let slips: Vec<Slip> =
        bills.iter().zip(1..).map(|(bill, number)| Slip { bill: bill.clone(), number }).collect();
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut codes = Vec::new();
    for (slips, link) in slips.chunks(20).zip([1, 3]) {
        let mut bank = Bank::connect(daemon.address, link).unwrap();
        let mut frames = vec![network("001"), network("301")];
        frames.extend(
            slips.iter().flat_map(|slip| [slip.payment(), slip.reversal("0420"), slip.reversal("0421")]),
        );
        codes.extend(frames.iter().map(|frame| bank.ask(frame).code()));
        sent.extend(frames);
    }
    assert!(codes.iter().all(|code| code == "00"), "{codes:?}");
    daemon.stop();

    let capture = Capture::read(recording.as_ref(), None).unwrap();
    let read: Vec<Frame> = capture
        .streams
        .iter()
        .flat_map(|stream| stream.frames.iter().map(|frame| Frame(frame.bytes.to_vec())))
        .collect();
    assert_eq!(read.len(), sent.len());
    for (frame, sent) in read.iter().zip(&sent) {
        let masked = String::from_utf8_lossy(sent).replace(PAN, "4242420000004242");
        assert_eq!(String::from_utf8_lossy(&frame.0), masked);
    }

    // Another store, the same bills: everything is answered as on the day.
    let other = Site::new();
    import(&other, "KPEXCISE", 40);
    let daemon = other.serve(&[]);
    let to = daemon.address.to_string();
    let report = other.replay(&[&recording, "--to", &to, "--flat-out", "--json"]).json();
    assert_eq!((&report["messages"], &report["answered"]), (&sent.len().into(), &sent.len().into()));
    let codes = report["codes"].as_array().unwrap();
    assert!(codes.iter().all(|code| code["39"] == "00"), "{report:#}");
    assert_eq!(other.ctl(&["journal", "verify"])["posted"], 0, "each was reversed");
    daemon.stop();

    // A recording is never written over.
    let refused = site.try_serve(&["--record", &recording]).err().unwrap();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.said.contains("traffic.pcap"), "{refused:?}");
}
