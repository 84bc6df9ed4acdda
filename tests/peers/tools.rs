//! Images whose bytes others wrote: made by buildah, copied by skopeo, made by umoci.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use testbed::peers::{Peer, tool};

/// A folder for buildah's images and for files.
pub struct Workshop {
    folder: TempDir,
}

impl Workshop {
    /// A new one.
    pub fn open() -> Self {
        let folder = tempfile::Builder::new().prefix("basewatch-workshop-").tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("tmp")).expect("a folder made");
        Self { folder }
    }

    /// The path of `name` in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs buildah, with storage of its own; what it printed last.
    pub fn buildah<I: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> String {
        let mut command = Command::new("buildah");
        command.env("TMPDIR", self.path("tmp")).env("STORAGE_DRIVER", "vfs").current_dir(self.folder.path());
        command.arg("--root").arg(self.path("root")).arg("--runroot").arg(self.path("run"));
        tool(command.args(arguments)).trim().to_owned()
    }

    /// Commits an image that holds busybox as its shell and nothing else, made at `timestamp` (Unix
    /// seconds), and pushes it.
    pub fn base_image(&self, reference: &str, settings: &[&str], timestamp: &str) {
        let container = self.buildah(["from", "scratch"]);
        let busybox = tool(Command::new("sh").args(["-c", "command -v busybox"]));
        for path in ["/bin/busybox", "/bin/sh"] {
            self.buildah(["copy", "--quiet", &container, busybox.trim(), path]);
        }
        self.buildah([&["config"], settings, &[container.as_str()]].concat());
        self.buildah(["commit", "--quiet", "--timestamp", timestamp, &container, reference]);
        self.push(reference);
    }

    /// The same for several architectures under an index, whatever this machine is: none of them is run.
    pub fn base_index(&self, reference: &str, architectures: &[&str], timestamp: &str) {
        self.buildah(["manifest", "create", reference]);
        for architecture in architectures {
            let container = self.buildah(["from", "--arch", architecture, "scratch"]);
            let busybox = tool(Command::new("sh").args(["-c", "command -v busybox"]));
            self.buildah(["copy", "--quiet", &container, busybox.trim(), "/bin/sh"]);
            self.buildah(["config", "--arch", architecture, "--label", &format!("arch={architecture}"), &container]);
            let image = self.buildah(["commit", "--quiet", "--timestamp", timestamp, &container]);
            self.buildah(["manifest", "add", "--arch", architecture, reference, &image]);
        }
        self.buildah(["manifest", "push", "--all", "--tls-verify=false", reference, &format!("docker://{reference}")]);
        self.buildah(["manifest", "rm", reference]);
    }

    /// Builds `dockerfile` in an empty context and pushes it.
    pub fn build(&self, dockerfile: &str, reference: &str) {
        let context = self.path("context");
        fs::create_dir_all(&context).expect("a folder made");
        fs::write(context.join("Dockerfile"), dockerfile).expect("a file written");
        let context = context.to_str().expect("a path in UTF-8");
        self.buildah(["bud", "--quiet", "--isolation", "chroot", "--tls-verify=false", "-t", reference, context]);
        self.push(reference);
    }

    /// Pushes an image to its registry over plain HTTP.
    pub fn push(&self, reference: &str) {
        self.buildah(["push", "--quiet", "--tls-verify=false", reference]);
    }
}

/// Runs skopeo.
pub fn skopeo(arguments: &[&str]) -> String {
    tool(Command::new("skopeo").args(arguments))
}

/// The digest a tag points at, according to skopeo.
pub fn digest_of(registry: &Peer, name: &str) -> String {
    let image = format!("docker://{}/{name}", registry.address);
    skopeo(&["inspect", "--no-tags", "--tls-verify=false", "--format", "{{.Digest}}", &image]).trim().to_owned()
}
