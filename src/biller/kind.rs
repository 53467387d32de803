//! What there is to know of a way to reach departments, so that nothing else has to know of it: what the configuration
//! calls it, what stands in its table there, what becomes of doubt, and how its adapter is made.
//!
//! [`KINDS`] is all of them.

use std::any::Any;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::iso8583::{Host, HostConfig};
use super::{Adapter, book, iso8583, rest};
use crate::ids::{BillerCode, Short};
use crate::lines::Fault;
use crate::specs::{SpecError, Specs};
use crate::switch::InDoubt;

/// Every way to reach departments. Another one is a file that implements [`Kind`], [`Making`] and [`Adapter`], and a line
/// here: configuration, server and switch go by this list.
pub const KINDS: &[&dyn Kind] = &[&book::InBook, &rest::OverHttp, &iso8583::BehindHost];

/// A way to reach departments.
pub trait Kind: Sync {
    /// What a department's `adapter` calls it; `[biller.<name>]` is its own table.
    fn name(&self) -> &'static str;

    /// Whether a bill is looked up before each payment of it, because the department wants back what it told of the bill.
    fn looks_up_first(&self) -> bool;

    /// Whether there is a message by which a part of a posting is given back.
    fn gives_parts_back(&self) -> bool {
        false
    }

    /// Reads what the configuration says of a department that is reached in this way: its own table, if it has one
    /// ([`Entry::table`], or [`Entry::without_table`]), and whatever else must go with it.
    ///
    /// # Errors
    ///
    /// [`KindFault`], at the line that is wrong.
    fn way(&self, entry: &Entry<'_>) -> Result<Way, KindFault>;

    /// Whether a posting can be undone, and what becomes of one that was not answered (`domain.md` 3c).
    ///
    /// # Errors
    ///
    /// The line that asks for what the department cannot do.
    fn doubt(&self, entry: &Entry<'_>) -> Result<(bool, InDoubt), Fault> {
        let reversible = entry.reversible.is_none_or(|said| *said.get_ref());
        Ok((reversible, entry.in_doubt.map_or(InDoubt::Reverse, |said| *said.get_ref())))
    }
}

/// What the configuration says of a department, as far as it matters to how it is reached.
pub struct Entry<'a> {
    /// What requests call it.
    pub code: &'a Spanned<BillerCode>,
    /// DE 49 of what it takes.
    pub currency: Short<3>,
    /// How long an order may take, in ms.
    pub reply_timeout_ms: &'a Spanned<u32>,
    /// Orders at once.
    pub in_flight_max: &'a Spanned<u32>,
    /// Whether a posting can be undone, if it says so.
    pub reversible: Option<&'a Spanned<bool>>,
    /// Whether a part of one can, if it says so.
    pub partly_reversible: Option<&'a Spanned<bool>>,
    /// What is to become of doubt, if it says so.
    pub in_doubt: Option<&'a Spanned<InDoubt>>,
    /// The table `[biller.<name>]` of its kind, if there is one.
    pub own: Option<&'a Spanned<DeValue<'a>>>,
    /// How long the switch may take with a request, in ms.
    pub switch_ms: u32,
    /// Relative paths are taken from here.
    pub dir: &'a Path,
    /// Where data files are found.
    pub specs: &'a Specs,
    /// The `[[host]]`s.
    pub hosts: &'a [HostConfig],
}

impl Entry<'_> {
    /// The kind's own table, which must be there.
    ///
    /// # Errors
    ///
    /// That it is not there, or what is wrong in it.
    pub fn table<T: DeserializeOwned>(&self, kind: &dyn Kind) -> Result<T, Fault> {
        let own = self.own.ok_or_else(|| Fault::new(self.code.span(), alone(kind)))?;
        Ok(T::deserialize(ValueDeserializer::from(own.clone()))?)
    }

    /// A kind without a table of its own: none must be there.
    ///
    /// # Errors
    ///
    /// That one is.
    pub fn without_table(&self, kind: &dyn Kind) -> Result<(), Fault> {
        self.own.map_or(Ok(()), |own| {
            Err(Fault::new(own.span(), format!("`adapter = \"{}\"` has no table of its own", kind.name())))
        })
    }
}

/// What is said where only one is there of a kind's table and the adapter that it belongs to.
#[must_use]
pub fn alone(kind: &dyn Kind) -> String {
    let name = kind.name();
    format!("`adapter = \"{name}\"` and a table [biller.{name}] belong together: one is missing")
}

/// Why a department cannot be reached as its lines say.
#[derive(Debug, Error)]
pub enum KindFault {
    /// A line of the configuration.
    #[error("{}", .0.why)]
    Line(Fault),
    /// A data file that it names.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

impl From<Fault> for KindFault {
    fn from(fault: Fault) -> Self {
        Self::Line(fault)
    }
}

/// How a department is reached.
#[derive(Clone, Debug)]
pub enum Way {
    /// Not at all: its bills are in our own store, and orders are carried out within the turn that journals them.
    Book,
    /// By an adapter.
    Wire(Arc<dyn Making>),
}

/// A department's lines of the configuration, read and checked: its adapter can be made of them.
pub trait Making: Any + Debug + Send + Sync {
    /// Makes it, on the switch's runtime. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`AdapterError`]: a file that is not there, a certificate that is none.
    fn adapter(&self, hosts: &dyn Hosts) -> Result<Box<dyn Adapter>, AdapterError>;

    /// Whether orders tell the currency: their repeats must tell the same, so that it is read at start only.
    fn tells_currency(&self) -> bool {
        false
    }
}

/// The departments' hosts: one may serve several departments.
pub trait Hosts {
    /// The one that is configured so; dialled from the first time on that somebody asks for it.
    ///
    /// # Errors
    ///
    /// [`AdapterError`], if its keys cannot be had.
    fn host(&self, config: &HostConfig) -> Result<Arc<Host>, AdapterError>;
}

/// Why an adapter cannot be made, in the words of its kind.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct AdapterError(Box<dyn std::error::Error + Send + Sync>);

impl AdapterError {
    /// For this reason.
    pub fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}
