"""Image builders that others wrote, run over bases in a registry on loopback."""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

from bases import Release, stamp
from documents import OCI_MANIFEST

# The names by which builders know what is in the registry on loopback.
REGISTRIES = ("public.ecr.aws", "docker.io", "registry.example.com")
TOOL_SECONDS = 120


class Workshop:
    """A folder in which images are built, and the registry they come from and go to."""

    def __init__(self, folder, address):
        self.folder = Path(folder).resolve()
        self.address = address
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "STORAGE_DRIVER": "vfs",
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
        }
        self.lock = threading.Lock()
        self.layouts = {}
        (self.folder / "tmp").mkdir()
        entries = [f'[[registry]]\nprefix = "{name}"\nlocation = "{address}"\ninsecure = true\n' for name in REGISTRIES]
        (self.folder / "registries.conf").write_text("\n".join(entries))

    def run(self, *command):
        """Runs a tool to its end; what it printed."""
        done = subprocess.run(
            [str(word) for word in command],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TOOL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command} ends with {done.returncode}:\n{done.stderr.decode(errors='replace')}")
        return done.stdout.decode().strip()

    def layout(self, path, name, folder):
        """A layout in `folder` with the image `name` of the repository `path`, which skopeo fetches once."""
        with self.lock:
            known = self.layouts.setdefault((path, name), (threading.Lock(), self.folder / f"layout-{len(self.layouts)}"))
        lock, fetched = known
        with lock:
            if not fetched.exists():
                source = f"docker://{self.address}/{path}:{name}"
                self.run("skopeo", "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{fetched}:image")
        shutil.copytree(fetched, folder)
        return f"{folder}:image"

    def push(self, source, path, *options):
        """Copies an image to the registry with skopeo."""
        target = f"docker://{self.address}/{path}"
        tls = "--dest-tls-verify=false", "--src-tls-verify=false"
        self.run("skopeo", "copy", "--quiet", *tls, *options, source, target)

    def umoci(self, folder, path, name, settings):
        """Builds an image with umoci on the image `name` of the repository `path`; where its layout is."""
        folder = self.folder / folder
        image = self.layout(path, name, folder)
        created = stamp(settings.built_at)
        history = ["--history.created", settings.history_at or created]
        for number in range(settings.layer_count):
            file = folder / f"file-{number}"
            file.write_text(f"{folder.name} {number} {settings.salt}")
            by = ["--history.created_by", f"COPY part-{number} /var/task/ # buildkit"]
            self.run("umoci", "insert", "--image", image, *history, *by, file, f"/var/task/part-{number}")
        labels = [word for label in settings.labels.items() for word in ("--config.label", "=".join(label))]
        variables = ["--clear", "config.env"] if settings.has_no_variables else []
        if settings.has_no_variables:
            variables += ["--config.env", "PATH=/usr/bin:/bin"]
        by = ["--history.created_by", "LABEL # buildkit"]
        created = settings.created_at or created
        self.run("umoci", "config", "--image", image, "--created", created, *history, *by, *labels, *variables)
        return f"oci:{image}"

    def buildah(self, *arguments):
        """Runs buildah with storage of its own."""
        storage = ["--storage-driver", "vfs", "--root", self.folder / "root", "--runroot", self.folder / "run"]
        return self.run("buildah", *storage, *arguments)

    def bud(self, name, dockerfile, timestamp, *options):
        """Builds a Dockerfile with buildah; the name of the image in its storage."""
        context = self.folder / f"context-{name}"
        context.mkdir()
        (context / "Dockerfile").write_text(dockerfile)
        (context / "app").write_text(f"application {name}")
        (context / "extra").write_text(f"more of {name}")
        common = ["--quiet", "--isolation", "chroot", "--timestamp", str(timestamp), "--tag", f"localhost/{name}"]
        self.buildah("bud", *common, *options, context)
        return f"localhost/{name}"

    def push_built(self, name, path, *options):
        """Pushes an image out of buildah's storage."""
        target = f"docker://{self.address}/{path}"
        self.buildah("push", "--quiet", "--tls-verify=false", *options, name, target)


def layer_count(registry, path, tag):
    """How many layers an image has that was pushed."""
    return len(json.loads(registry.manifest(path, tag)[1])["layers"])


def compressions(registry, path, tag):
    """The media types of the layers of an image that was pushed, and whether its manifest is an OCI document."""
    manifest = json.loads(registry.manifest(path, tag)[1])
    types = {layer["mediaType"].rsplit(".", 1)[-1].rsplit("+", 1)[-1] for layer in manifest["layers"]}
    return types, manifest.get("mediaType", OCI_MANIFEST) == OCI_MANIFEST


def names(*releases):
    """What an answer may name: `releases`, by tag or digest."""
    return [one.truth() if isinstance(one, Release) else one for one in releases]
