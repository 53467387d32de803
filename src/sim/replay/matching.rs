//! Which request an answer belongs to: by what both carry, never by order.

use std::collections::{HashMap, VecDeque};

use crate::ids::{Rrn, Short, Stan};
use crate::iso8583::Message;

/// What a request and its answer have in common in every dialect: class of the MTI, STAN (DE 11), transmission time
/// (DE 7), RRN (DE 37) and network code (DE 70). A field that is absent is empty.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Key {
    class: u8,
    pub(super) stan: Stan,
    transmitted_at: Short<14>,
    rrn: Rrn,
    pub(super) network_code: Short<4>,
}

impl Key {
    pub(super) fn of(message: &Message<'_, '_>) -> Self {
        fn take<const N: usize>(message: &Message<'_, '_>, field: u8) -> Short<N> {
            message.field(field).and_then(|value| Short::new(value).ok()).unwrap_or_default()
        }
        Self {
            class: message.mti().class(),
            stan: take(message, 11),
            transmitted_at: take(message, 7),
            rrn: take(message, 37),
            network_code: take(message, 70),
        }
    }

    /// Whether this may be the answer to `request` although the keys are not equal: a field is absent on one side,
    /// and nothing that both carry contradicts. Gives the field that the answer lacks, if it lacks one.
    fn nearly_answers(&self, request: &Self) -> Option<Option<u8>> {
        if (self.class, self.stan) != (request.class, request.stan) {
            return None;
        }
        let pairs = [
            (7, self.transmitted_at.as_str(), request.transmitted_at.as_str()),
            (37, self.rrn.as_str(), request.rrn.as_str()),
            (70, self.network_code.as_str(), request.network_code.as_str()),
        ];
        let mut lacks = None;
        for (field, answer, request) in pairs {
            if answer.is_empty() && !request.is_empty() {
                lacks = lacks.or(Some(field));
            } else if answer != request && !request.is_empty() {
                return None;
            }
        }
        Some(lacks)
    }
}

/// Which message an answer was found to belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Match {
    /// This one, in all it carries.
    Exact(usize),
    /// This one, though the answer lacks this data element of it.
    Lacking(usize, Option<u8>),
    /// None that is open.
    None,
}

/// The requests of one link that are not answered.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// Oldest first, where several have the same key: a repeat has its original's.
    by_key: HashMap<Key, VecDeque<usize>>,
}

impl Open {
    pub(super) fn sent(&mut self, key: Key, number: usize) {
        self.by_key.entry(key).or_default().push_back(number);
    }

    /// Takes the request that an answer with this key belongs to.
    pub(super) fn take(&mut self, answer: &Key) -> Match {
        if let Some(number) = self.pop(answer) {
            return Match::Exact(number);
        }
        let near = self.by_key.keys().find_map(|key| Some((*key, answer.nearly_answers(key)?)));
        match near.and_then(|(key, lacks)| Some((self.pop(&key)?, lacks))) {
            Some((number, lacks)) => Match::Lacking(number, lacks),
            None => Match::None,
        }
    }

    fn pop(&mut self, key: &Key) -> Option<usize> {
        let queue = self.by_key.get_mut(key)?;
        let number = queue.pop_front();
        if queue.is_empty() {
            self.by_key.remove(key);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(stan: &str, rrn: &str, network_code: &str) -> Key {
        let (stan, rrn) = (stan.parse().unwrap(), rrn.parse().unwrap());
        let transmitted_at = "1120090009".parse().unwrap();
        Key { class: b'2', stan, transmitted_at, rrn, network_code: network_code.parse().unwrap() }
    }

    #[test]
    fn an_answer_goes_to_the_request_that_carries_the_same() {
        let mut open = Open::default();
        let (first, second) = (key("000001", "632409000001", ""), key("000001", "632409000002", ""));
        open.sent(first, 10);
        open.sent(second, 11);
        open.sent(first, 12);
        assert_eq!(open.take(&second), Match::Exact(11));
        assert_eq!(open.take(&first), Match::Exact(10));
        assert_eq!(open.take(&first), Match::Exact(12));
        assert_eq!(open.take(&first), Match::None);
    }

    #[test]
    fn an_answer_that_lacks_a_field_is_still_found_and_the_field_named() {
        let table = [
            (key("000001", "632409000001", ""), key("000001", "", ""), Match::Lacking(5, Some(37))),
            (key("000001", "", "001"), key("000001", "", ""), Match::Lacking(5, Some(70))),
            (key("000001", "", "001"), key("000001", "632409000001", "001"), Match::Lacking(5, None)),
            (key("000001", "632409000001", ""), key("000002", "632409000001", ""), Match::None),
            (key("000001", "632409000001", ""), key("000001", "632409000009", ""), Match::None),
            (key("000001", "", ""), Key { class: b'4', ..key("000001", "", "") }, Match::None),
        ];
        for (request, answer, want) in table {
            let mut open = Open::default();
            open.sent(request, 5);
            assert_eq!(open.take(&answer), want, "{request:?} {answer:?}");
        }
    }
}
