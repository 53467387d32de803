//! A bill as the switch sees it, whoever keeps it, and the rules by which an amount is accepted.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Limits, Reason};
use crate::ids::{BillerCode, BusinessDate, Short};
use crate::money::{AmountError, MinorUnits};

/// Names one bill: the department's code and the consumer number or PSID there (a string, never a number).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct BillRef {
    /// The department.
    pub biller: BillerCode,
    /// Consumer number or PSID as the citizen gave it.
    pub consumer: Box<str>,
}

/// Part of an amount that belongs to one head of account.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeadAmount {
    /// Head of account, such as `B01401`.
    pub head: Short<16>,
    /// Its part.
    pub amount: MinorUnits,
}

/// Whether a bill can be paid (`domain.md` 3a).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum BillStatus {
    /// `U`: payable.
    Unpaid,
    /// `P`: paid.
    Paid,
    /// `B`: held back by the department.
    Blocked,
    /// `T`: payable, in parts, several times or in excess; each payment within what the department says of this bill.
    Partial(Limits),
}

impl BillStatus {
    /// The letter that stands for it in a bill file and in DE 120.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Unpaid => "U",
            Self::Paid => "P",
            Self::Blocked => "B",
            Self::Partial(_) => "T",
        }
    }
}

/// What a department says of one bill.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bill {
    /// The person billed.
    pub name: Box<str>,
    /// Whether it can be paid.
    pub status: BillStatus,
    /// yyMM.
    pub billing_month: Short<4>,
    /// Last day of the amount within due date.
    pub due_date: BusinessDate,
    /// Last day on which it can be paid at all.
    pub expiry_date: BusinessDate,
    /// Due up to and on the due date.
    pub amount_within_due: MinorUnits,
    /// Due after it.
    pub amount_after_due: MinorUnits,
    /// How [`Bill::amount_within_due`] splits; empty if the department keeps no heads.
    pub heads: Vec<HeadAmount>,
    /// What the department wants to be told again with the payment.
    pub reference: Reference,
}

/// What a department said with a bill, and wants back with its payment: understood by its adapter alone, and empty where
/// the department wants nothing. It may tell of a person, so that its `Debug` shows the length only.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Reference(Box<[u8]>);

impl Reference {
    /// Longest: a message's largest field, with room for some small ones.
    pub const MAX: usize = 1152;

    /// Takes the bytes as they are; none if they are more than [`Reference::MAX`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX).then(|| Self(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reference({} bytes)", self.0.len())
    }
}

impl Serialize for Reference {
    /// As hex for people, as bytes in the store.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            hex::decode(text.as_bytes()).map_err(de::Error::custom)?
        } else {
            Vec::<u8>::deserialize(deserializer)?
        };
        // One that is stored is taken as it is.
        Ok(Self(bytes.into()))
    }
}

impl Bill {
    /// The amount to be paid on `date`, or why nothing can be.
    ///
    /// # Errors
    ///
    /// [`Reason::AlreadyPaid`], [`Reason::Blocked`] or [`Reason::Expired`], the first that holds.
    pub fn due_on(&self, date: BusinessDate) -> Result<MinorUnits, Reason> {
        match self.status {
            BillStatus::Paid => Err(Reason::AlreadyPaid),
            BillStatus::Blocked => Err(Reason::Blocked),
            BillStatus::Unpaid | BillStatus::Partial(_) if date > self.expiry_date => Err(Reason::Expired),
            BillStatus::Unpaid | BillStatus::Partial(_) if date > self.due_date => Ok(self.amount_after_due),
            BillStatus::Unpaid | BillStatus::Partial(_) => Ok(self.amount_within_due),
        }
    }

    /// Splits `amount` over the heads so that they sum to it, to the minor unit. The surcharge of a late payment
    /// goes to `surcharge_head`, or to the bill's first head where the biller names none.
    ///
    /// # Errors
    ///
    /// [`AmountError`] if the amount is less than the heads ask for, or a sum is too large.
    pub fn split(
        &self,
        amount: MinorUnits,
        surcharge_head: Option<Short<16>>,
    ) -> Result<Vec<HeadAmount>, AmountError> {
        let mut heads = self.heads.clone();
        let asked = MinorUnits::sum(heads.iter().map(|head| head.amount))?;
        let surcharge = if heads.is_empty() { MinorUnits::ZERO } else { amount.minus(asked)? };
        if surcharge == MinorUnits::ZERO {
            return Ok(heads);
        }
        let named = surcharge_head.and_then(|name| heads.iter().position(|head| head.head == name));
        match (named, surcharge_head) {
            (None, Some(head)) => heads.push(HeadAmount { head, amount: surcharge }),
            (index, _) => {
                if let Some(head) = heads.get_mut(index.unwrap_or(0)) {
                    head.amount = head.amount.plus(surcharge)?;
                }
            }
        }
        Ok(heads)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn bill() -> Bill {
        let amount = |minor| MinorUnits::new(minor).unwrap();
        let head = |name: &str, minor| HeadAmount { head: name.parse().unwrap(), amount: amount(minor) };
        Bill {
            name: "Ayesha Bibi".into(),
            status: BillStatus::Unpaid,
            billing_month: "2611".parse().unwrap(),
            due_date: "2026-11-25".parse().unwrap(),
            expiry_date: "2026-12-25".parse().unwrap(),
            amount_within_due: amount(1000),
            amount_after_due: amount(1100),
            heads: vec![head("B01401", 300), head("B02372", 700)],
            reference: Reference::default(),
        }
    }

    #[test]
    fn a_reference_survives_the_store_and_the_wire_and_is_not_shown() {
        let reference = Reference::new(b"9950\x00\xffA CITIZEN").unwrap();
        let stored = postcard::to_allocvec(&reference).unwrap();
        assert_eq!(postcard::from_bytes::<Reference>(&stored).unwrap(), reference);
        let told = serde_json::to_string(&reference).unwrap();
        assert_eq!(serde_json::from_str::<Reference>(&told).unwrap(), reference);
        assert_eq!(format!("{reference:?}"), "Reference(15 bytes)");
        assert_eq!(Reference::new(&[0; Reference::MAX + 1]), None);
    }

    #[test]
    fn what_is_due_depends_on_the_day_and_the_status() {
        let table = [
            ("2026-11-25", BillStatus::Unpaid, Ok(1000)),
            ("2026-11-26", BillStatus::Unpaid, Ok(1100)),
            ("2026-12-25", BillStatus::Unpaid, Ok(1100)),
            ("2026-12-26", BillStatus::Unpaid, Err(Reason::Expired)),
            ("2026-12-26", BillStatus::Paid, Err(Reason::AlreadyPaid)),
            ("2026-11-20", BillStatus::Blocked, Err(Reason::Blocked)),
            ("2026-11-20", BillStatus::Partial(Limits::default()), Ok(1000)),
            ("2026-12-25", BillStatus::Partial(Limits::default()), Ok(1100)),
            ("2026-12-26", BillStatus::Partial(Limits::default()), Err(Reason::Expired)),
        ];
        for (date, status, want) in table {
            let bill = Bill { status, ..bill() };
            assert_eq!(bill.due_on(date.parse().unwrap()).map(MinorUnits::minor), want, "{date} {status:?}");
        }
    }

    #[test]
    fn heads_sum_to_the_amount_paid_also_when_late() {
        let late = MinorUnits::new(1100).unwrap();
        for surcharge_head in [None, Some("B02372".parse().unwrap()), Some("C09999".parse().unwrap())] {
            let heads = bill().split(late, surcharge_head).unwrap();
            assert_eq!(MinorUnits::sum(heads.iter().map(|h| h.amount)), Ok(late), "{surcharge_head:?}");
        }
        assert_eq!(bill().split(late, None).unwrap()[0].amount.minor(), 400);
        assert!(bill().split(MinorUnits::new(999).unwrap(), None).is_err());
    }
}
