//! The store lock of a bucket: a lease object with the holder, renewed every 20 seconds, and free to take once it was not
//! renewed for a minute.
//!
//! It is written conditionally over the version that was read and its content is always unique, so two processes cannot both
//! take it. Its age is the difference of two times of S3, of the write and of the read, so local clocks do not matter. A
//! holder measures only the time since it requested its last renewal, by its own clock, and gives up ten seconds before
//! others may take over. Two processes can hold the lock only if a local clock runs that much slower than that of S3; their
//! writes are still conditional.

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

use super::bucket::StoreBucket;
use crate::store::{
    Error, ObjectVersion, Result, StoreLock, WriteCondition,
    document::{self, TaggedDocument},
    name::LEASE,
    port::LONGEST_WAIT,
};

const SCHEMA: &str = "basewatch.lease/v1";
/// Average poll interval while waiting for the lock.
const POLL: Duration = Duration::from_secs(1);
/// S3 times have whole seconds, so a difference may be a second too long.
const ROUNDING: Duration = Duration::from_secs(1);
/// Maximum duration of a lease that is respected.
const MAX_LEASE: Duration = Duration::from_hours(1);
/// Timeout of releasing the lock.
const END_WAIT: Duration = Duration::from_secs(10);
/// Maximum length of a displayed holder, in characters.
const MOST_SHOWN: usize = 200;

/// Duration of a lease.
#[derive(Clone, Copy)]
pub(super) struct LeaseTerms {
    lasts: Duration,
}

impl Default for LeaseTerms {
    fn default() -> Self {
        Self { lasts: Duration::from_mins(1) }
    }
}

impl LeaseTerms {
    pub(super) fn lasting(lasts: Duration) -> Self {
        Self { lasts: lasts.clamp(Duration::from_millis(500), MAX_LEASE) }
    }

    fn renewed_every(self) -> Duration {
        self.lasts / 3
    }

    /// Time since the last renewal after which a holder counts the lock as lost.
    fn is_safe_for(self) -> Duration {
        self.lasts * 5 / 6
    }
}

/// The content of the object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Lease {
    /// The holder, for people.
    holder: String,
    /// The id of this acquisition.
    lock_id: String,
    /// Number of renewals.
    renewals: u64,
    /// Duration from the last write, in milliseconds.
    lasts_ms: u64,
    /// Whether the lock was released.
    is_free: bool,
}

impl Lease {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&TaggedDocument { schema: SCHEMA, document: self }).unwrap_or_default()
    }

    fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts_ms).min(MAX_LEASE)
    }
}

/// Waits for the lock and takes it.
pub(super) async fn take(
    bucket: &Arc<StoreBucket>,
    terms: LeaseTerms,
    holder: &str,
    wait: Duration,
) -> Result<Box<dyn StoreLock>> {
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    loop {
        let by = match try_take(bucket, terms, holder).await? {
            Ok(lock) => return Ok(Box::new(lock)),
            Err(by) => by,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Busy { waited: wait, holder: by });
        }
        // Jittered, because several processes may be waiting.
        sleep(left.min(POLL.mul_f64(0.5 + fastrand::f64()))).await;
    }
}

/// The lock, or its holder as ` (…)`.
async fn try_take(bucket: &Arc<StoreBucket>, terms: LeaseTerms, holder: &str) -> Result<Result<S3Lock, String>> {
    let only_if = match bucket.get(LEASE).await? {
        None => WriteCondition::Absent,
        Some(object) => {
            let location = format!("{}/{LEASE}", bucket.location());
            let (lasts, by) = match document::parse::<Lease>(&object.bytes, SCHEMA, &location) {
                Ok(lease) if lease.is_free => (Duration::ZERO, String::new()),
                Ok(lease) => (lease.lasts() + ROUNDING, shown(&lease.holder)),
                Err(newer @ Error::Newer { .. }) => return Err(newer),
                Err(_) => (terms.lasts + ROUNDING, " (a holder with an unreadable lease)".to_owned()),
            };
            if object.age < lasts {
                return Ok(Err(by));
            }
            WriteCondition::Unchanged(object.version)
        }
    };
    let lasts_ms = u64::try_from(terms.lasts.as_millis()).unwrap_or(u64::MAX);
    let lock_id = Ulid::generate().to_string();
    let lease = Lease { holder: holder.to_owned(), lock_id, renewals: 0, lasts_ms, is_free: false };
    let requested_at = DualInstant::now();
    match bucket.put(LEASE, lease.bytes(), &only_if).await {
        Ok(version) => Ok(Ok(S3Lock::start(bucket, terms, lease, version, requested_at))),
        Err(Error::Conflict { .. }) => Ok(Err(" (just taken by another run)".to_owned())),
        Err(error) => Err(error),
    }
}

fn shown(holder: &str) -> String {
    let holder: String = holder.chars().filter(|c| !c.is_control()).take(MOST_SHOWN).collect();
    if holder.is_empty() { holder } else { format!(" ({holder})") }
}

/// An instant on the monotonic clock, which may stop while the machine sleeps, and on the wall clock, which may be set.
#[derive(Clone, Copy)]
struct DualInstant {
    steady: Instant,
    wall: SystemTime,
}

impl DualInstant {
    fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// The larger of the times elapsed on both clocks.
    fn elapsed(self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// The store lock of a bucket. Dropping it releases it in the background.
struct S3Lock {
    /// When the last renewal was requested; `None` once the lock was lost.
    renewed_at: Arc<Mutex<Option<DualInstant>>>,
    terms: LeaseTerms,
    /// Dropped to release the lock.
    running: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl S3Lock {
    fn start(
        bucket: &Arc<StoreBucket>,
        terms: LeaseTerms,
        lease: Lease,
        version: ObjectVersion,
        requested_at: DualInstant,
    ) -> Self {
        let renewed_at = Arc::new(Mutex::new(Some(requested_at)));
        let (running, ended) = oneshot::channel();
        let renewals =
            LeaseRenewal { bucket: Arc::clone(bucket), terms, lease, version, renewed_at: renewed_at.clone() };
        Self { renewed_at, terms, running: Some(running), task: Some(tokio::spawn(renewals.run(ended))) }
    }
}

impl fmt::Debug for S3Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Turn").field("is_held", &self.is_held()).finish_non_exhaustive()
    }
}

impl StoreLock for S3Lock {
    fn is_held(&self) -> bool {
        let renewed_at = *self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner);
        renewed_at.is_some_and(|moment| moment.elapsed() < self.terms.is_safe_for())
    }

    fn release(mut self: Box<Self>) -> BoxFuture<'static, ()> {
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

/// The background task that renews a lease.
struct LeaseRenewal {
    bucket: Arc<StoreBucket>,
    terms: LeaseTerms,
    lease: Lease,
    version: ObjectVersion,
    renewed_at: Arc<Mutex<Option<DualInstant>>>,
}

impl LeaseRenewal {
    /// Renews the lease until the lock is lost or released, and then frees it.
    async fn run(mut self, mut ended: oneshot::Receiver<()>) {
        let mut pause = self.terms.renewed_every();
        while timeout(pause, &mut ended).await.is_err() {
            let requested_at = DualInstant::now();
            pause = match self.rewrite(false).await {
                Ok(()) => {
                    self.set_renewed(Some(requested_at));
                    self.terms.renewed_every()
                }
                Err(Error::Conflict { .. }) => {
                    tracing::warn!("lost the lock of {} to another run", self.bucket.location());
                    return self.set_renewed(None);
                }
                Err(error) => {
                    tracing::debug!("cannot renew the lock of {}: {error}", self.bucket.location());
                    self.terms.renewed_every() / 4
                }
            };
        }
        self.set_renewed(None);
        if let Err(error) = self.rewrite(true).await {
            tracing::debug!("cannot release the lock of {}, it expires: {error}", self.bucket.location());
        }
    }

    fn set_renewed(&self, moment: Option<DualInstant>) {
        *self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    /// Rewrites the lease, if it is still the one last written.
    async fn rewrite(&mut self, is_free: bool) -> Result<()> {
        self.lease.renewals += 1;
        self.lease.is_free = is_free;
        match self.write().await {
            // A write that timed out may have succeeded.
            Err(Error::Conflict { .. }) if self.is_still_ours().await? => self.write().await,
            written => written,
        }
    }

    async fn write(&mut self) -> Result<()> {
        let only_if = WriteCondition::Unchanged(self.version.clone());
        let written = timeout(self.wait(), self.bucket.put(LEASE, self.lease.bytes(), &only_if)).await;
        self.version = written.unwrap_or_else(|_| Err(self.no_answer()))?;
        Ok(())
    }

    /// Whether the lease is still of this lock. Updates the version if so.
    async fn is_still_ours(&mut self) -> Result<bool> {
        let found = timeout(self.wait(), self.bucket.get(LEASE)).await.unwrap_or_else(|_| Err(self.no_answer()))?;
        let Some(object) = found else { return Ok(false) };
        let is_ours = document::parse::<Lease>(&object.bytes, SCHEMA, LEASE)
            .is_ok_and(|lease| lease.lock_id == self.lease.lock_id);
        if is_ours {
            self.version = object.version;
        }
        Ok(is_ours)
    }

    /// Timeout of one write: short enough for another attempt.
    fn wait(&self) -> Duration {
        self.terms.renewed_every()
    }

    fn no_answer(&self) -> Error {
        let why = format!("no answer within {:?}", self.wait());
        Error::Unavailable { what: format!("cannot renew {}/{LEASE}", self.bucket.location()), why }
    }
}
