//! In-process AWS on loopback, for the demo, the tests and the benchmark.
//!
//! One model in memory that answers as Lambda, ECR, ECS, STS, Organizations and Account Management do on the
//! wire: a [`CloudTransport`] below the SDK, or a [`CloudServer`] over real HTTP. It checks no signatures, and
//! knows nothing of who asks or why.

mod account;
mod ecr;
mod ecr_public;
mod ecs;
mod faults;
mod lambda;
mod log;
mod organizations;
mod paging;
mod quota;
mod reply;
mod request;
mod server;
mod sessions;
mod sts;
mod transport;
mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use chrono::Utc;

pub use self::{
    ecr::{ImageStatus, PullThroughRule, StoredImage},
    ecs::{Cluster, Container, ContainerDefinition, Service, ServiceRevision, Task, TaskDefinition},
    faults::Scope,
    lambda::{Alias, Function, FunctionState, Package, Version},
    log::{Call, Calls, Tally},
    quota::Quotas,
    server::CloudServer,
    transport::CloudTransport,
    world::AccountStatus,
};
use self::{
    faults::Faults,
    log::{Ending, Log},
    quota::Meter,
    reply::{Answer, Refusal, Reply},
    request::{Asked, Incoming},
    sessions::{Caller, Sessions},
    world::World,
};

/// Tags of a resource, by key.
pub type Tags = std::collections::BTreeMap<String, String>;

/// An emulated AWS. Clones share it, and it may change while it serves requests.
#[derive(Clone, Debug)]
pub struct Cloud(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    own_account: String,
    world: RwLock<World>,
    sessions: Mutex<Sessions>,
    faults: Mutex<Faults>,
    meter: Mutex<Meter>,
    log: Mutex<Log>,
}

impl Cloud {
    /// An AWS with nothing in it but the account `own_account`, whose keys are all keys that STS did not hand out.
    #[must_use]
    pub fn new(own_account: &str) -> Self {
        Self(Arc::new(Shared {
            own_account: own_account.to_owned(),
            world: RwLock::new(World::new(own_account)),
            sessions: Mutex::default(),
            faults: Mutex::default(),
            meter: Mutex::default(),
            log: Mutex::default(),
        }))
    }

    /// A transport for the SDK that asks this cloud, without sockets.
    #[must_use]
    pub fn transport(&self) -> CloudTransport {
        CloudTransport::new(self.clone())
    }

    /// The calls so far, counted.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.log().calls()
    }

    /// The calls so far, one by one, oldest first.
    #[must_use]
    pub fn call_list(&self) -> Vec<Call> {
        self.log().list()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        *self.log() = Log::default();
    }

    /// Holds callers to `quotas` from now on, starting with full buckets.
    pub fn limit(&self, quotas: Quotas) {
        *lock(&self.0.meter) = Meter::new(quotas);
    }

    /// Makes every session that was handed out so far worthless.
    pub fn expire_sessions(&self) {
        lock(&self.0.sessions).expire_all(Utc::now());
    }

    /// Lets the sessions that are handed out from now on last `lifetime`, whatever the request.
    pub fn let_sessions_last(&self, lifetime: Duration) {
        lock(&self.0.sessions).let_last(lifetime);
    }

    fn answer(&self, incoming: &Incoming<'_>) -> Answer {
        let asked = match Asked::read(incoming) {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        let caller = lock(&self.0.sessions).caller(&asked.key_id, &self.0.own_account, Utc::now());
        let call = Call {
            account: caller.account.clone(),
            region: asked.region.clone(),
            service: asked.service.clone(),
            operation: asked.operation.clone(),
        };
        if self.faults().refuses_connection(&call) {
            self.log().count(&call, Ending::Refused);
            return Answer::NoConnection;
        }
        let reply = self.admit(&asked, &caller, &call).and_then(|()| self.respond(&asked, &caller));
        self.log().count(&call, reply.as_ref().err().map_or(Ending::Answered, Refusal::ending));
        Answer::Reply(reply.unwrap_or_else(|refusal| Reply::refusal(asked.protocol, &refusal)))
    }

    /// Whether the call gets as far as its service's own rules: who asks first, then how often, then whether
    /// they may.
    fn admit(&self, asked: &Asked, caller: &Caller, call: &Call) -> Result<(), Refusal> {
        if !caller.is_known {
            return Err(Refusal::unknown_key(asked));
        }
        if caller.is_expired {
            return Err(Refusal::expired(asked));
        }
        if asked.is_regional() && !self.world().has_region(&caller.account, &asked.region) {
            return Err(Refusal::unknown_key(asked));
        }
        if self.faults().throttles(call) || !lock(&self.0.meter).admits(call, Instant::now()) {
            return Err(Refusal::throttled(asked));
        }
        if self.faults().denies(call) {
            return Err(Refusal::denied(asked, caller, "*"));
        }
        Ok(())
    }

    fn respond(&self, asked: &Asked, caller: &Caller) -> Result<Reply, Refusal> {
        match asked.service.as_str() {
            "lambda" => lambda::respond(&self.world(), asked, caller),
            "ecr" => ecr::respond(&self.world(), asked, caller),
            "ecr-public" => ecr_public::respond(&self.faults(), asked, caller),
            "ecs" => ecs::respond(&self.world(), asked, caller),
            "organizations" => organizations::respond(&self.world(), asked, caller),
            "account" => account::respond(&self.world(), asked, caller),
            "sts" => sts::respond(self, asked, caller),
            _ => Err(Refusal::unknown_operation(asked)),
        }
    }

    fn world(&self) -> RwLockReadGuard<'_, World> {
        self.0.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, World> {
        self.0.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.0.faults)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.0.log)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
