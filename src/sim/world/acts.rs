//! The plan's moves; and the process: its turns, its commits, its ends and its starts.

use super::auditor::Purpose;
use super::daemon::{Daemon, Input, Waiter};
use super::frames::{inquiry, totals};
use super::{Defect, Fault, Happening, Moment, Move, World};
use crate::desk::Leaving;
use crate::ids::BillerCode;
use crate::journal::{DiskFault, MemoryDisk, open_memory};
use crate::switch::Operation;

/// How long what moved no money may stay unsynced, as in the valve.
const IDLE_MS: u64 = 200;

impl World<'_> {
    pub(super) fn makes_move(&mut self, number: usize) {
        let Some((_, next)) = self.plan.moves.get(number).copied() else { return };
        match next {
            Move::Pay(intent) => self.begin(intent),
            Move::Inquire { link, biller, bill } => self.inquire(link, biller, bill),
            Move::Garbage { link, length } => self.garbage(link, length),
            Move::SignOff { link, for_ms } => self.sign_off(link, for_ms),
            Move::Echo { link } => self.talk(link, "301", Purpose::Talk),
            Move::Totals { link, advice } => self.reconcile(link, advice),
            Move::NetworkCutsOver { link } => self.talk(link, "201", Purpose::Talk),
            Move::AnswersUnasked { link } => self.answer_unasked(link),
            Move::LinkDies { link } => self.hang_up(link),
            Move::BillerDies { biller, for_ms, refuses } => self.biller_dies(biller, for_ms, refuses),
            Move::DiskFills { for_ms } => self.disk_fills(for_ms),
            Move::Floods { link, biller, count } => self.floods(link, biller, count),
            Move::Crash { moment: Moment::Now, down_ms } => self.crash(down_ms),
            Move::Crash { moment, down_ms } => self.armed = Some((moment, down_ms)),
            Move::Drain { down_ms } => self.drain(down_ms),
            Move::ClockJumps { by_ms } => {
                self.wall_ms = self.wall_ms.saturating_add_signed(by_ms);
                self.auditor.clock_set();
                self.note(|| format!("the wall clock jumps by {by_ms} ms"));
            }
            Move::Block { biller, for_ms } => {
                let Some(code) = self.site.billers.get(biller).map(|biller| biller.code) else { return };
                self.note(|| format!("the operator blocks {code}"));
                self.input(Input::Operate(Operation::Block(code)));
                self.after(for_ms, Happening::Unblock(code));
            }
            Move::Reload(file) => self.reload(&file),
            Move::NewKey { keeps_ms } => self.sends_new_key(keeps_ms),
            Move::CutOver => {
                self.note(|| "the operator moves the business date".to_owned());
                self.input(Input::Operate(Operation::CutOver));
            }
        }
    }

    pub(super) fn inquire(&mut self, link: usize, biller: usize, bill: u64) {
        self.messages = self.messages.saturating_add(1);
        let code = self.site.billers.get(biller).map(|biller| biller.code.to_string()).unwrap_or_default();
        match inquiry(self.site, self.messages, &code, bill) {
            Ok((numbers, frame)) => {
                let purpose = Purpose::Inquiry { biller, bill };
                self.send(link, "0200", (numbers, purpose, None), Ok(frame), 0);
            }
            Err(error) => self.auditor.object(0, || error.to_string()),
        }
    }

    /// An acquirer sends its totals, as far as it knows by now.
    fn reconcile(&mut self, link: usize, advice: bool) {
        self.messages = self.messages.saturating_add(1);
        let mti = if advice { "0520" } else { "0500" };
        let own = self.deals.iter().filter(|deal| deal.intent.link == link);
        let paid = own.filter(|deal| deal.outcome.as_deref() == Some("00") && !deal.reversed);
        let counted = paid.fold((0_u64, 0_u64), |(number, sum), deal| {
            (number.saturating_add(1), sum.saturating_add(deal.intent.debits()))
        });
        match totals(self.site, self.messages, mti, counted) {
            Ok((numbers, frame)) => self.send(link, mti, (numbers, Purpose::Totals, None), Ok(frame), 0),
            Err(error) => self.auditor.object(0, || error.to_string()),
        }
    }

    fn garbage(&mut self, link: usize, length: u64) {
        let mut dice = self.dice(&[6, length]);
        let frame: Vec<u8> = (0..length).map(|_| u8::try_from(dice.below(256)).unwrap_or_default()).collect();
        let about = (super::frames::Numbers::default(), Purpose::Spoilt, None);
        self.send(link, "0000", about, Ok(frame.into()), 0);
    }

    /// A payment's own words, as an answer.
    fn answer_unasked(&mut self, link: usize) {
        let Some(intent) = self.deals.last().map(|deal| deal.intent) else { return };
        let about = (intent.numbers(), Purpose::Spoilt, None);
        self.send(link, "0210", about, intent.payment(self.site, "0210", 0), 0);
    }

    fn sign_off(&mut self, link: usize, for_ms: u64) {
        let Some(line) = self.lines.get_mut(link).filter(|line| line.ready) else { return };
        (line.ready, line.off) = (false, true);
        let connection = line.connection;
        self.talk(link, "002", Purpose::SignOff);
        self.after(for_ms, Happening::SignOn(link, connection));
    }

    pub(super) fn unblock(&mut self, biller: BillerCode) {
        if self.daemon.is_none() {
            return self.after(500, Happening::Unblock(biller));
        }
        self.note(|| format!("the operator takes {biller} up again"));
        self.input(Input::Operate(Operation::Unblock(biller)));
    }

    fn drain(&mut self, down_ms: u64) {
        let Some(daemon) = &self.daemon else { return };
        let incarnation = daemon.incarnation;
        self.note(|| "the process is told to drain".to_owned());
        self.armed = Some((Moment::Now, down_ms));
        self.input(Input::Operate(Operation::Drain));
        self.after(1_500, Happening::Stop(incarnation));
    }

    /// The end of a drain: what is open stays in the store.
    pub(super) fn stop(&mut self) {
        while self.daemon.as_ref().is_some_and(Daemon::has_turns) {
            self.commit();
        }
        let synced = self.daemon.as_mut().map(Daemon::sync);
        if let Some(Err(error)) = synced {
            self.auditor.object(0, || format!("the last sync failed: {error}"));
        }
        let down_ms = self.armed.take().map_or(500, |(_, down_ms)| down_ms);
        self.end(usize::MAX, false, down_ms);
    }

    /// A turn within `delay_ms`, unless one is coming.
    pub(super) fn turn_soon(&mut self, delay_ms: u64) {
        let Some(daemon) = &self.daemon else { return };
        if !std::mem::replace(&mut self.turn_queued, true) {
            self.after(delay_ms, Happening::Turn(daemon.incarnation));
        }
    }

    pub(super) fn turn(&mut self) {
        self.turn_queued = false;
        let (now_ms, wall) = (self.now_ms, self.wall());
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.is_behind() {
            // The commit that it waits for asks for it again.
            self.turn_deferred = true;
            return;
        }
        let before = daemon.wake_at_ms;
        let early = match daemon.turn(now_ms, wall) {
            Ok(early) => early,
            Err(error) => return self.auditor.object(0, || format!("a turn failed: {error}")),
        };
        let (incarnation, wake, has_turns) = (daemon.incarnation, daemon.wake_at_ms, daemon.has_turns());
        self.leave(early, u64::MAX);
        if let Some(at) = wake.filter(|_| wake != before) {
            self.at(at, Happening::Wake(incarnation));
        }
        if has_turns {
            self.commit_soon(incarnation);
        }
    }

    fn commit_soon(&mut self, incarnation: u64) {
        if std::mem::replace(&mut self.commit_queued, true) {
            return;
        }
        let mut dice = self.dice(&[7, self.now_ms / 100]);
        let slow = dice.permille(self.rates.of(Fault::CommitSlow));
        if slow {
            self.auditor.commit_is_slow();
        }
        let delay = if slow { dice.between(200, 3_000) } else { dice.between(1, 6) };
        self.after(delay, Happening::Commit(incarnation));
    }

    pub(super) fn commit(&mut self) {
        self.commit_queued = false;
        let Some(daemon) = &self.daemon else { return };
        let money = daemon.moves_money();
        let armed = self.armed.take_if(|(moment, _)| money && *moment != Moment::Now);
        let mut actions = u64::MAX;
        match armed {
            Some((Moment::BeforeCommit, down_ms)) => return self.crash(down_ms),
            Some((Moment::WithinCommit | Moment::SyncFails, _)) => self.disk.fail_next(DiskFault::SyncFails),
            Some((Moment::DiskFull, _)) => self.disk.fail_next(DiskFault::Full),
            Some((Moment::AfterCommit, _)) => actions = 0,
            Some((Moment::WithinRelease(some), _)) => actions = some,
            Some((Moment::Now, _)) | None => {}
        }
        let released = self.daemon.as_mut().map(Daemon::commit);
        match (released, armed) {
            (Some(Ok(released)), _) => {
                for leaving in released {
                    actions = self.leave(leaving, actions);
                }
                match armed {
                    Some((_, down_ms)) => self.crash(down_ms),
                    None => self.go_on(),
                }
            }
            (Some(Err(error)), Some((_, down_ms))) => {
                self.note(|| format!("the journal fails: {error}"));
                self.crash(down_ms);
            }
            (Some(Err(error)), None) => self.auditor.object(0, || format!("a commit failed: {error}")),
            (None, _) => {}
        }
    }

    fn go_on(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let (incarnation, has_turns) = (daemon.incarnation, daemon.has_turns());
        self.seal_soon();
        let Some(daemon) = &self.daemon else { return };
        let more = !daemon.inbox.is_empty() || std::mem::take(&mut self.turn_deferred);
        if has_turns {
            self.commit_soon(incarnation);
        } else if self.disk.unsynced() > 0 {
            self.after(IDLE_MS, Happening::Idle(incarnation));
        }
        if more {
            self.turn_soon(0);
        }
    }

    fn seal_soon(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        if !std::mem::replace(&mut self.seal_queued, true) {
            let delay = self.dice(&[10, self.now_ms]).between(1, 20);
            self.after(delay, Happening::Seal(daemon.incarnation));
        }
    }

    /// The sealer takes a step.
    pub(super) fn seal(&mut self) {
        self.seal_queued = false;
        let Some(daemon) = &mut self.daemon else { return };
        match daemon.seal() {
            Ok(true) => self.seal_soon(),
            Ok(false) => {}
            Err(error) => self.auditor.object(2, || format!("legs cannot be sealed: {error}")),
        }
        if self.daemon.as_ref().is_some_and(|daemon| !daemon.inbox.is_empty()) {
            self.turn_soon(1);
        }
    }

    pub(super) fn idle(&mut self) {
        let Some(daemon) = self.daemon.as_mut().filter(|daemon| !daemon.has_turns()) else { return };
        if let Err(error) = daemon.sync() {
            self.auditor.object(0, || format!("a sync failed: {error}"));
        }
    }

    /// Lets out what a turn has to say, up to so many actions; gives how many more may leave.
    fn leave(&mut self, leaving: Leaving<Waiter>, mut actions: u64) -> u64 {
        let Leaving { answers, orders, keys, totals, alarms } = leaving;
        let now_ms = self.now_ms;
        for (link, keys) in keys {
            let installed =
                self.daemon.as_mut().map(|daemon| daemon.install(self.site, &link, &keys, now_ms));
            if let Some(Err(error)) = installed {
                self.auditor.object(0, || format!("a new key cannot be used: {error}"));
            }
        }
        for alarm in alarms {
            self.note(|| format!("alarm: {alarm:?}"));
        }
        for (waiter, answer) in answers {
            if actions == 0 {
                return 0;
            }
            actions = actions.saturating_sub(1);
            if self.defect == Some(Defect::AnswerTwice) {
                self.answer(waiter.clone(), &answer);
            }
            self.answer(waiter, &answer);
        }
        for (leg, biller, order) in orders {
            if actions == 0 {
                return 0;
            }
            actions = actions.saturating_sub(1);
            let reverses = matches!(order, crate::switch::Order::Reverse { .. });
            if self.defect == Some(Defect::ReverseTwice) && reverses {
                self.order(leg, biller, order.clone());
            }
            self.order(leg, biller, order);
        }
        for totals in totals {
            if actions == 0 {
                return 0;
            }
            actions = actions.saturating_sub(1);
            self.totals_leave(&totals);
        }
        actions
    }

    /// The process ends as if killed, or the power fails.
    fn crash(&mut self, down_ms: u64) {
        if self.daemon.is_none() {
            return;
        }
        let nth = self.nth(2);
        let mut dice = self.dice(&[8, nth]);
        let unsynced = self.disk.unsynced();
        let kept = dice.index(unsynced.saturating_add(1));
        self.note(|| format!("the process ends; {kept} of {unsynced} unsynced batches are still there"));
        if let Some(torn) = self.disk.torn(dice.index(12)) {
            self.must_be_noticed(&torn, "a torn batch");
        }
        let old_witness = dice.one_in(4);
        self.end(kept, old_witness, down_ms);
        if dice.one_in(3)
            && let Some(flipped) = self.disk.flipped(dice.index(1 << 20), dice.index(1 << 20))
        {
            self.must_be_noticed(&flipped, "a flipped bit");
        }
        if dice.one_in(3)
            && let Some(flipped) = self.disk.flipped_in_days(dice.index(1 << 20), dice.index(8))
        {
            self.must_be_noticed(&flipped, "a flipped bit in a sealed segment");
        }
    }

    /// A disk that is not as it was written must be refused.
    fn must_be_noticed(&mut self, disk: &MemoryDisk, what: &str) {
        let opened = open_memory(disk).and_then(|(store, _)| store.verify(&mut |_| ()));
        if opened.is_ok() {
            self.auditor.object(2, || format!("the journal has not noticed {what}"));
        }
    }

    fn end(&mut self, kept: usize, old_witness: bool, down_ms: u64) {
        self.daemon = None;
        (self.turn_queued, self.turn_deferred) = (false, false);
        (self.commit_queued, self.seal_queued) = (false, false);
        self.disk.crash(kept, old_witness);
        for link in 0..self.lines.len() {
            self.hang_up(link);
        }
        self.after(down_ms, Happening::Start);
    }

    pub(super) fn start(&mut self) {
        if self.daemon.is_some() {
            return;
        }
        self.incarnations = self.incarnations.saturating_add(1);
        let (incarnation, now_ms, wall) = (self.incarnations, self.now_ms, self.wall());
        self.note(|| format!("the process starts for the {incarnation}. time"));
        self.auditor.restarted(&self.disk);
        let (plan, defect) = (self.plan, self.defect);
        match Daemon::start(self.site, &self.disk, (plan, &self.file), incarnation, now_ms, wall, defect) {
            Ok(daemon) => {
                self.daemon = Some(daemon);
                self.tell_of_outside();
                self.turn_soon(0);
            }
            Err(error) => self.auditor.object(2, || format!("the store does not open: {error}")),
        }
    }
}
