//! SIGKILL under load at random moments: nothing acknowledged is lost, nothing is posted twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ledger::{Deal, Undo, compare, settle};
use crate::support::bank::{Bank, Slip, network};
use crate::support::bills::{Bill, import};
use crate::support::site::{Daemon, Site};
use crate::support::{DEADLINE, Dice};

const ROUNDS: u64 = 10;
/// Two on each of three links.
const CONNECTIONS: usize = 6;
/// Bills that everybody tries to pay.
const CONTESTED: u64 = 40;

/// The numbers of slips, for all connections and rounds.
static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// One connection that trades as fast as it is answered, until the daemon is gone.
struct Trader {
    link: u8,
    bank: Bank,
    dice: Dice,
    /// Bills that only this trader pays; those that it may pay now.
    own: Vec<Bill>,
    contested: Vec<Bill>,
    deals: Vec<Deal>,
}

impl Trader {
    fn trade(mut self, count: &mut dyn FnMut()) -> (Vec<Deal>, Vec<Bill>) {
        // Only the end of the connection ends it.
        while self.bout(count).is_ok() {}
        (self.deals, self.own)
    }

    /// A few payments at once, then what follows from their answers.
    fn bout(&mut self, count: &mut dyn FnMut()) -> std::io::Result<()> {
        let first = self.deals.len();
        for _ in 0..=self.dice.roll(8) {
            self.pay()?;
        }
        let undone = self.deals[first..].iter().filter(|deal| !matches!(deal.undo, Undo::None)).count();
        for _ in 0..self.deals.len() - first + undone {
            self.take(first)?;
            count();
        }
        for place in first..self.deals.len() {
            self.follow_up(place)?;
        }
        Ok(())
    }

    /// Sends one payment, and sometimes its reversal straight behind it.
    fn pay(&mut self) -> std::io::Result<()> {
        let one = usize::try_from(self.dice.roll(CONTESTED)).unwrap();
        let own = if self.dice.one_in(4) { None } else { self.own.pop() };
        let bill = own.unwrap_or_else(|| self.contested[one].clone());
        let slip = Slip { bill, number: NUMBERS.fetch_add(1, Ordering::Relaxed) };
        let deal = Deal { link: self.link, slip: slip.clone(), answer: None, undo: Undo::None };
        self.deals.push(deal);
        self.bank.send(&slip.payment())?;
        if self.dice.one_in(16) {
            self.deals.last_mut().unwrap().undo = Undo::Asked;
            self.bank.send(&slip.reversal("0420"))?;
        }
        Ok(())
    }

    /// Takes one answer, and notes it with the deal that it belongs to.
    fn take(&mut self, first: usize) -> std::io::Result<()> {
        let answer = self.bank.receive()?;
        let rrn = answer.at("37");
        let deal = self.deals[first..].iter_mut().find(|deal| deal.slip.rrn() == rrn);
        let deal = deal.unwrap_or_else(|| panic!("an answer to nothing: {answer:?}"));
        match answer.mti() {
            b"0210" => assert!(deal.answer.replace(answer).is_none(), "answered twice"),
            b"0430" => deal.undo = Undo::Answered(answer),
            other => panic!("{other:?}"),
        }
        Ok(())
    }

    /// Sometimes asks the same again, and sometimes for the money back.
    fn follow_up(&mut self, place: usize) -> std::io::Result<()> {
        let slip = self.deals[place].slip.clone();
        if self.dice.one_in(4) {
            self.bank.send(&slip.repeat())?;
            assert_eq!(
                self.deals[place].answer,
                Some(self.bank.receive()?),
                "a repeat is told something else"
            );
        }
        if self.dice.one_in(10) {
            let inquiry = Slip { number: NUMBERS.fetch_add(1, Ordering::Relaxed), ..slip.clone() };
            self.bank.send(&inquiry.inquiry())?;
            let told = self.bank.receive()?;
            if self.deals[place].stands() {
                assert_eq!((told.code().as_str(), told.at("120.ST").as_str()), ("21", "P"), "{told:?}");
            }
        }
        if self.deals[place].stands() && self.dice.one_in(3) {
            self.deals[place].undo = Undo::Asked;
            self.bank.send(&slip.reversal("0420"))?;
            let told = self.bank.receive()?;
            self.deals[place].undo = Undo::Answered(told.clone());
            if self.dice.one_in(2) {
                self.bank.send(&slip.reversal("0421"))?;
                assert_eq!(self.bank.receive()?, told, "0421 is told something else");
            }
            // It is payable again, and this trader's to pay.
            self.own.push(slip.bill);
        }
        Ok(())
    }
}

/// Trades on six connections, and kills the daemon at a random moment. Gives what was asked, and what became of it.
fn round(daemon: &mut Daemon, hands: &mut [Vec<Bill>], contested: &[Bill], dice: &mut Dice) -> Vec<Deal> {
    let answered = AtomicU64::new(0);
    let until = 20 + dice.roll(600);
    // As soon as an answer is in, which is when it must be on disk; or anywhere between two syncs.
    let then = if dice.one_in(2) { Duration::ZERO } else { Duration::from_micros(dice.roll(5000)) };
    let (loaded, load) = mpsc::channel();
    let traders: Vec<Trader> = (0..CONNECTIONS)
        .map(|place| Trader {
            link: u8::try_from(place % 3).unwrap() + 1,
            bank: Bank::connect(daemon.address, u8::try_from(place % 3).unwrap() + 1).unwrap(),
            dice: Dice::new(dice.roll(u64::MAX)),
            own: std::mem::take(&mut hands[place]),
            contested: contested.to_vec(),
            deals: Vec::new(),
        })
        .collect();
    std::thread::scope(|scope| {
        let trading = traders.into_iter().map(|mut trader| {
            assert_eq!(trader.bank.ask(&network("001")).code(), "00");
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

/// Starts again; sometimes it is killed while it opens the store.
fn restart(site: &Site, dice: &mut Dice) -> Daemon {
    while dice.one_in(3) {
        let mut opening = site.spawn(&[]);
        std::thread::sleep(Duration::from_micros(dice.roll(25_000)));
        opening.kill();
    }
    site.serve(&[])
}

/// Every bill is as the ledger has it: paid if a payment of it stands, else payable.
fn look_at_bills(daemon: &Daemon, deals: &[Deal]) {
    let paid: BTreeSet<&str> =
        deals.iter().filter(|deal| deal.stands()).map(|deal| deal.slip.bill.psid.as_str()).collect();
    let mut seen = BTreeSet::new();
    let touched = deals.iter().map(|deal| &deal.slip.bill).filter(|bill| seen.insert(bill.psid.clone()));
    let slips = touched
        .map(|bill| Slip { bill: bill.clone(), number: NUMBERS.fetch_add(1, Ordering::Relaxed) })
        .collect::<Vec<_>>();
    let inquiries: Vec<Vec<u8>> = slips.iter().map(Slip::inquiry).collect();
    for (slip, told) in slips.iter().zip(Bank::signed_on(daemon.address, 1).ask_all(&inquiries)) {
        let psid = slip.bill.psid.as_str();
        let want = if paid.contains(psid) { ("21", "P") } else { ("00", "U") };
        assert_eq!((told.code().as_str(), told.at("120.ST").as_str()), want, "bill {psid}");
    }
}

#[test]
fn n38a_killed_at_random_moments_under_load_nothing_acknowledged_is_lost_or_posted_twice() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = std::env::var("BILLSWITCH_SEED").map_or(now.as_secs(), |seed| seed.parse().unwrap());
    println!("random moments: BILLSWITCH_SEED={seed}");
    let mut dice = Dice::new(seed);
    let site = Site::new();
    let mut bills = import(&site, "KPEXCISE", 4000);
    let contested = bills.split_off(bills.len() - usize::try_from(CONTESTED).unwrap());
    let share = bills.len() / CONNECTIONS;
    let mut hands: Vec<Vec<Bill>> = bills.chunks(share).map(<[Bill]>::to_vec).collect();
    let mut daemon = site.serve(&[]);
    let mut all: Vec<Deal> = Vec::new();
    for number in 0..ROUNDS {
        let mut deals = round(&mut daemon, &mut hands, &contested, &mut dice);
        let unanswered = deals.iter().filter(|deal| deal.answer.is_none()).count();
        daemon = restart(&site, &mut dice);
        settle(&daemon, &mut deals);
        println!("round {number}: {} payments, {unanswered} unanswered", deals.len());
        all.append(&mut deals);
        compare(&site, &["KPEXCISE"], &all);
        look_at_bills(&daemon, &all);
    }
    settle(&daemon, &mut all);
    daemon.stop();
    let daemon = site.serve(&[]);
    settle(&daemon, &mut all);
    compare(&site, &["KPEXCISE"], &all);
    daemon.stop();
}
