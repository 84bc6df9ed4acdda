//! The sessions that STS issued: their keys and expiration.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

/// The sessions so far.
#[derive(Debug, Default)]
pub(super) struct RoleSessions {
    by_key: HashMap<String, RoleSession>,
    lifetime: Option<Duration>,
}

#[derive(Clone, Debug)]
struct RoleSession {
    account: String,
    arn: String,
    expires_at: DateTime<Utc>,
}

/// The identity that signed a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) account: String,
    /// The ARN of the user or of the assumed role.
    pub(super) arn: String,
    /// Whether the key is a session of an assumed role.
    pub(super) is_role: bool,
    pub(super) is_expired: bool,
    pub(super) is_known: bool,
}

/// A new session.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) key_id: String,
    pub(super) expires_at: DateTime<Utc>,
}

impl RoleSessions {
    /// The caller with `key_id`. Keys that were not issued here belong to `own_account`.
    pub(super) fn caller(&self, key_id: &str, own_account: &str, now: DateTime<Utc>) -> Caller {
        if let Some(session) = self.by_key.get(key_id) {
            return Caller {
                account: session.account.clone(),
                arn: session.arn.clone(),
                is_role: true,
                is_expired: session.expires_at <= now,
                is_known: true,
            };
        }
        Caller {
            account: own_account.to_owned(),
            arn: format!("arn:aws:iam::{own_account}:user/basewatch"),
            is_role: false,
            is_expired: false,
            // A key of this form was issued by another emulated cloud.
            is_known: !is_session_key(key_id),
        }
    }

    /// Starts a session of the role session `arn` in `account`.
    pub(super) fn begin(&mut self, account: &str, arn: String, asked_for: Duration, now: DateTime<Utc>) -> Begun {
        // As long as real keys; the account is included for debugging.
        let key_id = format!("ASIA{account}{:04X}", self.by_key.len());
        let lifetime = TimeDelta::from_std(self.lifetime.unwrap_or(asked_for)).unwrap_or(TimeDelta::MAX);
        let expires_at = now.checked_add_signed(lifetime).unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.by_key.insert(key_id.clone(), RoleSession { account: account.to_owned(), arn, expires_at });
        Begun { key_id, expires_at }
    }

    pub(super) fn expire_all(&mut self, now: DateTime<Utc>) {
        for session in self.by_key.values_mut() {
            session.expires_at = now;
        }
    }

    pub(super) fn let_last(&mut self, lifetime: Duration) {
        self.lifetime = Some(lifetime);
    }
}

/// Whether `key_id` is one that [`RoleSessions::begin`] makes.
fn is_session_key(key_id: &str) -> bool {
    let rest = key_id.strip_prefix("ASIA").unwrap_or_default();
    rest.len() >= 16 && rest.bytes().take(12).all(|byte| byte.is_ascii_digit())
}
