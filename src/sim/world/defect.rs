//! Deliberate defects, to show that the simulation can fail. They sit in what the simulation has put around the switch:
//! between it and its journal, its billers and its links. None is in the switch itself.

/// One defect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Defect {
    /// Answers leave when they are decided, not when they are durable.
    AnswerBeforeCommit,
    /// Orders leave before the intent is durable.
    OrderBeforeIntent,
    /// What is sealed is let go of although there is something newer.
    LetGoOfNewer,
    /// What is sealed is let go of although something is still owed on it.
    LetGoOfOwed,
    /// No turn is synced.
    CommitWithoutSync,
    /// What is due is not written down.
    ForgetWhatIsDue,
    /// What was open is not taken up at the start.
    SkipRecovery,
    /// A reversal that came first is not remembered.
    DropTombstone,
    /// A payment handed to people is not written down.
    DropException,
    /// A payment is handed to people as soon as one order about it has failed.
    GiveUpAtOnce,
    /// Outcomes are not kept: a repeat is a new payment.
    ForgetOutcomes,
    /// Totals are not kept.
    ForgetTotals,
    /// An approval after its deadline is ignored.
    ForgetLateApproval,
    /// Replies to orders of before a restart are taken for those of orders after it that have the same number.
    ReuseLegNumbers,
    /// A reply is matched with its order by trace number alone.
    MatchByStan,
    /// An answer is matched with its request by trace number alone.
    AnswerByStan,
    /// An order that was not answered in time is called declined.
    SilenceIsDecline,
    /// A reply that is not understood is called declined.
    GarbageIsDecline,
    /// An order that was lost is called not sent.
    LostIsNotSent,
    /// A silent biller is told to post once more.
    PostTwice,
    /// A payment that is sent again has another trace number.
    AnotherIdentity,
    /// After a restart the numbers of payments begin anew.
    NumberFromOne,
    /// An order to reverse is given twice.
    ReverseTwice,
    /// A request is answered twice.
    AnswerTwice,
    /// Orders carry another amount than was debited.
    WrongAmount,
    /// The heads of account lose a minor unit.
    HeadsDoNotSum,
    /// A reversal carries the date of the day on which it is sent.
    DateOfToday,
    /// Reversals are refused while much is open.
    ShedReversals,
    /// New payments are taken on a disk that is almost full.
    IgnoreDisk,
    /// Anybody may reverse a payment whose numbers he knows.
    ReverseForAnybody,
    /// What is owed goes out all at once.
    ForwardAtOnce,
    /// The order of some payments is put off each time it is their turn.
    PutOff,
    /// Nothing goes out to a biller that has not answered the order before.
    BadRecordBlocks,
    /// Of a new configuration only what it says of billers is taken over.
    ReloadByHalves,
    /// What can be understood of a faulty configuration is taken over.
    TakeFaultyFile,
    /// Whatever stands where a MAC should is good.
    AcceptAnyMac,
    /// The key before is good for an hour.
    OldKeyForEver,
    /// New keys are not written down.
    ForgetKeys,
    /// Who asks for a part back is told that it is given before the biller has done it.
    PartToldAtOnce,
    /// Instead of a part all of a payment is given back.
    PartAsWhole,
    /// That a biller refuses to give a part back is taken for its having done so.
    PartRefusedIsDone,
    /// A part that was ordered back before a restart is taken for given back.
    ForgetPart,
    /// What a bill says of the amounts that are taken of it is not looked at.
    IgnoreLimits,
    /// A new configuration is taken over but for the rules of billers.
    KeepOldRules,
}

impl Defect {
    /// Every defect.
    pub const ALL: &[Self] = &[
        Self::AnswerBeforeCommit,
        Self::OrderBeforeIntent,
        Self::LetGoOfNewer,
        Self::LetGoOfOwed,
        Self::CommitWithoutSync,
        Self::ForgetWhatIsDue,
        Self::SkipRecovery,
        Self::DropTombstone,
        Self::DropException,
        Self::GiveUpAtOnce,
        Self::ForgetOutcomes,
        Self::ForgetTotals,
        Self::ForgetLateApproval,
        Self::ReuseLegNumbers,
        Self::MatchByStan,
        Self::AnswerByStan,
        Self::SilenceIsDecline,
        Self::GarbageIsDecline,
        Self::LostIsNotSent,
        Self::PostTwice,
        Self::AnotherIdentity,
        Self::NumberFromOne,
        Self::ReverseTwice,
        Self::AnswerTwice,
        Self::WrongAmount,
        Self::HeadsDoNotSum,
        Self::DateOfToday,
        Self::ShedReversals,
        Self::IgnoreDisk,
        Self::ReverseForAnybody,
        Self::ForwardAtOnce,
        Self::PutOff,
        Self::BadRecordBlocks,
        Self::ReloadByHalves,
        Self::TakeFaultyFile,
        Self::AcceptAnyMac,
        Self::OldKeyForEver,
        Self::ForgetKeys,
        Self::PartToldAtOnce,
        Self::PartAsWhole,
        Self::PartRefusedIsDone,
        Self::ForgetPart,
        Self::IgnoreLimits,
        Self::KeepOldRules,
    ];
}
