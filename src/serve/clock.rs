//! The clock of the service.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

/// A clock that tests can replace.
#[derive(Clone)]
pub struct ServeClock {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    sleep: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl ServeClock {
    /// A clock with the functions `now` and `sleep`.
    pub fn new(
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), sleep: Arc::new(sleep) }
    }

    /// The system clock, shifted so that it is `start` now.
    #[must_use]
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        let shift = start - Utc::now();
        Self::new(move || Utc::now() + shift, |span| Box::pin(tokio::time::sleep(span)))
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    pub(super) async fn sleep(&self, span: Duration) {
        (self.sleep)(span).await;
    }
}

impl Default for ServeClock {
    fn default() -> Self {
        Self::new(Utc::now, |span| Box::pin(tokio::time::sleep(span)))
    }
}

impl fmt::Debug for ServeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
