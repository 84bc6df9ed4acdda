//! The run of a single day in its own process, which may be killed.

use std::{
    env,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use serde::{Deserialize, Serialize};

use crate::{
    ground::StoreAddress,
    killing::{KillingStore, Moments},
    post::ChannelServer,
    script::Tools,
};

const ORDERS: &str = "BASEWATCH_TEST_DAY";

/// What the process does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChildOrders {
    pub(crate) day: usize,
    pub(crate) store: StoreAddress,
    pub(crate) post: String,
    /// The moment of the store at which it kills itself.
    pub(crate) last_moment: Option<usize>,
}

impl ChildOrders {
    /// Starts the process and registers it with `post`.
    pub(crate) fn start(&self, post: &ChannelServer) -> Child {
        let start = || {
            Command::new(env::current_exe().unwrap())
                .args(["--ignored", "--exact", "child::a_day_in_its_own_process"])
                .env(ORDERS, serde_json::to_string(self).unwrap())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        post.start_caller(start)
    }
}

/// Waits for `child`. Returns whether it was killed; fails if it ended with an error.
pub(crate) fn was_killed(child: Child, post: &ChannelServer) -> bool {
    // The process id is not reused while another thread may still kill it.
    waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    post.forget_caller();
    let output = child.wait_with_output().unwrap();
    let is_killed = |status: ExitStatus| status.signal() == Some(Signal::KILL.as_raw());
    let printed = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(is_killed(output.status) || output.status.success(), "{}: {}", output.status, printed());
    is_killed(output.status)
}

#[tokio::test]
#[ignore = "run by the tests that kill it"]
async fn a_day_in_its_own_process() {
    let instructions: ChildOrders =
        serde_json::from_str(&env::var(ORDERS).expect("set by the parent process")).unwrap();
    let store = Arc::new(KillingStore::new(instructions.store.open(), Moments::until(instructions.last_moment)));
    let done = Box::pin(Tools::new().run(instructions.day, false, store, &instructions.post)).await;
    let unexpected: Vec<_> = done.problems.iter().filter(|problem| !problem.contains("503")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}
