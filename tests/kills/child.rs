//! A single day's run in a process of its own, which may be killed.

use std::{
    env,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use serde::{Deserialize, Serialize};

use crate::{
    ground::Place,
    killing::{Killing, Moments},
    post::Post,
    script::Tools,
};

const ORDERS: &str = "BASEWATCH_TEST_DAY";

/// What the process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) day: usize,
    pub(crate) store: Place,
    pub(crate) post: String,
    /// At which moment of the store it ends itself.
    pub(crate) last_moment: Option<usize>,
}

impl Orders {
    /// Starts the process that follows them, and lets `post` know whom to kill.
    pub(crate) fn start(&self, post: &Post) -> Child {
        let start = || {
            Command::new(env::current_exe().unwrap())
                .args(["--ignored", "--exact", "child::a_day_of_its_own"])
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

/// Waits for `child`, and says whether it was killed; any other end than that or a good one is a bug of the test.
pub(crate) fn was_killed(child: Child, post: &Post) -> bool {
    // The process id is not reused while another thread may still kill it.
    waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    post.forget_caller();
    let output = child.wait_with_output().unwrap();
    let is_killed = |status: ExitStatus| status.signal() == Some(Signal::KILL.as_raw());
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(is_killed(output.status) || output.status.success(), "{}: {}", output.status, said());
    is_killed(output.status)
}

#[tokio::test]
#[ignore = "run by the tests that kill it"]
async fn a_day_of_its_own() {
    let orders: Orders = serde_json::from_str(&env::var(ORDERS).expect("set by whoever starts it")).unwrap();
    let store = Arc::new(Killing::new(orders.store.open(), Moments::until(orders.last_moment)));
    let done = Tools::new().run(orders.day, false, store, &orders.post).await;
    let unexpected: Vec<_> = done.problems.iter().filter(|problem| !problem.contains("503")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}
