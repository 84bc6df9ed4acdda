//! Authorizations: the `Authorization` header, its lifetime, and its sharing between requests.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::{sync::Mutex, time::Instant};

use super::{CredentialsErrorKind, Error, IssuedLogin, RegistryLogin, Result};
use crate::{http::Redactor, secret::Secret};

/// The lifetime of a login without an expiry, or with one in the past (as moto's ECR issues them).
const UNKNOWN_LIFETIME: Duration = Duration::from_mins(15);

/// An authorization for a registry: an `Authorization` header, or none for anonymous requests.
#[derive(Clone, Debug)]
pub(super) struct Authorization {
    header: Option<HeaderValue>,
    issued_at: Instant,
    renew_at: Option<Instant>,
    identity: Arc<()>,
}

impl Authorization {
    fn new(header: Option<HeaderValue>, lifetime: Option<Duration>) -> Self {
        let issued_at = Instant::now();
        let renew_at = lifetime.and_then(|lifetime| issued_at.checked_add(lifetime.saturating_sub(margin(lifetime))));
        Self { header, issued_at, renew_at, identity: Arc::new(()) }
    }

    /// Anonymous, without an expiry.
    pub(super) fn anonymous() -> Self {
        Self::new(None, None)
    }

    /// Anonymous for a while, before credentials are looked up again.
    pub(super) fn anonymous_for_now() -> Self {
        Self::new(None, Some(UNKNOWN_LIFETIME))
    }

    /// A user name and a password.
    pub(super) fn basic(username: &str, password: &Secret, lifetime: Option<Duration>) -> Option<Self> {
        let header = format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal())));
        Some(Self::new(Some(sensitive(&header)?), lifetime))
    }

    /// A token; `None` if it has characters that a header must not have.
    pub(super) fn bearer(token: &str, lifetime: Option<Duration>) -> Option<Self> {
        Some(Self::new(Some(sensitive(&format!("Bearer {token}"))?), lifetime))
    }

    /// A login that AWS issued at `now`.
    pub(super) fn issued(issued: &IssuedLogin, now: DateTime<Utc>) -> Option<Self> {
        let left = issued.expires_at.and_then(|at| at.signed_duration_since(now).to_std().ok());
        let lifetime = left.filter(|left| !left.is_zero()).unwrap_or(UNKNOWN_LIFETIME);
        match &issued.login {
            RegistryLogin::Basic { username, password } => Self::basic(username, password, Some(lifetime)),
            RegistryLogin::Bearer(token) => Self::bearer(token.reveal(), Some(lifetime)),
        }
    }

    /// Adds its token, or user name and password, to `redactor`.
    pub(super) fn hide_in(&self, redactor: &mut Redactor) {
        let header = self.header.as_ref().and_then(|header| header.to_str().ok()).unwrap_or_default();
        let Some((scheme, credentials)) = header.split_once(' ') else { return };
        let login = (scheme == "Basic").then(|| STANDARD.decode(credentials).ok()).flatten();
        match login.and_then(|login| String::from_utf8(login).ok()).as_deref().and_then(|login| login.split_once(':')) {
            Some((username, password)) => redactor.hide_login(username, password),
            None => redactor.hide_secret(credentials),
        }
    }

    /// The header to send, if any.
    pub(super) fn header(&self) -> Option<&HeaderValue> {
        self.header.as_ref()
    }

    /// The headers to send.
    pub(super) fn headers(&self) -> HeaderMap {
        self.header.iter().map(|header| (AUTHORIZATION, header.clone())).collect()
    }

    /// Its age.
    pub(super) fn age(&self) -> Duration {
        self.issued_at.elapsed()
    }

    /// The same, issued `age` earlier.
    #[cfg(test)]
    pub(super) fn aged(self, age: Duration) -> Self {
        Self { issued_at: self.issued_at.checked_sub(age).expect("the machine is up for longer"), ..self }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.renew_at.is_none_or(|at| now < at)
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.identity, &other.identity)
    }
}

/// How long before its end an authorization is renewed: a tenth of its lifetime, at least ten seconds, but half of a
/// short lifetime.
fn margin(lifetime: Duration) -> Duration {
    (lifetime / 10).max(Duration::from_secs(10)).min(lifetime / 2)
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// A cache of one authorization: the first caller fetches it, concurrent callers wait.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<Option<CachedAuthorization>>);

#[derive(Debug)]
struct CachedAuthorization {
    outcome: Result<Authorization>,
    finished_at: Instant,
}

impl TokenCache {
    /// The authorization; from `fetch` if there is none, it is due for renewal, or it is the `rejected` one.
    ///
    /// A failure is shared by waiting callers; later callers fetch again.
    pub(super) async fn get(
        &self,
        rejected: Option<&Authorization>,
        fetch: impl AsyncFnOnce() -> Result<Authorization>,
    ) -> Result<Authorization> {
        let asked_at = Instant::now();
        let mut kept = self.0.lock().await;
        match kept.as_ref() {
            Some(CachedAuthorization { outcome: Ok(authorization), .. })
                if authorization.is_fresh(Instant::now())
                    && rejected.is_none_or(|rejected| !rejected.is(authorization)) =>
            {
                return Ok(authorization.clone());
            }
            Some(CachedAuthorization { outcome: Err(error), finished_at }) if *finished_at >= asked_at => {
                return Err(error.clone());
            }
            _ => {}
        }
        let outcome = fetch().await;
        *kept = Some(CachedAuthorization { outcome: outcome.clone(), finished_at: Instant::now() });
        outcome
    }
}

/// The error for a login that cannot be sent in a header.
pub(super) fn unsendable(registry: &str) -> Error {
    let why = "they contain characters that are not allowed in a header".to_owned();
    Error::Credentials { registry: registry.to_owned(), kind: CredentialsErrorKind::Denied, why }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[tokio::test]
    async fn concurrent_requests_share_one_fetch_and_one_failure() {
        let cache = Arc::new(TokenCache::default());
        let fetches = Arc::new(AtomicUsize::new(0));
        let request = |is_good: bool| {
            let (cache, fetches) = (Arc::clone(&cache), Arc::clone(&fetches));
            async move {
                cache
                    .get(None, async || {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        if is_good {
                            Ok(Authorization::bearer("t", Some(seconds(600))).unwrap())
                        } else {
                            Err(Error::NotAllowed { registry: "x".into() })
                        }
                    })
                    .await
            }
        };
        assert!(futures::future::join_all((0..64).map(|_| request(false))).await.iter().all(Result::is_err));
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
        assert!(futures::future::join_all((0..64).map(|_| request(true))).await.iter().all(Result::is_ok));
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_authorization_is_renewed_when_due_and_once_when_refused() {
        let cache = TokenCache::default();
        let fetches = AtomicUsize::new(0);
        let get = async |rejected: Option<&Authorization>, lifetime: u64| {
            cache
                .get(rejected, async || {
                    fetches.fetch_add(1, Ordering::SeqCst);
                    Ok(Authorization::bearer("t", Some(seconds(lifetime))).unwrap())
                })
                .await
                .expect("granted")
        };
        let due = get(None, 0).await;
        let second = get(None, 1000).await;
        assert!(!second.is(&due));
        assert!(get(None, 1000).await.is(&second));
        let third = get(Some(&second), 1000).await;
        assert!(
            get(Some(&second), 1000).await.is(&third),
            "two who were rejected with the same authorization share the next"
        );
        assert_eq!(fetches.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn an_authorization_is_due_a_tenth_of_its_lifetime_before_its_end() {
        let authorization = Authorization::bearer("t", Some(seconds(1000))).expect("sendable");
        assert!(authorization.is_fresh(authorization.issued_at + seconds(899)));
        assert!(!authorization.is_fresh(authorization.issued_at + seconds(900)));
        assert!(Authorization::anonymous().is_fresh(authorization.issued_at + seconds(1_000_000)));
    }

    #[test]
    fn the_margin_fits_the_lifetime() {
        for (lifetime, expected) in [(43_200, 4320), (60, 10), (100, 10), (10, 5), (0, 0)] {
            assert_eq!(margin(seconds(lifetime)), seconds(expected), "{lifetime}");
        }
    }

    #[test]
    fn a_login_issued_with_an_expiry_in_the_past_lasts_a_quarter_of_an_hour() {
        let now: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("valid");
        let login = RegistryLogin::Basic { username: "AWS".into(), password: Secret::new("p".into()) };
        for expires_at in [None, Some(now - chrono::Duration::hours(1)), Some(now)] {
            let authorization =
                Authorization::issued(&IssuedLogin { login: login.clone(), expires_at }, now).expect("sendable");
            assert_eq!(authorization.renew_at.map(|at| at - authorization.issued_at), Some(seconds(15 * 60 - 90)));
        }
        let hours =
            Authorization::issued(&IssuedLogin { login, expires_at: Some(now + chrono::Duration::hours(12)) }, now)
                .unwrap();
        assert_eq!(hours.renew_at.map(|at| at - hours.issued_at), Some(seconds(43_200 - 4_320)));
    }

    #[test]
    fn an_authorization_never_shows_its_secret() {
        let authorization = Authorization::basic("user", &Secret::new("hush".into()), None).expect("sendable");
        assert_eq!(authorization.header().expect("a header").as_bytes(), b"Basic dXNlcjpodXNo");
        let shown = format!("{authorization:?}");
        assert!(!shown.contains("hush") && !shown.contains("dXNlcjpodXNo"), "{shown}");
        assert!(Authorization::bearer("line\nbreak", None).is_none());
    }
}
