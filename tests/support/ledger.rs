//! The clients' own ledger: what was asked, what was answered, and so what must stand.

use std::collections::BTreeMap;

use super::bank::{Bank, Frame, Slip};
use super::bills::DATE;
use super::site::{Daemon, Site};

/// A reversal as the client knows it.
#[derive(Clone, Debug)]
pub(crate) enum Undo {
    /// Never sent.
    None,
    /// Sent; no answer came.
    Asked,
    /// Answered so.
    Answered(Frame),
}

/// A payment as the client knows it.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    pub(crate) link: u8,
    pub(crate) slip: Slip,
    pub(crate) answer: Option<Frame>,
    pub(crate) undo: Undo,
}

impl Deal {
    /// A payment that is about to be sent.
    pub(crate) const fn new(link: u8, slip: Slip) -> Self {
        Self { link, slip, answer: None, undo: Undo::None }
    }

    /// Approved, and not taken back.
    pub(crate) fn stands(&self) -> bool {
        let approved = self.answer.as_ref().is_some_and(|answer| answer.code() == "00");
        approved && !self.taken_back()
    }

    /// Its reversal was sent.
    pub(crate) const fn taken_back(&self) -> bool {
        !matches!(self.undo, Undo::None)
    }

    /// DE 39 of its latest answer; empty without one.
    pub(crate) fn code(&self) -> String {
        self.answer.as_ref().map_or_else(String::new, Frame::code)
    }

    /// Notes an answer of a switch whose department may fail. An approval is for good, and so is a refusal that is the
    /// payment's own.
    pub(crate) fn hear(&mut self, answer: Frame) {
        if let Some(before) = &self.answer {
            let stays = !["68", "91", "96"].contains(&before.code().as_str());
            assert!(!stays || *before == answer, "{self:?} is told {answer:?}");
        }
        self.answer = Some(answer);
    }

    /// Notes the answer to its reversal: it is stored, whatever comes of it. Only of a payment that was shed there is none to undo,
    /// also when that payment is then sent again and refused for its reversal.
    pub(crate) fn hear_undone(&mut self, answer: Frame) {
        let was_shed = ["96", "21"].contains(&self.code().as_str());
        let fine: &[&str] = if was_shed { &["00", "25"] } else { &["00"] };
        assert!(fine.contains(&answer.code().as_str()), "{answer:?} to the reversal of {self:?}");
        self.undo = Undo::Answered(answer);
    }
}

/// Repeats everything that was asked. What was answered must be answered the same, field for field; what was not gets
/// its one outcome now, and keeps it.
pub(crate) fn settle(daemon: &Daemon, deals: &mut [Deal]) {
    for link in 1..=3 {
        let mut bank = Bank::signed_on(daemon.address, link);
        let mut of_link: Vec<&mut Deal> = deals.iter_mut().filter(|deal| deal.link == link).collect();
        let repeats: Vec<Vec<u8>> = of_link.iter().map(|deal| deal.slip.repeat()).collect();
        for (deal, answer) in of_link.iter_mut().zip(bank.ask_all(&repeats)) {
            match &deal.answer {
                Some(before) => assert_eq!(*before, answer, "a repeat is told something else: {deal:?}"),
                None => {
                    assert!(["00", "21"].contains(&answer.code().as_str()), "{answer:?}");
                    deal.answer = Some(answer);
                }
            }
        }
        for (deal, again) in of_link.iter().zip(bank.ask_all(&repeats)) {
            assert_eq!(deal.answer, Some(again), "an outcome did not stay");
        }
        let asked = of_link.iter_mut().filter(|deal| !matches!(deal.undo, Undo::None));
        let mut asked: Vec<_> = asked.collect();
        let undos: Vec<Vec<u8>> = asked.iter().map(|deal| deal.slip.reversal("0421")).collect();
        for (deal, answer) in asked.iter_mut().zip(bank.ask_all(&undos)) {
            assert_eq!(answer.code(), "00", "a reversal is refused: {deal:?}");
            match &deal.undo {
                Undo::Answered(before) => assert_eq!(*before, answer, "{deal:?}"),
                Undo::Asked | Undo::None => deal.undo = Undo::Answered(answer),
            }
        }
    }
}

/// One line of a scroll, as far as the clients know it.
type Line = (String, u64, String, String);

/// Book, scroll, journal and the clients' ledger: exactly the payments that stand, one a bill.
pub(crate) fn compare(site: &Site, billers: &[&str], deals: &[Deal]) {
    let total = compare_scrolls(site, billers, deals);
    let verified = site.ctl(&["journal", "verify"]);
    assert_eq!((&verified["posted"], &verified["paid_bills"]), (&total.into(), &total.into()));
}

/// Scrolls of books and the clients' ledger: exactly the payments that stand, one a bill. Gives how many those are.
pub(crate) fn compare_scrolls(site: &Site, billers: &[&str], deals: &[Deal]) -> u64 {
    let mut standing: BTreeMap<&str, Vec<Line>> = BTreeMap::new();
    for deal in deals.iter().filter(|deal| deal.stands()) {
        let (bill, answer) = (&deal.slip.bill, deal.answer.as_ref().unwrap());
        assert_eq!(answer.heads_sum(), bill.amount, "{answer:?}");
        let line = (bill.psid.clone(), bill.amount, deal.slip.rrn(), answer.at("120.RN"));
        standing.entry(bill.biller).or_default().push(line);
    }
    let total: usize = standing.values().map(Vec::len).sum();
    for biller in billers {
        let mut ledger = standing.remove(biller).unwrap_or_default();
        ledger.sort();
        let bills = ledger.iter().map(|(psid, ..)| psid).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(bills.len(), ledger.len(), "a bill was paid twice");
        assert!(ledger == scroll(site, biller), "the scroll of {biller} is not what the clients were told");
    }
    u64::try_from(total).unwrap()
}

/// The scroll of the first business date, sorted; the heads of each line sum to its amount.
pub(crate) fn scroll(site: &Site, biller: &str) -> Vec<Line> {
    let text = site.run("book", &["export", biller, "--date", DATE]).ok();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let lines = reader.records().map(|record| {
        let record = record.unwrap();
        let amount: u64 = record[2].parse().unwrap();
        let heads = record[3].split('|').map(|head| head.split_once(':').unwrap().1);
        assert_eq!(heads.map(|head| head.parse::<u64>().unwrap()).sum::<u64>(), amount, "{record:?}");
        (record[1].to_owned(), amount, record[7].to_owned(), record[6].to_owned())
    });
    let mut lines: Vec<Line> = lines.collect();
    lines.sort();
    lines
}
