//! A switch with its store, bills and billers, all of a test's own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use billswitch::biller::book::{Row, RowReader};
use billswitch::biller::{Adapter, Reply, Signal};
use billswitch::config::{BUILT_IN, Config};
use billswitch::control::{BillerReply, Client, ControlError, Reply as Said, Request};
use billswitch::journal::{self, ledger};
use billswitch::server::{BookDesk, Extras, FreeBytes, Server, control_socket};
use billswitch::switch::{LegId, Order, Outcome, Posting, Record};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::peer::{ATMNET, Peer};

/// Everything that is waited for happens within this, or the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks of one who waits: asking without a pause keeps the switch from what is waited for.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// The biller over a wire that tests act for. Its code in the configuration.
pub const WIRED: &str = "KPWIRED";

/// `psid` of the bills every site has: 1000 due now, 1100 after 2026-11-25, none after 2026-12-25.
pub const UNPAID: &str = "7001";
pub const LATE: &str = "7002";
pub const EXPIRED: &str = "7003";
pub const PAID: &str = "7004";
pub const BLOCKED: &str = "7005";
/// The biller that has them.
pub const BOOK: &str = "KPEXCISE";

const BILLS: &str = "\
psid,name,billing_month,due_date,expiry_date,amount_within_due,amount_after_due,heads,status
7001,Ayesha Bibi,2611,2026-11-25,2026-12-25,1000,1100,B01401:300|B02372:700,U
7002,Noor Zaman,2611,2026-11-17,2026-12-25,1000,1100,B01401:300|B02372:700,U
7003,Junaid Orakzai,2611,2026-11-01,2026-11-19,1000,1100,B01401:300|B02372:700,U
7004,Haroon Wazir,2611,2026-11-25,2026-12-25,1000,1100,B01401:300|B02372:700,P
7005,Zarmina Shah,2611,2026-11-25,2026-12-25,1000,1100,B01401:300|B02372:700,B
";

pub struct Site {
    dir: TempDir,
    server: Option<Server>,
    pub address: SocketAddr,
    pub wired: Wired,
}

/// What tests change of the configuration.
#[derive(Clone, Copy)]
pub struct Setup {
    /// How long the wired biller may take.
    pub reply_timeout_ms: u32,
    /// Lines added to every link.
    pub link_lines: &'static str,
    /// Lines added to the biller that has the bills.
    pub book_lines: &'static str,
    /// Lines added to the wired biller.
    pub biller_lines: &'static str,
    pub drain_timeout_ms: u32,
    /// The table `[journal]`, with its name.
    pub journal_lines: &'static str,
    /// The profile of every link.
    pub profile: &'static str,
    /// The code of the biller that has the bills.
    pub book: &'static str,
    /// A dialect and a profile of the site's own, both called `bank`.
    pub bank: Option<(&'static str, &'static str)>,
    /// The key file of every link, beside the store as `link.keys`.
    pub link_keys: Option<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            reply_timeout_ms: 15_000,
            link_lines: "",
            book_lines: "",
            biller_lines: "",
            drain_timeout_ms: 10_000,
            journal_lines: "",
            profile: "onelink",
            book: BOOK,
            bank: None,
            link_keys: None,
        }
    }
}

impl Site {
    pub async fn open() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        Self::limited(setup, "", None).await
    }

    /// A site with lines added to `[limits]`, and on a disk that says so many bytes are free.
    pub async fn limited(setup: Setup, limits_lines: &str, free_bytes: Option<FreeBytes>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = limited(dir.path(), setup, limits_lines);
        let (store, writer) = journal::open(&config.store, &journal::Options::default()).unwrap();
        let mut desk = BookDesk::new(store, writer);
        desk.import(setup.book.parse().unwrap(), rows()).unwrap();
        drop(desk);
        let (wired, server) = start(config, free_bytes).await;
        let address = server.addresses()[0];
        Self { dir, server: Some(server), address, wired }
    }

    /// A peer of the first link, signed on.
    pub async fn atmnet(&self) -> Peer {
        Peer::signed_on(self.address, ATMNET).await
    }

    pub fn store(&self) -> std::path::PathBuf {
        self.dir.path().join("store")
    }

    /// Ends the switch as SIGTERM does, and waits until it has let go of its store.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.drain().await;
        }
        // A short `drain_timeout_ms` may pass before the store is closed.
        let lock = std::fs::File::options().write(true).open(self.store().join("lock")).unwrap();
        let let_go = async {
            while lock.try_lock().is_err() {
                pause().await;
            }
        };
        timeout(PATIENCE, let_go).await.expect("the store is to be let go");
    }

    /// What the switch says when it will not start.
    pub async fn refuses_to_start(&self) -> String {
        let config = config(self.dir.path(), Setup::default());
        match Server::start(config, Extras::default()).await {
            Ok(_) => panic!("it started"),
            Err(error) => error.to_string(),
        }
    }

    /// Ends the switch; what it has journalled.
    pub async fn journalled(&mut self) -> Vec<Record> {
        self.stop().await;
        let (store, writer) = journal::open(&self.store(), &journal::Options::default()).unwrap();
        let legs = store.legs(1).map(Result::unwrap);
        let records = legs.map(|(sequence, leg)| ledger::from_leg(sequence, &leg).unwrap()).collect();
        drop(writer);
        records
    }

    /// Ends the switch, and starts it anew on the same store.
    pub async fn restart(&mut self, setup: Setup) {
        self.stop().await;
        let (wired, server) = start(config(self.dir.path(), setup), None).await;
        self.address = server.addresses()[0];
        self.server = Some(server);
        self.wired = wired;
    }

    pub async fn drain(mut self) {
        self.server.take().unwrap().drain().await;
    }

    /// Asks over the control socket, as an operator does.
    pub async fn operator(&self, request: Request) -> Said {
        self.ask(request).await.unwrap()
    }

    /// What operators are told of the wired biller.
    pub async fn biller(&self) -> BillerReply {
        let Said::Billers(billers) = self.operator(Request::Billers).await else { panic!("billers") };
        billers.into_iter().find(|biller| biller.code.as_str() == WIRED).unwrap()
    }

    /// Waits until operators are told this of the wired biller.
    pub async fn until_biller(&self, what: &str, is: impl Fn(&BillerReply) -> bool) {
        let reached = async {
            while !is(&self.biller().await) {
                pause().await;
            }
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("due: {what}"));
    }

    /// Waits until so many alarms have been raised; more fail at once.
    pub async fn alarms(&self, want: u64) {
        let raised = async {
            loop {
                let Said::Status(status) = self.operator(Request::Status).await else { panic!("a status") };
                assert!(status.alarms <= want, "{} alarms", status.alarms);
                if status.alarms == want {
                    return;
                }
                pause().await;
            }
        };
        timeout(PATIENCE, raised).await.expect("the alarm is due");
    }

    /// What an operator is told who is refused.
    pub async fn operator_refused(&self, request: Request) -> String {
        self.ask(request).await.unwrap_err().to_string()
    }

    async fn ask(&self, request: Request) -> Result<Said, ControlError> {
        let socket = control_socket(&self.store());
        tokio::task::spawn_blocking(move || Client::connect(&socket).unwrap().ask(request)).await.unwrap()
    }
}

pub fn rows() -> Vec<Row> {
    let mut reader = RowReader::new("bills.csv", BILLS.as_bytes());
    std::iter::from_fn(|| reader.next_row()).map(Result::unwrap).collect()
}

fn config(dir: &Path, setup: Setup) -> Config {
    limited(dir, setup, "")
}

/// What a test finds does not depend on how full the machine's disk is, nor on how busy the machine is, unless it says so.
fn limits(lines: &str) -> String {
    let unless_said =
        |(key, value)| if lines.contains(key) { String::new() } else { format!("{key} = {value}\n") };
    [("queue_delay_ms", 60_000), ("disk_low_bytes", 0)].map(unless_said).concat() + lines
}

fn limited(dir: &Path, setup: Setup, limits_lines: &str) -> Config {
    let mut text = BUILT_IN
        .replace(":8583", ":0")
        .replace("profile = \"onelink\"", &format!("profile = \"{}\"\n{}", setup.profile, setup.link_lines))
        .replacen("adapter = \"book\"", &format!("adapter = \"book\"\n{}", setup.book_lines), 1)
        .replace(&format!("\"{BOOK}\""), &format!("\"{}\"", setup.book))
        .replace(
            "drain_timeout_ms = 20000",
            &format!("drain_timeout_ms = {}\n{}", setup.drain_timeout_ms, limits(limits_lines)),
        );
    if let Some((dialect, profile)) = setup.bank {
        for (folder, file) in [("dialects", dialect), ("profiles", profile)] {
            std::fs::create_dir_all(dir.join("specs").join(folder)).unwrap();
            std::fs::write(dir.join("specs").join(folder).join("bank.toml"), file).unwrap();
        }
        text = text.replace("# specs = \"specs\"", "specs = \"specs\"");
    }
    if let Some(keys) = setup.link_keys {
        let path = dir.join("link.keys");
        std::fs::write(&path, keys).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    text.push_str(&format!(
        "\n[[biller]]\ncode = \"{WIRED}\"\nname = \"Wired\"\nadapter = \"book\"\nreply_timeout_ms = {}\n{}\n",
        setup.reply_timeout_ms, setup.biller_lines
    ));
    text.push_str(setup.journal_lines);
    let mut config = Config::parse("test.toml", &text, dir).unwrap();
    config.store = dir.join("store");
    config
}

async fn start(config: Config, free_bytes: Option<FreeBytes>) -> (Wired, Server) {
    let (orders, received) = mpsc::unbounded_channel();
    let mut extras = Extras { free_bytes, ..Extras::default() };
    let scripted = Arc::new(Scripted { orders, reachable: OnceLock::new() });
    extras.adapters.insert(WIRED.parse().unwrap(), Arc::clone(&scripted) as Arc<dyn Adapter>);
    let server = Server::start(config, extras).await.unwrap();
    (Wired { orders: received, scripted }, server)
}

/// Hands every order to the test, which answers when and what it likes.
struct Scripted {
    orders: mpsc::UnboundedSender<Ordered>,
    reachable: OnceLock<Signal>,
}

impl Adapter for Scripted {
    fn start(&self, reachable: Signal) {
        let _ = self.reachable.set(reachable);
    }

    fn submit(&self, leg: LegId, order: Order, reply: Reply) {
        let _ = self.orders.send(Ordered { leg, order, reply });
    }
}

/// The biller's end of the wire.
pub struct Wired {
    orders: mpsc::UnboundedReceiver<Ordered>,
    scripted: Arc<Scripted>,
}

/// An order, to be answered.
pub struct Ordered {
    leg: LegId,
    pub order: Order,
    reply: Reply,
}

impl Wired {
    /// Says that the biller can be reached, or cannot.
    pub fn is_up(&self, up: bool) {
        self.scripted.reachable.get().unwrap()(up);
    }

    pub async fn order(&mut self) -> Ordered {
        timeout(PATIENCE, self.orders.recv()).await.expect("an order is due").unwrap()
    }

    pub async fn post(&mut self) -> Ordered {
        let ordered = self.order().await;
        assert!(matches!(ordered.order, Order::Post { .. }), "{:?}", ordered.order);
        ordered
    }

    pub async fn reverse(&mut self) -> Ordered {
        let ordered = self.order().await;
        assert!(matches!(ordered.order, Order::Reverse { .. }), "{:?}", ordered.order);
        ordered
    }

    /// Whether an order has come that nobody has looked at.
    pub fn is_idle(&mut self) -> bool {
        self.orders.try_recv().is_err()
    }
}

impl Ordered {
    pub fn answer(self, outcome: Outcome) {
        (self.reply)(self.leg, outcome);
    }

    pub fn approve(self, receipt: &str) {
        self.answer(Outcome::Posted(posting(receipt)));
    }
}

pub fn posting(receipt: &str) -> Posting {
    Posting {
        receipt: receipt.parse().unwrap(),
        authorisation: "000001".parse().unwrap(),
        at: billswitch::clock::UnixMillis(1_795_165_199_000),
        heads: Vec::new(),
    }
}
