//! Receivers of alerts and of calls for rebuilds, which see to it that whoever calls does not outlive a certain call.
//!
//! One request a connection, a thread each; every wait in here is bounded.

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

/// The longest that any connection lives.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where in a call the caller is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum During {
    /// It has connected; nothing of what it says is read.
    Connected,
    /// All it said is recorded; nothing is answered.
    Recorded,
    /// It has read the first half of the answer.
    HalfAnswered,
    /// It has got the whole answer.
    Answered,
}

impl During {
    pub(crate) const ALL: [Self; 4] = [Self::Connected, Self::Recorded, Self::HalfAnswered, Self::Answered];
}

/// What has arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrival {
    /// On which day of the script.
    pub(crate) day: usize,
    /// For whom: `/everybody`.
    pub(crate) path: String,
    /// Whether it was taken; else the channel was down.
    pub(crate) is_taken: bool,
    pub(crate) body: Value,
}

#[derive(Default)]
struct State {
    day: usize,
    calls: usize,
    kill: Option<(usize, During)>,
    caller: Option<Pid>,
    arrivals: Vec<Arrival>,
}

/// The channels; their server stops when dropped.
pub(crate) struct Post {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    is_stopped: Arc<AtomicBool>,
}

impl Post {
    /// Receivers that have got `arrivals` before.
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
                    let _ = answer(&stream, &state);
                });
            }
        });
        server
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// It is `day` from now on, and whoever calls is killed at its call `kill.0`, counted from 0.
    pub(crate) fn open(&self, day: usize, kill: Option<(usize, During)>) {
        let mut state = lock(&self.state);
        (state.day, state.calls, state.kill, state.caller) = (day, 0, kill, None);
    }

    /// Starts a caller, and knows it before it can call.
    pub(crate) fn start_caller(&self, start: impl FnOnce() -> Child) -> Child {
        let mut state = lock(&self.state);
        let child = start();
        state.caller = Some(Pid::from_child(&child));
        child
    }

    /// The last caller has ended: its id may soon be that of another process.
    pub(crate) fn forget_caller(&self) {
        lock(&self.state).caller = None;
    }

    /// How many calls there were on this day.
    pub(crate) fn calls(&self) -> usize {
        lock(&self.state).calls
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.state).arrivals.clone()
    }
}

impl Drop for Post {
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

fn answer(stream: &TcpStream, state: &Mutex<State>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let during = {
        let state = lock(state);
        state.kill.filter(|(nth, _)| *nth == state.calls).map(|(_, during)| during)
    };
    if during == Some(During::Connected) {
        kill(state);
        return Ok(());
    }
    let (path, body) = read(stream)?;
    let is_taken = path == FORGET || record(state, path, &body);
    if during == Some(During::Recorded) {
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
    if during == Some(During::HalfAnswered) {
        kill(state);
        return Ok(());
    }
    stream.write_all(format!("\r\n{body}").as_bytes())?;
    if during == Some(During::Answered) {
        kill(state);
    }
    Ok(())
}

/// Records a call, and says whether the channel is there to take it.
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
