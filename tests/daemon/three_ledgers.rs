//! kill -9, fifty times, of the daemon and sometimes of the department that it posts to, under load and with a department that
//! fails by itself as well. Afterwards three ledgers must say the same: what banks were told, what the department has posted,
//! and what the switch has in its journal, but for what it hands to people.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::bank::{Bank, Frame, Slip, network};
use crate::support::bills::{Bill, DATE, bills};
use crate::support::site::{Daemon, Site};
use crate::support::{DEADLINE, Dice, wait_for};

const ROUNDS: u64 = 50;
const BILLER: &str = "KPWIRED";
/// One on each of the three links.
const CONNECTIONS: usize = 3;
/// Bills of one connection, and those that all of them try to pay.
const OWN: usize = 1500;
const CONTESTED: usize = 30;
/// What goes wrong at the department while it lives.
const FAULTS: [&str; 8] = [
    "payment:drop:3%",
    "payment:reset:2%",
    "payment:cut:1%",
    "payment:garbage:1%",
    "payment:late=700:1%",
    "payment:status-after=500:1%",
    "payment:duplicate:1%",
    "any:refuse:1%",
];

static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// The department: a process with a ledger of its own. Killed when it is dropped.
struct Department(Child);

impl Department {
    fn open(site: &Site, port: u16, faults: &[&str], dice: &mut Dice) -> Self {
        let (listen, seed) = (format!("127.0.0.1:{port}"), dice.roll(1 << 32).to_string());
        let mut command = Command::new(env!("CARGO_BIN_EXE_billswitch"));
        command.args(["sim", "rest", "--listen", &listen, "--today", DATE, "--seed", &seed]);
        command.arg("--bills").arg(site.path("bills.csv")).arg("--ledger").arg(ledger_file(site));
        command.args(faults.iter().flat_map(|fault| ["--fault", fault]));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening"), "{line}");
        Self(child)
    }
}

impl Drop for Department {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ledger_file(site: &Site) -> std::path::PathBuf {
    site.path("department.jsonl")
}

/// A payment as its bank knows it.
#[derive(Clone, Debug)]
struct Deal {
    link: u8,
    slip: Slip,
    /// The latest answer.
    told: Option<Frame>,
    /// Its reversal was sent.
    taken_back: bool,
}

impl Deal {
    /// Notes an answer. An approval is for good, and so is a refusal that is the payment's own.
    fn hear(&mut self, answer: Frame) {
        if let Some(before) = &self.told {
            let stays = !["68", "91", "96"].contains(&before.code().as_str());
            assert!(!stays || *before == answer, "{self:?} is told {answer:?}");
        }
        self.told = Some(answer);
    }

    fn code(&self) -> String {
        self.told.as_ref().map_or_else(String::new, Frame::code)
    }
}

/// One connection that trades until the daemon is gone.
struct Trader {
    link: u8,
    bank: Bank,
    dice: Dice,
    own: Vec<Bill>,
    contested: Vec<Bill>,
    deals: Vec<Deal>,
}

impl Trader {
    fn trade(mut self, count: &mut dyn FnMut()) -> (Vec<Deal>, Vec<Bill>) {
        while self.bout(count).is_ok() {}
        (self.deals, self.own)
    }

    fn bout(&mut self, count: &mut dyn FnMut()) -> std::io::Result<()> {
        let first = self.deals.len();
        for _ in 0..=self.dice.roll(6) {
            let one = usize::try_from(self.dice.roll(u64::try_from(CONTESTED).unwrap())).unwrap();
            let bill =
                if self.dice.one_in(6) { self.contested[one].clone() } else { self.own.pop().unwrap() };
            let slip = Slip { bill, number: NUMBERS.fetch_add(1, Ordering::Relaxed) };
            self.deals.push(Deal { link: self.link, slip: slip.clone(), told: None, taken_back: false });
            self.bank.send(&slip.payment())?;
        }
        for _ in first..self.deals.len() {
            let answer = self.bank.receive()?;
            let rrn = answer.at("37");
            let deal = self.deals[first..].iter_mut().find(|deal| deal.slip.rrn() == rrn).unwrap();
            deal.hear(answer);
            count();
        }
        self.follow_up(first)
    }

    /// Sometimes asks what is due, the same again, or for the money back.
    fn follow_up(&mut self, first: usize) -> std::io::Result<()> {
        for deal in &mut self.deals[first..] {
            if self.dice.one_in(5) {
                let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
                self.bank.send(&Slip { number, ..deal.slip.clone() }.inquiry())?;
                self.bank.receive()?;
            }
            if self.dice.one_in(4) {
                self.bank.send(&deal.slip.repeat())?;
                deal.hear(self.bank.receive()?);
            }
            if self.dice.one_in(20) {
                deal.taken_back = true;
                self.bank.send(&deal.slip.reversal("0420"))?;
                let told = self.bank.receive()?;
                assert_eq!(told.code(), "00", "a reversal is stored, whatever comes of it: {told:?}");
            }
        }
        Ok(())
    }
}

/// Trades, and kills the daemon and perhaps the department. Gives what was asked.
fn round(
    daemon: &mut Daemon,
    department: Option<Department>,
    hands: &mut [Vec<Bill>],
    contested: &[Bill],
    dice: &mut Dice,
) -> Vec<Deal> {
    let answered = AtomicU64::new(0);
    let until = 1 + dice.roll(60);
    let then = Duration::from_micros(dice.roll(4000));
    let (loaded, load) = mpsc::channel();
    let traders: Vec<Trader> = (0..CONNECTIONS)
        .map(|place| {
            let link = u8::try_from(place).unwrap() + 1;
            let mut bank = Bank::connect(daemon.address, link).unwrap();
            assert_eq!(bank.ask(&network("001")).code(), "00");
            let (own, contested) = (std::mem::take(&mut hands[place]), contested.to_vec());
            let dice = Dice::new(dice.roll(u64::MAX));
            Trader { link, bank, dice, own, contested, deals: Vec::new() }
        })
        .collect();
    std::thread::scope(|scope| {
        let trading = traders.into_iter().map(|trader| {
            let (answered, loaded) = (&answered, loaded.clone());
            let mut count = move || {
                if answered.fetch_add(1, Ordering::Relaxed) + 1 == until {
                    loaded.send(()).unwrap();
                }
            };
            scope.spawn(move || trader.trade(&mut count))
        });
        let trading: Vec<_> = trading.collect();
        load.recv_timeout(DEADLINE).unwrap();
        std::thread::sleep(then);
        // The department first, where it is its turn too: its last answers are then lost on the way.
        drop(department);
        daemon.kill();
        let mut deals = Vec::new();
        for (place, thread) in trading.into_iter().enumerate() {
            let (more, own) = thread.join().unwrap();
            hands[place] = own;
            deals.extend(more);
        }
        deals
    })
}

/// Repeats these payments, and what was asked back of them.
fn ask_again(daemon: &Daemon, deals: &mut [Deal], which: impl Fn(&Deal) -> bool) {
    for link in 1..=3 {
        let mut asked: Vec<&mut Deal> =
            deals.iter_mut().filter(|deal| deal.link == link && which(deal)).collect();
        let repeats: Vec<Vec<u8>> = asked.iter().map(|deal| deal.slip.repeat()).collect();
        let mut bank = Bank::signed_on(daemon.address, link);
        for (deal, answer) in asked.iter_mut().zip(bank.ask_all(&repeats)) {
            deal.hear(answer);
        }
        let undone: Vec<Vec<u8>> =
            asked.iter().filter(|deal| deal.taken_back).map(|deal| deal.slip.reversal("0421")).collect();
        assert!(bank.ask_all(&undone).iter().all(|answer| answer.code() == "00"), "a reversal is stored");
    }
}

/// What the department has posted: bill, then amount and receipt.
fn posted(site: &Site) -> BTreeMap<String, (u64, String)> {
    let text = std::fs::read_to_string(ledger_file(site)).unwrap();
    let mut posted = BTreeMap::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let what = (entry["amount"].as_u64().unwrap(), entry["receipt"].as_str().unwrap().to_owned());
        let before = posted.insert(entry["consumer"].as_str().unwrap().to_owned(), what);
        assert!(before.is_none(), "posted twice: {entry}");
    }
    posted
}

/// The payments that wait for people, by RRN, and whether the switch knows that they are posted.
fn exceptions(site: &Site) -> BTreeMap<String, bool> {
    let found = site.ctl(&["exceptions"]);
    // A key is its parts with a mark between; the third is DE 37.
    let told = |exception: &Value| {
        let payment = &exception["payment"];
        let rrn = payment["key"].as_str().unwrap().split('\u{1f}').nth(2).unwrap().to_owned();
        (rrn, !payment["posting"].is_null())
    };
    found.as_array().unwrap().iter().map(told).collect()
}

/// The three ledgers, held against each other.
fn compare(site: &Site, deals: &[Deal]) {
    let (mut posted, for_people) = (posted(site), exceptions(site));
    let (mut stand, mut open) = (0, Vec::new());
    for deal in deals {
        let exception = for_people.get(&deal.slip.rrn());
        match (deal.code().as_str(), exception) {
            ("00", _) => {
                let found = posted.remove(&deal.slip.bill.psid);
                let receipt = deal.told.as_ref().unwrap().at("120.RN");
                assert_eq!(
                    found,
                    Some((deal.slip.bill.amount, receipt)),
                    "approved and not posted: {deal:?}"
                );
                assert_eq!(exception.is_some(), deal.taken_back, "{deal:?}");
                stand += 1;
            }
            // It was taken back before it was known to be posted.
            (_, Some(true)) => {
                assert!(posted.remove(&deal.slip.bill.psid).is_some(), "not posted: {deal:?}");
                stand += 1;
            }
            // What a person has to find out may be posted or not.
            (_, Some(false)) => open.push(deal.slip.bill.psid.as_str()),
            // What was asked back while in doubt, and is not posted, stays so.
            ("68", None) => assert!(deal.taken_back, "still in doubt, and nobody is told: {deal:?}"),
            (_, None) => {}
        }
    }
    println!("{} payments, {stand} stand, {} for people", deals.len(), for_people.len());
    posted.retain(|psid, _| !open.contains(&psid.as_str()));
    assert!(posted.is_empty(), "posted, and no bank knows of it: {posted:?}");
    assert_eq!(site.ctl(&["journal", "verify"])["posted"], stand, "the journal counts otherwise");
}

/// A site with one department that is reached over HTTP, its bills dealt out.
fn site(port: u16) -> (Site, Vec<Vec<Bill>>, Vec<Bill>) {
    let site = Site::new();
    site.edit(|text| {
        format!(
            "{text}\n[[biller]]\ncode = \"{BILLER}\"\nname = \"Wired\"\nadapter = \"rest\"\nreply_timeout_ms = 400\n\
             retry_ms = 50\nattempts_max = 1000\nbreaker_pause_ms = 100\n\
             [biller.rest]\nurl = \"http://127.0.0.1:{port}\"\nbank_mnemonic = \"TESTBANK\"\nconnect_timeout_ms = 200\n"
        )
    });
    let (mut all, file) = bills(BILLER, u64::try_from(OWN * CONNECTIONS + CONTESTED).unwrap());
    site.file("bills.csv", &file);
    let contested = all.split_off(OWN * CONNECTIONS);
    (site, all.chunks(OWN).map(<[Bill]>::to_vec).collect(), contested)
}

#[test]
fn n38a_killed_fifty_times_bank_department_and_switch_have_the_same_in_their_ledgers() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = std::env::var("BILLSWITCH_SEED").map_or(now.as_secs(), |seed| seed.parse().unwrap());
    println!("random moments: BILLSWITCH_SEED={seed}");
    let mut dice = Dice::new(seed);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (site, mut hands, contested) = site(port);
    let mut department = Department::open(&site, port, &FAULTS, &mut dice);
    let mut daemon = site.serve(&[]);
    let mut all: Vec<Deal> = Vec::new();
    for number in 0..ROUNDS {
        let (doomed, lives) =
            if dice.one_in(4) { (Some(department), None) } else { (None, Some(department)) };
        let mut deals = round(&mut daemon, doomed, &mut hands, &contested, &mut dice);
        department = lives.unwrap_or_else(|| Department::open(&site, port, &FAULTS, &mut dice));
        daemon = site.serve(&[]);
        let unanswered = deals.iter().filter(|deal| deal.told.is_none()).count();
        ask_again(&daemon, &mut deals, |deal| deal.told.is_none() || deal.taken_back);
        println!("round {number}: {} payments, {unanswered} unanswered", deals.len());
        all.append(&mut deals);
    }
    drop(department);
    let _department = Department::open(&site, port, &[], &mut dice);
    wait_for("everything to be resolved", || (site.ctl(&["status"])["open"] == 0).then_some(()));
    ask_again(&daemon, &mut all, |_| true);
    compare(&site, &all);
    daemon.stop();
}
