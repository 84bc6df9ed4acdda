//! The object store that a registry redirects blob requests to: serves the registry's files, and records the headers of
//! each request.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};

/// A running object store; it ends with the test's runtime.
pub struct ObjectStore {
    address: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    root: PathBuf,
    requests: Vec<HeaderMap>,
}

impl ObjectStore {
    /// Starts it with nothing in it.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("a bound port").to_string();
        let shared = Arc::<Mutex<Shared>>::default();
        let app = Router::new().fallback(response).with_state(Arc::clone(&shared));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { address, shared }
    }

    /// `http://127.0.0.1:41234`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves the files in `root`.
    pub fn serve(&self, root: PathBuf) {
        self.shared.lock().expect("no panic while held").root = root;
    }

    /// The headers of all requests so far.
    pub fn requests(&self) -> Vec<HeaderMap> {
        self.shared.lock().expect("no panic while held").requests.clone()
    }
}

async fn response(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri, headers: HeaderMap) -> (StatusCode, Vec<u8>) {
    let mut shared = shared.lock().expect("no panic while held");
    shared.requests.push(headers);
    match fs::read(shared.root.join(uri.path().trim_start_matches('/'))) {
        Ok(bytes) => (StatusCode::OK, bytes),
        Err(_) => (StatusCode::NOT_FOUND, Vec::new()),
    }
}
