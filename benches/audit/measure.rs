//! Time and memory of a child process.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The measurements of a run.
pub struct Measured {
    /// From start to exit.
    pub wall: Duration,
    /// The largest resident set, in bytes.
    pub peak_bytes: u64,
    /// The exit code.
    pub code: i32,
    /// Its output.
    pub output: String,
}

/// Runs `command` to its end, watching its memory.
pub fn run(command: &mut Command) -> Measured {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = fs::File::create(folder.path().join("output")).expect("a file");
    let begun = Instant::now();
    let mut child = command.stdout(output).stderr(Stdio::inherit()).spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0;
    let code = loop {
        // The high-water mark only rises, so the last value before the end counts.
        peak_bytes = fs::read_to_string(&status).ok().and_then(|text| high_water(&text)).unwrap_or(peak_bytes);
        if let Some(status) = child.try_wait().expect("the state of a child") {
            break status.code().expect("an exit code, not a signal");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = begun.elapsed();
    let output = fs::read_to_string(folder.path().join("output")).expect("UTF-8 on standard output");
    Measured { wall, peak_bytes, code, output }
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The middle one.
pub fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort();
    spans[spans.len() / 2]
}

/// `count` in `wall`, per second.
pub fn rate(count: usize, wall: Duration) -> f64 {
    number(count) / wall.as_secs_f64()
}

/// `count` per each of `of`.
pub fn ratio(count: usize, of: usize) -> f64 {
    number(count) / number(of)
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a small count"))
}

/// Bytes in MB.
pub fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

/// A line of a table: label and value.
pub fn row(what: &str, value: impl std::fmt::Display) {
    println!("  {what:<58} {value}");
}
