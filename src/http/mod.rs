//! Adapter: sends every request outside the AWS SDK, within limits for time, size, rate and connections, to allowed
//! addresses only. Knows neither registries nor webhooks.
//!
//! A caller builds one `HttpHost` for each host and sends requests through its `host::Attempts`. It decides what a
//! response means; which failures are retried, and when, is decided here.

mod address;
mod circuit_breaker;
mod client;
mod connect;
mod error;
mod host;
mod memory_budget;
mod proxy;
mod rate_limiter;
mod redact;
mod redirect;
mod request;
mod request_counter;
mod resolver;
mod retry;
mod text;
mod time_budget;
mod tls;

pub(crate) use address::{AddressScope, HostTrust};
pub use client::ClientError;
pub(crate) use client::HttpClient;
pub(crate) use connect::{connect, has_proxy};
pub(crate) use error::Error;
pub(crate) use host::{HostLimits, HttpHost};
pub use memory_budget::ResponseBody;
pub(crate) use proxy::{WANTS_LOGIN, proxy_failure};
pub(crate) use rate_limiter::RateLimiter;
pub(crate) use redact::Redactor;
#[cfg(test)]
pub(crate) use redirect::next as next_hop;
pub(crate) use redirect::{RedirectRule, trust_between};
pub(crate) use request::{HttpRequest, HttpResponse, RequestBody};
pub use request_counter::{RequestCounter, RequestKind};
pub(crate) use resolver::HostResolver;
pub(crate) use retry::is_used_up;
pub(crate) use text::quoted;
pub(crate) use time_budget::TimeBudget;
pub(crate) use tls::{NO_TLS, UNKNOWN_AUTHORITY};
