//! Every response code of the three networks' tables, to an inquiry, a payment and a reversal.

use serde_json::json;

use super::stand::{Bills, Department, FEES, GAS, POWER, Stand, WATER};
use crate::support::bills::Bill;

/// What becomes of a payment that its host answers so, by the bank's DE 39 and the state it ends in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Paid {
    /// Refused for certain: told so, and over.
    Refused(&'static str),
    /// Nobody can tell: 68, and undone at the host.
    Doubt,
    /// Said to be there already, and never told before: 68, and people find out.
    Contested,
}

/// What becomes of a reversal that its host answers so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Undone {
    /// Done, or done before.
    Done,
    /// Not understood, or not now: told again until it is done.
    Again,
    /// Refused: the payment stands, and people are told.
    Stands,
}

use Paid::{Contested, Doubt, Refused};
use Undone::{Again, Done, Stands};

/// Code, DE 39 of an inquiry answered so, and what it means of a payment and of a reversal.
type Row = (&'static str, &'static str, Paid, Undone);

/// What the aggregator says. 03, 21, 48, 89, 94 and 96 do not say that nothing was posted.
const EBIPP: [Row; 18] = [
    ("03", "91", Doubt, Again),
    ("12", "91", Doubt, Stands),
    ("21", "91", Doubt, Again),
    ("30", "92", Refused("92"), Again),
    ("48", "91", Doubt, Again),
    ("54", "21", Refused("21"), Again),
    ("59", "13", Refused("13"), Again),
    ("68", "54", Refused("54"), Again),
    ("74", "62", Refused("62"), Again),
    ("81", "91", Refused("91"), Again),
    ("88", "25", Refused("25"), Again),
    ("89", "91", Doubt, Again),
    ("90", "91", Refused("91"), Again),
    ("91", "91", Refused("96"), Again),
    ("92", "25", Refused("25"), Again),
    ("94", "91", Contested, Done),
    ("96", "91", Doubt, Again),
    // In no table.
    ("77", "91", Doubt, Again),
];

const PLN: [Row; 15] = [
    ("0005", "91", Doubt, Again),
    ("0012", "91", Doubt, Stands),
    ("0013", "91", Refused("13"), Again),
    ("0014", "25", Refused("25"), Again),
    ("0016", "62", Refused("62"), Again),
    ("0030", "91", Refused("96"), Again),
    ("0033", "92", Refused("92"), Again),
    ("0063", "25", Doubt, Again),
    ("0068", "91", Doubt, Again),
    ("0088", "21", Refused("21"), Again),
    ("0089", "25", Refused("25"), Again),
    ("0090", "91", Refused("91"), Again),
    ("0094", "91", Doubt, Done),
    ("0097", "91", Refused("96"), Again),
    ("0077", "91", Doubt, Again),
];

/// 10 and up differ from ISO 8583:1987's.
const ONELINK: [Row; 20] = [
    ("10", "91", Contested, Again),
    ("13", "91", Refused("13"), Again),
    ("21", "21", Refused("21"), Stands),
    ("25", "25", Refused("25"), Again),
    ("30", "91", Refused("96"), Again),
    ("34", "91", Doubt, Again),
    ("35", "91", Doubt, Done),
    ("37", "91", Doubt, Again),
    ("54", "54", Refused("54"), Again),
    ("58", "91", Doubt, Again),
    ("62", "62", Refused("62"), Again),
    ("68", "91", Doubt, Again),
    ("80", "91", Refused("96"), Again),
    ("90", "91", Refused("91"), Again),
    ("91", "91", Refused("91"), Again),
    ("92", "92", Refused("92"), Again),
    ("96", "91", Doubt, Again),
    ("98", "91", Doubt, Again),
    ("99", "91", Doubt, Again),
    ("ZZ", "91", Doubt, Again),
];

struct Case {
    of: (&'static Department, Row),
    /// Bills whose inquiry, payment and reversal are answered so.
    bills: [Bill; 3],
}

fn cases(bills: &mut Bills) -> Vec<Case> {
    let networks: [(&'static Department, &[Row]); 4] =
        [(&WATER, &EBIPP), (&POWER, &PLN), (&FEES, &PLN), (&GAS, &ONELINK)];
    let mut cases = Vec::new();
    for (department, rows) in networks {
        for row in rows {
            let code = row.0;
            // A host that says it is undone has undone it.
            let reversal = if row.3 == Done { format!("do ={code}") } else { format!("={code}") };
            let payment = json!({ "payment": [format!("={code}")] });
            cases.push(Case {
                of: (department, *row),
                bills: [
                    bills.add(department, &json!({ "inquiry": [format!("={code}")] })),
                    bills.add(department, &payment),
                    bills.add(department, &json!({ "reversal": [reversal] })),
                ],
            });
        }
    }
    cases
}

#[test]
fn every_code_of_the_networks_tables_is_told_and_booked_for_what_it_says() {
    let mut bills = Bills::default();
    let cases = cases(&mut bills);
    let Some(mut stand) = Stand::open(&bills, 5000) else { return };
    let mut ends = Vec::new();
    for Case { of, bills: [asked, paid, given_back] } in &cases {
        let (department, (code, found, ..)) = of;
        assert_eq!(stand.inquire(asked).code(), *found, "{} {code}: inquiry", department.code);
        let (paid, told) = stand.pay(paid);
        let (given_back, approved) = stand.pay(given_back);
        assert_eq!(approved.code(), "00", "{} {code}: a payment that goes well", department.code);
        stand.take_back(&given_back);
        ends.push((paid, told.code(), given_back));
    }
    for (Case { of: (department, row), .. }, (paid, told, given_back)) in cases.iter().zip(ends) {
        let (code, _, payment, reversal) = *row;
        let about = format!("{} {code}", department.code);
        let want = match payment {
            Refused(code) => (code, "declined"),
            Doubt => ("68", "reversed"),
            Contested => ("68", "exception"),
        };
        assert_eq!((told.as_str(), stand.state(&paid).as_str()), want, "{about}: payment");
        let want = match reversal {
            Done | Again => ("reversed", 1),
            Stands => ("exception", 0),
        };
        let is = (stand.state(&given_back), stand.held(&given_back.bill).undone);
        assert_eq!((is.0.as_str(), is.1), want, "{about}: reversal");
    }
    stand.agree();
}
