//! Connection handling with limits on number and duration. Health checks are answered even at the limit.
//!
//! Each connection takes a slot; the number of slots per peer is limited. A connection without a slot is served only a
//! health check, and the oldest such connection is closed for the newest.

mod write_deadline;

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response, StatusCode},
    response::IntoResponse as _,
};
use futures::FutureExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use tower::ServiceExt as _;

use self::write_deadline::WriteDeadline;
use super::{response::HttpProblem, routes};

/// The maximum lifetime of a connection.
const LONGEST: Duration = Duration::from_mins(10);
/// The time limit for responses in progress at shutdown.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// The wait after a failed accept, for example with too many open files.
const PAUSE: Duration = Duration::from_millis(200);
/// The `Retry-After` of connections without a slot.
const FULL: Duration = Duration::from_secs(5);

/// The limits of connections.
#[derive(Clone, Debug)]
pub(super) struct ConnectionLimits {
    /// Maximum number of connections that are served fully.
    slots: usize,
    /// Maximum number of these per peer: an IPv4 address or an IPv6 /64 network.
    slots_each: usize,
    /// Networks of proxies, which have no limit per peer.
    shared: Vec<IpNet>,
    /// Maximum number of connections without a slot.
    waiting: usize,
    /// Timeout for the headers of a request and for idle connections.
    headers: Duration,
    /// The same timeout for connections without a slot.
    headers_waiting: Duration,
    /// Timeout for a peer to accept sent data.
    write: Duration,
}

impl ConnectionLimits {
    /// The default limits, with proxies in the networks of `shared`.
    pub(super) fn new(shared: Vec<IpNet>) -> Self {
        Self {
            slots: 512,
            slots_each: 128,
            shared,
            waiting: 64,
            headers: Duration::from_secs(15),
            headers_waiting: Duration::from_secs(3),
            write: Duration::from_secs(20),
        }
    }
}

/// Serves `router` on `listener` within `limits` until `stopped` is true.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    mut stopped: watch::Receiver<bool>,
) {
    let slots = Arc::new(ConnectionSlots::default());
    let mut connections = JoinSet::new();
    let mut waiting: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = is_true(&mut stopped) => break,
        };
        let slot = slots.take(&limits, peer.ip());
        let has_slot = slot.is_some();
        let handle = connections.spawn(connection(stream, peer, router.clone(), slot, limits.clone(), stopped.clone()));
        if !has_slot {
            waiting.retain(|handle| !handle.is_finished());
            if waiting.len() >= limits.waiting
                && let Some(oldest) = waiting.pop_front()
            {
                oldest.abort();
            }
            waiting.push_back(handle);
        }
        while connections.join_next().now_or_never().flatten().is_some() {}
    }
    drop(listener);
    // Dropping the set aborts the remaining connections.
    let _ = timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
}

/// Completes when `signal` is true or its sender is dropped.
pub(super) async fn is_true(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|is_true| *is_true).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// The slots in use, by peer.
#[derive(Debug, Default)]
struct ConnectionSlots(Mutex<HashMap<IpAddr, usize>>);

impl ConnectionSlots {
    /// Takes a slot for `peer`, if available.
    fn take(self: &Arc<Self>, limits: &ConnectionLimits, peer: IpAddr) -> Option<ConnectionSlot> {
        let peer = peer.to_canonical();
        let is_shared = limits.shared.iter().any(|network| network.contains(&peer));
        let peer = counted_as(peer);
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (used.values().sum::<usize>(), used.get(&peer).copied().unwrap_or_default());
        if all >= limits.slots || (own >= limits.slots_each && !is_shared) {
            return None;
        }
        used.insert(peer, own + 1);
        Some(ConnectionSlot { slots: Arc::clone(self), peer })
    }
}

/// The address that counts as the peer: for IPv6 the /64 network, which belongs to one host.
fn counted_as(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// A slot in use; released when dropped.
#[derive(Debug)]
struct ConnectionSlot {
    slots: Arc<ConnectionSlots>,
    peer: IpAddr,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut used = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = used.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                used.remove(&self.peer);
            }
        }
    }
}

/// Serves one connection: fully with a `slot`, else one health check.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    slot: Option<ConnectionSlot>,
    limits: ConnectionLimits,
    mut stopped: watch::Receiver<bool>,
) {
    let has_slot = slot.is_some();
    let headers = if has_slot { limits.headers } else { limits.headers_waiting };
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        respond(router.clone(), request, has_slot)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers)
        .keep_alive(has_slot)
        .serve_connection(TokioIo::new(WriteDeadline::new(stream, limits.write)), service);
    let mut connection = std::pin::pin!(connection);
    let longest = if has_slot { LONGEST } else { limits.headers_waiting + FULL };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = sleep(longest) => None,
        () = is_true(&mut stopped) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        timeout(headers, connection).await.unwrap_or(Ok(()))
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, "a connection ended early: {error}");
    }
    drop(slot);
}

async fn respond(router: Router, request: Request<Body>, has_slot: bool) -> Result<Response<Body>, Infallible> {
    if has_slot || routes::is_health(request.uri().path()) {
        return router.oneshot(request).await;
    }
    let full = HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, "too many connections").after(FULL);
    Ok(full.into_response())
}

#[cfg(test)]
mod tests;
