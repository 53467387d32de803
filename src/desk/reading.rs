//! From a decoded message to what the switch is asked.

use bytes::Bytes;

use crate::ids::{LinkName, Rrn};
use crate::iso8583::Decoded;
use crate::profile::{Profile, Unanswerable};
use crate::switch::{Ask, AskId, Digest, Evidence, Stray};
use crate::vault::Vault;

/// The request in a message, with the part of it that may be kept. Its number is given when it is taken in.
///
/// # Errors
///
/// [`Unanswerable`] if nobody could be answered.
pub fn read(
    profile: &Profile,
    vault: &Vault,
    link: LinkName,
    decoded: &Decoded<'_, '_>,
) -> Result<Ask, Unanswerable> {
    let digest = |fields: &mut dyn Iterator<Item = (u8, &[u8])>| Digest(vault.digest(fields));
    let parsed = profile.request(decoded, link, digest)?;
    // Twelve characters of something else may be most of a card number; six digits of a STAN are not.
    let rrn = if decoded.may_be_misread() { Rrn::EMPTY } else { parsed.rrn };
    Ok(Ask {
        id: AskId(0),
        link,
        mti: parsed.mti.as_str().parse().unwrap_or_default(),
        stan: parsed.stan,
        rrn,
        request: parsed.request,
        evidence: evidence(profile, vault, decoded),
        stale: false,
    })
}

/// An answer that nobody asked for, with the part of it that may be kept.
#[must_use]
pub fn stray(profile: &Profile, vault: &Vault, link: LinkName, decoded: &Decoded<'_, '_>) -> Stray {
    let message = &decoded.message;
    let (stan, rrn) = profile.trace_of(message);
    Stray {
        link,
        mti: message.mti().as_str().parse().unwrap_or_default(),
        stan,
        // As above.
        rrn: if decoded.may_be_misread() { Rrn::EMPTY } else { rrn },
        evidence: evidence(profile, vault, decoded),
    }
}

/// What may be kept of a message. A key, though it is encrypted, is no evidence of anything.
fn evidence(profile: &Profile, vault: &Vault, decoded: &Decoded<'_, '_>) -> Evidence {
    let key = profile.brings_key(&decoded.message);
    Evidence(if key { Bytes::new() } else { vault.evidence(profile.dialect(), decoded) })
}
