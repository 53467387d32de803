//! Departments whose bills are in our own store.

use super::super::kind::{Entry, Kind, KindFault, Way};

/// `adapter = "book"`. It has no adapter on a wire: the desk carries its orders out within the turn.
pub struct InBook;

impl Kind for InBook {
    fn name(&self) -> &'static str {
        "book"
    }

    fn looks_up_first(&self) -> bool {
        true
    }

    fn way(&self, entry: &Entry<'_>) -> Result<Way, KindFault> {
        entry.without_table(self)?;
        Ok(Way::Book)
    }
}
