//! SIGKILL under load at random moments: nothing acknowledged is lost, nothing is posted twice.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::Dice;
use crate::support::bank::{Bank, Slip};
use crate::support::bills::{Bill, import};
use crate::support::ledger::{Deal, Undo, compare, settle};
use crate::support::site::{Daemon, Site};
use crate::support::trade::{self, Trade, slip, until_killed};

const ROUNDS: u64 = 10;
/// Two on each of three links.
const CONNECTIONS: usize = 6;
/// Bills that everybody tries to pay.
const CONTESTED: u64 = 40;

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
    /// Sends one payment, and sometimes its reversal straight behind it.
    fn pay(&mut self) -> std::io::Result<()> {
        let own = if self.dice.one_in(4) { None } else { self.own.pop() };
        let slip = slip(own.unwrap_or_else(|| self.dice.pick(&self.contested).clone()));
        self.deals.push(Deal::new(self.link, slip.clone()));
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
            self.bank.send(&trade::slip(slip.bill.clone()).inquiry())?;
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

impl Trade for Trader {
    fn bout(&mut self, count: &mut dyn FnMut()) -> std::io::Result<()> {
        let first = self.deals.len();
        for _ in 0..=self.dice.roll(8) {
            self.pay()?;
        }
        let undone = self.deals[first..].iter().filter(|deal| deal.taken_back()).count();
        for _ in 0..self.deals.len() - first + undone {
            self.take(first)?;
            count();
        }
        (first..self.deals.len()).try_for_each(|place| self.follow_up(place))
    }
}

/// Trades on six connections, and kills the daemon at a random moment. Gives what was asked, and what became of it.
fn round(daemon: &mut Daemon, hands: &mut [Vec<Bill>], contested: &[Bill], dice: &mut Dice) -> Vec<Deal> {
    let answers = 20 + dice.roll(600);
    // As soon as an answer is in, which is when it must be on disk; or anywhere between two syncs.
    let then = if dice.one_in(2) { Duration::ZERO } else { Duration::from_micros(dice.roll(5000)) };
    let traders = hands.iter_mut().zip((1..=3).cycle()).map(|(hand, link)| Trader {
        link,
        bank: Bank::signed_on(daemon.address, link),
        dice: Dice::new(dice.roll(u64::MAX)),
        own: std::mem::take(hand),
        contested: contested.to_vec(),
        deals: Vec::new(),
    });
    let traders = until_killed(traders.collect(), answers, then, || daemon.kill());
    let mut deals = Vec::new();
    for (hand, trader) in hands.iter_mut().zip(traders) {
        *hand = trader.own;
        deals.extend(trader.deals);
    }
    deals
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
    let slips: Vec<Slip> = touched.map(|bill| slip(bill.clone())).collect();
    let inquiries: Vec<Vec<u8>> = slips.iter().map(Slip::inquiry).collect();
    for (slip, told) in slips.iter().zip(Bank::signed_on(daemon.address, 1).ask_all(&inquiries)) {
        let psid = slip.bill.psid.as_str();
        let want = if paid.contains(psid) { ("21", "P") } else { ("00", "U") };
        assert_eq!((told.code().as_str(), told.at("120.ST").as_str()), want, "bill {psid}");
    }
}

#[test]
fn n38a_killed_at_random_moments_under_load_nothing_acknowledged_is_lost_or_posted_twice() {
    let mut dice = Dice::seeded();
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
