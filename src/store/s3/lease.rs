//! Whose turn is it? A lease: an object that says who has the turn, rewritten every third of a minute by whoever has
//! it, and for anybody to take once it was left alone for a minute.
//!
//! It changes hands only by conditional writes over the version that was read, and never has the same content
//! twice: so two that find it free, or left alone, do not both get it. How long it was left alone is the difference
//! of two instants that S3 tells, when it was written and when it was read: the clocks of the machines do not
//! matter. Each holder measures with its own clock only how long ago it asked for its last renewal, and gives up
//! ten seconds before others may take over. A machine whose clock runs that much slower than S3's is the one case
//! in which two take it for their turn; what they write is kept apart by conditional writes nonetheless.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use futures::future::{BoxFuture, FutureExt as _};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};
use ulid::Ulid;

use super::bucket::Bucket;
use crate::store::{
    Error, OnlyIf, Result, Turn, Version,
    document::{self, Tagged},
    name::LEASE,
    port::LONGEST_WAIT,
};

const SCHEMA: &str = "basewatch.lease/v1";
/// How often is looked whether the turn is free, on average.
const POLL: Duration = Duration::from_secs(1);
/// S3 tells instants in whole seconds, so that a difference of two may be a second too long.
const ROUNDING: Duration = Duration::from_secs(1);
/// The longest lease of others that is respected: what says more is no lease.
const LONGEST: Duration = Duration::from_hours(1);
/// How long the end of a turn may take.
const END_WAIT: Duration = Duration::from_secs(10);
/// The longest holder that is shown, in characters.
const MOST_SHOWN: usize = 200;

/// How long a lease lasts.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    lasts: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { lasts: Duration::from_mins(1) }
    }
}

impl Terms {
    pub(super) fn lasting(lasts: Duration) -> Self {
        Self { lasts: lasts.clamp(Duration::from_millis(500), LONGEST) }
    }

    fn renewed_every(self) -> Duration {
        self.lasts / 3
    }

    /// When a holder has to take its turn for lost.
    fn is_safe_for(self) -> Duration {
        self.lasts * 5 / 6
    }
}

/// The content of the object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Lease {
    /// Who has the turn, for people.
    holder: String,
    /// Which turn it is.
    turn: String,
    /// How often it was renewed.
    renewals: u64,
    /// How long it lasts from when it was written.
    lasts_ms: u64,
    /// Whether the turn has ended.
    is_free: bool,
}

impl Lease {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&Tagged { schema: SCHEMA, document: self }).unwrap_or_default()
    }

    fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts_ms).min(LONGEST)
    }
}

/// Waits for the turn and takes it.
pub(super) async fn take(bucket: &Arc<Bucket>, terms: Terms, holder: &str, wait: Duration) -> Result<Box<dyn Turn>> {
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    loop {
        let by = match try_take(bucket, terms, holder).await? {
            Ok(turn) => return Ok(Box::new(turn)),
            Err(by) => by,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Busy { waited: wait, holder: by });
        }
        // At different moments, for many may be waiting.
        sleep(left.min(POLL.mul_f64(0.5 + fastrand::f64()))).await;
    }
}

/// The turn, or who has it, as ` (…)`.
async fn try_take(bucket: &Arc<Bucket>, terms: Terms, holder: &str) -> Result<Result<S3Turn, String>> {
    let only_if = match bucket.get(LEASE).await? {
        None => OnlyIf::Absent,
        Some(object) => {
            let place = format!("{}/{LEASE}", bucket.place());
            let (lasts, by) = match document::parse::<Lease>(&object.bytes, SCHEMA, &place) {
                Ok(lease) if lease.is_free => (Duration::ZERO, String::new()),
                Ok(lease) => (lease.lasts() + ROUNDING, shown(&lease.holder)),
                Err(newer @ Error::Newer { .. }) => return Err(newer),
                Err(_) => (terms.lasts + ROUNDING, " (somebody whose lease cannot be understood)".to_owned()),
            };
            if object.age < lasts {
                return Ok(Err(by));
            }
            OnlyIf::Unchanged(object.version)
        }
    };
    let lasts_ms = u64::try_from(terms.lasts.as_millis()).unwrap_or(u64::MAX);
    let turn = Ulid::generate().to_string();
    let lease = Lease { holder: holder.to_owned(), turn, renewals: 0, lasts_ms, is_free: false };
    let asked_at = Moment::now();
    match bucket.put(LEASE, lease.bytes(), &only_if).await {
        Ok(version) => Ok(Ok(S3Turn::start(bucket, terms, lease, version, asked_at))),
        Err(Error::Conflict { .. }) => Ok(Err(" (it has just been taken)".to_owned())),
        Err(error) => Err(error),
    }
}

fn shown(holder: &str) -> String {
    let holder: String = holder.chars().filter(|c| !c.is_control()).take(MOST_SHOWN).collect();
    if holder.is_empty() { holder } else { format!(" ({holder})") }
}

/// An instant on both clocks of the machine: one stands still while it sleeps, the other may be set.
#[derive(Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago it was, by the clock that says more.
    fn elapsed(self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// A run's turn with a bucket. Dropping it ends it as well, without waiting for that.
struct S3Turn {
    /// When its last renewal was asked for; nothing once it went to another.
    renewed_at: Arc<Mutex<Option<Moment>>>,
    terms: Terms,
    /// Dropped when the turn is to end.
    running: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl S3Turn {
    fn start(bucket: &Arc<Bucket>, terms: Terms, lease: Lease, version: Version, asked_at: Moment) -> Self {
        let renewed_at = Arc::new(Mutex::new(Some(asked_at)));
        let (running, ended) = oneshot::channel();
        let renewals = Renewals { bucket: Arc::clone(bucket), terms, lease, version, renewed_at: renewed_at.clone() };
        Self { renewed_at, terms, running: Some(running), task: Some(tokio::spawn(renewals.run(ended))) }
    }
}

impl fmt::Debug for S3Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Turn").field("is_held", &self.is_held()).finish_non_exhaustive()
    }
}

impl Turn for S3Turn {
    fn is_held(&self) -> bool {
        let renewed_at = *self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner);
        renewed_at.is_some_and(|moment| moment.elapsed() < self.terms.is_safe_for())
    }

    fn end(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        self.running = None;
        let task = self.task.take();
        async move {
            if let Some(mut task) = task
                && timeout(END_WAIT, &mut task).await.is_err()
            {
                task.abort();
            }
        }
        .boxed()
    }
}

/// What goes on beside a turn.
struct Renewals {
    bucket: Arc<Bucket>,
    terms: Terms,
    lease: Lease,
    version: Version,
    renewed_at: Arc<Mutex<Option<Moment>>>,
}

impl Renewals {
    /// Renews until the turn is lost or ended, and then gives it back.
    async fn run(mut self, mut ended: oneshot::Receiver<()>) {
        let mut pause = self.terms.renewed_every();
        while timeout(pause, &mut ended).await.is_err() {
            let asked_at = Moment::now();
            pause = match self.rewrite(false).await {
                Ok(()) => {
                    self.told(Some(asked_at));
                    self.terms.renewed_every()
                }
                Err(Error::Conflict { .. }) => {
                    tracing::warn!("the turn with {} went to another run", self.bucket.place());
                    return self.told(None);
                }
                Err(error) => {
                    tracing::debug!("the turn with {} is not renewed: {error}", self.bucket.place());
                    self.terms.renewed_every() / 4
                }
            };
        }
        self.told(None);
        if let Err(error) = self.rewrite(true).await {
            tracing::debug!("the turn with {} ends by itself: {error}", self.bucket.place());
        }
    }

    fn told(&self, moment: Option<Moment>) {
        *self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    /// Writes the lease anew, if it is still the one that was last written.
    async fn rewrite(&mut self, is_free: bool) -> Result<()> {
        self.lease.renewals += 1;
        self.lease.is_free = is_free;
        match self.write().await {
            // A write that was given up may have arrived later.
            Err(Error::Conflict { .. }) if self.is_still_ours().await? => self.write().await,
            written => written,
        }
    }

    async fn write(&mut self) -> Result<()> {
        let only_if = OnlyIf::Unchanged(self.version.clone());
        let written = timeout(self.wait(), self.bucket.put(LEASE, self.lease.bytes(), &only_if)).await;
        self.version = written.unwrap_or_else(|_| Err(self.no_answer()))?;
        Ok(())
    }

    /// Whether the lease is that of this turn, and if it is, which version it has.
    async fn is_still_ours(&mut self) -> Result<bool> {
        let found = timeout(self.wait(), self.bucket.get(LEASE)).await.unwrap_or_else(|_| Err(self.no_answer()))?;
        let Some(object) = found else { return Ok(false) };
        let is_ours =
            document::parse::<Lease>(&object.bytes, SCHEMA, LEASE).is_ok_and(|lease| lease.turn == self.lease.turn);
        if is_ours {
            self.version = object.version;
        }
        Ok(is_ours)
    }

    /// Short enough that there is time for another try.
    fn wait(&self) -> Duration {
        self.terms.renewed_every()
    }

    fn no_answer(&self) -> Error {
        let why = format!("no answer within {:?}", self.wait());
        Error::Unavailable { what: format!("cannot renew {}/{LEASE}", self.bucket.place()), why }
    }
}
