//! Where a department's money goes (`domain.md` 3b). Nothing of it decides about a payment: scrolls and operators are told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::Short;

/// Whose a head of account is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// The province's.
    Provincial,
    /// The federation's.
    Federal,
}

impl HeadKind {
    /// In a word, as the configuration has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provincial => "provincial",
            Self::Federal => "federal",
        }
    }
}

/// Where a department's money goes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Settlement {
    /// The account that it is settled to, 1 to 34 letters, digits, `-`, `/` and `.`: an IBAN, or a number of the treasury's.
    pub account: Option<Short<34>>,
    /// Whose each head of account is, by head.
    pub heads: BTreeMap<Short<16>, HeadKind>,
}

impl Settlement {
    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.account.is_none() && self.heads.is_empty()
    }
}
