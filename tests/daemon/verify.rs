//! Verifying the journal at an operator's word.

use std::fs::File;
use std::sync::mpsc;

use crate::support::DEADLINE;
use crate::support::bank::{Bank, Slip};
use crate::support::bills::import;
use crate::support::site::Site;
use crate::support::wait_for;

#[test]
fn one_verify_at_a_time_so_that_those_given_up_on_do_not_take_all_operators_places() {
    let site = Site::new();
    site.edit(|text| {
        let journal = "[journal]\nworking_legs_max = 30\nsegment_legs_max = 20\n\n[[link]]";
        text.replacen("[[link]]", journal, 1)
    });
    let bills = import(&site, "KPEXCISE", 40);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    for (bill, number) in bills.into_iter().zip(1..) {
        assert_eq!(bank.ask(&Slip { bill, number }.payment()).code(), "00");
    }
    wait_for("the legs to be sealed", || {
        let status = site.ctl(&["status"]);
        (status["working_legs"].as_u64().unwrap() <= 30).then_some(())
    });
    let sealed = site.store().join("days").join(crate::support::bills::DATE);
    let mut files = std::fs::read_dir(&sealed).unwrap().map(|file| file.unwrap().path());
    let segment = files.find(|file| file.extension().is_some_and(|is| is == "legs")).unwrap();
    // In its place something that whoever opens it waits at.
    let aside = segment.with_extension("aside");
    std::fs::rename(&segment, &aside).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&segment).status().unwrap().success());
    let (said, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (said, site) = (said.clone(), &site);
            scope.spawn(move || said.send(site.run("ctl", &["journal", "verify"])).unwrap());
        }
        let first = heard.recv_timeout(DEADLINE);
        // Whoever waits there goes on, and so the test ends however it ends.
        let _nobody_waits = File::options().read(true).write(true).open(&segment).unwrap();
        let first = first.expect("one of the two is told at once that it cannot be");
        assert!(first.code != 0 && first.err.contains("is being verified"), "{first:?}");
        assert_ne!(heard.recv_timeout(DEADLINE).unwrap().code, 0, "that is no segment");
    });
    std::fs::rename(&aside, &segment).unwrap();
    site.ctl(&["journal", "verify"]);
    daemon.stop();
}
