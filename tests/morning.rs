//! The recorded morning against the switch over TCP: every answer as expected, in order and flat out; and in the end the
//! journal, the books and the list of bills paid agree.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails may say so by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use billswitch::config::Config;
use billswitch::ids::BillerCode;
use billswitch::iso8583::Framing;
use billswitch::journal::{self, Options};
use billswitch::money::MinorUnits;
use billswitch::server::{BookDesk, Extras, Server};
use billswitch::settle;
use billswitch::sim::replay::capture::Capture;
use billswitch::sim::replay::{Pacing, ReplayPlan, expect, replay};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/morning").join(name)
}

fn config(store: &Path) -> Config {
    let mut config = Config::load(None).unwrap();
    config.store = store.to_owned();
    config.links.iter_mut().for_each(|link| link.listen.set_port(0));
    // What is answered does not depend on how busy the machine is, nor on how full its disk.
    config.limits.queue_delay_ms = 60_000;
    config.limits.disk_low_bytes = 0;
    config
}

fn import(config: &Config) {
    let (store, writer) = journal::open(&config.store, &Options::default()).unwrap();
    let mut desk = BookDesk::new(store, writer);
    for biller in &config.billers {
        desk.import_file(biller.code, &fixture(&format!("bills-{}.csv", biller.code))).unwrap();
    }
}

async fn morning(pacing: Pacing, framing: Framing) {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    import(&config(&store));
    let mut serving = config(&store);
    serving.links.iter_mut().for_each(|link| link.framing = framing);
    let server = Server::start(serving, Extras::default()).await.unwrap();
    let dialect = Arc::clone(config(&store).links[0].profile.dialect());
    let capture = Capture::read(&fixture("requests.pcap"), None).unwrap();
    let expected = expect::read(&fixture("answers.jsonl")).unwrap();
    let plan = ReplayPlan {
        pacing,
        framing,
        ..ReplayPlan::flat_out(server.addresses()[0], capture, Some(expected), dialect)
    };
    let report = replay(plan).await.unwrap();
    let differences: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(report.answered(), 3062);
    server.drain().await;
    agree(&store);
}

fn agree(store: &Path) {
    let config = config(store);
    let billers: Vec<BillerCode> = config.billers.iter().map(|biller| biller.code).collect();
    let (store, _writer) = journal::open(&config.store, &Options::default()).unwrap();
    store.verify(&mut |_| {}).unwrap();
    let audited = settle::audit(&store, &billers).unwrap();
    let mut standing = 0;
    let mut receipts = BTreeSet::new();
    for biller in billers {
        let lines = settle::scroll(&store, biller, "2026-11-20".parse().unwrap()).unwrap();
        standing += lines.len();
        let paid: BTreeSet<String> = lines.iter().map(|line| line.psid.clone()).collect();
        let list = std::fs::read_to_string(fixture(&format!("paid-{biller}.txt"))).unwrap();
        let wanted: BTreeSet<String> = list.split_whitespace().map(str::to_owned).collect();
        assert_eq!(paid, wanted, "{biller}");
        for line in lines {
            assert_eq!(MinorUnits::sum(line.heads.iter().map(|head| head.amount)), Ok(line.amount));
            assert!(receipts.insert(line.receipt), "a receipt number twice");
            assert!(line.receipt.as_str().len() <= 10, "{} is too long to read out", line.receipt);
        }
    }
    assert_eq!(audited.posted, u64::try_from(standing).unwrap());
    assert_eq!(audited.paid_bills, audited.posted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_morning_flat_out_is_answered_as_it_should_be() {
    morning(Pacing::FlatOut, Framing::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_morning_in_its_own_order_is_answered_as_it_should_be() {
    morning(Pacing::Recorded { speed: "150".parse().unwrap() }, Framing::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_morning_on_links_framed_otherwise_is_answered_as_it_should_be() {
    morning(Pacing::FlatOut, Framing::parse("ascii 4 inclusive").unwrap()).await;
}
