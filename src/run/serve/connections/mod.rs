//! The connections: a bounded number of them, each with a bounded time, and health checks answered even when all are
//! taken.
//!
//! A connection takes a slot, of which one peer gets only so many. Whoever finds none waits nowhere: it is answered only
//! whether the service lives, in the order of arrival, and the oldest such connection makes room for the newest.

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

use super::{answer::Problem, progress::WriteDeadline, routes};

/// The longest a connection may be open.
const LONGEST: Duration = Duration::from_mins(10);
/// How long what is being answered may take when it is time to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be taken, as there are too many open files.
const PAUSE: Duration = Duration::from_millis(200);
/// When to ask again, if there is no slot.
const FULL: Duration = Duration::from_secs(5);

/// How many connections there may be, and how long each may take over what.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Connections that are answered in full.
    slots: usize,
    /// Of these, how many one peer may have: an IPv4 address, or a network of 64 bits of IPv6.
    slots_each: usize,
    /// The networks in which a proxy brings the requests of many, and has no such limit.
    shared: Vec<IpNet>,
    /// Further connections, of which only health checks are answered.
    waiting: usize,
    /// How long the headers of a request may take, and how long a connection may be idle.
    headers: Duration,
    /// The same without a slot.
    headers_waiting: Duration,
    /// How long a peer may take to accept what is sent to it, before it has to have accepted some.
    write: Duration,
}

impl Limits {
    /// The limits where peers in the networks of `shared` are proxies.
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

/// Answers by `router` whoever connects to `listener`, within `limits`, until `stopped` comes true.
pub(super) async fn answer(listener: TcpListener, router: Router, limits: Limits, mut stopped: watch::Receiver<bool>) {
    let slots = Arc::new(Slots::default());
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
    // What takes longer is cut off when the set is dropped.
    let _ = timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
}

/// Completes when `signal` is true, or when its sender is gone.
pub(super) async fn is_true(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|is_true| *is_true).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("a connection could not be taken: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// The slots in use, by peer.
#[derive(Debug, Default)]
struct Slots(Mutex<HashMap<IpAddr, usize>>);

impl Slots {
    /// A slot for `peer`, if one is left for it.
    fn take(self: &Arc<Self>, limits: &Limits, peer: IpAddr) -> Option<Slot> {
        let peer = peer.to_canonical();
        let is_shared = limits.shared.iter().any(|network| network.contains(&peer));
        let peer = counted_as(peer);
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (used.values().sum::<usize>(), used.get(&peer).copied().unwrap_or_default());
        if all >= limits.slots || (own >= limits.slots_each && !is_shared) {
            return None;
        }
        used.insert(peer, own + 1);
        Some(Slot { slots: Arc::clone(self), peer })
    }
}

/// What counts as one peer: whoever has an address of IPv6 has a whole network of them.
fn counted_as(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// A slot in use; free again when dropped.
#[derive(Debug)]
struct Slot {
    slots: Arc<Slots>,
    peer: IpAddr,
}

impl Drop for Slot {
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

/// Serves one connection: in full with a `slot`, one health check without.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    slot: Option<Slot>,
    limits: Limits,
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
    let full = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "there are too many connections").after(FULL);
    Ok(full.into_response())
}

#[cfg(test)]
mod tests;
