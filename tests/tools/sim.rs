//! The simulated sides of the switch say what they cannot do, rather than wait or leave it out.

use super::run;

const BILLS: &str = "deploy/examples/water.csv";

fn refused(args: &[&str], want: &str) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger.jsonl");
    let ran = run(&[&["sim"], args, &["--bills", BILLS, "--ledger", ledger.to_str().unwrap()]].concat(), b"");
    assert!(ran.status == 2 && ran.err.contains(want), "{} {}", ran.status, ran.err);
}

#[test]
fn a_fault_that_a_department_of_that_kind_cannot_have_is_refused() {
    let host = ["iso", "--listen", "127.0.0.1:0", "--profile", "onelink"];
    for fault in ["payment:slow=5:nth=1", "any:html:5%", "any:huge:5%", "any:status=500:5%"] {
        refused(&[host.as_slice(), &["--fault", fault]].concat(), "of HTTP");
    }
    let so_too = ["iso", "--listen", "127.0.0.1:0", "--dialect", "onelink", "--faults", "any:html:5%"];
    refused(&so_too, "of HTTP");
    refused(&["rest", "--listen", "127.0.0.1:0", "--fault", "reversal:drop:5%"], "no reversals");
    refused(&["rest", "--listen", "127.0.0.1:0", "--faults", "reversal:drop:5%"], "no reversals");
    refused(&["rest", "--listen", "127.0.0.1:0", "--tls-cert", "cert.pem"], "--tls-key");
}

#[test]
fn an_acquirer_that_could_say_nothing_is_refused() {
    let acquirer = |profile, more: &[&'static str]| {
        let link = ["acquirer", "--connect", "127.0.0.1:1", "--biller", "WATER", "--profile", profile];
        [link.as_slice(), more].concat()
    };
    refused(&acquirer("onelink", &[]), "--own acquirer");
    let own = ["--own", "acquirer=27", "--own", "terminal=SIM00001"];
    refused(&acquirer("onelink", &[own.as_slice(), &["--key-file", "Cargo.toml"]].concat()), "Cargo.toml");
    refused(&acquirer("onelink", &[own.as_slice(), &["--framing", "binary 3"]].concat()), "no framing");
}
