"""Image documents as AWS and other vendors publish them, and a client that pushes them to a registry on loopback."""

import gzip
import hashlib
import http.client
import io
import json
import tarfile

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content):
    """The SHA-256 digest of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Layer:
    """A layer with one small file."""

    def __init__(self, path, text):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            entry = tarfile.TarInfo(path)
            content = text.encode()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        self.path = path
        self.diff_id = digest_of(tar.getvalue())
        self.blob = gzip.compress(tar.getvalue(), mtime=0)
        self.digest = digest_of(self.blob)


def config(architecture, created, layers, settings, has_history):
    """The configuration of an image, as bytes. Each layer has one entry of history, after those of its variables."""
    document = {
        "architecture": architecture,
        "config": settings,
        "created": created,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    if architecture == "arm64":
        document["variant"] = "v8"
    if has_history:
        variables = [
            {"created": created, "created_by": "ENV " + variable, "empty_layer": True} for variable in settings["Env"]
        ]
        copies = [{"created": created, "created_by": f"ADD {layer.path} / # buildkit"} for layer in layers]
        document["history"] = copies[:1] + variables + copies[1:]
    return json.dumps(document).encode()


class Registry:
    """A registry over plain HTTP, with one connection."""

    def __init__(self, address):
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.pushed = set()

    def request(self, method, path, body=None, headers=None):
        """Sends one request; the status, the headers and the body of the answer."""
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def push_blob(self, repository, blob):
        """Uploads `blob` unless this client has done so."""
        digest = digest_of(blob)
        if (repository, digest) in self.pushed:
            return
        status, headers, body = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        if status != 202:
            raise RuntimeError(f"{repository}: no upload ({status}): {body!r}")
        location = headers["Location"].removeprefix(f"http://{self.address}")
        path = f"{location}{'&' if '?' in location else '?'}digest={digest}"
        status, _, body = self.request("PUT", path, blob, {"Content-Type": "application/octet-stream"})
        if status != 201:
            raise RuntimeError(f"{repository}: blob not taken ({status}): {body!r}")
        self.pushed.add((repository, digest))

    def push_manifest(self, repository, name, media_type, manifest):
        """Uploads a manifest under a tag or its digest."""
        path = f"/v2/{repository}/manifests/{name}"
        status, _, body = self.request("PUT", path, manifest, {"Content-Type": media_type})
        if status != 201:
            raise RuntimeError(f"{repository}:{name}: manifest not taken ({status}): {body!r}")

    def manifest(self, repository, name):
        """The digest and the bytes of what `name` points at."""
        accept = {"Accept": ", ".join([MANIFEST, OCI_MANIFEST, MANIFEST_LIST])}
        status, _, body = self.request("GET", f"/v2/{repository}/manifests/{name}", headers=accept)
        if status != 200:
            raise RuntimeError(f"{repository}:{name}: not there ({status}): {body!r}")
        return digest_of(body), body

    def configuration(self, repository, manifest):
        """The configuration that the bytes of a manifest name."""
        digest = json.loads(manifest)["config"]["digest"]
        status, _, body = self.request("GET", f"/v2/{repository}/blobs/{digest}")
        if status != 200:
            raise RuntimeError(f"{repository}@{digest}: not there ({status}): {body!r}")
        return json.loads(body)


class Image:
    """An image for one platform in Docker's schema 2."""

    def __init__(self, architecture, layers, config_bytes):
        self.architecture = architecture
        self.layers = layers
        self.config = config_bytes
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config_bytes), "digest": digest_of(config_bytes)},
            "layers": [{"mediaType": LAYER, "size": len(layer.blob), "digest": layer.digest} for layer in layers],
        }
        self.manifest = json.dumps(document, indent=3).encode()
        self.digest = digest_of(self.manifest)

    def push(self, registry, repository, *tags):
        """Uploads it under its digest and `tags`."""
        for blob in [self.config, *(layer.blob for layer in self.layers)]:
            registry.push_blob(repository, blob)
        for name in tags or [self.digest]:
            registry.push_manifest(repository, name, MANIFEST, self.manifest)


class Index:
    """A Docker manifest list as AWS writes it: arm64 with its variant first."""

    def __init__(self, images):
        self.images = sorted(images, key=lambda image: image.architecture, reverse=True)
        platform = {
            "amd64": {"architecture": "amd64", "os": "linux"},
            "arm64": {"architecture": "arm64", "os": "linux", "variant": "v8"},
        }
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_LIST,
            "manifests": [
                {
                    "mediaType": MANIFEST,
                    "size": len(image.manifest),
                    "digest": image.digest,
                    "platform": platform[image.architecture],
                }
                for image in self.images
            ],
        }
        self.manifest = json.dumps(document, indent=3).encode()
        self.digest = digest_of(self.manifest)

    def push(self, registry, repository, *tags):
        """Uploads it and its images."""
        for image in self.images:
            image.push(registry, repository)
        for name in tags:
            registry.push_manifest(repository, name, MANIFEST_LIST, self.manifest)
