//! A faulty registry: raw HTTP on loopback, so that bodies can be truncated, slow, endless or late.
//!
//! One request per connection, one thread each. Every wait is bounded.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use basewatch::image::{Digest, MANIFEST_MEDIA_TYPES};

/// Timeout of a connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The body as it was sent.
    pub bytes: Vec<u8>,
    pub at: Instant,
    /// Number of earlier requests.
    pub nth: usize,
    /// `http://127.0.0.1:PORT` of this server.
    pub endpoint: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }
}

#[derive(Clone, Debug)]
enum Body {
    Whole(Vec<u8>),
    /// The full length is announced, this many bytes are sent.
    Cut(Vec<u8>, usize),
    /// A byte at a time.
    Drip(Vec<u8>, Duration),
    /// Without a length; it ends with the connection.
    Unannounced(Vec<u8>),
    /// Without a length and without an end.
    Endless,
    /// Not even a status, and the connection stays open.
    Hang,
    /// Not even a status, and the connection closes.
    Nothing,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    delay: Duration,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(body.into()), delay: Duration::ZERO }
    }

    pub fn json(value: &serde_json::Value) -> Self {
        Self::new(200, value.to_string()).header("content-type", "application/json")
    }

    /// An OCI error body.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    /// 401 with a challenge.
    pub fn challenge(challenge: &str) -> Self {
        Self::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", challenge)
    }

    pub fn redirect(location: &str) -> Self {
        Self::new(307, "").header("location", location)
    }

    /// A manifest with its digest.
    pub fn manifest(bytes: &[u8]) -> Self {
        Self::new(200, bytes)
            .header("content-type", MANIFEST_MEDIA_TYPES[1])
            .header("docker-content-digest", Digest::sha256(bytes).as_str())
    }

    pub fn hang() -> Self {
        Self { body: Body::Hang, ..Self::new(200, "") }
    }

    pub fn endless(status: u16) -> Self {
        Self { body: Body::Endless, ..Self::new(status, "") }
    }

    pub fn unannounced(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Unannounced(body.into()), ..Self::new(status, "") }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    pub fn cut_after(self, bytes: usize) -> Self {
        Self { body: Body::Cut(self.bytes(), bytes), ..self }
    }

    /// Closes the connection without a response.
    pub fn cut_head(self) -> Self {
        Self { body: Body::Nothing, ..self }
    }

    pub fn dripping(self, each: Duration) -> Self {
        Self { body: Body::Drip(self.bytes(), each), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Body::Whole(bytes) | Body::Cut(bytes, _) | Body::Drip(bytes, _) => bytes.clone(),
            Body::Unannounced(_) | Body::Endless | Body::Hang | Body::Nothing => Vec::new(),
        }
    }

    fn send(&self, method: &str, mut stream: &TcpStream) -> io::Result<()> {
        match self.body {
            Body::Hang => return hold(stream),
            Body::Nothing => return Ok(()),
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {} Toxic\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !matches!(self.body, Body::Unannounced(_) | Body::Endless) {
            let _ = write!(head, "content-length: {}\r\n", self.bytes().len());
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        if method == "HEAD" {
            return Ok(());
        }
        match &self.body {
            Body::Whole(bytes) | Body::Unannounced(bytes) => stream.write_all(bytes),
            Body::Cut(bytes, sent) => stream.write_all(&bytes[..*sent]),
            Body::Drip(bytes, each) => bytes.iter().try_for_each(|byte| {
                thread::sleep(*each);
                stream.write_all(&[*byte])
            }),
            Body::Endless => {
                let until = Instant::now() + PATIENCE;
                while Instant::now() < until {
                    stream.write_all(&[b'x'; 8 * 1024])?;
                }
                Ok(())
            }
            Body::Hang | Body::Nothing => Ok(()),
        }
    }
}

/// Waits until the other side gives up.
fn hold(mut stream: &TcpStream) -> io::Result<()> {
    let mut rest = [0; 64];
    while stream.read(&mut rest)? > 0 {}
    Ok(())
}

/// The server; it stops when dropped.
pub struct Toxic {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    most_at_once: Arc<AtomicUsize>,
    is_stopped: Arc<AtomicBool>,
}

impl Toxic {
    /// Responds to every request with `reply`.
    pub fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Mutex::new(Vec::new()));
        let most_at_once = Arc::new(AtomicUsize::new(0));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (reply, at_once) = (Arc::new(reply), Arc::new(AtomicUsize::new(0)));
        let server = Self {
            address,
            log: Arc::clone(&log),
            most_at_once: Arc::clone(&most_at_once),
            is_stopped: Arc::clone(&is_stopped),
        };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                let (at_once, most_at_once) = (Arc::clone(&at_once), Arc::clone(&most_at_once));
                thread::spawn(move || {
                    let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                    most_at_once.fetch_max(now, Ordering::SeqCst);
                    let request = take(&stream, address, &log);
                    let reply = request.as_ref().ok().map(|request| (&request.method, reply(request)));
                    thread::sleep(reply.as_ref().map(|(_, reply)| reply.delay).unwrap_or_default());
                    // A client with the response may send the next request before this thread continues.
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    let _ = reply.map(|(method, reply)| reply.send(method, &stream));
                    let _ = stream.shutdown(Shutdown::Write);
                });
            }
        });
        server
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, oldest first.
    pub fn log(&self) -> Vec<Asked> {
        self.log.lock().expect("no panic").clone()
    }

    /// `GET /path` of each request so far.
    pub fn lines(&self) -> Vec<String> {
        self.log().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// Maximum number of concurrent requests.
    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

impl Drop for Toxic {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the listener so that it reads the flag.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

/// Reads and records a request.
fn take(stream: &TcpStream, address: SocketAddr, log: &Mutex<Vec<Asked>>) -> io::Result<Asked> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = read(stream, address)?;
    let mut log = log.lock().expect("no panic");
    request.nth = log.len();
    log.push(request.clone());
    Ok(request)
}

fn read(stream: &TcpStream, address: SocketAddr) -> io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    if method.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let mut bytes = vec![0; length.min(16 << 20)];
    reader.read_exact(&mut bytes)?;
    let body = String::from_utf8_lossy(&bytes).into_owned();
    let endpoint = format!("http://{address}");
    Ok(Asked { method, path, headers, body, bytes, at: Instant::now(), nth: 0, endpoint })
}

/// The manifest of an image whose configuration is `config`.
pub fn manifest_of(config: &[u8]) -> Vec<u8> {
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPES[1],
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::sha256(config),
            "size": config.len(),
        },
        "layers": [],
    })
    .to_string()
    .into_bytes()
}
