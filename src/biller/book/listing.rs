//! What a department, or an operator for it, does about a bill beside being paid for it: holds it back, withdraws it,
//! cancels it, issues it anew, corrects it. Each change is noted on the bill.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::BookBill;
use super::import::{Row, RowFault};
use crate::clock::UnixMillis;
use crate::ids::{BusinessDate, Short};
use crate::money::MinorUnits;
use crate::switch::{Bill, BillStatus, HeadAmount};

/// Whether a bill is one that can be asked for, its being paid apart.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Listing {
    /// As the department lists it.
    Listed,
    /// An operator holds it back: it is told as blocked, whatever the department's file says.
    Held,
    /// A full list came without it. Another list may bring it back.
    Withdrawn,
    /// An operator cancelled it. No list brings it back.
    Cancelled,
    /// It was issued anew under this PSID.
    Replaced(Box<str>),
}

/// Something that was done to a bill.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Note {
    /// When, wall clock.
    pub at: UnixMillis,
    /// What.
    pub did: Did,
    /// The operator's reason; empty where no operator did it.
    pub why: Box<str>,
}

/// What was done to a bill.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Did {
    /// A file brought it.
    Imported,
    /// A file changed it.
    Updated,
    /// A full list came without it.
    Withdrawn,
    /// It was paid.
    Paid {
        /// The receipt's number.
        receipt: Short<20>,
        /// What was paid.
        amount: MinorUnits,
    },
    /// That payment was undone.
    Undone {
        /// The receipt's number.
        receipt: Short<20>,
    },
    /// Held back.
    Blocked,
    /// Not held back any more.
    Unblocked,
    /// Cancelled.
    Cancelled,
    /// Issued anew, under this PSID.
    ReissuedAs(Box<str>),
    /// Issued anew in the place of this PSID.
    ReissuedFrom(Box<str>),
    /// Corrected: columns with what they were and are.
    Corrected(Box<str>),
}

impl std::fmt::Display for Did {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Imported => f.write_str("imported"),
            Self::Updated => f.write_str("updated by a file"),
            Self::Withdrawn => f.write_str("withdrawn: a full list came without it"),
            Self::Paid { receipt, amount } => write!(f, "paid {amount}, receipt {receipt}"),
            Self::Undone { receipt } => write!(f, "payment undone, receipt {receipt}"),
            Self::Blocked => f.write_str("blocked"),
            Self::Unblocked => f.write_str("unblocked"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::ReissuedAs(psid) => write!(f, "issued anew as {psid}"),
            Self::ReissuedFrom(psid) => write!(f, "issued anew, was {psid}"),
            Self::Corrected(what) => write!(f, "corrected: {what}"),
        }
    }
}

/// What an operator does about one bill.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Act {
    /// Hold it back.
    Block,
    /// Take it up again.
    Unblock,
    /// It is not owed.
    Cancel,
    /// Change what it says.
    Correct(Correction),
    /// Issue it anew, changed, under the same PSID or another.
    Reissue {
        /// The other; the same if none.
        psid: Option<Box<str>>,
        /// What it says now.
        correction: Correction,
    },
}

/// What of a bill changes; the rest stays.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Correction {
    /// The person billed.
    pub name: Option<Box<str>>,
    /// yyMM.
    pub billing_month: Option<Short<4>>,
    /// Last day of the amount within due date.
    pub due_date: Option<BusinessDate>,
    /// Last day on which it can be paid.
    pub expiry_date: Option<BusinessDate>,
    /// Due up to and on the due date, in minor units.
    pub amount_within_due: Option<MinorUnits>,
    /// Due after it, in minor units.
    pub amount_after_due: Option<MinorUnits>,
    /// How the amount within due date splits.
    pub heads: Option<Vec<HeadAmount>>,
}

/// Why an act was refused. Nothing has changed then.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ActFault {
    /// The book has no such bill.
    #[error("the book has no such bill")]
    NoSuchBill,
    /// Its money has been taken.
    #[error("the bill is paid: what was paid stays as it was paid; the acquirer can reverse the payment")]
    Paid,
    /// Somebody else took it, as the department's file says.
    #[error("the department says that the bill is paid: `book reissue` makes it payable again")]
    PaidElsewhere,
    /// It is not owed any more.
    #[error("the bill is {0}: `book reissue` makes it payable again")]
    Gone(&'static str),
    /// Another stands in its place: two would be paid.
    #[error("the bill was issued anew as {0}: work on that one")]
    Replaced(Box<str>),
    /// Nothing would change.
    #[error("the bill is so already")]
    Already,
    /// The bill would be none.
    #[error(transparent)]
    Row(#[from] RowFault),
    /// The PSID it should have is another bill's.
    #[error("the book has a bill {0} already")]
    Taken(Box<str>),
}

impl Correction {
    /// The bill with this changed, and what changed in words.
    fn of(&self, bill: &Bill) -> (Bill, String) {
        fn put<T: Clone + PartialEq>(
            said: &mut Vec<String>,
            column: &str,
            slot: &mut T,
            new: Option<&T>,
            show: impl Fn(&T) -> String,
        ) {
            if let Some(new) = new.filter(|new| *new != slot) {
                said.push(format!("{column} {} to {}", show(slot), show(new)));
                slot.clone_from(new);
            }
        }
        let (mut now, mut said) = (bill.clone(), Vec::new());
        let minor = |amount: &MinorUnits| amount.minor().to_string();
        put(&mut said, "name", &mut now.name, self.name.as_ref(), |name| format!("`{name}`"));
        put(
            &mut said,
            "billing_month",
            &mut now.billing_month,
            self.billing_month.as_ref(),
            Short::to_string,
        );
        put(&mut said, "due_date", &mut now.due_date, self.due_date.as_ref(), BusinessDate::to_string);
        put(
            &mut said,
            "expiry_date",
            &mut now.expiry_date,
            self.expiry_date.as_ref(),
            BusinessDate::to_string,
        );
        let within = self.amount_within_due.as_ref();
        put(&mut said, "amount_within_due", &mut now.amount_within_due, within, minor);
        let after = self.amount_after_due.as_ref();
        put(&mut said, "amount_after_due", &mut now.amount_after_due, after, minor);
        put(&mut said, "heads", &mut now.heads, self.heads.as_ref(), |heads| heads_text(heads));
        (now, said.join(", "))
    }
}

/// Heads as a bill file has them.
#[must_use]
pub fn heads_text(heads: &[HeadAmount]) -> String {
    let heads: Vec<String> =
        heads.iter().map(|head| format!("{}:{}", head.head, head.amount.minor())).collect();
    heads.join("|")
}

impl BookBill {
    /// A bill as a department lists it.
    #[must_use]
    pub const fn listed(bill: Bill) -> Self {
        Self { bill, paid_by: None, listing: Listing::Listed, notes: Vec::new(), notes_dropped: 0 }
    }

    /// What an inquiry is told; none if it is not owed any more. What is paid is told as paid for ever.
    #[must_use]
    pub fn shown(&self) -> Option<Bill> {
        match self.listing {
            Listing::Listed => Some(self.bill.clone()),
            _ if self.bill.status == BillStatus::Paid => Some(self.bill.clone()),
            Listing::Held => Some(Bill { status: BillStatus::Blocked, ..self.bill.clone() }),
            Listing::Withdrawn | Listing::Cancelled | Listing::Replaced(_) => None,
        }
    }

    /// Notes what was done.
    pub fn note(&mut self, at: UnixMillis, did: Did, why: &str) {
        self.notes.push(Note { at, did, why: why.into() });
    }

    /// Drops the oldest note of a bill that would be too large to store, counting it: what operators did is in the
    /// journal, too.
    pub(super) fn drop_oldest_note(&mut self) {
        if !self.notes.is_empty() {
            self.notes.remove(0);
            self.notes_dropped = self.notes_dropped.saturating_add(1);
        }
    }

    /// Does what an operator wants, but for what concerns another PSID; says what was done.
    ///
    /// # Errors
    ///
    /// [`ActFault`].
    pub fn act(&mut self, psid: &str, act: &Act, at: UnixMillis, why: &str) -> Result<Did, ActFault> {
        if self.paid_by.is_some() {
            return Err(ActFault::Paid);
        }
        // No file takes its word back that a bill is paid (`merge`): only a person does.
        if self.bill.status == BillStatus::Paid && !matches!(act, Act::Reissue { .. }) {
            return Err(ActFault::PaidElsewhere);
        }
        let gone = match self.listing {
            Listing::Listed | Listing::Held => None,
            Listing::Withdrawn => Some("withdrawn"),
            Listing::Cancelled => Some("cancelled"),
            Listing::Replaced(ref other) => return Err(ActFault::Replaced(other.clone())),
        };
        let did = match (act, gone) {
            (Act::Reissue { psid: other, correction }, _) => {
                self.reissue(psid, other.as_deref(), correction)?
            }
            (_, Some(gone)) => return Err(ActFault::Gone(gone)),
            (Act::Block, None) => self.list_as(Listing::Held, Did::Blocked)?,
            (Act::Unblock, None) => self.list_as(Listing::Listed, Did::Unblocked)?,
            (Act::Cancel, None) => self.list_as(Listing::Cancelled, Did::Cancelled)?,
            (Act::Correct(correction), None) => Did::Corrected(self.correct(psid, correction)?.into()),
        };
        self.note(at, did.clone(), why);
        Ok(did)
    }

    fn list_as(&mut self, listing: Listing, did: Did) -> Result<Did, ActFault> {
        if self.listing == listing {
            return Err(ActFault::Already);
        }
        self.listing = listing;
        Ok(did)
    }

    fn correct(&mut self, psid: &str, correction: &Correction) -> Result<String, ActFault> {
        let (bill, said) = correction.of(&self.bill);
        if said.is_empty() {
            return Err(ActFault::Already);
        }
        let row = Row { psid: psid.into(), bill };
        row.check()?;
        self.bill = row.bill;
        Ok(said)
    }

    fn reissue(&mut self, psid: &str, other: Option<&str>, correction: &Correction) -> Result<Did, ActFault> {
        let was_paid = self.bill.status == BillStatus::Paid;
        if was_paid {
            self.bill.status = BillStatus::Unpaid;
        }
        if let Some(other) = other.filter(|other| *other != psid) {
            self.listing = Listing::Replaced(other.into());
            return Ok(Did::ReissuedAs(other.into()));
        }
        let (bill, said) = correction.of(&self.bill);
        if self.listing == Listing::Listed && said.is_empty() && !was_paid {
            return Err(ActFault::Already);
        }
        let row = Row { psid: psid.into(), bill };
        row.check()?;
        (self.bill, self.listing) = (row.bill, Listing::Listed);
        Ok(Did::ReissuedAs(psid.into()))
    }

    /// The bill that takes the place of this one under another PSID.
    ///
    /// # Errors
    ///
    /// [`ActFault::Row`] if it would be none.
    pub fn successor(
        &self,
        psid: &str,
        other: &str,
        correction: &Correction,
        at: UnixMillis,
        why: &str,
    ) -> Result<Self, ActFault> {
        let mut row = Row { psid: other.into(), bill: correction.of(&self.bill).0 };
        if row.bill.status == BillStatus::Paid {
            row.bill.status = BillStatus::Unpaid;
        }
        row.check()?;
        let mut successor = Self::listed(row.bill);
        successor.note(at, Did::ReissuedFrom(psid.into()), why);
        Ok(successor)
    }
}
