//! Banks that trade with the daemon, and know at any moment what they were told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::support::bank::{Bank, Slip, network};
use crate::support::bills::Bill;
use crate::support::ledger::{Deal, Undo};
use crate::support::{Dice, wait_for};

/// Two on each of three links.
const CONNECTIONS: usize = 6;
/// Payments of one connection that wait for their answers at once.
const AT_ONCE: u64 = 8;

/// Numbers of slips.
static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// What one connection has asked and was told so far.
type Ledger = Arc<Mutex<Vec<Deal>>>;

/// Banks at work.
pub(crate) struct Load {
    ledgers: Vec<Ledger>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Six connections that pay these bills, each its own, and take some back, until the daemon is gone or the bills are paid.
    pub(crate) fn start(to: SocketAddr, bills: &[Bill], dice: &mut Dice) -> Self {
        let (mut ledgers, mut threads) = (Vec::new(), Vec::new());
        for (place, bills) in bills.chunks(bills.len().div_ceil(CONNECTIONS)).enumerate() {
            let link = u8::try_from(place % 3).unwrap() + 1;
            let ledger = Ledger::default();
            let mut trader = Trader {
                link,
                bank: Bank::connect(to, link).unwrap(),
                ledger: Arc::clone(&ledger),
                bills: bills.to_vec(),
                dice: Dice::new(dice.roll(u64::MAX)),
            };
            ledgers.push(ledger);
            threads.push(std::thread::spawn(move || {
                let _: std::io::Result<()> = trader.trade();
            }));
        }
        Self { ledgers, threads }
    }

    /// Everything that was asked so far, with the answers that have come.
    pub(crate) fn so_far(&self) -> Vec<Deal> {
        self.ledgers.iter().flat_map(|ledger| ledger.lock().unwrap().clone()).collect()
    }

    /// How many payments have been answered.
    pub(crate) fn answered(&self) -> usize {
        let answered =
            |ledger: &Ledger| ledger.lock().unwrap().iter().filter(|deal| deal.answer.is_some()).count();
        self.ledgers.iter().map(answered).sum()
    }

    /// Waits until so many payments have been answered.
    pub(crate) fn until_answered(&self, count: usize) {
        wait_for("answers", || {
            assert!(self.threads.iter().any(|thread| !thread.is_finished()), "nobody trades any more");
            (self.answered() >= count).then_some(())
        });
    }

    /// Waits until the connections have ended.
    pub(crate) fn ended(mut self) -> Vec<Deal> {
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        self.so_far()
    }
}

/// One connection.
struct Trader {
    link: u8,
    bank: Bank,
    ledger: Ledger,
    bills: Vec<Bill>,
    dice: Dice,
}

impl Trader {
    fn trade(&mut self) -> std::io::Result<()> {
        self.bank.send(&network("001"))?;
        assert_eq!(self.bank.receive()?.code(), "00");
        while !self.bills.is_empty() {
            self.bout()?;
        }
        Ok(())
    }

    /// A few payments at once, and then one of them taken back.
    fn bout(&mut self) -> std::io::Result<()> {
        let first = self.ledger.lock().unwrap().len();
        let mut sent = 0;
        for _ in 0..=self.dice.roll(AT_ONCE) {
            let Some(bill) = self.bills.pop() else { break };
            let slip = Slip { bill, number: NUMBERS.fetch_add(1, Ordering::Relaxed) };
            let payment = slip.payment();
            // Before it is sent: what may have arrived is in the ledger.
            let deal = Deal::new(self.link, slip);
            self.ledger.lock().unwrap().push(deal);
            self.bank.send(&payment)?;
            sent += 1;
        }
        for _ in 0..sent {
            let answer = self.bank.receive()?;
            let rrn = answer.at("37");
            let mut ledger = self.ledger.lock().unwrap();
            let deal = ledger[first..].iter_mut().find(|deal| deal.slip.rrn() == rrn).unwrap();
            assert_eq!(answer.code(), "00", "{answer:?}");
            assert!(deal.answer.replace(answer).is_none(), "answered twice");
        }
        if self.dice.one_in(3) {
            let reversal = {
                let deal = &mut self.ledger.lock().unwrap()[first];
                deal.undo = Undo::Asked;
                deal.slip.reversal("0420")
            };
            self.bank.send(&reversal)?;
            let answer = self.bank.receive()?;
            assert_eq!(answer.code(), "00", "{answer:?}");
            self.ledger.lock().unwrap()[first].undo = Undo::Answered(answer);
        }
        Ok(())
    }
}
