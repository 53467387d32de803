//! Departments behind an ISO 8583 host: what `[biller.iso8583]` says, and their adapter made of it.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;
use serde::Deserialize;
use toml::Spanned;

use super::{Department, Iso8583};
use crate::biller::Adapter;
use crate::biller::kind::{AdapterError, Entry, Hosts, Kind, KindFault, Making, Way};
use crate::bounds::HostBounds;
use crate::ids::LinkName;
use crate::iso8583::Framing;
use crate::lines::{Fault, SPAN, bounded};
use crate::profile::{Facts, Own, Profile, Say};
use crate::switch::{BillRef, Order};
use crate::vault::MacConfig;

/// `adapter = "iso8583"`.
pub struct BehindHost;

/// `[biller.iso8583]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    host: Spanned<String>,
    product: Option<String>,
}

/// A department behind an ISO 8583 host, checked.
#[derive(Clone, Debug)]
pub struct IsoConfig {
    /// The host.
    pub host: HostConfig,
    /// What it is told of the department.
    pub department: Department,
}

/// An ISO 8583 host of one department or several.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name, which no link has: what it says unasked is journalled under it.
    pub name: LinkName,
    /// Host name or address, and port.
    pub address: String,
    /// The address that it is dialled from; the system's choice if none.
    pub source: Option<IpAddr>,
    /// What is said to it, and what its answers mean; has an outward side.
    pub profile: Arc<Profile>,
    /// How frames stand on a connection; never [`Framing::NONE`].
    pub framing: Framing,
    /// What it knows us by; has all that the profile asks for.
    pub own: Own,
    /// What messages get their MACs by; none if they have none. With it, every message about bills and payments has a MAC.
    pub mac: Option<MacConfig>,
    /// Bounds of its connections.
    pub bounds: HostBounds,
}

impl HostConfig {
    /// Tries a message: what a host's words cannot hold is better found now than with a citizen waiting.
    ///
    /// # Errors
    ///
    /// Which word it is, and why.
    pub fn can_be_told(&self, product: &str, say: Say<'_>) -> Result<(), String> {
        let at = jiff::civil::date(2026, 1, 2).at(3, 4, 5, 0);
        let facts = Facts { own: &self.own, product, currency: "586", number: 1, utc: at, local: at };
        let said = self.profile.say(say, &facts, None, &mut BytesMut::new());
        said.map_err(|error| format!("host `{}` cannot be told anything: {error}", self.name))
    }
}

impl Kind for BehindHost {
    fn name(&self) -> &'static str {
        "iso8583"
    }

    /// A host tells with the bill what it wants back with the payment.
    fn looks_up_first(&self) -> bool {
        true
    }

    fn gives_parts_back(&self) -> bool {
        true
    }

    fn way(&self, entry: &Entry<'_>) -> Result<Way, KindFault> {
        let Table { host, product } = entry.table(self)?;
        let code = entry.code.get_ref();
        let fault = |span, why: &str| Err(Fault::new(span, why).into());
        let Some(known) = entry.hosts.iter().find(|known| known.name.as_str() == host.get_ref()) else {
            let why = format!("there is no [[host]] with the name `{}`", host.get_ref());
            return fault(host.span(), &why);
        };
        if entry.reply_timeout_ms.get_ref().saturating_mul(2) >= entry.switch_ms {
            let why = "a host is asked for the bill before it is told of the payment: twice `reply_timeout_ms` must be shorter \
                       than `switch_ms`";
            return fault(entry.code.span(), why);
        }
        if let Some(parts) = entry.partly_reversible.filter(|parts| *parts.get_ref())
            && !known.profile.gives_parts_back()
        {
            let why = format!("profile `{}` has no [outward.reduction]", known.profile.name());
            return fault(parts.span(), &why);
        }
        let product = product.unwrap_or_else(|| code.to_string());
        let inquiry = Order::LookUp(BillRef { biller: *code, consumer: "1".into() });
        known
            .can_be_told(&product, Say::Order(&inquiry))
            .map_err(|why| Fault::new(entry.code.span(), why))?;
        let department = Department {
            product,
            currency: entry.currency.to_string(),
            reply_timeout_ms: bounded(entry.reply_timeout_ms, "reply_timeout_ms", SPAN)?,
        };
        Ok(Way::Wire(Arc::new(IsoConfig { host: known.clone(), department })))
    }
}

impl Making for IsoConfig {
    fn adapter(&self, hosts: &dyn Hosts) -> Result<Box<dyn Adapter>, AdapterError> {
        Ok(Box::new(Iso8583::new(hosts.host(&self.host)?, self.department.clone())))
    }

    fn tells_currency(&self) -> bool {
        true
    }
}
