//! The credentials that were sent to a registry and its token server, to redact them from its messages.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use super::{Error, authorization::Authorization, credentials::RegistryCredential};
use crate::http::Redactor;

/// The most tokens that are kept: one for each scope.
const MAX_TOKENS: usize = 32;

/// The secrets that were sent to one registry and its token server.
#[derive(Default)]
pub(super) struct SentSecrets(Mutex<SentCredentials>);

#[derive(Default)]
struct SentCredentials {
    logins: Redactor,
    /// The latest token at the end.
    tokens: VecDeque<Authorization>,
}

impl SentSecrets {
    /// Adds a login, which is sent to the registry or exchanged for tokens.
    pub(super) fn add_login(&self, credential: &RegistryCredential) {
        let logins = &mut self.lock().logins;
        match credential {
            RegistryCredential::Basic { username, password } => logins.hide_login(username, password.reveal()),
            RegistryCredential::Identity(token) => logins.hide_secret(token.reveal()),
        }
    }

    /// Adds a token, or a login with the lifetime of one.
    pub(super) fn add_token(&self, authorization: &Authorization) {
        let tokens = &mut self.lock().tokens;
        if tokens.len() == MAX_TOKENS {
            tokens.pop_front();
        }
        tokens.push_back(authorization.clone());
    }

    /// `error`, redacted.
    pub(super) fn removed_from(&self, error: Error) -> Error {
        let redactor = {
            let credentials = self.lock();
            let mut redactor = credentials.logins.clone();
            credentials.tokens.iter().for_each(|token| token.hide_in(&mut redactor));
            redactor
        };
        error.redacted(&redactor)
    }

    /// `document` without the login and without `authorization`, which it was requested with; `None` if it contains neither.
    pub(super) fn removed_from_document(&self, document: &[u8], authorization: &Authorization) -> Option<Vec<u8>> {
        let mut redactor = self.lock().logins.clone();
        authorization.hide_in(&mut redactor);
        redactor.redact_document(document)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SentCredentials> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
