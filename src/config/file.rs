//! The configuration file as it is written.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::rules::RulesTable;
use super::settlement::HeadKinds;
use super::{SecondConnection, TotalsWay};
use crate::ids::{BillerCode, BusinessDate, LinkName, Short};
use crate::switch::InDoubt;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) store: PathBuf,
    pub(super) business_date: Option<BusinessDate>,
    pub(super) time_zone: Spanned<String>,
    pub(super) specs: Option<PathBuf>,
    pub(super) vault: Spanned<VaultTable>,
    pub(super) deadlines: DeadlinesTable,
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) journal: JournalTable,
    #[serde(default)]
    pub(super) link: Vec<Spanned<LinkTable>>,
    #[serde(default)]
    pub(super) host: Vec<Spanned<HostTable>>,
    #[serde(default)]
    pub(super) biller: Vec<Spanned<BillerTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VaultTable {
    pub(super) key_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) create_key_file: bool,
    pub(super) credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadlinesTable {
    pub(super) terminal_ms: Spanned<u32>,
    pub(super) acquirer_ms: Spanned<u32>,
    pub(super) switch_ms: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    pub(super) queue_max: Spanned<u32>,
    pub(super) connections_max: Spanned<u32>,
    pub(super) drain_timeout_ms: Spanned<u32>,
    #[serde(default = "queue_delay_ms")]
    pub(super) queue_delay_ms: Spanned<u32>,
    #[serde(default = "disk_low_bytes")]
    pub(super) disk_low_bytes: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalTable {
    #[serde(default = "working_legs_max")]
    pub(super) working_legs_max: Spanned<u32>,
    #[serde(default = "segment_legs_max")]
    pub(super) segment_legs_max: Spanned<u32>,
}

impl Default for JournalTable {
    fn default() -> Self {
        Self { working_legs_max: working_legs_max(), segment_legs_max: segment_legs_max() }
    }
}

/// Declares the values that keys have when they are left out.
macro_rules! defaults {
    ($($name:ident = $value:expr;)*) => {
        $(fn $name() -> Spanned<u32> { Spanned::new(0..0, $value) })*
    };
}

defaults! {
    queue_delay_ms = 1000;
    disk_low_bytes = 512 << 20;
    frame_bytes_max = 4096;
    frame_timeout_ms = 10_000;
    write_timeout_ms = 10_000;
    echo_timeout_ms = 10_000;
    totals_wait_ms = 600_000;
    totals_retry_ms = 10_000;
    idle_timeout_ms = 600_000;
    in_flight_max = 1024;
    waiting_max = 512;
    unanswerable_max = 10;
    link_connections_max = 8;
    window_ms = 300_000;
    reply_timeout_ms = 20_000;
    biller_in_flight_max = 256;
    breaker_failures = 5;
    breaker_pause_ms = 5_000;
    retry_ms = 5_000;
    attempts_max = 20;
    host_connections = 1;
    host_queue_max = 256;
    host_connect_timeout_ms = 5_000;
    sign_on_timeout_ms = 10_000;
    host_idle_echo_ms = 60_000;
    reconnect_ms = 500;
    reconnect_max_ms = 30_000;
    working_legs_max = 1_000_000;
    segment_legs_max = 250_000;
    forward_age_max_ms = 86_400_000;
    forward_in_flight_max = 32;
    forward_per_second = 100;
    in_doubt_max = 50_000;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkTable {
    pub(super) name: Spanned<LinkName>,
    pub(super) listen: SocketAddr,
    pub(super) peer: Option<IpAddr>,
    pub(super) profile: Spanned<String>,
    pub(super) framing: Option<Spanned<String>>,
    #[serde(default = "frame_bytes_max")]
    pub(super) frame_bytes_max: Spanned<u32>,
    #[serde(default = "frame_timeout_ms")]
    pub(super) frame_timeout_ms: Spanned<u32>,
    #[serde(default = "write_timeout_ms")]
    pub(super) write_timeout_ms: Spanned<u32>,
    pub(super) idle_echo_ms: Option<Spanned<u32>>,
    #[serde(default = "echo_timeout_ms")]
    pub(super) echo_timeout_ms: Spanned<u32>,
    #[serde(default = "idle_timeout_ms")]
    pub(super) idle_timeout_ms: Spanned<u32>,
    #[serde(default = "in_flight_max")]
    pub(super) in_flight_max: Spanned<u32>,
    #[serde(default = "waiting_max")]
    pub(super) waiting_max: Spanned<u32>,
    #[serde(default = "unanswerable_max")]
    pub(super) unanswerable_max: Spanned<u32>,
    #[serde(default = "link_connections_max")]
    pub(super) connections_max: Spanned<u32>,
    #[serde(default)]
    pub(super) second_connection: SecondConnection,
    pub(super) totals: Option<Spanned<TotalsWay>>,
    #[serde(default = "totals_wait_ms")]
    pub(super) totals_wait_ms: Spanned<u32>,
    #[serde(default = "totals_retry_ms")]
    pub(super) totals_retry_ms: Spanned<u32>,
    pub(super) mac: Option<Spanned<MacTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MacTable {
    pub(super) key_file: PathBuf,
    #[serde(default = "window_ms")]
    pub(super) window_ms: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BillerTable {
    pub(super) code: Spanned<BillerCode>,
    pub(super) name: String,
    pub(super) adapter: Spanned<String>,
    #[serde(default = "rupees")]
    pub(super) currency: Short<3>,
    pub(super) surcharge_head: Option<Short<16>>,
    pub(super) settlement_account: Option<Spanned<Short<34>>>,
    pub(super) head_kinds: Option<HeadKinds>,
    pub(super) rules: Option<Spanned<RulesTable>>,
    #[serde(default = "reply_timeout_ms")]
    pub(super) reply_timeout_ms: Spanned<u32>,
    pub(super) reversible: Option<Spanned<bool>>,
    pub(super) partly_reversible: Option<Spanned<bool>>,
    pub(super) in_doubt: Option<Spanned<InDoubt>>,
    #[serde(default = "retry_ms")]
    pub(super) retry_ms: Spanned<u32>,
    #[serde(default = "attempts_max")]
    pub(super) attempts_max: Spanned<u32>,
    #[serde(default = "forward_age_max_ms")]
    pub(super) forward_age_max_ms: Spanned<u32>,
    #[serde(default = "forward_in_flight_max")]
    pub(super) forward_in_flight_max: Spanned<u32>,
    #[serde(default = "forward_per_second")]
    pub(super) forward_per_second: Spanned<u32>,
    #[serde(default = "in_doubt_max")]
    pub(super) in_doubt_max: Spanned<u32>,
    #[serde(default = "biller_in_flight_max")]
    pub(super) in_flight_max: Spanned<u32>,
    #[serde(default = "breaker_failures")]
    pub(super) breaker_failures: Spanned<u32>,
    #[serde(default = "breaker_pause_ms")]
    pub(super) breaker_pause_ms: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostTable {
    pub(super) name: Spanned<LinkName>,
    pub(super) address: Spanned<String>,
    pub(super) source: Option<IpAddr>,
    pub(super) profile: Spanned<String>,
    pub(super) framing: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) own: BTreeMap<Spanned<String>, String>,
    pub(super) mac: Option<Spanned<MacTable>>,
    #[serde(default = "host_connections")]
    pub(super) connections: Spanned<u32>,
    #[serde(default = "host_queue_max")]
    pub(super) queue_max: Spanned<u32>,
    #[serde(default = "host_connect_timeout_ms")]
    pub(super) connect_timeout_ms: Spanned<u32>,
    #[serde(default = "sign_on_timeout_ms")]
    pub(super) sign_on_timeout_ms: Spanned<u32>,
    #[serde(default = "host_idle_echo_ms")]
    pub(super) idle_echo_ms: Spanned<u32>,
    #[serde(default = "echo_timeout_ms")]
    pub(super) echo_timeout_ms: Spanned<u32>,
    #[serde(default = "reconnect_ms")]
    pub(super) reconnect_ms: Spanned<u32>,
    #[serde(default = "reconnect_max_ms")]
    pub(super) reconnect_max_ms: Spanned<u32>,
    #[serde(default = "frame_bytes_max")]
    pub(super) frame_bytes_max: Spanned<u32>,
    #[serde(default = "frame_timeout_ms")]
    pub(super) frame_timeout_ms: Spanned<u32>,
    #[serde(default = "write_timeout_ms")]
    pub(super) write_timeout_ms: Spanned<u32>,
}

/// 586 is the Pakistani rupee in ISO 4217.
fn rupees() -> Short<3> {
    Short::new(b"586").unwrap_or_default()
}
