//! Messages as acquirers write them, and as they read the answers. Neither goes through the profile: what that makes of
//! them is for the run to show.

use bytes::{Bytes, BytesMut};

use super::dice::Dice;
use super::plan::{Amount, Intent, Way};
use super::site::{Site, amount, consumer, limits};
use crate::iso8583::{EncodeError, Mirror, Mti, MtiError, Writer, decode};

/// What an acquirer reads in an answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Heard {
    pub(super) mti: String,
    pub(super) transmitted_at: String,
    pub(super) stan: String,
    pub(super) rrn: String,
    pub(super) code: String,
    /// DE 120: the bill, where it is about one.
    pub(super) bill: String,
}

/// The numbers by which a message is known to the acquirer that sent it.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Numbers {
    pub(super) transmitted_at: String,
    pub(super) stan: String,
    pub(super) rrn: String,
}

/// Why a message could not be written: a fault of the simulation's own.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Mti(#[from] MtiError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// DE 32.
const ACQUIRER: &str = "00000002711";

impl Intent {
    /// The numbers of its request to pay. Trace numbers wrap, as they do.
    pub(super) fn numbers(&self) -> Numbers {
        Numbers {
            transmitted_at: transmitted(self.number),
            stan: format!("{:06}", (self.number % 7).saturating_add(1)),
            rrn: rrn(self.number),
        }
    }

    /// The numbers of its reversal.
    pub(super) fn reversal_numbers(&self) -> Numbers {
        let stan = format!("{:06}", self.number.saturating_add(500_000));
        Numbers { stan, ..self.numbers() }
    }

    /// DE 41.
    fn terminal_id(&self) -> String {
        format!("ATM{:05}", self.terminal)
    }

    /// What makes it the same payment, as bytes in the order of the rules: by the auditor's own reckoning.
    pub(super) fn key(&self, link: &str) -> Vec<u8> {
        let numbers = self.numbers();
        let terminal = self.terminal_id();
        [&numbers.transmitted_at, &numbers.stan, &numbers.rrn, ACQUIRER, &terminal, link]
            .join("\u{1f}")
            .into_bytes()
    }

    /// What it debits.
    pub(super) fn debits(&self) -> u64 {
        let due = amount(self.biller, self.bill);
        let (least, most) = limits(self.biller, self.bill).unwrap_or((due, due));
        match self.amount {
            Amount::Due => due,
            Amount::OneMore => due.saturating_add(1),
            Amount::Least => least,
            Amount::TooLittle => least.saturating_sub(1),
            Amount::Most => most,
            Amount::TooMuch => most.saturating_add(1),
        }
    }

    /// The request to pay; `extra` is added to its amount.
    pub(super) fn payment(&self, site: &Site, mti: &str, extra: u64) -> Result<Bytes, FrameError> {
        let numbers = self.numbers();
        let money = format!("{:012}", self.debits().saturating_add(extra));
        let code = site.billers.get(self.biller).map(|biller| biller.code.to_string()).unwrap_or_default();
        let details = details(&code, self.bill);
        let terminal = self.terminal_id();
        let fields: [(u8, &[u8]); 9] = [
            (3, b"500000"),
            (4, money.as_bytes()),
            (7, numbers.transmitted_at.as_bytes()),
            (11, numbers.stan.as_bytes()),
            (32, ACQUIRER.as_bytes()),
            (37, numbers.rrn.as_bytes()),
            (41, terminal.as_bytes()),
            (48, details.as_bytes()),
            (49, b"586"),
        ];
        message(site, mti, &fields)
    }

    /// The numbers of the wish for this part of it.
    pub(super) fn part_numbers(&self, which: usize) -> Numbers {
        let first = if which == 0 { 300_000 } else { 400_000 };
        Numbers { stan: format!("{:06}", self.number.saturating_add(first)), ..self.numbers() }
    }

    /// What is to be left of it, if this part is given back.
    pub(super) fn left(&self, which: usize) -> Option<u64> {
        let wish = self.parts.get(which).copied().flatten()?;
        Some(self.debits().saturating_mul(wish.eighths) / 8)
    }

    /// Its reversal.
    pub(super) fn reversal(&self, site: &Site, mti: &str) -> Result<Bytes, FrameError> {
        self.asks_back(site, mti, &self.reversal_numbers(), None)
    }

    /// The reversal of a part of it: DE 95 says what is left.
    pub(super) fn part(&self, site: &Site, mti: &str, which: usize) -> Result<Bytes, FrameError> {
        let left = format!("{:012}{:030}", self.left(which).unwrap_or_default(), 0);
        self.asks_back(site, mti, &self.part_numbers(which), Some(&left))
    }

    fn asks_back(
        &self,
        site: &Site,
        mti: &str,
        own: &Numbers,
        left: Option<&str>,
    ) -> Result<Bytes, FrameError> {
        let numbers = self.numbers();
        let money = format!("{:012}", self.debits());
        let blanks = " ".repeat(6);
        let (stan, at) = (&numbers.stan, &numbers.transmitted_at);
        let original_mti = if self.way == Way::Told { "0220" } else { "0200" };
        let original = format!("{original_mti}{stan}{blanks}{at}{blanks}{at}");
        let terminal = self.terminal_id();
        let mut fields: Vec<(u8, &[u8])> = vec![
            (3, b"500000"),
            (4, money.as_bytes()),
            (7, own.transmitted_at.as_bytes()),
            (11, own.stan.as_bytes()),
            (32, ACQUIRER.as_bytes()),
            (37, own.rrn.as_bytes()),
            (41, terminal.as_bytes()),
            (49, b"586"),
            (90, original.as_bytes()),
        ];
        fields.extend(left.map(|left| (95, left.as_bytes())));
        message(site, mti, &fields)
    }
}

/// An inquiry, with numbers of its own.
pub(super) fn inquiry(
    site: &Site,
    number: u64,
    biller: &str,
    bill: u64,
) -> Result<(Numbers, Bytes), FrameError> {
    let numbers = free_numbers(number);
    let details = details(biller, bill);
    let fields: [(u8, &[u8]); 7] = [
        (3, b"380000"),
        (4, b"000000000000"),
        (7, numbers.transmitted_at.as_bytes()),
        (11, numbers.stan.as_bytes()),
        (37, numbers.rrn.as_bytes()),
        (41, b"ATM00001"),
        (48, details.as_bytes()),
    ];
    let frame = message(site, "0200", &fields)?;
    Ok((numbers, frame))
}

/// Sign-on 001, sign-off 002, echo 301.
pub(super) fn network(site: &Site, number: u64, code: &str) -> Result<(Numbers, Bytes), FrameError> {
    let numbers = Numbers { rrn: String::new(), ..free_numbers(number) };
    let fields: [(u8, &[u8]); 3] =
        [(7, numbers.transmitted_at.as_bytes()), (11, numbers.stan.as_bytes()), (70, code.as_bytes())];
    let frame = message(site, "0800", &fields)?;
    Ok((numbers, frame))
}

/// A new key, as the links' profile has it: encrypted, with its check value.
pub(super) fn key_change(
    site: &Site,
    number: u64,
    wrapped: &str,
    check: &str,
) -> Result<(Numbers, Bytes), FrameError> {
    let numbers = Numbers { rrn: String::new(), ..free_numbers(number) };
    let details = format!("KY{:03}{wrapped}KV{:03}{check}", wrapped.len(), check.len());
    let fields: [(u8, &[u8]); 4] = [
        (7, numbers.transmitted_at.as_bytes()),
        (11, numbers.stan.as_bytes()),
        (48, details.as_bytes()),
        (70, b"161"),
    ];
    let frame = message(site, "0800", &fields)?;
    Ok((numbers, frame))
}

/// What an acquirer has counted: payments, and their sum. It counts by hand and knows of none given back.
pub(super) fn totals(
    site: &Site,
    number: u64,
    mti: &str,
    (payments, sum): (u64, u64),
) -> Result<(Numbers, Bytes), FrameError> {
    let numbers = Numbers { rrn: String::new(), ..free_numbers(number) };
    let (payments, sum, net) = (format!("{payments:010}"), format!("{sum:016}"), format!("D{sum:016}"));
    let fields: [(u8, &[u8]); 7] = [
        (7, numbers.transmitted_at.as_bytes()),
        (11, numbers.stan.as_bytes()),
        (76, payments.as_bytes()),
        (77, b"0000000000"),
        (88, sum.as_bytes()),
        (89, b"0000000000000000"),
        (97, net.as_bytes()),
    ];
    let frame = message(site, mti, &fields)?;
    Ok((numbers, frame))
}

fn free_numbers(number: u64) -> Numbers {
    let number = number.saturating_add(700_000);
    Numbers {
        transmitted_at: transmitted(number),
        stan: format!("{:06}", number % 1_000_000),
        rrn: rrn(number),
    }
}

fn rrn(number: u64) -> String {
    format!("{:012}", number.saturating_add(1))
}

/// DE 7: a time of its own for each number, as far as a day reaches.
fn transmitted(number: u64) -> String {
    let second = number % 86_400;
    format!("1120{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

fn details(biller: &str, bill: u64) -> String {
    let consumer = consumer(bill);
    let element = |tag: &str, value: &str| format!("{tag}{:03}{value}", value.len());
    [element("BI", biller), element("CN", &consumer), element("CH", "6011")].concat()
}

fn message(site: &Site, mti: &str, fields: &[(u8, &[u8])]) -> Result<Bytes, FrameError> {
    let mut out = BytesMut::with_capacity(256);
    let mut writer = Writer::new(site.profile.dialect(), Mti::new(mti.as_bytes())?, &mut out);
    for (field, value) in fields {
        writer.put(*field, value)?;
    }
    writer.finish()?;
    Ok(out.freeze())
}

impl Heard {
    /// An element of DE 120: two characters of tag, three digits of length, and the value.
    pub(super) fn of_bill(&self, wanted: &str) -> Option<&str> {
        let mut rest = self.bill.as_str();
        while let Some((tag, behind)) = rest.split_at_checked(2) {
            let (length, behind) = behind.split_at_checked(3)?;
            let (value, behind) = behind.split_at_checked(length.parse().ok()?)?;
            if tag == wanted {
                return Some(value);
            }
            rest = behind;
        }
        None
    }
}

/// What an answer says.
pub(super) fn hear(site: &Site, frame: &[u8]) -> Heard {
    let mut mirror = Mirror::new();
    let decoded = decode(site.profile.dialect(), frame, &mut mirror);
    let message = &decoded.message;
    let text = |field| String::from_utf8_lossy(message.field(field).unwrap_or_default()).into_owned();
    Heard {
        mti: message.mti().to_string(),
        transmitted_at: text(7),
        stan: text(11),
        rrn: text(37),
        code: text(39),
        bill: text(120),
    }
}

/// The frame with a byte flipped, or cut short: as it comes from a bad line. None if nobody could tell, for only a MAC
/// could, and it has none.
pub(super) fn corrupted(site: &Site, frame: &Bytes, has_mac: bool, dice: &mut Dice) -> Option<Bytes> {
    let mut bytes = frame.to_vec();
    if dice.one_in(3) {
        bytes.truncate(dice.index(frame.len()));
    } else {
        let at = dice.index(frame.len());
        let byte = bytes.get_mut(at)?;
        *byte ^= 0x80;
    }
    let mut mirror = Mirror::new();
    let noticed = decode(site.profile.dialect(), &bytes, &mut mirror).fault.is_some();
    (noticed || has_mac).then(|| bytes.into())
}
