//! Other terms for a switch that runs.

use super::rules::Routes;
use super::{BillerTerms, LinkTerms, Switch};

impl Switch {
    /// New terms for the links and billers there are, from the next event on: what is in flight is decided by the new ones.
    /// How a biller is reached does not change while the process runs.
    pub(super) fn configure(&mut self, links: &[LinkTerms], billers: Vec<BillerTerms>) {
        for terms in links {
            if let Some(session) = self.sessions.get_mut(&terms.name) {
                session.deal_by(terms);
            }
        }
        for fresh in billers {
            if let Some(terms) = self.billers.get_mut(&fresh.code) {
                let embedded = terms.embedded;
                // One that is reached otherwise than its configuration says sees to its bills itself, but for its rules.
                let as_said = fresh.looks_up_first && embedded == fresh.embedded;
                let looks_up_first = as_said || fresh.rules.need_the_bill();
                *terms = BillerTerms { embedded, looks_up_first, ..fresh };
            }
        }
        self.routes = Routes::new(self.billers.values().map(|terms| (terms.code, &*terms.rules)));
    }
}
