//! Listeners that break off, at each point of an exchange. Nothing that may have left is ever called not sent.

use std::net::SocketAddr;
use std::time::Duration;

use billswitch::switch::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::rig::{Came, Made, Rig, payment, posted};

/// Serves each connection with `serve`.
async fn listener<F, Fut>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads a whole request.
async fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if read.len() >= end + 4 + length {
                return read;
            }
        }
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return read;
        }
    }
}

/// Answers each request with these bytes, and closes.
async fn answering(bytes: impl Into<Vec<u8>>) -> Rig {
    let bytes = bytes.into();
    let serve = move |mut stream: TcpStream| {
        let bytes = bytes.clone();
        async move {
            request(&mut stream).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    };
    Rig::at(&format!("http://{}", listener(serve).await))
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

const JSON: &str = "Content-Type: application/json\r\n";
const POSTED: &str = "{\"response_Code\":\"00\",\"Identification_parameter\":\"R1\"}";

async fn pay(rig: &Rig) -> Came {
    rig.post(&payment(5, "1001", 10_000), false).await
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    // Bound, so that it is nobody else's, and never listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let rig = Rig::at(&format!("http://{address}"));
    assert_eq!(pay(&rig).await, Came::NotSent);
    assert_eq!(rig.look_up("1001").await, Came::NotSent);
    assert_eq!(rig.last_error(), "no connection");
}

#[tokio::test]
async fn to_a_name_that_nobody_has_nothing_was_sent() {
    // Longer than a part of a name may be: no resolver can have an answer.
    let nobody = format!("http://{}.invalid", "department".repeat(7));
    assert_eq!(pay(&Rig::at(&nobody)).await, Came::NotSent);
}

#[tokio::test]
async fn a_connection_that_ends_before_in_or_after_the_request_leaves_it_in_doubt() {
    for bytes_read in [0, 1, 20, 200, usize::MAX] {
        let serve = move |mut stream: TcpStream| async move {
            let mut read = vec![0; bytes_read.min(200)];
            if bytes_read == usize::MAX {
                request(&mut stream).await;
            } else {
                let _ = stream.read_exact(&mut read).await;
            }
            // Unread data makes this a reset.
        };
        let rig = Rig::at(&format!("http://{}", listener(serve).await));
        assert_eq!(pay(&rig).await, Came::Unknown, "{bytes_read} bytes read");
    }
}

#[tokio::test]
async fn an_answer_that_ends_anywhere_before_its_end_leaves_it_in_doubt() {
    let whole = response("200 OK", JSON, POSTED);
    for end in (0..whole.len()).step_by(7) {
        let rig = answering(&whole.as_bytes()[..end]).await;
        assert_eq!(pay(&rig).await, Came::Unknown, "cut after {end}");
    }
    assert_eq!(pay(&answering(whole).await).await, posted("R1", "000005"));
}

#[tokio::test]
async fn only_a_whole_answer_of_the_contracts_type_and_size_is_read() {
    let padded = format!("{{\"pad\":\"{}\",{}", "x".repeat(65_000), &POSTED[1..]);
    let too_large = format!("{{\"pad\":\"{}\",{}", "x".repeat(66_000), &POSTED[1..]);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{too_large}\r\n0\r\n\r\n",
        too_large.len()
    );
    let table = [
        ("plain", response("200 OK", JSON, POSTED), posted("R1", "000005")),
        (
            "with a character set",
            response("200 OK", "Content-Type: Application/JSON; charset=utf-8\r\n", POSTED),
            posted("R1", "000005"),
        ),
        ("64 KB", response("200 OK", JSON, &padded), posted("R1", "000005")),
        ("more", response("200 OK", JSON, &too_large), Came::Unknown),
        ("more, in chunks", chunked, Came::Unknown),
        ("a page", response("200 OK", "Content-Type: text/html\r\n", POSTED), Came::Unknown),
        ("no type", response("200 OK", "", POSTED), Came::Unknown),
        ("nothing", response("200 OK", JSON, ""), Came::Unknown),
        ("not HTTP", "00 posted\r\n\r\n".to_owned(), Came::Unknown),
    ];
    for (what, bytes, want) in table {
        assert_eq!(pay(&answering(bytes).await).await, want, "{what}");
    }
}

#[tokio::test]
async fn no_status_but_401_proves_that_nothing_was_posted_and_none_does_of_a_repeat() {
    let refused = Came::Declined(Reason::BillerUnavailable);
    for (status, want) in [
        ("400 Bad Request", Came::Unknown),
        ("401 Unauthorized", refused),
        ("403 Forbidden", Came::Unknown),
        ("404 Not Found", Came::Unknown),
        ("500 Internal Server Error", Came::Unknown),
        ("204 No Content", Came::Unknown),
        ("302 Found", Came::Unknown),
        ("504 Gateway Timeout", Came::Unknown),
    ] {
        let rig = answering(response(status, &format!("{JSON}Location: /elsewhere\r\n"), POSTED)).await;
        assert_eq!(pay(&rig).await, want, "{status}");
        assert_eq!(rig.post(&payment(5, "1001", 10_000), true).await, Came::Unknown, "{status}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_costs_nothing() {
    // Each connection serves one request, and says nothing of its end beforehand.
    let serve = |mut stream: TcpStream| async move {
        request(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {}\r\n\r\n{POSTED}", POSTED.len());
        let _ = stream.write_all(answer.as_bytes()).await;
    };
    let rig = Rig::at(&format!("http://{}", listener(serve).await));
    for _ in 0..20 {
        let came = pay(&rig).await;
        // Found closed in time or not: never called not sent, and never posted without its answer.
        assert!(came == posted("R1", "000005") || came == Came::Unknown, "{came:?}");
    }
}

#[tokio::test]
async fn one_that_never_answers_is_let_go_and_one_that_never_shakes_hands_was_not_sent_to() {
    let hold = |mut stream: TcpStream| async move {
        let mut sink = Vec::new();
        let _ = stream.read_to_end(&mut sink).await;
    };
    let address = listener(hold).await;
    let brief = Duration::from_millis(200);
    let silent = Made { answer_timeout: brief, ..Made::at(&format!("http://{address}")) };
    assert_eq!(pay(&silent.rig()).await, Came::Silence);
    let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let shy = Made {
        connect_timeout: brief,
        authorities: Some(authority.into_bytes()),
        ..Made::at(&format!("https://localhost:{}", address.port()))
    };
    assert_eq!(pay(&shy.rig()).await, Came::NotSent);
}
