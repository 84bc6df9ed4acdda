//! A fake S3 bucket on loopback, with conditional writes, paginated lists, and injected failures.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use basewatch::{aws::Aws, http::RequestCounter, image::Digest, secret::Secret, store::S3Store};
use chrono::{DateTime, TimeDelta, Utc};

use crate::toxic::{Asked, Reply, Toxic};

/// The bucket's name.
pub const BUCKET: &str = "audits";
/// The prefix of all keys of the store.
pub const PREFIX: &str = "team/basewatch";
/// Number of keys per page.
const PAGE: usize = 3;

/// A fault of a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The response has this status and code; the request has no effect.
    Refused(u16, &'static str),
    /// The connection closes; the request has no effect.
    Unheard,
    /// The request takes effect, and the connection closes.
    Unanswered,
    /// The body of the response ends early.
    Cut,
    /// Another client writes these bytes first.
    Rival(&'static str),
}

struct Object {
    bytes: Vec<u8>,
    metadata: BTreeMap<String, String>,
    changed_at: DateTime<Utc>,
}

impl Object {
    fn tag(&self) -> String {
        format!("\"{}\"", &Digest::sha256(&self.bytes).hex()[..32])
    }
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    faults: Vec<Planned>,
    ahead: TimeDelta,
    region: Option<&'static str>,
}

struct Planned {
    method: &'static str,
    key: &'static str,
    times: usize,
    fault: Fault,
}

/// The bucket; its server stops when dropped.
pub struct Bucket {
    server: Toxic,
    state: Arc<Mutex<State>>,
}

impl Bucket {
    /// An empty bucket.
    pub fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let answers = Arc::clone(&state);
        let server = Toxic::start(move |request| answers.lock().expect("no panic").response(request));
        Self { server, state }
    }

    /// The store in it, for a separate machine.
    pub fn store(&self) -> S3Store {
        store_at(&self.server.endpoint(), BUCKET, PREFIX)
    }

    /// The same with a limit of `most_bytes` per object.
    pub fn limited_store(&self, most_bytes: u64) -> S3Store {
        S3Store::limited(aws_at(&self.server.endpoint()), BUCKET.to_owned(), PREFIX.to_owned(), most_bytes)
    }

    /// `http://127.0.0.1:PORT`, in place of AWS.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// Lets the next `times` requests of `method` fail for keys that end in `key`.
    pub fn fail(&self, method: &'static str, key: &'static str, times: usize, fault: Fault) {
        self.state().faults.push(Planned { method, key, times, fault });
    }

    /// Removes all faults.
    pub fn recover(&self) {
        self.state().faults.clear();
    }

    /// Sets S3's clock ahead.
    pub fn advance(&self, by: Duration) {
        self.state().ahead += TimeDelta::from_std(by).expect("a short while");
    }

    /// Moves the bucket to another region.
    pub fn in_region(&self, region: &'static str) {
        self.state().region = Some(region);
    }

    /// Writes an object directly.
    pub fn put(&self, key: &str, bytes: &str) {
        self.state().put(key, bytes.into(), BTreeMap::new());
    }

    /// The objects by key.
    pub fn objects(&self) -> BTreeMap<String, String> {
        let state = self.state();
        let text = |object: &Object| String::from_utf8_lossy(&object.bytes).into_owned();
        state.objects.iter().map(|(key, object)| (key.clone(), text(object))).collect()
    }

    /// The requests so far of `method` for keys that end in `key`.
    pub fn requests(&self, method: &str, key: &str) -> Vec<Asked> {
        let mut log = self.server.log();
        log.retain(|request| request.method == method && split(&request.path).0.ends_with(key));
        log
    }
}

/// A store in a bucket at `endpoint`.
pub fn store_at(endpoint: &str, bucket: &str, prefix: &str) -> S3Store {
    S3Store::new(aws_at(endpoint), bucket.to_owned(), prefix.to_owned())
}

fn aws_at(endpoint: &str) -> Arc<Aws> {
    let aws = Aws::new(Arc::new(RequestCounter::default()))
        .with_access_key("AKIDEXAMPLE", &Secret::new("not-a-secret".to_owned()))
        .with_first_backoff(Duration::from_millis(1))
        .with_endpoint(endpoint);
    Arc::new(aws)
}

impl State {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.ahead
    }

    fn put(&mut self, key: &str, bytes: Vec<u8>, metadata: BTreeMap<String, String>) {
        let changed_at = self.now();
        self.objects.insert(key.to_owned(), Object { bytes, metadata, changed_at });
    }

    fn response(&mut self, request: &Asked) -> Reply {
        let (key, query) = split(&request.path);
        let fault = self.fault(&request.method, &key);
        let reply = match &fault {
            Some(Fault::Refused(status, code)) => error(*status, code),
            Some(Fault::Unheard) => return Reply::new(500, "").cut_head(),
            Some(Fault::Rival(bytes)) => {
                self.put(&key, bytes.as_bytes().to_vec(), BTreeMap::new());
                self.done(request, &key, &query)
            }
            _ => self.done(request, &key, &query),
        };
        let reply = reply.header("date", &http_date(self.now()));
        match fault {
            Some(Fault::Unanswered) => reply.cut_head(),
            Some(Fault::Cut) => reply.cut_after(1),
            _ => reply,
        }
    }

    fn fault(&mut self, method: &str, key: &str) -> Option<Fault> {
        let planned = self.faults.iter_mut();
        let mut planned = planned.filter(|it| it.times > 0 && it.method == method && key.ends_with(it.key));
        let planned = planned.next()?;
        planned.times -= 1;
        Some(planned.fault.clone())
    }

    fn done(&mut self, request: &Asked, key: &str, query: &BTreeMap<String, String>) -> Reply {
        match (request.method.as_str(), key) {
            ("HEAD", "") => match self.region {
                Some(region) => error(301, "PermanentRedirect").header("x-amz-bucket-region", region),
                None => Reply::new(200, "").header("x-amz-bucket-region", "us-east-1"),
            },
            ("GET", "") => self.list(query),
            ("GET" | "HEAD", _) => match self.objects.get(key) {
                None => error(404, "NoSuchKey"),
                Some(object) => {
                    let reply = Reply::new(200, object.bytes.clone())
                        .header("etag", &object.tag())
                        .header("last-modified", &http_date(object.changed_at));
                    object.metadata.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
                }
            },
            ("PUT", _) => self.write(request, key),
            ("DELETE", _) => {
                self.objects.remove(key);
                Reply::new(204, "")
            }
            _ => error(405, "MethodNotAllowed"),
        }
    }

    fn write(&mut self, request: &Asked, key: &str) -> Reply {
        let tag = self.objects.get(key).map(Object::tag);
        match (request.header("if-none-match"), request.header("if-match"), &tag) {
            (Some("*"), _, Some(_)) => return error(412, "PreconditionFailed"),
            (_, Some(_), None) => return error(404, "NoSuchKey"),
            (_, Some(expected), Some(tag)) if expected != tag => return error(412, "PreconditionFailed"),
            _ => {}
        }
        let metadata = request.headers.iter().filter(|(name, _)| name.starts_with("x-amz-meta-"));
        let metadata = metadata.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.put(key, request.bytes.clone(), metadata);
        Reply::new(200, "").header("etag", &self.objects[key].tag())
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Reply {
        let request = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, after) = (request("prefix"), request("continuation-token"));
        let all: Vec<_> = self.objects.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after).collect();
        let page = &all[..all.len().min(PAGE)];
        let mut body = String::from("<ListBucketResult>");
        for key in page {
            let _ = write!(body, "<Contents><Key>{key}</Key></Contents>");
        }
        if let Some(last) = page.last().filter(|_| page.len() < all.len()) {
            let _ = write!(body, "<NextContinuationToken>{last}</NextContinuationToken>");
        }
        let _ = write!(body, "<IsTruncated>{}</IsTruncated></ListBucketResult>", page.len() < all.len());
        Reply::new(200, body)
    }
}

fn error(status: u16, code: &str) -> Reply {
    Reply::new(status, format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>"))
}

fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The key in a path, and its query; the key of the bucket itself is empty.
fn split(path: &str) -> (String, BTreeMap<String, String>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let key = path.trim_start_matches('/').strip_prefix(BUCKET).unwrap_or_default().trim_start_matches('/');
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    (key.to_owned(), pairs.map(|(name, value)| (name.to_owned(), value.replace("%2F", "/"))).collect())
}
