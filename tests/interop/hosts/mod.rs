//! Departments' hosts in Python (`host.py`) that share nothing with us but their networks' descriptions: each keeps a ledger of its
//! own, and in the end banks, switch, journal and hosts must say the same of every payment.

mod codes;
mod macs;
mod quirks;
mod stand;
