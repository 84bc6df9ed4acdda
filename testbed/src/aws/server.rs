//! The cloud over real HTTP, for programs that use `AWS_ENDPOINT_URL`.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, State, connect_info::Connected},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{
    Cloud,
    reply::{CallOutcome, REQUEST_ID},
    request::Incoming,
};

/// How long to wait after a connection could not be accepted: usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A [`Cloud`] on a loopback port that the system picked; it stops when dropped.
#[derive(Debug)]
pub struct CloudServer {
    address: SocketAddr,
    cloud: Cloud,
    _stop: oneshot::Sender<()>,
}

impl CloudServer {
    /// Serves `cloud` to anyone, within the running tokio runtime.
    ///
    /// # Errors
    ///
    /// What binding a port of 127.0.0.1 fails with.
    pub fn start(cloud: Cloud) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = Breakable(TcpListener::from_std(listener)?);
        let service =
            Router::new().fallback(respond).with_state(cloud.clone()).into_make_service_with_connect_info::<Break>();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let until_dropped = async { drop(stopped.await) };
            if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(until_dropped).await {
                tracing::warn!(%error, "the loopback cloud stopped");
            }
        });
        Ok(Self { address, cloud, _stop: stop })
    }

    /// The value for `AWS_ENDPOINT_URL`: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it serves; changes show at once.
    #[must_use]
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }
}

async fn respond(
    State(cloud): State<Cloud>,
    ConnectInfo(connection): ConnectInfo<Break>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let response = cloud.handle(&Incoming {
        host: text("host").unwrap_or_default(),
        method: method.as_str(),
        path: uri.path_and_query().map_or("/", |path| path.as_str()),
        authorization: text("authorization"),
        target: text("x-amz-target"),
        user_agent: text("user-agent"),
        body: &body,
    });
    let CallOutcome::Reply(reply) = response else {
        // All regions are behind one port, so the connection is there by now: it ends without a byte.
        connection.0.store(true, Ordering::Relaxed);
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response();
    response.headers_mut().insert("x-amzn-requestid", HeaderValue::from_static(REQUEST_ID));
    if let Some(error_type) = reply.error_type {
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(error_type));
    }
    response
}

/// A listener whose connections can be broken.
#[derive(Debug)]
struct Breakable(TcpListener);

/// Breaks a connection: nothing is written to it any more.
#[derive(Clone, Debug)]
struct Break(Arc<AtomicBool>);

impl Listener for Breakable {
    type Io = Connection;
    type Addr = Break;

    async fn accept(&mut self) -> (Connection, Break) {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => {
                    let is_broken = Arc::new(AtomicBool::new(false));
                    return (Connection { stream, is_broken: Arc::clone(&is_broken) }, Break(is_broken));
                }
                Err(error) => {
                    tracing::debug!(%error, "the loopback cloud could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Break> {
        Ok(Break(Arc::default()))
    }
}

impl Connected<IncomingStream<'_, Breakable>> for Break {
    fn connect_info(stream: IncomingStream<'_, Breakable>) -> Self {
        stream.remote_addr().clone()
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    is_broken: Arc<AtomicBool>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
