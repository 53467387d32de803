//! The links: what becomes of a message on its way to the switch, and of its answer on the way back.

use bytes::{Bytes, BytesMut};

use super::auditor::{Asked, Purpose};
use super::daemon::{Daemon, Input, Waiter};
use super::dice::number_of;
use super::frames::{FrameError, Numbers, corrupted, hear, network};
use super::keys::{SEALED, key};
use super::{Defect, Fault, Happening, Line, World};
use crate::ids::PaymentKey;
use crate::iso8583::{Mirror, Seal, decode};
use crate::switch::{Answer, Ask, Reason, Replacement, Request};
use crate::vault::with_seal;

/// What a message is about: its numbers, its purpose, and the payment by the world's count and by its key.
pub(super) type About = (Numbers, Purpose, Option<(usize, Vec<u8>)>);

impl World<'_> {
    pub(super) fn connect(&mut self, link: usize) {
        if self.daemon.is_none() {
            return self.after(200, Happening::Connect(link));
        }
        self.connections = self.connections.saturating_add(1);
        let connection = self.connections;
        let Some(line) = self.lines.get_mut(link) else { return };
        if line.connection != 0 {
            return;
        }
        *line = Line { connection, ready: false, off: false };
        let name = self.site.links.get(link).copied().unwrap_or_default();
        self.note(|| format!("{name} connects"));
        self.input(Input::Connected(name));
        self.sign_on(link);
    }

    /// Signs on, and looks a second later whether it was answered.
    pub(super) fn sign_on(&mut self, link: usize) {
        let Some(line) = self.lines.get_mut(link).filter(|line| line.connection != 0) else { return };
        line.off = false;
        let connection = line.connection;
        self.talk(link, "001", Purpose::SignOn);
        self.after(1_000, Happening::SignOn(link, connection));
    }

    pub(super) fn sign_on_again(&mut self, link: usize, connection: u64) {
        let line = self.lines.get(link).copied().unwrap_or_default();
        if line.connection == connection && !line.ready {
            self.sign_on(link);
        }
    }

    /// Sends a network message.
    pub(super) fn talk(&mut self, link: usize, code: &str, purpose: Purpose) {
        self.messages = self.messages.saturating_add(1);
        match network(self.site, self.messages, code) {
            Ok((numbers, frame)) => self.send(link, "0800", (numbers, purpose, None), Ok(frame), 0),
            Err(error) => self.auditor.object(0, || error.to_string()),
        }
    }

    /// The connection breaks, with all that is on it.
    pub(super) fn hang_up(&mut self, link: usize) {
        let Some(line) = self.lines.get_mut(link) else { return };
        if std::mem::take(line).connection == 0 {
            return;
        }
        let name = self.site.links.get(link).copied().unwrap_or_default();
        self.note(|| format!("{name} loses its connection"));
        self.auditor.signed_off(link);
        self.input(Input::Disconnected(name));
        self.after(250, Happening::Connect(link));
    }

    /// Puts a message on a link, where the seed says what becomes of it.
    pub(super) fn send(
        &mut self,
        link: usize,
        mti: &'static str,
        about: About,
        frame: Result<Bytes, FrameError>,
        held_back_ms: u64,
    ) {
        let plain = match frame {
            Ok(frame) => frame,
            Err(error) => return self.auditor.object(0, || error.to_string()),
        };
        let connection = self.lines.get(link).map_or(0, |line| line.connection);
        if connection == 0 {
            return;
        }
        let (numbers, purpose, deal) = about;
        let nth = self.nth(number_of(&plain));
        let mut dice = self.dice(&[2, number_of(&plain), nth]);
        let twice = dice.permille(self.rates.of(Fault::RequestDuplicated));
        for _ in 0..=u8::from(twice) {
            let (dropped, delayed, spoilt) = (
                dice.permille(self.rates.of(Fault::RequestDropped)),
                dice.permille(self.rates.of(Fault::RequestDelayed)),
                dice.permille(self.rates.of(Fault::RequestCorrupted)),
            );
            let (slow, quick) = (dice.between(100, 6_000), dice.between(1, 20));
            let (frame, sealed) = self.sealed(link, mti, &plain);
            let bad = corrupted(self.site, &frame, sealed.is_some(), &mut dice);
            let forged = sealed.is_some() && dice.one_in(2);
            if dropped {
                self.note(|| format!("{mti} {} is lost", numbers.stan));
                continue;
            }
            self.asks = self.asks.saturating_add(1);
            let (frame, purpose) = match (spoilt, &bad) {
                (true, _) if forged => (self.forged(&plain, &mut dice), Purpose::Forged),
                (true, Some(bad)) => (bad.clone(), Purpose::Spoilt),
                (true, None) | (false, _) => (frame.clone(), purpose),
            };
            if let Some(key) = sealed.filter(|_| !matches!(purpose, Purpose::Forged | Purpose::Spoilt)) {
                self.seals.insert(self.asks, key);
            }
            if let Some(deal) = deal.as_ref().and_then(|(at, _)| self.deals.get_mut(*at)) {
                deal.blurred |= twice;
            }
            self.requests.insert(self.asks, (purpose, deal.as_ref().map(|(at, _)| *at)));
            let key = deal.as_ref().map(|(_, key)| key.clone());
            let asked = Asked {
                connection,
                link,
                mti,
                numbers: numbers.clone(),
                sealed,
                reached_ms: 0,
                purpose,
                key,
            };
            let delay = if delayed { slow } else { quick }.saturating_add(held_back_ms);
            self.after(delay, Happening::Reaches(self.asks, Box::new(asked), frame, link));
        }
    }

    /// A message has reached the switch's end of the link.
    pub(super) fn reaches(&mut self, number: u64, asked: Asked, frame: Bytes, link: usize) {
        let alive = self.lines.get(link).is_some_and(|line| line.connection == asked.connection);
        let name = self.site.links.get(link).copied().unwrap_or_default();
        if !alive || self.daemon.is_none() {
            return;
        }
        self.history.weigh(&frame);
        let (now_ms, wall) = (self.now_ms, self.wall());
        let read =
            self.daemon.as_ref().and_then(|daemon| daemon.read(self.site, link, &frame, (now_ms, wall)));
        let Some((mut ask, key)) = read else {
            self.note(|| format!("{name} sends what nobody can answer"));
            if let Some(stray) = Daemon::stray(self.site, name, &frame) {
                self.input(Input::Unasked(Box::new(stray)));
            }
            return;
        };
        let (mti, stan, purpose) = (asked.mti, asked.numbers.stan.clone(), asked.purpose);
        self.note(|| format!("{name} sends {mti} {stan} ({purpose:?})"));
        let waiter = Waiter { number, connection: asked.connection, frame, key };
        self.auditor.asks(number, asked);
        if self.defect == Some(Defect::ReverseForAnybody) {
            self.take_for_the_owners(&mut ask);
        }
        if self.defect == Some(Defect::PartToldAtOnce)
            && let Request::Reversal(request) = &mut ask.request
        {
            request.advice |= matches!(request.replacement, Replacement::Amount(_));
        }
        let busy = self.daemon.as_ref().is_some_and(|daemon| daemon.open_count() > 3);
        if self.defect == Some(Defect::ShedReversals) && busy && matches!(ask.request, Request::Reversal(_)) {
            let reason = Reason::Overloaded;
            ask.request = Request::Refused { reason, bad_field: None, network: false };
        }
        if self.defect == Some(Defect::AnswerByStan) {
            self.waiting.push(waiter.clone());
        }
        self.input(Input::Asked(Box::new(ask), waiter));
    }

    /// A defect: whoever asks for a reversal is taken for the one who paid.
    fn take_for_the_owners(&self, ask: &mut Ask) {
        let Request::Reversal(request) = &mut ask.request else { return };
        let like = |key: &PaymentKey| key.without_link() == request.original.without_link();
        let owners = self.deals.iter().map(|deal| PaymentKey::from_stored(&deal.key)).find(like);
        if let Some(key) = owners {
            request.original = key;
        }
    }

    /// An answer leaves the switch.
    pub(super) fn answer(&mut self, mut waiter: Waiter, answer: &Answer) {
        if self.defect == Some(Defect::AnswerByStan) {
            waiter = self.first_of_that_stan(waiter);
        }
        let Some(link) = self.lines.iter().position(|line| line.connection == waiter.connection) else {
            return;
        };
        let frame = {
            let mut mirror = Mirror::new();
            let decoded = decode(self.site.profile.dialect(), &waiter.frame, &mut mirror);
            let mut out = BytesMut::with_capacity(256);
            let profile = &self.site.profile;
            let write =
                |seal: Option<&Seal<'_>>| profile.answer_sealed(&decoded.message, answer, seal, &mut out);
            match with_seal(waiter.key.as_deref(), profile.dialect().framing(), write) {
                Ok(None) => out.freeze(),
                Ok(Some(error)) => {
                    return self
                        .auditor
                        .object(0, || format!("part of an answer cannot be written: {error}"));
                }
                Err(error) => {
                    return self.auditor.object(0, || format!("an answer cannot be written: {error}"));
                }
            }
        };
        let heard = hear(self.site, &frame);
        let name = self.site.links.get(link).copied().unwrap_or_default();
        self.history.weigh(&frame);
        self.note(|| format!("{name} is answered {} {} with {}", heard.mti, heard.stan, heard.code));
        self.auditor.answers(waiter.number, waiter.connection, &heard, &self.disk);
        if let Some(number) =
            self.seals.get(&waiter.number).filter(|_| !matches!(heard.code.as_str(), "63" | "30" | "91"))
        {
            let key = key(self.plan.seed, *number).ok();
            self.auditor.hears_mac(&heard.stan, &frame, key);
        }
        let nth = self.nth(number_of(&frame));
        let mut dice = self.dice(&[3, number_of(&frame), nth]);
        let dropped = dice.permille(self.rates.of(Fault::AnswerDropped));
        let delayed = dice.permille(self.rates.of(Fault::AnswerDelayed));
        let delay = if delayed { dice.between(100, 6_000) } else { dice.between(1, 20) };
        if dropped {
            return self.note(|| format!("the answer to {} is lost", heard.stan));
        }
        self.after(delay, Happening::Returns(waiter.number, waiter.connection, frame));
    }

    /// A defect: the answer goes to the oldest request with that trace number.
    fn first_of_that_stan(&mut self, waiter: Waiter) -> Waiter {
        let stan = hear(self.site, &waiter.frame).stan;
        let found = self.waiting.iter().position(|other| hear(self.site, &other.frame).stan == stan);
        found.map_or(waiter, |at| self.waiting.remove(at))
    }

    /// An answer has come back to the acquirer.
    pub(super) fn returns(&mut self, number: u64, connection: u64, frame: &Bytes) {
        let Some(link) = self.lines.iter().position(|line| line.connection == connection) else { return };
        let Some((purpose, deal)) = self.requests.get(&number).copied() else { return };
        let code = hear(self.site, frame).code;
        let gone = code == "91" || matches!(purpose, Purpose::SignOff);
        if gone && self.lines.get(link).is_some_and(|line| line.ready) {
            // Perhaps the switch does not know any more that this link has signed on, or its sign-off came behind that.
            self.talk(link, "001", Purpose::SignOn);
        }
        if code == "63" && link == SEALED && !matches!(purpose, Purpose::Forged | Purpose::Spoilt) {
            self.tries_the_other_key();
        }
        match (purpose, deal) {
            (Purpose::Payment | Purpose::Advice, Some(deal)) => self.hears_of_payment(deal, &code),
            (Purpose::Spoilt | Purpose::Forged, Some(deal)) if matches!(code.as_str(), "30" | "63") => {
                self.hears_of_payment(deal, &code);
            }
            (Purpose::NewKey(number), _) => self.hears_of_key(number, &code),
            (Purpose::Reversal, Some(deal)) => self.hears_of_reversal(deal, &code),
            (Purpose::Part { which, .. }, Some(deal)) => self.hears_of_part(deal, which, &code),
            (Purpose::SignOn, _) if code == "00" => {
                if let Some(line) = self.lines.get_mut(link) {
                    line.ready = !line.off;
                }
            }
            _ => {}
        }
    }
}
