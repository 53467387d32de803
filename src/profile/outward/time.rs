//! Forms of dates and times: `MMddhhmmss`, `yyyyMMdd`.

use jiff::civil::{Date, DateTime};

use super::super::answer::Digits;

/// A form of a date, a time or both, as it is written in a profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TimeForm(Vec<Part>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Year4,
    Year2,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// The longest form.
const WRITTEN_MAX: usize = 32;

/// A moment in some form.
#[derive(Default)]
pub(super) struct Written {
    bytes: [u8; WRITTEN_MAX],
    len: usize,
}

impl Written {
    fn push(&mut self, number: i16, width: usize) {
        let digits = Digits::of(u64::try_from(number).unwrap_or_default());
        let end = self.len.saturating_add(width);
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.iter_mut().zip(digits.as_wide(width)).for_each(|(to, digit)| *to = *digit);
            self.len = end;
        }
    }

    /// As it stands in a message.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

const PARTS: [(&str, Part); 7] = [
    ("yyyy", Part::Year4),
    ("yy", Part::Year2),
    ("MM", Part::Month),
    ("dd", Part::Day),
    ("hh", Part::Hour),
    ("mm", Part::Minute),
    ("ss", Part::Second),
];

impl TimeForm {
    /// Reads the notation: `yyyy`, `yy`, `MM`, `dd`, `hh`, `mm`, `ss` and nothing between them; 32 characters at most.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > WRITTEN_MAX {
            return None;
        }
        let (mut rest, mut parts) = (text, Vec::new());
        while !rest.is_empty() {
            let (name, part) = PARTS.iter().find(|(name, _)| rest.starts_with(name))?;
            parts.push(*part);
            rest = rest.get(name.len()..)?;
        }
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// The moment in this form.
    pub(super) fn write(&self, at: DateTime) -> Written {
        let mut text = Written::default();
        for part in &self.0 {
            match part {
                Part::Year4 => text.push(at.year(), 4),
                Part::Year2 => text.push(at.year().rem_euclid(100), 2),
                Part::Month => text.push(at.month().into(), 2),
                Part::Day => text.push(at.day().into(), 2),
                Part::Hour => text.push(at.hour().into(), 2),
                Part::Minute => text.push(at.minute().into(), 2),
                Part::Second => text.push(at.second().into(), 2),
            }
        }
        text
    }

    /// The date in a text of this form; none if it is not of this form, or no date.
    pub(super) fn date(&self, text: &[u8]) -> Option<Date> {
        let (mut rest, mut date) = (text, (None, None, None));
        for part in &self.0 {
            let (digits, behind) = rest.split_at_checked(if *part == Part::Year4 { 4 } else { 2 })?;
            rest = behind;
            let number: i16 = std::str::from_utf8(digits)
                .ok()
                .filter(|_| digits.iter().all(u8::is_ascii_digit))?
                .parse()
                .ok()?;
            match part {
                Part::Year4 => date.0 = Some(number),
                Part::Year2 => date.0 = number.checked_add(2000),
                Part::Month => date.1 = i8::try_from(number).ok(),
                Part::Day => date.2 = i8::try_from(number).ok(),
                Part::Hour | Part::Minute | Part::Second => {}
            }
        }
        let (year, month, day) = date;
        if rest.is_empty() { Date::new(year?, month?, day?).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_the_form_asked_for_and_a_date_read_back() {
        let at = jiff::civil::date(2026, 11, 20).at(9, 5, 7, 0);
        let table = [
            ("MMddhhmmss", "1120090507"),
            ("yyyyMMddhhmmss", "20261120090507"),
            ("yyMM", "2611"),
            ("hhmmss", "090507"),
        ];
        for (form, want) in table {
            assert_eq!(TimeForm::parse(form).unwrap().write(at).as_bytes(), want.as_bytes());
        }
        for form in ["", "yyy", "MM-dd", "HH", &"MM".repeat(17)] {
            assert_eq!(TimeForm::parse(form), None, "{form}");
        }
        let longest = TimeForm::parse(&"yyyy".repeat(8)).unwrap();
        assert_eq!(longest.write(at).as_bytes(), "2026".repeat(8).as_bytes());
        let read = |form: &str, text: &[u8]| TimeForm::parse(form).unwrap().date(text);
        assert_eq!(read("ddMMyyyy", b"20112026"), Some(at.date()));
        assert_eq!(read("yyyyMMdd", b"20112026"), None, "there is no month 20");
        for text in [&b"2026112"[..], b"202611200", b"+0261120", b"        ", b"00000000"] {
            assert_eq!(read("yyyyMMdd", text), None, "{text:?}");
        }
    }
}
