//! An in-process registry on loopback, for the tests and the benchmark.
//!
//! It speaks the read half of the OCI distribution API over real HTTP, and on demand with the manners of
//! ECR Public. It knows nothing of the client.

mod emulation;
mod stock;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use tokio::sync::oneshot;

pub use emulation::Behaviour;
use emulation::Manners;
pub use stock::{ImageSpec, Stock};

use basewatch::image::MANIFEST_MEDIA_TYPES;

/// A registry on a loopback port that the system picked; it stops when dropped.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    shared: Arc<LoopbackState>,
    _stop: oneshot::Sender<()>,
}

/// One request that a [`Loopback`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// `GET`, `HEAD`, ….
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Whether it carried an `Authorization` header.
    pub is_authorized: bool,
}

#[derive(Debug)]
struct LoopbackState {
    stock: Stock,
    manners: Manners,
    log: Mutex<Vec<LoggedRequest>>,
}

impl Loopback {
    /// Serves `stock` to anyone, within the running tokio runtime.
    ///
    /// # Errors
    ///
    /// What binding a port of 127.0.0.1 fails with.
    pub fn start(stock: Stock) -> io::Result<Self> {
        Self::start_as(stock, Behaviour::default())
    }

    /// Serves `stock` with the manners of `behaviour`.
    ///
    /// # Errors
    ///
    /// What binding a port of 127.0.0.1 fails with.
    pub fn start_as(stock: Stock, behaviour: Behaviour) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let manners = Manners::new(behaviour, format!("http://{address}"));
        let shared = Arc::new(LoopbackState { stock, manners, log: Mutex::default() });
        let router = Router::new().fallback(respond).with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let until_dropped = async { drop(stopped.await) };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until_dropped).await {
                tracing::warn!(%error, "the loopback registry stopped");
            }
        });
        Ok(Self { address, shared, _stop: stop })
    }

    /// The host for references: `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The endpoint for settings: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it serves; changes show at once.
    #[must_use]
    pub fn stock(&self) -> &Stock {
        &self.shared.stock
    }

    /// The requests it got, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes every token that was issued so far worthless.
    pub fn expire_tokens(&self) {
        self.shared.manners.expire_tokens();
    }
}

/// The resource that a path names.
enum RequestTarget<'a> {
    Manifest { repository: &'a str, name: &'a str },
    Blob { repository: &'a str, digest: &'a str },
    Tags { repository: &'a str },
    Referrers { repository: &'a str, image: &'a str },
    Nothing,
}

impl<'a> RequestTarget<'a> {
    fn read(path: &'a str) -> Self {
        let Some(path) = path.strip_prefix("/v2/") else { return Self::Nothing };
        if let Some(repository) = path.strip_suffix("/tags/list") {
            return Self::Tags { repository };
        }
        if let Some((repository, image)) = path.rsplit_once("/referrers/") {
            return Self::Referrers { repository, image };
        }
        match (path.rsplit_once("/manifests/"), path.rsplit_once("/blobs/")) {
            (Some((repository, name)), _) => Self::Manifest { repository, name },
            (_, Some((repository, digest))) => Self::Blob { repository, digest },
            _ => Self::Nothing,
        }
    }
}

async fn respond(State(shared): State<Arc<LoopbackState>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let logged = LoggedRequest { method: method.to_string(), path, is_authorized: authorization.is_some() };
    shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(logged);
    let manners = &shared.manners;
    if let Some(response) = manners.token(uri.path()) {
        return response;
    }
    if method != Method::GET && method != Method::HEAD {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is read-only");
    }
    if let Some(response) = manners.turn_away(authorization) {
        return response;
    }
    match RequestTarget::read(uri.path()) {
        RequestTarget::Manifest { repository, name } => match shared.stock.manifest(repository, name) {
            Some(found) => {
                let mut response = content(&found.media_type, found.body);
                if manners.names_digest(&method)
                    && let Ok(value) = found.digest.as_str().parse()
                {
                    response.headers_mut().insert("docker-content-digest", value);
                }
                response
            }
            None => refuse(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "there is no such manifest"),
        },
        RequestTarget::Blob { .. } if manners.denies_blob(&method) => {
            refuse(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "blobs by GET only")
        }
        RequestTarget::Blob { repository, digest } => match shared.stock.blob(repository, digest) {
            Some(body) => content("application/octet-stream", body),
            None => refuse(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "there is no such blob"),
        },
        RequestTarget::Referrers { repository, image } if manners.has_referrers() => {
            content(MANIFEST_MEDIA_TYPES[0], shared.stock.referrers(repository, image))
        }
        RequestTarget::Tags { repository } => {
            emulation::tags(&shared.stock, repository, uri.query().unwrap_or_default())
        }
        RequestTarget::Nothing if uri.path() == "/v2/" => content("application/json", Bytes::from_static(b"{}")),
        RequestTarget::Referrers { .. } | RequestTarget::Nothing => {
            refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here")
        }
    }
}

fn content(media_type: &str, body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, media_type.to_owned())], body).into_response()
}

/// A refusal with the error body of the OCI distribution specification.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    (status, axum::Json(body)).into_response()
}
