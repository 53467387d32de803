//! Ten thousand connections at once: bounded by link and in all, while the links that were there go on.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use socket2::{Domain, Socket, Type};

use crate::support::bank::{Bank, Slip};
use crate::support::bills::import;
use crate::support::site::Site;
use crate::support::wait_for;

const CROWD: u16 = 10_000;
/// Files beside the crowd that this process has open.
const OTHERS: u64 = 500;
/// As the configuration has it: connections of a link when it does not say, and in all.
const OF_A_LINK: usize = 8;
const IN_ALL: usize = 256;

/// How many of the crowd this process may have open at once.
fn crowd() -> u16 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let soft: u64 = files.split_whitespace().next().unwrap().parse().unwrap_or(u64::MAX);
    let crowd = CROWD.min(u16::try_from(soft.saturating_sub(OTHERS)).unwrap_or(u16::MAX));
    if crowd < CROWD {
        use std::io::Write;
        let _ =
            writeln!(std::io::stderr(), "{crowd} connections instead of {CROWD}: more files may not be open");
    }
    crowd
}

/// One of the crowd: every other comes as a link's peer, the rest as strangers.
fn intrude(to: SocketAddr, number: u16) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let [high, low] = (number / 2).to_be_bytes();
    let from = if number.is_multiple_of(2) {
        Ipv4Addr::new(127, 0, 1, 2)
    } else {
        Ipv4Addr::new(127, 9, high, low.max(1))
    };
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).ok()?;
    socket.set_nonblocking(true).unwrap();
    Some(socket.into())
}

/// Whether the daemon has kept this connection.
fn is_open(mut stream: &TcpStream) -> bool {
    stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// One crowd at a time: this process may not have files open for two.
static ONE: Mutex<()> = Mutex::new(());

/// Lets the crowd come while a bank pays, and holds how many of it are kept against the bound.
fn comes_and_goes(site: &Site, kept_max: usize) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody here answers an echo: silence is not what connections are closed for.
    site.edit(|text| text.replace("profile = \"onelink\"", "profile = \"onelink\"\nidle_echo_ms = 0"));
    let bills = import(site, "KPEXCISE", 4000);
    let daemon = site.serve(&[]);
    let mut bank = Bank::signed_on(daemon.address, 1);
    let here = AtomicBool::new(false);
    let (crowd, paid) = std::thread::scope(|scope| {
        let coming = scope.spawn(|| {
            let crowd: Vec<TcpStream> =
                (0..crowd()).filter_map(|number| intrude(daemon.address, number)).collect();
            here.store(true, Ordering::Release);
            crowd
        });
        let mut paid = 0;
        for (bill, number) in bills.iter().zip(1..) {
            let answer = bank.ask(&Slip { bill: bill.clone(), number }.payment());
            assert_eq!(answer.code(), "00", "{answer:?}");
            paid += 1;
            if here.load(Ordering::Acquire) {
                break;
            }
        }
        (coming.join().unwrap(), paid)
    });
    assert!(crowd.len() > usize::from(self::crowd()) / 2, "hardly anybody came");
    let kept = wait_for("all but a few to be let go", || {
        let kept = crowd.iter().filter(|stream| is_open(stream)).count();
        (kept <= kept_max).then_some(kept)
    });
    println!("{} came while {paid} bills were paid, {kept} were kept", crowd.len());
    let connections = site.ctl(&["links"]);
    let connections: u64 =
        connections.as_array().unwrap().iter().map(|link| link["connections"].as_u64().unwrap()).sum();
    assert_eq!(connections, u64::try_from(kept).unwrap() + 1, "those of the crowd, and the bank's");
    let status = site.ctl(&["status"]);
    assert!(status["refused_connections"].as_u64().unwrap() >= u64::try_from(crowd.len() - kept).unwrap());
    let files = std::fs::read_dir(format!("/proc/{}/fd", status["pid"])).unwrap().count();
    assert!(files < IN_ALL + 100, "{files} files are open");
    let told = bank.ask(&Slip { bill: bills[0].clone(), number: 1 }.repeat());
    assert_eq!(told.code(), "00", "{told:?}");
    daemon.stop();
}

#[test]
fn n_ten_thousand_connections_are_bounded_by_link_and_the_established_ones_unharmed() {
    comes_and_goes(&Site::new(), OF_A_LINK);
}

#[test]
fn n_ten_thousand_connections_are_bounded_in_all_where_a_link_would_take_them() {
    let site = Site::new();
    site.edit(|text| {
        let anyone = "[[link]]\nname = \"anyone\"\nlisten = \"127.0.0.1:0\"\nprofile = \"onelink\"\nconnections_max = 100000\n\n";
        text.replacen("[[link]]", &format!("{anyone}[[link]]"), 1)
    });
    comes_and_goes(&site, IN_ALL - 1);
}
