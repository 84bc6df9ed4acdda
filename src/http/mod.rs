//! Adapter: what every outgoing request outside the AWS SDK needs. Knows neither registries nor webhooks.

mod address;
mod memory_budget;
mod proxy;
mod rate_limiter;
mod redact;
mod request_counter;
mod resolver;
pub(crate) mod retry;
mod text;
mod time_budget;

pub(crate) use address::{AddressScope, HostTrust};
pub use memory_budget::ResponseBody;
pub(crate) use memory_budget::{FREE_BYTES, MemoryBudget, MemoryShare};
pub(crate) use proxy::{WANTS_LOGIN, proxy_failure};
pub(crate) use rate_limiter::{RateLimiter, RatePermit};
pub(crate) use redact::Redactor;
pub use request_counter::{RequestCounter, RequestKind};
pub(crate) use resolver::{ForbiddenAddress, HostResolver};
pub(crate) use text::one_line;
pub(crate) use time_budget::TimeBudget;
