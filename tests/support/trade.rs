//! Banks that trade with the daemon on a connection each, all at once.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::bank::{Bank, Slip, network};
use super::bills::Bill;
use super::ledger::{Deal, Undo};
use super::site::Daemon;
use super::{DEADLINE, Dice};

/// The numbers of slips, for all connections of a process.
static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// A bill, to be paid by a slip of its own.
pub(crate) fn slip(bill: Bill) -> Slip {
    Slip { bill, number: NUMBERS.fetch_add(1, Ordering::Relaxed) }
}

/// One connection that trades.
pub(crate) trait Trade: Send {
    /// A few payments at once, and what follows from their answers; `count` is called for each. An error is the end of the
    /// connection.
    fn bout(&mut self, count: &mut dyn FnMut()) -> std::io::Result<()>;
}

/// Has all of them trade, calls `kill` some time after so many answers, and gives them back when their connections are gone.
pub(crate) fn until_killed<T: Trade>(
    traders: Vec<T>,
    answers: u64,
    then: Duration,
    kill: impl FnOnce(),
) -> Vec<T> {
    let answered = AtomicU64::new(0);
    let (loaded, load) = mpsc::channel();
    std::thread::scope(|scope| {
        let trading = traders.into_iter().map(|mut trader| {
            let (answered, loaded) = (&answered, loaded.clone());
            let mut count = move || {
                if answered.fetch_add(1, Ordering::Relaxed) + 1 == answers {
                    loaded.send(()).unwrap();
                }
            };
            scope.spawn(move || {
                while trader.bout(&mut count).is_ok() {}
                trader
            })
        });
        let trading: Vec<_> = trading.collect();
        load.recv_timeout(DEADLINE).unwrap();
        std::thread::sleep(then);
        kill();
        trading.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Has all of them trade as long as they have something to trade with.
pub(crate) fn until_done<T: Trade>(traders: Vec<T>, has_more: impl Fn(&T) -> bool + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let trading = traders.into_iter().map(|mut trader| {
            let has_more = &has_more;
            scope.spawn(move || {
                while has_more(&trader) {
                    trader.bout(&mut || ()).unwrap();
                }
                trader
            })
        });
        let trading: Vec<_> = trading.collect();
        trading.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A bank whose departments may fail: what it is told may be open still.
pub(crate) struct Customer {
    link: u8,
    bank: Bank,
    dice: Dice,
    /// Bills that only it pays.
    pub(crate) own: Vec<Bill>,
    /// Bills that others try to pay as well.
    contested: Vec<Bill>,
    pub(crate) deals: Vec<Deal>,
}

impl Customer {
    /// Connects and signs on.
    pub(crate) fn new(
        daemon: &Daemon,
        link: u8,
        own: Vec<Bill>,
        contested: &[Bill],
        dice: &mut Dice,
    ) -> Self {
        let mut bank = Bank::connect(daemon.address, link).unwrap();
        assert_eq!(bank.ask(&network("001")).code(), "00");
        let dice = Dice::new(dice.roll(u64::MAX));
        Self { link, bank, dice, own, contested: contested.to_vec(), deals: Vec::new() }
    }

    /// Sends one payment, and sometimes its reversal straight behind it.
    fn pay(&mut self) -> std::io::Result<()> {
        let own = if self.dice.one_in(6) { None } else { self.own.pop() };
        let bill = own.unwrap_or_else(|| self.dice.pick(&self.contested).clone());
        let deal = Deal::new(self.link, slip(bill));
        let (payment, reversal) = (deal.slip.payment(), deal.slip.reversal("0420"));
        self.deals.push(deal);
        self.bank.send(&payment)?;
        if self.dice.one_in(40) {
            self.deals.last_mut().unwrap().undo = Undo::Asked;
            self.bank.send(&reversal)?;
        }
        Ok(())
    }

    /// Sometimes asks what is due, the same again, or for the money back.
    fn follow_up(&mut self, place: usize) -> std::io::Result<()> {
        let deal = &mut self.deals[place];
        if self.dice.one_in(5) {
            self.bank.send(&slip(deal.slip.bill.clone()).inquiry())?;
            self.bank.receive()?;
        }
        if self.dice.one_in(4) {
            self.bank.send(&deal.slip.repeat())?;
            deal.hear(self.bank.receive()?);
        }
        if self.dice.one_in(20) {
            if !deal.taken_back() {
                deal.undo = Undo::Asked;
            }
            let mti = if matches!(deal.undo, Undo::Asked) { "0420" } else { "0421" };
            self.bank.send(&deal.slip.reversal(mti))?;
            deal.hear_undone(self.bank.receive()?);
        }
        Ok(())
    }
}

impl Trade for Customer {
    fn bout(&mut self, count: &mut dyn FnMut()) -> std::io::Result<()> {
        let first = self.deals.len();
        for _ in 0..=self.dice.roll(6) {
            self.pay()?;
        }
        let undone = self.deals[first..].iter().filter(|deal| deal.taken_back()).count();
        for _ in 0..self.deals.len() - first + undone {
            let answer = self.bank.receive()?;
            let rrn = answer.at("37");
            let deal = self.deals[first..].iter_mut().find(|deal| deal.slip.rrn() == rrn).unwrap();
            match answer.mti() {
                b"0210" => deal.hear(answer),
                b"0430" => deal.hear_undone(answer),
                other => panic!("{other:?}"),
            }
            count();
        }
        (first..self.deals.len()).try_for_each(|place| self.follow_up(place))
    }
}
