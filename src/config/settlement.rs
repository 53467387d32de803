//! Where a department's money goes, as its lines say.

use std::collections::BTreeMap;

use toml::Spanned;

use super::check::Check;
use super::file::BillerTable;
use super::{Config, ConfigError, ConfigFault};
use crate::biller::{HeadKind, Settlement};
use crate::ids::{BillerCode, Short};
use crate::switch::Rules;

impl Config {
    /// Where a department's money goes; nothing is known of one that is not configured.
    #[must_use]
    pub fn settlement_of(&self, biller: BillerCode) -> Settlement {
        let of_this = self.billers.iter().find(|known| known.code == biller);
        of_this.map(|known| known.settlement.clone()).unwrap_or_default()
    }
}

impl Check<'_> {
    pub(super) fn settlement(&self, biller: &BillerTable, rules: &Rules) -> Result<Settlement, ConfigError> {
        let fault = |at: &std::ops::Range<usize>, why: String| self.fail(at, ConfigFault::Rule(why));
        let account = biller.settlement_account.as_ref().map(|account| {
            let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-/.".contains(byte);
            let text = account.get_ref().as_bytes();
            let why = "settlement_account is 1 to 34 letters, digits, `-`, `/` and `.`";
            let is_one = !text.is_empty() && text.iter().all(good);
            is_one.then_some(*account.get_ref()).ok_or_else(|| fault(&account.span(), why.to_owned()))
        });
        let Some(table) = &biller.head_kinds else {
            return Ok(Settlement { account: account.transpose()?, heads: BTreeMap::new() });
        };
        let heads = table.get_ref().iter().map(|(head, kind)| {
            let name = head.get_ref().parse().ok().filter(|name: &Short<16>| !name.is_empty());
            let name = name
                .ok_or_else(|| fault(&head.span(), "a head of account is 1 to 16 characters".to_owned()))?;
            Ok((name, *kind))
        });
        let heads = heads.collect::<Result<BTreeMap<_, _>, ConfigError>>()?;
        let named = rules.heads.iter().map(|rule| rule.head).chain(biller.surcharge_head);
        if let Some(head) = named.into_iter().find(|head| !heads.contains_key(head)) {
            let why = format!("head_kinds does not say whose `{head}` is, and money is put on it");
            return Err(fault(&table.span(), why));
        }
        Ok(Settlement { account: account.transpose()?, heads })
    }
}

/// `[[biller]] head_kinds`: a head, and whose it is.
pub(super) type HeadKinds = Spanned<BTreeMap<Spanned<String>, HeadKind>>;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::BUILT_IN;

    /// The built-in configuration, with these lines of the police.
    fn parse(lines: &str) -> Result<Config, ConfigError> {
        let text = BUILT_IN.replacen("name = \"Police\"", &format!("name = \"Police\"\n{lines}"), 1);
        Config::parse("billswitch.toml", &text, Path::new("."))
    }

    #[test]
    fn where_the_money_goes_is_known_of_whom_it_is_configured() {
        let lines = "settlement_account = \"PK36SCBL0000001123456702\"\nsurcharge_head = \"B02372\"\n\
                     head_kinds = { \"B01401\" = \"federal\", B02372 = \"provincial\" }";
        let config = parse(lines).unwrap();
        let settlement = config.settlement_of("KPPOLICE".parse().unwrap());
        assert_eq!(settlement.account.unwrap().as_str(), "PK36SCBL0000001123456702");
        let kinds: Vec<_> =
            settlement.heads.iter().map(|(head, kind)| (head.as_str(), kind.as_str())).collect();
        assert_eq!(kinds, [("B01401", "federal"), ("B02372", "provincial")]);
        assert!(config.settlement_of("KPEXCISE".parse().unwrap()).is_empty());
        assert!(config.settlement_of("NOBODY".parse().unwrap()).is_empty());
    }

    #[test]
    fn what_cannot_be_where_money_goes_is_told_by_file_line_and_reason() {
        let line = BUILT_IN.lines().position(|line| line == "name = \"Police\"").unwrap() + 2;
        let kinds = "head_kinds = { B01401 = \"federal\" }";
        for (lines, want) in [
            ("settlement_account = \"\"", "settlement_account is 1 to 34 letters"),
            ("settlement_account = \"PK36 SCBL\"", "settlement_account is 1 to 34 letters"),
            ("settlement_account = \"PK36SCBL00000011234567020000000000000\"", "longer than 34 characters"),
            ("head_kinds = { B01401 = \"local\" }", "unknown variant `local`"),
            ("head_kinds = { \"\" = \"federal\" }", "a head of account is 1 to 16 characters"),
            ("head_kinds = { B0140100000000000 = \"federal\" }", "a head of account is 1 to 16 characters"),
            (&format!("{kinds}\nsurcharge_head = \"B02372\""), "does not say whose `B02372` is"),
            (
                &format!("{kinds}\nrules.heads = [{{ head = \"C03845\", remainder = true }}]"),
                "does not say whose `C03845` is",
            ),
        ] {
            let error = parse(lines).unwrap_err().to_string();
            assert!(error.starts_with(&format!("billswitch.toml:{line}: ")), "{line}: {error}");
            assert!(error.contains(want), "{error}");
        }
    }
}
