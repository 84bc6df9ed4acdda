//! An interrupted run reports it and leaves no partial files, and the next run finishes.
#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use basewatch::image::Digest;
use testbed::{
    bare::{basewatch, stderr, stdout},
    toxic::{Asked, Reply, Toxic, manifest_of},
};

const CONFIG: &[u8] = br#"{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;

/// A registry that serves manifests at once, and configurations only once it is `awake`.
fn sleepy(awake: &Arc<AtomicBool>) -> Toxic {
    let awake = Arc::clone(awake);
    Toxic::start(move |request: &Asked| {
        if request.path.contains("/manifests/") {
            return Reply::manifest(&manifest_of(CONFIG));
        }
        if awake.load(Ordering::SeqCst) { Reply::new(200, CONFIG) } else { Reply::hang() }
    })
}

/// The files in `folder`, including hidden ones, without the user's own folders.
fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| name != ".cache");
    names.sort();
    names
}

#[test]
fn an_interrupted_audit_leaves_no_partial_files_and_the_next_one_completes() {
    for (signal, exit, word) in [("INT", 130, "interrupted\n"), ("TERM", 143, "terminated\n")] {
        let awake = Arc::new(AtomicBool::new(false));
        let registry = sleepy(&awake);
        let folder = tempfile::tempdir().expect("a folder");
        let image = format!("{}/team/x:1", registry.host());
        let audit = || {
            let mut program = basewatch(folder.path());
            program.args(["audit", "--output", "report.json", &image]).stdout(Stdio::piped()).stderr(Stdio::piped());
            program
        };

        let run = audit().spawn().expect("the program starts");
        let until = Instant::now() + Duration::from_secs(20);
        while !registry.lines().iter().any(|line| line.contains("/blobs/")) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        let kill = Command::new("kill").args(["-s", signal, &run.id().to_string()]).status();
        assert!(kill.expect("kill is there").success());
        let output = run.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(exit), "{}", stderr(&output));
        assert_eq!((stdout(&output), stderr(&output)), (String::new(), word.to_owned()));
        assert_eq!(files(folder.path()), Vec::<String>::new(), "after {signal}");

        awake.store(true, Ordering::SeqCst);
        let output = audit().output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(files(folder.path()), ["report.json"]);
        let report = fs::read_to_string(folder.path().join("report.json")).expect("written");
        assert!(report.contains(Digest::sha256(&manifest_of(CONFIG)).as_str()), "{report}");
    }
}
