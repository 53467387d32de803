//! A plan, for people.

use std::fmt::{Display, Formatter, Result};

use super::plan::{Amount, Intent, Move, Plan, Way, Wish};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "seed {}, {} orders before a payment goes to people", self.seed, self.attempts_max)?;
        for (at, one) in &self.moves {
            write!(f, "{:4}.{:03}  ", at / 1000, at % 1000)?;
            if let Move::Pay(intent) = one { writeln!(f, "{intent}")? } else { writeln!(f, "{one:?}")? }
        }
        for (fault, rate) in self.rates.happening() {
            writeln!(f, "{rate:4} ‰  {fault:?}")?;
        }
        if self.bad_records {
            writeln!(f, "about some payments their biller never says a word")?;
        }
        Ok(())
    }
}

/// Links, billers and bills by their places; what the acquirer does beside paying only if it does.
impl Display for Intent {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let verb = match self.way {
            Way::Asked => "pays",
            Way::AskedBack => "pays, to be asked back with 0400,",
            Way::Told => "tells that it has paid",
        };
        let Self { number, link, biller, bill, terminal, .. } = self;
        let payment = number.saturating_add(1);
        write!(
            f,
            "link {link} {verb} bill {bill} of biller {biller} as payment {payment}, terminal {terminal}"
        )?;
        if self.repeats > 0 {
            write!(f, ", repeats up to {}", self.repeats)?;
        }
        if let Some(after_ms) = self.regrets_after_ms {
            write!(f, ", wants it back {after_ms} ms later")?;
        }
        for Wish { after_ms, eighths } in self.parts.into_iter().flatten() {
            write!(f, ", wants all but {eighths}/8 of it back {after_ms} ms later")?;
        }
        let amount = match self.amount {
            Amount::Due => "",
            Amount::OneMore => ", one more than is due",
            Amount::Least => ", the least that is taken of it",
            Amount::TooLittle => ", less than is taken of it",
            Amount::Most => ", the most that is taken of it",
            Amount::TooMuch => ", more than is taken of it",
        };
        f.write_str(amount)?;
        let habits = [
            (self.reverses_first, "its reversal first"),
            (self.repeats_at_once, "twice at once"),
            (self.reuses_key, "with other content under its key, too"),
            (self.meddled_with, "another link wants it back, too"),
        ];
        habits.iter().filter(|(has, _)| *has).try_for_each(|(_, habit)| write!(f, ", {habit}"))
    }
}
