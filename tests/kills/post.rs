//! A server for notification channels and rebuild calls that kills the calling process at a chosen call.
//!
//! One request per connection, one thread each. Every wait is bounded.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Child,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    compare,
    script::{self, FORGET},
};

/// Timeout of a connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// The point of a call at which the caller is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallStage {
    /// It has connected; the request is not read.
    Connected,
    /// The request is recorded; no response is sent.
    Recorded,
    /// Half of the response is sent.
    HalfResponded,
    /// The whole response is sent.
    Responded,
}

impl CallStage {
    pub(crate) const ALL: [Self; 4] = [Self::Connected, Self::Recorded, Self::HalfResponded, Self::Responded];
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrival {
    /// The day of the script.
    pub(crate) day: usize,
    /// The path of the channel: `/everybody`.
    pub(crate) path: String,
    /// Whether it was accepted; else the channel was down.
    pub(crate) is_taken: bool,
    pub(crate) body: Value,
}

#[derive(Default)]
struct State {
    day: usize,
    calls: usize,
    kill: Option<(usize, CallStage)>,
    caller: Option<Pid>,
    arrivals: Vec<Arrival>,
}

/// Serves the channels until dropped.
pub(crate) struct ChannelServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    is_stopped: Arc<AtomicBool>,
}

impl ChannelServer {
    /// Starts with `arrivals` from earlier days.
    pub(crate) fn start(arrivals: Vec<Arrival>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { arrivals, ..State::default() }));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let server = Self { address, state: Arc::clone(&state), is_stopped: Arc::clone(&is_stopped) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&state);
                thread::spawn(move || {
                    let _ = respond(&stream, &state);
                });
            }
        });
        server
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Begins `day`. The caller is killed at call `kill.0`, counted from 0.
    pub(crate) fn open(&self, day: usize, kill: Option<(usize, CallStage)>) {
        let mut state = lock(&self.state);
        (state.day, state.calls, state.kill, state.caller) = (day, 0, kill, None);
    }

    /// Starts a caller and registers its process id before it can call.
    pub(crate) fn start_caller(&self, start: impl FnOnce() -> Child) -> Child {
        let mut state = lock(&self.state);
        let child = start();
        state.caller = Some(Pid::from_child(&child));
        child
    }

    /// Forgets the caller, which has ended: its process id may be reused.
    pub(crate) fn forget_caller(&self) {
        lock(&self.state).caller = None;
    }

    /// Number of calls on this day.
    pub(crate) fn calls(&self) -> usize {
        lock(&self.state).calls
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.state).arrivals.clone()
    }
}

impl Drop for ChannelServer {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the listener so that it sees the flag.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

fn kill(state: &Mutex<State>) {
    // Not yet waited for, so the process id is still valid.
    if let Some(caller) = lock(state).caller {
        kill_process(caller, Signal::KILL).unwrap();
    }
}

fn respond(stream: &TcpStream, state: &Mutex<State>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let during = {
        let state = lock(state);
        state.kill.filter(|(nth, _)| *nth == state.calls).map(|(_, during)| during)
    };
    if during == Some(CallStage::Connected) {
        kill(state);
        return Ok(());
    }
    let (path, body) = read(stream)?;
    let is_taken = path == FORGET || record(state, path, &body);
    if during == Some(CallStage::Recorded) {
        kill(state);
        return Ok(());
    }
    let (status, body) = if is_taken {
        ("200 OK", format!("{{\"id\":\"m-{}\"}}", compare::key(&body).get(..8).unwrap_or_default()))
    } else {
        ("503 Service Unavailable", String::new())
    };
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    if during == Some(CallStage::HalfResponded) {
        kill(state);
        return Ok(());
    }
    stream.write_all(format!("\r\n{body}").as_bytes())?;
    if during == Some(CallStage::Responded) {
        kill(state);
    }
    Ok(())
}

/// Records a call. Returns whether the channel accepts it.
fn record(state: &Mutex<State>, path: String, body: &Value) -> bool {
    let mut state = lock(state);
    let day = state.day;
    let is_taken = !script::is_down(&path, day);
    state.calls += 1;
    state.arrivals.push(Arrival { day, path, is_taken, body: body.clone() });
    is_taken
}

fn read(stream: &TcpStream) -> io::Result<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split_whitespace().nth(1).ok_or(io::ErrorKind::UnexpectedEof)?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((path, serde_json::from_slice(&body)?))
}
