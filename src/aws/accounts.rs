//! Which accounts are looked at, and as whom? A list, or an organization; a role assumed in each.

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

use super::{Aws, Failure, Session};
use crate::{
    glob::Glob,
    image::{AccountId, Arn, ErrorCode, InvalidAwsName, Partition},
    registry::{RequestKind, Requests},
    secret::Secret,
};

/// What takes the place of the account ID in a [`RoleTemplate`].
const ACCOUNT: &str = "{account}";
/// Roles assumed at once.
const CONCURRENCY: usize = 16;
/// Credentials that last no longer than this are not used any more, as the SDK has it.
const LEAST_LEFT: Duration = Duration::from_secs(10);

/// Which accounts are audited, and as whom.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// The role assumed in each account.
    pub role: RoleTemplate,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<Secret>,
    /// The accounts.
    pub members: Members,
    /// If there are any, only accounts that match one of these.
    pub only: Vec<Glob>,
}

/// The ARN of a role in which `{account}` takes the place of the account ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleTemplate {
    text: String,
    partition: Option<Partition>,
}

impl RoleTemplate {
    /// The ARN of the role in `account`, which may be a wildcard or a variable.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        self.text.replace(ACCOUNT, account)
    }

    /// The partition of the role; `None` for one that is not known.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
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

/// Which accounts are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// These.
    Listed(BTreeSet<AccountId>),
    /// All active accounts of the organization that basewatch's own account is in, but these.
    Organization {
        /// The accounts left out.
        exclude: BTreeSet<AccountId>,
    },
}

/// Something that could not be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What: `account 210987654321`, `organization`, `aws`.
    pub scope: String,
    /// The account, where it is about one.
    pub account: Option<AccountId>,
    /// Why.
    pub failure: Failure,
}

/// The identities that a run asks as.
#[derive(Debug, Default)]
pub struct Sessions {
    /// Those that work, by account.
    pub opened: Vec<Arc<Session>>,
    /// Those that do not.
    pub refused: Vec<Refused>,
}

impl Sessions {
    /// What came of `account`, if it was to be asked at all.
    fn find(&self, account: &AccountId) -> Option<Result<Arc<Session>, Failure>> {
        let opened = self.opened.iter().find(|session| session.account() == Some(account));
        let scope = account_scope(account);
        let refused = || self.refused.iter().find(|refused| refused.scope == scope);
        opened.map(|session| Ok(Arc::clone(session))).or_else(|| refused().map(|it| Err(it.failure.clone())))
    }
}

fn account_scope(account: &str) -> String {
    format!("account {account}")
}

impl Members {
    /// Whether `account` may be one of them.
    fn may_have(&self, account: &AccountId) -> bool {
        match self {
            Self::Listed(accounts) => accounts.contains(account),
            Self::Organization { exclude } => !exclude.contains(account),
        }
    }
}

impl Aws {
    /// The identities that the accounts are asked as, found out once: the roles of [`AccountSettings`], or
    /// only what the environment provides.
    pub async fn sessions(&self) -> &Sessions {
        self.sessions.get_or_init(|| self.open_sessions()).await
    }

    /// The identity that `account` is asked as: the role assumed there, else basewatch's own.
    ///
    /// # Errors
    ///
    /// If the role may exist and could not be assumed for a reason that may pass. Asked with another identity, the account
    /// would only deny access.
    pub(crate) async fn session_of(&self, account: &str) -> Result<Arc<Session>, Failure> {
        let Some(settings) = &self.accounts else { return Ok(self.own().await) };
        let Ok(account) = &account.parse::<AccountId>() else { return Ok(self.own().await) };
        let session = match self.sessions.get() {
            Some(sessions) => sessions.find(account),
            // Nothing is inventoried: for the sake of one image, one role is assumed and not all of them.
            None if !settings.members.may_have(account) => None,
            None => Some(self.single.get(account.clone(), async || self.assume(settings, account).await).await),
        };
        match session {
            Some(Ok(session)) => Ok(session),
            Some(Err(failure)) if failure.is_transient() => Err(failure),
            Some(Err(_)) | None => Ok(self.own().await),
        }
    }

    async fn open_sessions(&self) -> Sessions {
        let refused = |scope: &str, failure| Sessions {
            opened: Vec::new(),
            refused: vec![Refused { scope: scope.to_owned(), account: None, failure }],
        };
        if let Err(failure) = self.require_credentials().await {
            return refused("aws", failure);
        }
        let Some(settings) = &self.accounts else {
            return Sessions { opened: vec![self.own().await], refused: Vec::new() };
        };
        let accounts = match &settings.members {
            Members::Listed(accounts) => accounts.clone(),
            Members::Organization { exclude } => match self.organization().await {
                Ok(accounts) => accounts.difference(exclude).cloned().collect(),
                Err(failure) => return refused("organization", failure),
            },
        };
        let is_meant = |account: &AccountId| {
            settings.only.is_empty() || settings.only.iter().any(|pattern| pattern.matches(account))
        };
        let meant: Vec<_> = accounts.into_iter().filter(is_meant).collect();
        if meant.is_empty() {
            let message = "none of the accounts that may be looked at is meant".to_owned();
            return refused("accounts", Failure { code: ErrorCode::NotFound, message });
        }
        let mut under_way = stream::iter(meant)
            .map(|account| async move {
                let session = self.assume(settings, &account).await;
                (account, session)
            })
            .buffer_unordered(CONCURRENCY);
        let mut opened = BTreeMap::new();
        let mut refused = BTreeMap::new();
        while let Some((account, session)) = under_way.next().await {
            match session {
                Ok(session) => drop(opened.insert(account, session)),
                Err(failure) => drop(refused.insert(account, failure)),
            }
        }
        let refused = refused.into_iter();
        Sessions {
            opened: opened.into_values().collect(),
            refused: refused
                .map(|(account, failure)| Refused { scope: account_scope(&account), account: Some(account), failure })
                .collect(),
        }
    }

    /// The active accounts of the organization.
    async fn organization(&self) -> Result<BTreeSet<AccountId>, Failure> {
        let client = self.own().await.organizations();
        let mut pages = client.list_accounts().into_paginator().send();
        let mut accounts = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::of("organizations:ListAccounts", &error))?;
            let active = page.accounts.unwrap_or_default().into_iter().filter(is_active);
            accounts.extend(active.filter_map(|account| account.id?.parse().ok()));
        }
        Ok(accounts)
    }

    /// The role of `settings` in `account`. The account that basewatch itself runs in may do without.
    async fn assume(&self, settings: &AccountSettings, account: &AccountId) -> Result<Arc<Session>, Failure> {
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
        let provider = Assumed::new(provider, Arc::clone(&self.requests));
        if let Err(error) = provider.prime().await {
            let failure = Failure::of_credentials(&format!("sts:AssumeRole of {role}"), &error);
            let is_denied = failure.code == ErrorCode::AccessDenied;
            let is_own = is_denied && self.own_account().await?.as_ref() == Some(account);
            return if is_own { Ok(Arc::new(own.in_account(account, None))) } else { Err(failure) };
        }
        Ok(Arc::new(own.in_account(account, Some(SharedCredentialsProvider::new(provider)))))
    }

    /// The account that basewatch's own identity is in, where AWS says.
    ///
    /// # Errors
    ///
    /// If AWS may say another time.
    async fn own_account(&self) -> Result<Option<AccountId>, Failure> {
        let ask = || async {
            let answer = self.own().await.sts().get_caller_identity().send().await;
            match answer.map_err(|error| Failure::of("sts:GetCallerIdentity", &error)) {
                Ok(answer) => Ok(answer.account.and_then(|account| account.parse().ok())),
                Err(failure) if failure.is_transient() => Err(failure),
                Err(_) => Ok(None),
            }
        };
        self.own_account.get_or_init(ask).await.clone()
    }
}

/// `State` takes the place of `Status`, which AWS retires and stand-ins still give.
fn is_active(account: &Account) -> bool {
    match account.state() {
        Some(state) => *state == AccountState::Active,
        None => account.status() == Some(&AccountStatus::Active),
    }
}

/// An assumed role. The first credentials are asked for before the first client needs them, so that an
/// account whose role cannot be assumed is one failure and not one for each region and service.
#[derive(Debug)]
struct Assumed {
    provider: AssumeRoleProvider,
    requests: Arc<Requests>,
    first: Mutex<Option<Credentials>>,
}

impl Assumed {
    fn new(provider: AssumeRoleProvider, requests: Arc<Requests>) -> Self {
        Self { provider, requests, first: Mutex::default() }
    }

    async fn prime(&self) -> Result<(), CredentialsError> {
        let credentials = self.ask().await?;
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(credentials);
        Ok(())
    }

    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        self.requests.count("sts", RequestKind::Api);
        self.provider.provide_credentials().await
    }

    async fn first_or_ask(&self) -> Result<Credentials, CredentialsError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last of many accounts may be looked at long after its role was assumed.
        let lasts = |first: &Credentials| first.expiry().is_none_or(|until| until > SystemTime::now() + LEAST_LEFT);
        match first.filter(lasts) {
            Some(first) => Ok(first),
            None => self.ask().await,
        }
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.first_or_ask())
    }
}
