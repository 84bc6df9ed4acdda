//! Authentication at one registry: stores its challenges and caches tokens.
//!
//! Credentials are those of the host in references, even if a mirror serves the requests; a pull-through cache has its
//! own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::Utc;
use reqwest::{Method, header::WWW_AUTHENTICATE};
use tokio::sync::OnceCell;

use super::{
    AwsLogins, CredentialsErrorKind, Error, IssuedLogin, LoginError, Result,
    authorization::{self, Authorization, TokenCache},
    challenge::{self, AuthChallenge},
    credential_source::{ConfiguredCredential, CredentialSource},
    credentials::{self, RegistryCredential},
    error_response::{self, ErrorMessage},
    redirects::OWN_HOST,
    sent_secrets::SentSecrets,
    token::{BearerChallenge, TokenResponse, TokenRules},
};
use crate::http::{HttpHost, HttpRequest, HttpResponse, RequestBody, RequestKind};

/// The longest response of a token server, in bytes.
const TOKEN_BYTES: u64 = 256 * 1024;

/// The age from which a refusal without a reason counts as expiry of the token.
const SUSPECT_AGE: Duration = Duration::from_mins(1);

/// The authentication scheme that a registry demands.
#[derive(Clone, Debug)]
enum AuthScheme {
    Basic,
    Bearer(BearerChallenge),
}

/// Authentication at one registry.
pub(super) struct Authenticator {
    host: Arc<str>,
    source: CredentialSource,
    rules: TokenRules,
    /// The default rates without and with an ECR Public token, if none was configured.
    default_rates: Option<(f64, f64)>,
    login: TokenCache,
    scheme: Mutex<Option<AuthScheme>>,
    /// The scopes that the registry demanded, by repository.
    tokens: Mutex<HashMap<Option<String>, Arc<TokenCache>>>,
    scopes: Mutex<HashMap<String, String>>,
    docker: OnceCell<Option<RegistryCredential>>,
    used: Mutex<&'static str>,
    /// The secrets to redact from errors and documents of the registry.
    pub(super) sent: SentSecrets,
}

impl Authenticator {
    /// The authentication at `host` with credentials of `source`; `challenge` is the scheme known in advance.
    pub(super) fn new(
        host: Arc<str>,
        source: CredentialSource,
        rules: TokenRules,
        challenge: Option<BearerChallenge>,
        default_rates: Option<(f64, f64)>,
    ) -> Self {
        Self {
            host,
            source,
            rules,
            default_rates,
            login: TokenCache::default(),
            scheme: Mutex::new(challenge.map(AuthScheme::Bearer)),
            tokens: Mutex::default(),
            scopes: Mutex::default(),
            docker: OnceCell::new(),
            used: Mutex::new("anonymous"),
            sent: SentSecrets::default(),
        }
    }

    /// The authentication of the requests so far: `anonymous`, `ecr`, `ecr-public`, `basic`, `docker-config`.
    pub(super) fn used(&self) -> &'static str {
        *lock(&self.used)
    }

    /// The authorization of the first request about `repository`.
    pub(super) async fn authorization(&self, http: &HttpHost, repository: &str) -> Result<Authorization> {
        if let Some(authorization) = self.aws_authorization(http, None).await? {
            return Ok(authorization);
        }
        let scheme = lock(&self.scheme).clone();
        match scheme {
            None => Ok(Authorization::anonymous()),
            // Without credentials the request is sent without, and the response of the registry is the error.
            Some(AuthScheme::Basic) => Ok(self.basic().await?.unwrap_or_else(Authorization::anonymous)),
            Some(AuthScheme::Bearer(challenge)) => self.token(http, &challenge, repository, None).await,
        }
    }

    /// Whether `response` rejects `authorization` in a way that a new one may cure.
    ///
    /// ECR Public answers 400 `DENIED` to an expired token (aws/containers-roadmap#2835), private ECR 403 "expired".
    /// The response to a `HEAD` has no body with the reason.
    pub(super) fn is_curable(method: &Method, response: &HttpResponse, authorization: &Authorization) -> bool {
        if !response.is_from_origin {
            return false;
        }
        let is_head = *method == Method::HEAD;
        match response.status.as_u16() {
            401 => true,
            400 | 403 if authorization.header().is_none() => false,
            400 => is_head || ErrorMessage::read(&response.body).code == "DENIED",
            403 if is_head => authorization.age() >= SUSPECT_AGE,
            403 => String::from_utf8_lossy(&response.body).to_ascii_lowercase().contains("expired"),
            _ => false,
        }
    }

    /// A new authorization after `response` rejected the previous one, `rejected`.
    pub(super) async fn renew(
        &self,
        http: &HttpHost,
        request: &HttpRequest,
        repository: &str,
        response: &HttpResponse,
        rejected: &Authorization,
    ) -> Result<Authorization> {
        if let Some(authorization) = self.aws_authorization(http, Some(rejected)).await? {
            return Ok(authorization);
        }
        if response.status.as_u16() == 401 {
            let values = response.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
            self.store_scheme(repository, &challenge::parse(values))
                .map_err(|why| Error::Malformed { what: request.what.clone(), why })?;
        }
        let scheme = lock(&self.scheme).clone();
        let renewed = match scheme {
            Some(AuthScheme::Bearer(challenge)) => {
                Some(self.token(http, &challenge, repository, Some(rejected)).await?)
            }
            // The same user name and password would be refused again.
            Some(AuthScheme::Basic) if rejected.header().is_none() => self.basic().await?,
            _ => None,
        };
        renewed.ok_or_else(|| error_response::refused(&self.host, &request.what, response))
    }

    /// Stores the challenge of the registry; Bearer takes precedence over Basic.
    fn store_scheme(&self, repository: &str, challenges: &[AuthChallenge]) -> Result<(), String> {
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        if let Some(bearer) = of("bearer") {
            let challenge = BearerChallenge::read(bearer)?;
            if let Some(scope) = challenge.scope.clone().filter(|_| challenge.is_per_repository()) {
                lock(&self.scopes).insert(repository.to_owned(), scope);
            }
            *lock(&self.scheme) = Some(AuthScheme::Bearer(challenge));
        } else if of("basic").is_some() {
            *lock(&self.scheme) = Some(AuthScheme::Basic);
        }
        Ok(())
    }

    async fn aws_authorization(
        &self,
        http: &HttpHost,
        rejected: Option<&Authorization>,
    ) -> Result<Option<Authorization>> {
        let authorization = match &self.source {
            CredentialSource::Ecr { logins, account, region } => {
                self.login.get(rejected, async || self.usable(logins.ecr(account, region).await, "ecr")).await?
            }
            CredentialSource::EcrPublic { logins, is_required } => {
                self.login.get(rejected, async || self.ecr_public(http, logins.as_deref(), *is_required).await).await?
            }
            CredentialSource::OnDemand(_) => return Ok(None),
        };
        Ok(authorization.header().is_some().then_some(authorization))
    }

    async fn ecr_public(
        &self,
        http: &HttpHost,
        logins: Option<&dyn AwsLogins>,
        is_required: bool,
    ) -> Result<Authorization> {
        let found = match logins {
            Some(logins) => logins.ecr_public().await,
            None => Ok(None),
        };
        if let Some((anonymous, granted)) = self.default_rates {
            let is_granted = matches!(found, Ok(Some(_)));
            http.rate_limiter.set_rate(Some(if is_granted { granted } else { anonymous }));
        }
        match found {
            Ok(Some(issued)) => self.usable(Ok(issued), "ecr-public"),
            Ok(None) if is_required => {
                Err(self.no_credentials("there are no AWS credentials that ECR Public issues a token for"))
            }
            Err(error) if is_required => Err(self.login_failed(error)),
            Ok(None) => Ok(Authorization::anonymous_for_now()),
            Err(error) => {
                tracing::warn!(host = %self.host, %error, "continuing without the ECR Public token");
                Ok(Authorization::anonymous_for_now())
            }
        }
    }

    fn usable(&self, issued: Result<IssuedLogin, LoginError>, name: &'static str) -> Result<Authorization> {
        let issued = issued.map_err(|error| self.login_failed(error))?;
        let authorization =
            Authorization::issued(&issued, Utc::now()).ok_or_else(|| authorization::unsendable(&self.host))?;
        self.sent.add_token(&authorization);
        *lock(&self.used) = name;
        Ok(authorization)
    }

    async fn basic(&self) -> Result<Option<Authorization>> {
        match self.credential().await? {
            Some((RegistryCredential::Basic { username, password }, name)) => {
                *lock(&self.used) = name;
                let authorization = Authorization::basic(&username, &password, None);
                authorization.map(Some).ok_or_else(|| authorization::unsendable(&self.host))
            }
            Some((RegistryCredential::Identity(_), _)) => {
                Err(self.no_credentials("it requires a password, but Docker's login is a token for a token server"))
            }
            None => Ok(None),
        }
    }

    /// The configured login and its name in reports.
    async fn credential(&self) -> Result<Option<(RegistryCredential, &'static str)>> {
        let found = self.find_credential().await?;
        if let Some((credential, _)) = &found {
            self.sent.add_login(credential);
        }
        Ok(found)
    }

    async fn find_credential(&self) -> Result<Option<(RegistryCredential, &'static str)>> {
        match &self.source {
            CredentialSource::OnDemand(ConfiguredCredential::Given(credential)) => {
                Ok(Some((credential.clone(), "basic")))
            }
            CredentialSource::OnDemand(ConfiguredCredential::Docker { is_required }) => {
                let found = self.docker.get_or_try_init(|| async {
                    match credentials::docker_credential(&self.host).await {
                        Err(error) if !is_required => {
                            tracing::warn!(%error, "continuing without Docker's login");
                            Ok(None)
                        }
                        found => found,
                    }
                });
                match found.await? {
                    Some(credential) => Ok(Some((credential.clone(), "docker-config"))),
                    None if *is_required => Err(self.no_credentials("Docker's config.json has no login for it")),
                    None => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    async fn token(
        &self,
        http: &HttpHost,
        challenge: &BearerChallenge,
        repository: &str,
        rejected: Option<&Authorization>,
    ) -> Result<Authorization> {
        let scope = if challenge.is_per_repository() {
            let demanded = lock(&self.scopes).get(repository).cloned();
            Some(demanded.unwrap_or_else(|| format!("repository:{repository}:pull")))
        } else {
            challenge.scope.clone()
        };
        let cache = Arc::clone(lock(&self.tokens).entry(scope.clone()).or_default());
        cache.get(rejected, async || self.fetch_token(http, challenge, scope.as_deref()).await).await
    }

    async fn fetch_token(
        &self,
        http: &HttpHost,
        challenge: &BearerChallenge,
        scope: Option<&str>,
    ) -> Result<Authorization> {
        let credential = self.credential().await?;
        let trust = self.rules.check(&challenge.realm, credential.is_some()).map_err(|why| self.no_credentials(why))?;
        http.resolver.trust(challenge.realm.host_str().unwrap_or_default(), trust);
        let what = format!("a token of {}", self.host);
        let request = token_request(challenge, scope, credential.as_ref().map(|(credential, _)| credential), &what);
        let login = match &credential {
            Some((RegistryCredential::Basic { username, password }, _)) => {
                Authorization::basic(username, password, None).ok_or_else(|| authorization::unsendable(&self.host))?
            }
            _ => Authorization::anonymous(),
        };
        let mut attempts = http.attempts(&request);
        let response = loop {
            let attempt = attempts.next(&login.headers()).await;
            if let Some(response) = attempt.map_err(|error| error_response::failed(&self.host, &what, &error))? {
                break response;
            }
        };
        if !response.status.is_success() {
            return Err(error_response::refused(&self.host, &what, &response));
        }
        let malformed = |why: &str| Error::Malformed { what: what.clone(), why: why.to_owned() };
        let read: TokenResponse =
            serde_json::from_slice(&response.body).map_err(|_| malformed("it is not a token response"))?;
        let token = read.token().ok_or_else(|| malformed("the response has no token"))?;
        if let Some((_, name)) = credential {
            *lock(&self.used) = name;
        }
        let authorization = Authorization::bearer(token, Some(read.lifetime(Utc::now())));
        let authorization =
            authorization.ok_or_else(|| malformed("it contains characters that are not allowed in a header"))?;
        self.sent.add_token(&authorization);
        Ok(authorization)
    }

    fn no_credentials(&self, why: impl Into<String>) -> Error {
        self.login_failed(LoginError { kind: CredentialsErrorKind::Denied, message: why.into() })
    }

    fn login_failed(&self, error: LoginError) -> Error {
        Error::Credentials { registry: self.host.to_string(), kind: error.kind, why: error.message }
    }
}

/// The request for a token: a `GET`, or an OAuth2 `POST` with a refresh token.
fn token_request(
    challenge: &BearerChallenge,
    scope: Option<&str>,
    credential: Option<&RegistryCredential>,
    what: &str,
) -> HttpRequest {
    let mut url = challenge.realm.clone();
    url.set_fragment(None);
    let mut request = HttpRequest {
        accept: "application/json",
        limit_bytes: TOKEN_BYTES,
        redirects: OWN_HOST,
        ..HttpRequest::get(url, RequestKind::Token, what.to_owned())
    };
    if let Some(RegistryCredential::Identity(token)) = credential {
        let more =
            [("grant_type", "refresh_token"), ("client_id", env!("CARGO_PKG_NAME")), ("refresh_token", token.reveal())];
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(challenge.parameters(scope, more)).finish();
        let content_type = "application/x-www-form-urlencoded".into();
        request.method = Method::POST;
        request.body = Some(RequestBody { content_type, bytes: form.into_bytes().into() });
        return request;
    }
    let parameters: Vec<_> = challenge.parameters(scope, []).collect();
    if !parameters.is_empty() {
        request.url.query_pairs_mut().extend_pairs(parameters);
    }
    request
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, header::HeaderMap};

    use super::*;
    use crate::secret::Secret;

    fn response(status: u16, body: &str, is_from_origin: bool) -> HttpResponse {
        let status = StatusCode::from_u16(status).expect("a status");
        HttpResponse { status, headers: HeaderMap::new(), body: Vec::from(body).into(), is_from_origin }
    }

    fn challenge(header: &str) -> BearerChallenge {
        BearerChallenge::read(&challenge::parse([header])[0]).expect("a challenge")
    }

    #[test]
    fn a_token_request_keeps_the_query_of_the_realm() {
        let challenge = challenge(r#"Bearer realm="https://a.io/t?account=1#x",service="a b&c""#);
        let request = token_request(&challenge, Some("repository:x/y:pull"), None, "a token");
        assert_eq!(request.url.as_str(), "https://a.io/t?account=1&service=a+b%26c&scope=repository%3Ax%2Fy%3Apull");
        assert!(request.method == Method::GET && request.body.is_none());
    }

    #[test]
    fn a_refresh_token_is_sent_in_a_form_and_never_shown() {
        let credential = RegistryCredential::Identity(Secret::new("hush".into()));
        let request = token_request(&challenge(r#"Bearer realm="https://a.io/t""#), None, Some(&credential), "a token");
        assert!(!format!("{request:?}").contains("hush"));
        assert_eq!(request.url.as_str(), "https://a.io/t");
        let form = request.body.expect("a form");
        assert_eq!(&*form.bytes, b"grant_type=refresh_token&client_id=basewatch&refresh_token=hush");
    }

    #[test]
    fn only_a_refusal_of_an_old_authorization_leads_to_a_new_one() {
        let denied = r#"{"errors":[{"code":"DENIED","message":"x"}]}"#;
        let young = Authorization::bearer("t", None).expect("sendable");
        let old = Authorization::bearer("t", None).expect("sendable").aged(SUSPECT_AGE);
        let anonymous = Authorization::anonymous();
        for (method, status, body, authorization, expected) in [
            (Method::GET, 401, "", &anonymous, true),
            (Method::GET, 401, "", &young, true),
            (Method::GET, 400, denied, &young, true),
            (Method::GET, 400, "{}", &young, false),
            (Method::GET, 400, denied, &anonymous, false),
            (Method::HEAD, 400, "", &young, true),
            (Method::HEAD, 400, "", &anonymous, false),
            (Method::GET, 403, "denied: Your Authorization Token has EXPIRED.", &young, true),
            (Method::GET, 403, denied, &old, false),
            (Method::GET, 403, "expired", &anonymous, false),
            (Method::HEAD, 403, "", &old, true),
            (Method::HEAD, 403, "", &young, false),
            (Method::GET, 404, "expired", &old, false),
            (Method::GET, 429, "expired", &old, false),
        ] {
            let curable = |is_from_origin| {
                Authenticator::is_curable(&method, &response(status, body, is_from_origin), authorization)
            };
            assert_eq!(curable(true), expected, "{method} {status} {body}");
            assert!(!curable(false), "another host has no say in it");
        }
    }
}
