//! The audited accounts and their sessions: a list or an organization, with a role assumed in each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_organizations::types::{Account, AccountState, AccountStatus};
use futures::{StreamExt, stream};

use super::{Aws, AwsError, AwsSession};
use crate::{
    glob::Glob,
    http::{RequestCounter, RequestKind},
    image::{AccountId, Arn, AwsPartition, ErrorCode, InvalidAwsName},
    secret::Secret,
};

/// What takes the place of the account ID in a [`RoleTemplate`].
const ACCOUNT: &str = "{account}";
/// Roles assumed at once.
const CONCURRENCY: usize = 16;
/// Credentials that expire within this span are renewed, as in the SDK.
const LEAST_LEFT: Duration = Duration::from_secs(10);

/// The accounts to audit, and the role for each.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// The ARN of the role to assume in each account, with `{account}` as placeholder.
    pub role: RoleTemplate,
    /// The external id that the role's trust policy requires.
    pub external_id: Option<Secret>,
    /// The accounts.
    pub members: AccountSelection,
    /// Patterns of accounts; empty for all.
    pub only: Vec<Glob>,
}

/// The ARN of a role in which `{account}` takes the place of the account ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleTemplate {
    text: String,
    partition: Option<AwsPartition>,
}

impl RoleTemplate {
    /// The ARN of the role in `account`, which may be a wildcard or a variable.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        self.text.replace(ACCOUNT, account)
    }

    /// The partition of the role; `None` for one that is not known.
    #[must_use]
    pub fn partition(&self) -> Option<AwsPartition> {
        self.partition
    }

    /// The template as it is configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for RoleTemplate {
    type Err = InvalidAwsName;

    /// The resource has the characters of a role's path and name only
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let filled = text.replacen(ACCOUNT, "000000000000", 1);
        let arn: Arn = filled.parse()?;
        let parts = arn.parts();
        let is_of_role = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte);
        let name = parts.resource.strip_prefix("role/").filter(|name| !name.is_empty());
        let is_role = name.is_some_and(|name| name.bytes().all(is_of_role));
        let is_template = filled != text && parts.account == "000000000000";
        if is_role && is_template && parts.service == "iam" && parts.region.is_empty() {
            Ok(Self { text: text.to_owned(), partition: arn.partition() })
        } else {
            Err(InvalidAwsName::Arn)
        }
    }
}

impl fmt::Display for RoleTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The selected accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSelection {
    /// The listed accounts.
    Listed(BTreeSet<AccountId>),
    /// All active accounts of basewatch's own organization.
    Organization {
        /// The excluded accounts.
        exclude: BTreeSet<AccountId>,
    },
}

/// An account, or the organization, that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountError {
    /// The scope: `account 210987654321`, `organization`, `aws`.
    pub scope: String,
    /// The account, if it concerns one.
    pub account: Option<AccountId>,
    /// Why.
    pub failure: AwsError,
}

/// The sessions of a run.
#[derive(Debug, Default)]
pub struct AccountSessions {
    /// The usable sessions, by account.
    pub opened: Vec<Arc<AwsSession>>,
    /// The errors of the others.
    pub errors: Vec<AccountError>,
}

impl AccountSessions {
    /// The session of `account`, or its error, if it is selected.
    fn find(&self, account: &AccountId) -> Option<Result<Arc<AwsSession>, AwsError>> {
        let opened = self.opened.iter().find(|session| session.account() == Some(account));
        let scope = account_scope(account);
        let error = || self.errors.iter().find(|error| error.scope == scope);
        opened.map(|session| Ok(Arc::clone(session))).or_else(|| error().map(|it| Err(it.failure.clone())))
    }
}

fn account_scope(account: &str) -> String {
    format!("account {account}")
}

impl AccountSelection {
    /// Whether `account` may be selected.
    fn may_have(&self, account: &AccountId) -> bool {
        match self {
            Self::Listed(accounts) => accounts.contains(account),
            Self::Organization { exclude } => !exclude.contains(account),
        }
    }
}

impl Aws {
    /// The sessions of all accounts, opened once: with the roles of [`AccountSettings`], or only with the credentials
    /// of the environment.
    pub async fn sessions(&self) -> &AccountSessions {
        self.sessions.get_or_init(|| self.open_sessions()).await
    }

    /// The session for `account`: with the role assumed there, else basewatch's own.
    ///
    /// # Errors
    ///
    /// If assuming the role failed temporarily. With another identity the account would only deny access.
    pub(crate) async fn session_of(&self, account: &str) -> Result<Arc<AwsSession>, AwsError> {
        let Some(settings) = &self.accounts else { return Ok(self.own().await) };
        let Ok(account) = &account.parse::<AccountId>() else { return Ok(self.own().await) };
        let session = match self.sessions.get() {
            Some(sessions) => sessions.find(account),
            // Without an inventory, only the role for the account of the image is assumed.
            None if !settings.members.may_have(account) => None,
            None => Some(self.single.get(account.clone(), async || self.assume(settings, account).await).await),
        };
        match session {
            Some(Ok(session)) => Ok(session),
            Some(Err(failure)) if failure.is_transient() => Err(failure),
            Some(Err(_)) | None => Ok(self.own().await),
        }
    }

    async fn open_sessions(&self) -> AccountSessions {
        let failed = |scope: &str, failure| AccountSessions {
            opened: Vec::new(),
            errors: vec![AccountError { scope: scope.to_owned(), account: None, failure }],
        };
        if let Err(failure) = self.require_credentials().await {
            return failed("aws", failure);
        }
        let Some(settings) = &self.accounts else {
            return AccountSessions { opened: vec![self.own().await], errors: Vec::new() };
        };
        let accounts = match &settings.members {
            AccountSelection::Listed(accounts) => accounts.clone(),
            AccountSelection::Organization { exclude } => match self.organization().await {
                Ok(accounts) => accounts.difference(exclude).cloned().collect(),
                Err(failure) => return failed("organization", failure),
            },
        };
        let is_selected = |account: &AccountId| {
            settings.only.is_empty() || settings.only.iter().any(|pattern| pattern.matches(account))
        };
        let selected: Vec<_> = accounts.into_iter().filter(is_selected).collect();
        if selected.is_empty() {
            let message = "no account is selected".to_owned();
            return failed("accounts", AwsError { code: ErrorCode::NotFound, message });
        }
        let mut under_way = stream::iter(selected)
            .map(|account| async move {
                let session = self.assume(settings, &account).await;
                (account, session)
            })
            .buffer_unordered(CONCURRENCY);
        let mut opened = BTreeMap::new();
        let mut failures = BTreeMap::new();
        while let Some((account, session)) = under_way.next().await {
            match session {
                Ok(session) => drop(opened.insert(account, session)),
                Err(failure) => drop(failures.insert(account, failure)),
            }
        }
        AccountSessions {
            opened: opened.into_values().collect(),
            errors: failures
                .into_iter()
                .map(|(account, failure)| AccountError {
                    scope: account_scope(&account),
                    account: Some(account),
                    failure,
                })
                .collect(),
        }
    }

    /// The active accounts of the organization.
    async fn organization(&self) -> Result<BTreeSet<AccountId>, AwsError> {
        let client = self.own().await.organizations();
        let mut pages = client.list_accounts().into_paginator().send();
        let mut accounts = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk("organizations:ListAccounts", &error))?;
            let active = page.accounts.unwrap_or_default().into_iter().filter(is_active);
            accounts.extend(active.filter_map(|account| account.id?.parse().ok()));
        }
        Ok(accounts)
    }

    /// The role of `settings` in `account`. It is optional in the account that basewatch runs in.
    async fn assume(&self, settings: &AccountSettings, account: &AccountId) -> Result<Arc<AwsSession>, AwsError> {
        let own = self.own().await;
        let role = settings.role.arn(account);
        let mut provider = AssumeRoleProvider::builder(&role).session_name("basewatch").configure(own.config());
        if let Some(external_id) = &settings.external_id {
            provider = provider.external_id(external_id.reveal());
        }
        let provider = match own.config().credentials_provider() {
            Some(own) => provider.build_from_provider(own).await,
            None => provider.build().await,
        };
        let provider = AssumedRole::new(provider, Arc::clone(&self.requests));
        if let Err(error) = provider.prime().await {
            let failure = AwsError::from_credentials(&format!("sts:AssumeRole of {role}"), &error);
            let is_denied = failure.code == ErrorCode::AccessDenied;
            let is_own = is_denied && self.own_account().await?.as_ref() == Some(account);
            return if is_own { Ok(Arc::new(own.in_account(account, None))) } else { Err(failure) };
        }
        Ok(Arc::new(own.in_account(account, Some(SharedCredentialsProvider::new(provider)))))
    }

    /// The account of basewatch's own identity, if AWS returns it.
    ///
    /// # Errors
    ///
    /// If the request failed temporarily.
    pub(crate) async fn own_account(&self) -> Result<Option<AccountId>, AwsError> {
        let request = || async {
            let response = self.own().await.sts().get_caller_identity().send().await;
            match response.map_err(|error| AwsError::from_sdk("sts:GetCallerIdentity", &error)) {
                Ok(response) => Ok(response.account.and_then(|account| account.parse().ok())),
                Err(failure) if failure.is_transient() => Err(failure),
                Err(_) => Ok(None),
            }
        };
        self.own_account.get_or_init(request).await.clone()
    }
}

/// `State` replaces `Status`, which AWS retires and emulators still return.
fn is_active(account: &Account) -> bool {
    match account.state() {
        Some(state) => *state == AccountState::Active,
        None => account.status() == Some(&AccountStatus::Active),
    }
}

/// An assumed role. Its first credentials are requested in advance, so that a role that cannot be assumed is one error
/// instead of one for each region and service.
#[derive(Debug)]
struct AssumedRole {
    provider: AssumeRoleProvider,
    requests: Arc<RequestCounter>,
    first: Mutex<Option<Credentials>>,
}

impl AssumedRole {
    fn new(provider: AssumeRoleProvider, requests: Arc<RequestCounter>) -> Self {
        Self { provider, requests, first: Mutex::default() }
    }

    async fn prime(&self) -> Result<(), CredentialsError> {
        let credentials = self.request().await?;
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(credentials);
        Ok(())
    }

    async fn request(&self) -> Result<Credentials, CredentialsError> {
        self.requests.count("sts", RequestKind::Api);
        self.provider.provide_credentials().await
    }

    async fn first_or_request(&self) -> Result<Credentials, CredentialsError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last of many accounts may be read long after its role was assumed.
        let lasts = |first: &Credentials| first.expiry().is_none_or(|until| until > SystemTime::now() + LEAST_LEFT);
        match first.filter(lasts) {
            Some(first) => Ok(first),
            None => self.request().await,
        }
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.first_or_request())
    }
}
