//! Requests that are too large, too slow or too many do not affect other clients.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use testbed::serve_rig::{PATIENCE, Served};

const NOW: &str = "2025-11-20T06:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_rejected() {
    let served = Served::start(NOW, "").await;
    let body = vec![b'x'; 64 * 1024];
    let response = served.client.post(served.url("/api/v1/audit")).body(body).send().await.unwrap();
    assert_eq!(response.status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_do_not_block_others() {
    let served = Served::start(NOW, "").await;
    let mut dawdlers = Vec::new();
    for _ in 0..100 {
        let mut dawdler = TcpStream::connect(served.address()).await.unwrap();
        dawdler.write_all(b"GET /api/v1/report HTTP/1.1\r\nHost: local").await.unwrap();
        dawdlers.push(dawdler);
    }
    let response = timeout(Duration::from_secs(10), served.get("/api/v1/report")).await.expect("in time");
    assert_eq!(response.status(), 200);
    // The connection is closed after the timeout of headers.
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, dawdlers[0].read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_numerous_headers_are_rejected() {
    let served = Served::start(NOW, "").await;
    for headers in [format!("X-Long: {}\r\n", "x".repeat(1024 * 1024)), "X-Many: x\r\n".repeat(2_000)] {
        let mut connection = TcpStream::connect(served.address()).await.unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        // The connection may be closed while the request is being sent.
        let _ = connection.write_all(request.as_bytes()).await;
        let mut response = Vec::new();
        let _ = timeout(PATIENCE, connection.read_to_end(&mut response)).await.expect("an end");
        assert!(!response.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&response));
    }
    assert_eq!(served.get("/healthz").await.status(), 200);
}
