//! In-process AWS, for the tests and the benchmark.
//!
//! An in-memory emulation of the wire protocols of Lambda, ECR, ECS, STS, Organizations and Account Management: a
//! [`CloudTransport`] below the SDK, or a [`CloudServer`] over HTTP. Signatures are not checked.

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
mod recorder;
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
    ecr::{CloudCacheRule, CloudImage, ImageStatus},
    ecs::{
        CloudCluster, CloudContainer, CloudService, CloudTask, ContainerDefinition, ServiceRevision, TaskDefinition,
    },
    faults::FaultScope,
    lambda::{CloudAlias, CloudFunction, CloudVersion, FunctionState, Package},
    log::{CallKey, CallTally, Calls},
    quota::CloudQuotas,
    recorder::Answer,
    request::Call,
    server::CloudServer,
    transport::CloudTransport,
    world::AccountStatus,
};
use self::{
    faults::Faults,
    log::{CallLog, Ending},
    quota::Meter,
    recorder::Recorder,
    reply::{CallOutcome, CallRefusal, Reply},
    request::{Incoming, Protocol},
    sessions::{Caller, RoleSessions},
    world::CloudWorld,
};

/// Tags of a resource, by key.
pub type Tags = std::collections::BTreeMap<String, String>;

/// Fields of a response in JSON, by name.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// An emulated AWS. Clones share it, and it may change while it serves requests.
#[derive(Clone, Debug)]
pub struct Cloud(Arc<CloudState>);

#[derive(Debug)]
struct CloudState {
    own_account: String,
    world: RwLock<CloudWorld>,
    sessions: Mutex<RoleSessions>,
    faults: Mutex<Faults>,
    meter: Mutex<Meter>,
    log: Mutex<CallLog>,
    recorder: Mutex<Recorder>,
}

impl Cloud {
    /// An AWS with nothing in it but the account `own_account`, whose keys are all keys that STS did not hand out.
    #[must_use]
    pub fn new(own_account: &str) -> Self {
        Self(Arc::new(CloudState {
            own_account: own_account.to_owned(),
            world: RwLock::new(CloudWorld::new(own_account)),
            sessions: Mutex::default(),
            faults: Mutex::default(),
            meter: Mutex::default(),
            log: Mutex::default(),
            recorder: Mutex::default(),
        }))
    }

    /// A transport for the SDK that sends requests to this cloud, without sockets.
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
    pub fn call_list(&self) -> Vec<CallKey> {
        self.log().list()
    }

    /// Clears the log of calls.
    pub fn forget_calls(&self) {
        *self.log() = CallLog::default();
    }

    /// Enforces `quotas` from now on, starting with full buckets.
    pub fn limit(&self, quotas: CloudQuotas) {
        *lock(&self.0.meter) = Meter::new(quotas);
    }

    /// Expires all sessions issued so far.
    pub fn expire_sessions(&self) {
        lock(&self.0.sessions).expire_all(Utc::now());
    }

    /// Sessions issued from now on last `lifetime`, regardless of the request.
    pub fn let_sessions_last(&self, lifetime: Duration) {
        lock(&self.0.sessions).let_last(lifetime);
    }

    fn handle(&self, incoming: &Incoming<'_>) -> CallOutcome {
        let request = lock(&self.0.recorder).record(Call::read(incoming));
        // Not under the lock: a test may ask for the calls so far.
        let intercept = lock(&self.0.recorder).intercept.clone();
        if let Some(answer) = intercept.and_then(|intercept| intercept(&request)) {
            return answer.into();
        }
        // There is no instance or container metadata, and the SDK stops looking without a response.
        if request.host.starts_with("169.254.") {
            return CallOutcome::NoConnection;
        }
        if request.access_key.is_empty() {
            return CallOutcome::Reply(Reply::refusal(Protocol::Json, &CallRefusal::unsigned()));
        }
        let caller = lock(&self.0.sessions).caller(&request.access_key, &self.0.own_account, Utc::now());
        let call = CallKey {
            account: caller.account.clone(),
            region: request.region.clone(),
            service: request.service.clone(),
            operation: request.operation.clone(),
        };
        if self.faults().refuses_connection(&call) {
            self.log().count(&call, Ending::Refused);
            return CallOutcome::NoConnection;
        }
        let reply = self.admit(&request, &caller, &call).and_then(|()| self.respond(&request, &caller));
        self.log().count(&call, reply.as_ref().err().map_or(Ending::Answered, CallRefusal::ending));
        let mut reply = reply.unwrap_or_else(|refusal| Reply::refusal(request.protocol, &refusal));
        let revise = lock(&self.0.recorder).revise.clone();
        if let Some(revise) = revise {
            reply.revise(|body| revise(&request, body));
        }
        CallOutcome::Reply(reply)
    }

    /// Checks credentials, then quotas, then permissions, before the service handles the call.
    fn admit(&self, request: &Call, caller: &Caller, call: &CallKey) -> Result<(), CallRefusal> {
        if !caller.is_known {
            return Err(CallRefusal::unknown_key(request));
        }
        if caller.is_expired {
            return Err(CallRefusal::expired(request));
        }
        if request.is_regional() && !self.world().has_region(&caller.account, &request.region) {
            return Err(CallRefusal::unknown_key(request));
        }
        if self.faults().throttles(call) || !lock(&self.0.meter).admits(call, Instant::now()) {
            return Err(CallRefusal::throttled(request));
        }
        if self.faults().denies(call) {
            return Err(CallRefusal::denied(request, caller, "*"));
        }
        Ok(())
    }

    fn respond(&self, request: &Call, caller: &Caller) -> Result<Reply, CallRefusal> {
        match request.service.as_str() {
            "lambda" => lambda::respond(&self.world(), request, caller),
            "ecr" => ecr::respond(&self.world(), request, caller),
            "ecr-public" => ecr_public::respond(&self.faults(), request, caller),
            "ecs" => ecs::respond(&self.world(), request, caller),
            "organizations" => organizations::respond(&self.world(), request, caller),
            "account" => account::respond(&self.world(), request, caller),
            "sts" => sts::respond(self, request, caller),
            _ => Err(CallRefusal::unknown_operation(request)),
        }
    }

    fn world(&self) -> RwLockReadGuard<'_, CloudWorld> {
        self.0.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, CloudWorld> {
        self.0.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.0.faults)
    }

    fn log(&self) -> MutexGuard<'_, CallLog> {
        lock(&self.0.log)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
