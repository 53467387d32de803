//! TLS: only to whom the department's own authority vouches for, and otherwise not a byte of an order leaves.

use std::path::Path;

use billswitch::sim::rest::{Department, Settings, server_tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use crate::rig::{Came, Made, payment, posted};
use crate::simulated::office;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// A department whose certificate has this name, and is valid until the year.
    async fn department(&self, dir: &Path, name: &str, until: i32) -> Department {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let tls = server_tls(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            credentials: None,
            tls: Some(tls),
            faults: Vec::new(),
            seed: 1,
        };
        Department::serve(office(dir), settings).await.unwrap()
    }
}

async fn pay(department: &Department, authorities: &[u8]) -> Came {
    let url = format!("https://localhost:{}", department.address.port());
    let rig = Made { authorities: Some(authorities.to_vec()), ..Made::at(&url) }.rig();
    rig.post(&payment(5, "10010000000001", 10_000), false).await
}

#[tokio::test]
async fn a_department_is_paid_over_tls_if_its_authority_vouches_for_its_name_today() {
    let (ours, other) = (Authority::new(), Authority::new());
    let table = [
        ("vouched for", "localhost", 2090, ours.pem(), posted("V000000001", "000005")),
        (
            "by one of two",
            "localhost",
            2090,
            [other.pem(), ours.pem()].concat(),
            posted("V000000001", "000005"),
        ),
        ("by another", "localhost", 2090, other.pem(), Came::NotSent),
        ("for another name", "example.org", 2090, ours.pem(), Came::NotSent),
        ("in the past", "localhost", 2021, ours.pem(), Came::NotSent),
    ];
    for (what, name, until, authorities, want) in table {
        let dir = tempfile::tempdir().unwrap();
        let department = ours.department(dir.path(), name, until).await;
        let posted = u64::from(want != Came::NotSent);
        assert_eq!(pay(&department, &authorities).await, want, "{what}");
        let ledger = std::fs::read_to_string(dir.path().join("ledger.jsonl")).unwrap();
        assert_eq!(ledger.lines().count() as u64, posted, "{what}");
    }
}

#[tokio::test]
async fn a_department_without_tls_is_not_spoken_to_where_the_url_says_tls() {
    let dir = tempfile::tempdir().unwrap();
    let department = crate::simulated::serve(dir.path(), &[], None).await;
    assert_eq!(pay(&department, &Authority::new().pem()).await, Came::NotSent);
}

#[tokio::test]
async fn fifty_orders_at_once_each_get_their_own_answer_over_one_connection_of_http_2() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let department = authority.department(dir.path(), "localhost", 2090).await;
    let url = format!("https://localhost:{}", department.address.port());
    let rig = std::sync::Arc::new(Made { authorities: Some(authority.pem()), ..Made::at(&url) }.rig());
    let asked: Vec<_> = (0..50)
        .map(|at| {
            let rig = std::sync::Arc::clone(&rig);
            tokio::spawn(async move {
                let consumer = format!("100100000{:05}", at % 14 + 1);
                (at, rig.look_up(&consumer).await)
            })
        })
        .collect();
    let slabs = [10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000_u64];
    for task in asked {
        let (at, came) = task.await.unwrap();
        let which: usize = at % 14;
        let want = slabs[which / 2] + if which % 2 == 1 { 5 } else { 0 };
        assert!(matches!(came, Came::Found { within, .. } if within == want), "{at}: {came:?}");
    }
}
