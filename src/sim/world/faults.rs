//! What may befall messages, orders and replies, and how often it does.

/// Something that may befall a message, an order or a reply, each by itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Fault {
    /// A request takes long, so that others overtake it.
    RequestDelayed,
    /// A request is lost.
    RequestDropped,
    /// A request arrives twice.
    RequestDuplicated,
    /// A request arrives with a byte flipped, or cut.
    RequestCorrupted,
    /// An answer takes long.
    AnswerDelayed,
    /// An answer is lost.
    AnswerDropped,
    /// An order certainly does not leave.
    OrderNotSent,
    /// An order is lost on the way.
    OrderLost,
    /// An order takes long, so that the next one overtakes it.
    OrderDelayed,
    /// A biller takes an order and does nothing about it.
    BillerHangs,
    /// A biller says no.
    BillerDeclines,
    /// A biller will not undo what it has posted.
    BillerKeeps,
    /// A biller's reply is lost.
    ReplyLost,
    /// A biller's reply comes after the deadline.
    ReplyLate,
    /// A biller's reply comes twice.
    ReplyTwice,
    /// A biller's reply cannot be understood.
    ReplyGarbled,
    /// A commit takes long.
    CommitSlow,
}

impl Fault {
    /// Every fault.
    pub(super) const ALL: [Self; 17] = [
        Self::RequestDelayed,
        Self::RequestDropped,
        Self::RequestDuplicated,
        Self::RequestCorrupted,
        Self::AnswerDelayed,
        Self::AnswerDropped,
        Self::OrderNotSent,
        Self::OrderLost,
        Self::OrderDelayed,
        Self::BillerHangs,
        Self::BillerDeclines,
        Self::BillerKeeps,
        Self::ReplyLost,
        Self::ReplyLate,
        Self::ReplyTwice,
        Self::ReplyGarbled,
        Self::CommitSlow,
    ];
}

/// How often each fault happens, in a thousandth.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Rates([u16; Fault::ALL.len()]);

impl Rates {
    /// How often this one does.
    pub(super) fn of(&self, fault: Fault) -> u16 {
        let at = Fault::ALL.iter().position(|one| *one == fault);
        at.and_then(|at| self.0.get(at)).copied().unwrap_or_default()
    }

    /// Sets how often this one does.
    pub(super) fn set(&mut self, fault: Fault, rate: u16) {
        let at = Fault::ALL.iter().position(|one| *one == fault);
        if let Some(place) = at.and_then(|at| self.0.get_mut(at)) {
            *place = rate;
        }
    }

    /// Those that happen.
    pub(super) fn happening(&self) -> impl Iterator<Item = (Fault, u16)> + '_ {
        Fault::ALL.into_iter().zip(self.0).filter(|(_, rate)| *rate > 0)
    }
}
