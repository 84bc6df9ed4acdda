//! Denial of service by connections: health checks and other clients are still served.

use std::time::Instant;

use axum::{body::Bytes, routing::get};
use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    task::JoinHandle,
};

use super::*;

const LARGE: usize = 32 * 1024 * 1024;
const HALF: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: local";
const UNREAD: &[u8] = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// Far less than until a slot is released, and more than a busy machine takes.
const PROMPT: Duration = Duration::from_secs(5);

/// A server with a page larger than the buffers of a connection.
struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let large = Bytes::from(vec![b'x'; LARGE]);
        let router = Router::new()
            .route("/large", get(move || async move { large }))
            .route("/small", get(|| async { "small" }))
            .route("/healthz", get(|| async { "ok" }));
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, router, limits, stopped));
        Self { address, stop, serving }
    }

    /// Opens connections from `from` that send `request` and do not read.
    async fn attack(&self, from: &str, count: usize, request: &[u8]) -> Vec<TcpStream> {
        let connect = async || {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
            let mut stream = socket.connect(self.address).await.unwrap();
            // The connection may already be closed.
            let _ = stream.write_all(request).await;
            stream
        };
        join_all((0..count).map(|_| connect())).await
    }

    /// The status line of the response to a request for `path` from `from`.
    async fn status(&self, from: &str, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut stream = self.attack(from, 1, request.as_bytes()).await.remove(0);
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response).await;
        response.lines().next().unwrap_or_default().to_owned()
    }

    /// The duration of the slowest of several health checks.
    async fn health(&self, from: &str) -> Duration {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let begun = Instant::now();
            assert_eq!(self.status(from, "/healthz").await, "HTTP/1.1 200 OK");
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        timeout(Duration::from_mins(1), self.serving).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_answered_within_a_second_while_540_connections_read_nothing() {
    let server = Server::start(ConnectionLimits::new(Vec::new())).await;
    let unread = server.attack("127.0.0.1", 540, UNREAD).await;
    for from in ["127.0.0.1", "127.0.0.2"] {
        // Retries, because the test machine may be busy.
        let mut slowest = server.health(from).await;
        for _ in 0..4 {
            slowest = slowest.min(server.health(from).await);
        }
        assert!(slowest < PROMPT, "{from}: {slowest:?}");
    }
    assert_eq!(server.status("127.0.0.2", "/small").await, "HTTP/1.1 200 OK", "other peers keep their slots");
    assert_eq!(server.status("127.0.0.1", "/small").await, "HTTP/1.1 503 Service Unavailable");
    drop(unread);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_answered_promptly_while_1500_requests_are_half_sent() {
    let server = Server::start(ConnectionLimits::new(Vec::new())).await;
    let mut half = Vec::new();
    for _ in 0..15 {
        half.extend(server.attack("127.0.0.1", 100, HALF).await);
        let slowest = server.health("127.0.0.1").await;
        assert!(slowest < PROMPT, "{slowest:?}");
    }
    assert_eq!(server.status("127.0.0.2", "/small").await, "HTTP/1.1 200 OK");
    drop(half);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_answered_when_many_peers_hold_every_slot() {
    let server = Server::start(ConnectionLimits::new(Vec::new())).await;
    let mut held = Vec::new();
    for peer in 1..=6 {
        held.extend(server.attack(&format!("127.0.0.{peer}"), 100, UNREAD).await);
    }
    let slowest = server.health("127.0.0.9").await;
    assert!(slowest < PROMPT, "{slowest:?}");
    assert_eq!(server.status("127.0.0.9", "/small").await, "HTTP/1.1 503 Service Unavailable");
    drop(held);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_released_after_the_write_deadline() {
    let limits = ConnectionLimits { slots: 4, write: Duration::from_millis(300), ..ConnectionLimits::new(Vec::new()) };
    let server = Server::start(limits).await;
    let unread = server.attack("127.0.0.1", 4, UNREAD).await;
    let begun = Instant::now();
    while server.status("127.0.0.1", "/small").await != "HTTP/1.1 200 OK" {
        assert!(begun.elapsed() < Duration::from_secs(20), "no slot was released");
        sleep(Duration::from_millis(20)).await;
    }
    drop(unread);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_has_no_limit_per_peer() {
    let limits = ConnectionLimits { slots_each: 2, ..ConnectionLimits::new(vec!["127.0.0.1/32".parse().unwrap()]) };
    let server = Server::start(limits).await;
    let held = [server.attack("127.0.0.1", 20, HALF).await, server.attack("127.0.0.2", 20, HALF).await];
    assert_eq!(server.status("127.0.0.1", "/small").await, "HTTP/1.1 200 OK");
    assert_eq!(server.status("127.0.0.2", "/small").await, "HTTP/1.1 503 Service Unavailable");
    drop(held);
    server.stop().await;
}

#[test]
fn an_ipv6_network_counts_as_one_peer() {
    let limits = ConnectionLimits { slots_each: 2, ..ConnectionLimits::new(Vec::new()) };
    let slots = Arc::new(ConnectionSlots::default());
    let take = |peer: &str| slots.take(&limits, peer.parse().unwrap());
    let held = [take("2001:db8::1"), take("2001:db8::2"), take("192.0.2.1"), take("::ffff:192.0.2.1")];
    assert!(held.iter().all(Option::is_some));
    assert!(take("2001:db8::3").is_none() && take("192.0.2.1").is_none());
    assert!(take("2001:db8:0:1::1").is_some() && take("192.0.2.2").is_some());
    drop(held);
    assert!(take("2001:db8::3").is_some() && slots.0.lock().unwrap().is_empty());
}
