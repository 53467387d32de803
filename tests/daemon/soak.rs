//! Row 60, for real: trade, hostile peers and one day after the other, and a memory that stays as it was. Longer with
//! BILLSWITCH_SOAK_S, in seconds. What a single payment leaves behind is counted to the byte in tests/heap.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::support::Dice;
use crate::support::bank::{Bank, Slip, network};
use crate::support::bills::{Bill, import};
use crate::support::site::Site;

const SECONDS: u64 = 30;
/// Business days of the run.
const DAYS: u32 = 16;
const CONNECTIONS: usize = 4;
/// What memory may have grown by from the second quarter to the last: no more than a busy machine, which is not yet warm in the
/// second quarter, still has to fill of caches and pools.
const GROWTH_KIB: u64 = 20 << 10;

static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// Pays its bills and takes the money back, over and over. Gives how often.
fn trade(to: SocketAddr, link: u8, bills: &[Bill], done: &AtomicBool) -> u64 {
    let mut bank = Bank::signed_on(to, link);
    let mut paid = 0;
    for bills in bills.chunks(8).cycle() {
        if done.load(Ordering::Acquire) {
            break;
        }
        let slip = |bill: &Bill| {
            // STANs below 500,000; the RRN that makes them new payments is the same again after as many.
            Slip { bill: bill.clone(), number: NUMBERS.fetch_add(1, Ordering::Relaxed) }
        };
        let slips: Vec<Slip> = bills.iter().map(slip).collect();
        assert!(slips[0].number < 490_000, "no numbers are left: a shorter run");
        for frames in [
            slips.iter().map(Slip::payment).collect::<Vec<_>>(),
            slips.iter().map(Slip::repeat).collect(),
            slips.iter().map(|slip| slip.reversal("0420")).collect(),
        ] {
            for answer in bank.ask_all(&frames) {
                assert_eq!(answer.code(), "00", "{answer:?}");
            }
        }
        paid += u64::try_from(slips.len()).unwrap();
    }
    paid
}

/// Connects, sends what is no message or only begins to be one, and is gone.
fn harass(to: SocketAddr, dice: &mut Dice) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 1, 3], 0)).into()).unwrap();
    if socket.connect(&to.into()).is_err() {
        return;
    }
    let mut stream = std::net::TcpStream::from(socket);
    let sound = network("001");
    let mut frame = [&u16::try_from(sound.len()).unwrap().to_be_bytes()[..], &sound].concat();
    match dice.roll(4) {
        0 => frame.truncate(1 + usize::try_from(dice.roll(20)).unwrap()),
        1 => frame[usize::try_from(dice.roll(30)).unwrap()] ^= 0xff,
        2 => frame = vec![0xff; 4000],
        _ => frame.extend_from_slice(&frame.clone()),
    }
    let _ = stream.write_all(&frame);
}

/// Kibibytes that the process holds in memory.
fn memory(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn n60_a_long_run_with_hostile_peers_and_many_days_leaves_memory_flat() {
    let seconds = std::env::var("BILLSWITCH_SOAK_S").map_or(SECONDS, |text| text.parse().unwrap());
    let site = Site::new();
    let bills = import(&site, "KPEXCISE", 800);
    let daemon = site.serve(&[]);
    let pid = site.ctl(&["status"])["pid"].to_string();
    let (done, mut samples) = (AtomicBool::new(false), Vec::new());
    let paid: u64 = std::thread::scope(|scope| {
        let trading = bills.chunks(bills.len() / CONNECTIONS).enumerate().map(|(place, bills)| {
            let (to, link, done) = (daemon.address, u8::try_from(place % 2).unwrap() + 1, &done);
            scope.spawn(move || trade(to, link, bills, done))
        });
        let trading: Vec<_> = trading.collect();
        let (begun, mut dice) = (Instant::now(), Dice::new(20_261_125));
        let day = Duration::from_secs(seconds) / DAYS;
        for today in 1..=DAYS {
            while begun.elapsed() < day * today && trading.iter().all(|thread| !thread.is_finished()) {
                harass(daemon.address, &mut dice);
                samples.push(memory(&pid));
                std::thread::sleep(Duration::from_millis(20));
            }
            site.ctl(&["cutover"]);
        }
        done.store(true, Ordering::Release);
        trading.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let quarter = samples.len() / 4;
    let most = |from: usize| *samples[from..from + quarter].iter().max().unwrap();
    let (early, late) = (most(quarter), most(samples.len() - quarter));
    println!("{paid} payments paid and taken back; memory {early} KiB early, {late} KiB late");
    assert!(late <= early + GROWTH_KIB, "memory grew from {early} to {late} KiB");
    let verified = site.ctl(&["journal", "verify"]);
    assert_eq!((&verified["posted"], &verified["paid_bills"]), (&0.into(), &0.into()));
    assert_eq!(site.ctl(&["status"])["open"], 0);
    daemon.stop();
}
