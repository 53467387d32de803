//! Other terms for a switch that runs.

use super::{BillerTerms, LinkTerms, Switch};

impl Switch {
    /// New terms for the links and billers there are. How a biller is reached does not change while the process runs.
    pub(super) fn configure(&mut self, links: &[LinkTerms], billers: Vec<BillerTerms>) {
        for terms in links {
            if let Some(session) = self.sessions.get_mut(&terms.name) {
                session.deal_by(terms);
            }
        }
        for fresh in billers {
            if let Some(terms) = self.billers.get_mut(&fresh.code) {
                let (embedded, looks_up_first) = (terms.embedded, terms.looks_up_first);
                *terms = BillerTerms { embedded, looks_up_first, ..fresh };
            }
        }
    }
}
