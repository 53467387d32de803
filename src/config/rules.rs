//! The rules of a department, `[biller.rules]`: as they are written, and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::check::Check;
use super::file::BillerTable;
use super::{ConfigError, ConfigFault};
use crate::bounds::HEADS_MAX;
use crate::clock::UnixMillis;
use crate::ids::{BillerCode, Short};
use crate::lines::Why;
use crate::money::MinorUnits;
use crate::switch::{
    CheckDigit, Exactness, Expiry, HeadRule, Hours, Inquiries, Late, Limits, Part, Pattern, PsidRule, Route,
    Rules, Share, Span, Window,
};

/// For how long an inquiry counts if nothing is said: a quarter of an hour.
const INQUIRY_VALID_MS: u64 = 900_000;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesTable {
    psid: Option<PsidTable>,
    exactness: Option<Spanned<Exactness>>,
    amount_min: Option<Spanned<MinorUnits>>,
    amount_max: Option<Spanned<MinorUnits>>,
    #[serde(default)]
    channels: BTreeMap<Spanned<String>, LimitsTable>,
    late: Option<Spanned<LateTable>>,
    expiry: Option<ExpiryTable>,
    #[serde(default)]
    windows: Vec<Spanned<WindowTable>>,
    suspended: Option<Spanned<SuspendedTable>>,
    inquiry: Option<InquiryTable>,
    inquiry_valid_ms: Option<Spanned<u64>>,
    heads: Option<Spanned<Vec<Spanned<HeadTable>>>>,
    #[serde(default)]
    routes: Vec<Spanned<RouteTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PsidTable {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    lengths: Vec<u8>,
    pattern: Option<Spanned<String>>,
    check_digit: Option<CheckDigit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    amount_min: Option<Spanned<MinorUnits>>,
    amount_max: Option<Spanned<MinorUnits>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LateTable {
    due: Option<LateWord>,
    fixed: Option<MinorUnits>,
    percent: Option<Percent>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LateWord {
    Bill,
    Within,
    Refused,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExpiryTable {
    Always,
    Inquiry,
    Payment,
    Never,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InquiryTable {
    Mandatory,
    Optional,
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowTable {
    days: Option<Vec<String>>,
    from: String,
    until: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuspendedTable {
    from: Option<String>,
    until: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadTable {
    head: Short<16>,
    fixed: Option<MinorUnits>,
    percent: Option<Percent>,
    #[serde(default)]
    remainder: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    code: Option<BillerCode>,
    #[serde(default)]
    prefix: String,
}

/// Hundredths of a percent, written as `5` or `"2.5"`: never as a float.
#[derive(Clone, Copy)]
struct Percent(u16);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Percent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage of 0 to 100: a whole number, or text such as \"2.5\" or \"0.25\"")
            }

            fn visit_i64<E: Error>(self, whole: i64) -> Result<Percent, E> {
                self.visit_str(&whole.to_string())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Percent, E> {
                percent(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

fn percent(text: &str) -> Option<Percent> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 2 || !digits(whole) || !digits(part) {
        return None;
    }
    let hundredths: u16 = format!("{part:0<2}").parse().ok()?;
    let all = whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)?;
    (all <= 10_000).then_some(Percent(all))
}

impl Check<'_> {
    fn rule(&self, span: &std::ops::Range<usize>, why: impl Into<String>) -> ConfigError {
        self.fail(span, ConfigFault::Rule(why.into()))
    }

    /// A department's rules. `embedded`: its bills are in our own store; `zone`: its clock's.
    pub(super) fn rules(
        &self,
        table: &Spanned<RulesTable>,
        embedded: bool,
        zone: &jiff::tz::TimeZone,
    ) -> Result<Rules, ConfigError> {
        let rules = table.get_ref();
        let limits = self.limits_of(rules.amount_min.as_ref(), rules.amount_max.as_ref())?;
        let channels = rules.channels.iter().map(|(channel, limits)| {
            let code = channel.get_ref().parse();
            let code = code.map_err(|_| self.rule(&channel.span(), "a channel is 1 to 4 characters"))?;
            let limits = self.limits_of(limits.amount_min.as_ref(), limits.amount_max.as_ref())?;
            Ok::<_, ConfigError>((code, limits))
        });
        Ok(Rules {
            psid: rules.psid.as_ref().map(|psid| self.psid(psid)).transpose()?,
            exactness: self.exactness(rules, limits, embedded)?,
            limits,
            channels: channels.collect::<Result<_, _>>()?,
            late: rules.late.as_ref().map(|late| self.late(late)).transpose()?.unwrap_or_default(),
            expiry: expiry(rules.expiry),
            hours: self.hours(&rules.windows, zone)?,
            suspended: rules.suspended.as_ref().map(|span| self.suspended(span, zone)).transpose()?,
            inquiry: self.inquiries(rules)?,
            heads: rules.heads.as_ref().map_or(Ok(Vec::new()), |heads| self.heads(heads))?,
            routes: self.routes_of(&rules.routes)?,
        })
    }

    fn limits_of(
        &self,
        min: Option<&Spanned<MinorUnits>>,
        max: Option<&Spanned<MinorUnits>>,
    ) -> Result<Limits, ConfigError> {
        let limits = Limits { min: min.map(|min| *min.get_ref()), max: max.map(|max| *max.get_ref()) };
        match (min, limits.min, limits.max) {
            (Some(at), Some(min), Some(max)) if min > max => {
                Err(self.rule(&at.span(), "amount_min is above amount_max"))
            }
            _ => Ok(limits),
        }
    }

    fn psid(&self, table: &PsidTable) -> Result<PsidRule, ConfigError> {
        let pattern = table.pattern.as_ref().map(|text| {
            let fault = |error| self.rule(&text.span(), format!("`{}`: {error}", text.get_ref()));
            Pattern::new(text.get_ref()).map_err(fault)
        });
        Ok(PsidRule {
            prefix: table.prefix.as_str().into(),
            lengths: table.lengths.clone(),
            pattern: pattern.transpose()?,
            check_digit: table.check_digit,
        })
    }

    fn exactness(
        &self,
        rules: &RulesTable,
        limits: Limits,
        embedded: bool,
    ) -> Result<Option<Exactness>, ConfigError> {
        let Some(said) = &rules.exactness else { return Ok(None) };
        let exactness = *said.get_ref();
        if embedded && !matches!(exactness, Exactness::Exact | Exactness::ExactUp) {
            let why = "a bill of the book is paid by one payment, of all that is due: exactness is exact or exact-up";
            return Err(self.rule(&said.span(), why));
        }
        if exactness == Exactness::Range && (limits.min.is_none() || limits.max.is_none()) {
            return Err(self.rule(&said.span(), "exactness = \"range\" needs amount_min and amount_max"));
        }
        Ok(Some(exactness))
    }

    fn late(&self, table: &Spanned<LateTable>) -> Result<Late, ConfigError> {
        match table.get_ref() {
            LateTable { due: Some(due), fixed: None, percent: None } => Ok(match due {
                LateWord::Bill => Late::Bill,
                LateWord::Within => Late::Within,
                LateWord::Refused => Late::Refused,
            }),
            LateTable { due: None, fixed: Some(more), percent: None } => Ok(Late::More(*more)),
            LateTable { due: None, fixed: None, percent: Some(Percent(share)) } => {
                Ok(Late::Percent(Share(*share)))
            }
            LateTable { .. } => {
                Err(self
                    .rule(&table.span(), "late has one of due = \"bill\", fixed = 500 or percent = \"2.5\""))
            }
        }
    }

    fn hours(
        &self,
        tables: &[Spanned<WindowTable>],
        zone: &jiff::tz::TimeZone,
    ) -> Result<Option<Hours>, ConfigError> {
        let mut windows = Vec::new();
        for table in tables {
            let WindowTable { days, from, until } = table.get_ref();
            let mut on = [days.is_none(); 7];
            for day in days.iter().flatten() {
                let at = DAYS.iter().position(|known| known == day);
                let known = at.and_then(|at| on.get_mut(at)).ok_or_else(|| {
                    self.rule(&table.span(), format!("`{day}` is no day: {}", DAYS.join(", ")))
                })?;
                *known = true;
            }
            let fault = || self.rule(&table.span(), "a time of day is 00:00 to 24:00, such as \"08:30\"");
            windows.push(Window {
                days: on,
                from_minute: minute(from).filter(|minute| *minute < 1440).ok_or_else(fault)?,
                until_minute: minute(until).filter(|minute| *minute > 0).ok_or_else(fault)?,
            });
        }
        Ok((!windows.is_empty()).then(|| Hours { zone: zone.clone(), windows }))
    }

    fn suspended(
        &self,
        table: &Spanned<SuspendedTable>,
        zone: &jiff::tz::TimeZone,
    ) -> Result<Span, ConfigError> {
        let moment = |text: &String| {
            let fault =
                || self.rule(&table.span(), "a moment is a local date and time: \"2026-12-01T08:00\"");
            let local: jiff::civil::DateTime = text.parse().map_err(|_| fault())?;
            let at = local.to_zoned(zone.clone()).map_err(|_| fault())?.timestamp().as_millisecond();
            u64::try_from(at).map(UnixMillis).map_err(|_| fault())
        };
        let SuspendedTable { from, until } = table.get_ref();
        let span = Span {
            from: from.as_ref().map(moment).transpose()?,
            until: until.as_ref().map(moment).transpose()?,
        };
        if span.from.zip(span.until).is_some_and(|(from, until)| from >= until) {
            return Err(self.rule(&table.span(), "suspended: `until` is not after `from`"));
        }
        Ok(span)
    }

    fn inquiries(&self, rules: &RulesTable) -> Result<Inquiries, ConfigError> {
        let valid_ms = rules.inquiry_valid_ms.as_ref();
        match (rules.inquiry, valid_ms) {
            (Some(InquiryTable::Mandatory), Some(valid)) if !(1..=86_400_000).contains(valid.get_ref()) => {
                let bounds = "1 to 86,400,000 ms, which is a day";
                Err(self.fail(&valid.span(), Why::Bounds { key: "inquiry_valid_ms", bounds }.into()))
            }
            (Some(InquiryTable::Mandatory), valid) => {
                let valid_ms = valid.map_or(INQUIRY_VALID_MS, |valid| *valid.get_ref());
                Ok(Inquiries::Mandatory { valid_ms })
            }
            (_, Some(valid)) => {
                Err(self.rule(&valid.span(), "inquiry_valid_ms is for inquiry = \"mandatory\""))
            }
            (Some(InquiryTable::Optional) | None, None) => Ok(Inquiries::Optional),
            (Some(InquiryTable::None), None) => Ok(Inquiries::None),
        }
    }

    fn heads(&self, table: &Spanned<Vec<Spanned<HeadTable>>>) -> Result<Vec<HeadRule>, ConfigError> {
        let (mut heads, mut names) = (Vec::new(), BTreeSet::new());
        let (mut remainders, mut shares) = (0_u32, 0_u32);
        for head in table.get_ref() {
            let HeadTable { head: name, fixed, percent, remainder } = head.get_ref();
            let part = match (fixed, percent, remainder) {
                (Some(part), None, false) => Part::Fixed(*part),
                (None, Some(Percent(share)), false) => {
                    shares = shares.saturating_add(u32::from(*share));
                    Part::Percent(Share(*share))
                }
                (None, None, true) => {
                    remainders = remainders.saturating_add(1);
                    Part::Remainder
                }
                (_, _, _) => {
                    let why = "a head has one of fixed = 500, percent = \"2.5\" or remainder = true";
                    return Err(self.rule(&head.span(), why));
                }
            };
            if !names.insert(*name) {
                let fault = ConfigFault::Twice { what: "head", name: name.to_string() };
                return Err(self.fail(&head.span(), fault));
            }
            heads.push(HeadRule { head: *name, part });
        }
        if heads.len() > HEADS_MAX {
            return Err(self.rule(&table.span(), "there are at most 20 heads"));
        }
        if remainders != 1 || shares > 10_000 {
            let why = "one head has the remainder, and the percentages are at most 100 together";
            return Err(self.rule(&table.span(), why));
        }
        Ok(heads)
    }

    fn routes_of(&self, tables: &[Spanned<RouteTable>]) -> Result<Vec<Route>, ConfigError> {
        let route = |table: &Spanned<RouteTable>| {
            let RouteTable { code, prefix } = table.get_ref();
            if code.is_none() && prefix.is_empty() {
                return Err(self.rule(&table.span(), "a route has a code, a prefix, or both"));
            }
            Ok(Route { code: *code, prefix: prefix.as_str().into() })
        };
        tables.iter().map(route).collect()
    }

    /// No request may have two departments to go to.
    pub(super) fn routes(&self, billers: &[Spanned<BillerTable>]) -> Result<(), ConfigError> {
        let own = billers.iter().map(|biller| (Some(*biller.get_ref().code.get_ref()), ""));
        let mut taken: BTreeSet<(Option<BillerCode>, &str)> = own.collect();
        let rules = billers.iter().filter_map(|biller| biller.get_ref().rules.as_ref());
        for route in rules.flat_map(|rules| &rules.get_ref().routes) {
            let RouteTable { code, prefix } = route.get_ref();
            if !taken.insert((*code, prefix)) {
                let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code `{code}`"));
                let why = format!("bills of {code} that begin with `{prefix}` have a department already");
                return Err(self.rule(&route.span(), why));
            }
        }
        Ok(())
    }
}

const fn expiry(table: Option<ExpiryTable>) -> Expiry {
    let (at_inquiry, at_payment) = match table {
        Some(ExpiryTable::Always) | None => (true, true),
        Some(ExpiryTable::Inquiry) => (true, false),
        Some(ExpiryTable::Payment) => (false, true),
        Some(ExpiryTable::Never) => (false, false),
    };
    Expiry { at_inquiry, at_payment }
}

/// Minutes of a time of day, 0 to 1440.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':').filter(|_| text.len() == 5)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (hour, minute): (u16, u16) = if digits(hour) && digits(minute) {
        (hour.parse().ok()?, minute.parse().ok()?)
    } else {
        return None;
    };
    let all = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && all <= 1440).then_some(all)
}
