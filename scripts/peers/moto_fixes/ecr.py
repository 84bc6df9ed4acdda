"""Private ECR: digests, pages, archived images, tags that move, pull-through cache rules."""

import hashlib
import json
import re
from datetime import datetime, timedelta, timezone

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.models import ECRBackend, Image, ecr_backends
from moto.ecr.responses import ECRResponse

from .patching import added, cut, page_size, wrapped

MOST_IMAGE_IDS = 100


def resolve(uri):
    """The repository that `uri` names, as `host/name`, and the image; None if there is no such image."""
    name, _, digest = uri.partition("@")
    host, _, path = name.partition("/")
    path, _, tag = path.partition(":")
    place = re.fullmatch(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com", host)
    repository = ecr_backends[place[1]][place[2]].repositories.get(path) if place else None
    for image in repository.images if repository else []:
        if image.image_digest == digest or (not digest and (tag or "latest") in image.image_tags):
            return f"{host}/{path}", image
    return f"{host}/{path}", None


def images():
    """An image has the digest of its bytes, an instant it was pushed at, and a status."""
    last = [datetime.fromtimestamp(0, timezone.utc)]

    @wrapped(Image, "__init__")
    def init(original, self, *args, **kwargs):
        original(self, *args, **kwargs)
        # moto counts in seconds. The order of images depends on finer push dates in ECR.
        last[0] = max(datetime.now(timezone.utc), last[0] + timedelta(milliseconds=1))
        self.image_pushed_at = last[0]
        self.image_status = "ACTIVE"
        manifest = json.loads(self.image_manifest)
        # Absent for an index; the type of the configuration if no other is given.
        self.artifact_media_type = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
        self.subject_manifest_digest = manifest.get("subject", {}).get("digest")

    @wrapped(Image, "_create_digest")
    def create_digest(_, self):
        # moto hashes the digests of the layers, and for an index a random number.
        self._image_digest = "sha256:" + hashlib.sha256(self.image_manifest.encode()).hexdigest()

    @wrapped(ECRBackend, "put_image")
    def put_image(original, self, repository_name, image_manifest, image_tag, *args, **kwargs):
        # A tag that moves leaves the image behind untagged; moto deletes the image.
        repository = self.repositories.get(repository_name)
        if repository and image_tag and not repository.is_tag_immutable():
            for image in repository.images:
                if image_tag in image.image_tags and image.image_manifest != image_manifest:
                    image.remove_tag(image_tag)
                    image.image_tag = image.image_tags[-1] if image.image_tags else None
        return original(self, repository_name, image_manifest, image_tag, *args, **kwargs)

    @wrapped(ECRBackend, "batch_get_image")
    def batch_get_image(original, self, repository_name, registry_id=None, image_ids=None):
        if len(image_ids or []) > MOST_IMAGE_IDS:
            raise InvalidParameterException(f"at most {MOST_IMAGE_IDS} image ids may be given")
        found = original(self, repository_name, registry_id, image_ids)
        # An archived image must be restored before it can be pulled.
        for image in [image for image in found["images"] if image.image_status != "ACTIVE"]:
            found["images"].remove(image)
            reason = "The image is archived"
            failure = {"imageId": image.image_id, "failureCode": "ImageInaccessible", "failureReason": reason}
            found["failures"].append(failure)
        return found


def storage_classes():
    """Images can be archived, which moto does not support."""

    @added(ECRResponse)
    def update_image_storage_class(self):
        name, image_id = self._get_param("repositoryName"), self._get_param("imageId")
        repository = self.ecr_backend._get_repository(name, self._get_param("registryId"))
        image = repository._get_image(image_id.get("imageTag"), image_id.get("imageDigest"))
        image.image_status = "ARCHIVED" if self._get_param("targetStorageClass") == "ARCHIVE" else "ACTIVE"
        answer = {"repositoryName": name, "imageId": image.image_id, "imageStatus": image.image_status}
        return ActionResult({"registryId": repository.registry_id, **answer})


def is_meant(image, chosen):
    """Whether the filter of DescribeImages chooses `image`. Archived images are excluded unless requested."""
    status, tags = chosen.get("imageStatus", "ACTIVE"), chosen.get("tagStatus", "ANY")
    has_tags = bool(getattr(image, "image_tags", None))
    return status in ("ANY", image.image_status) and tags in ("ANY", "TAGGED" if has_tags else "UNTAGGED")


def referrer(image):
    """The answer of ListImageReferrers for `image`."""
    manifest = json.loads(image.image_manifest)
    listed = {"digest": image.image_digest, "size": len(image.image_manifest), "artifactStatus": image.image_status}
    listed |= {name: manifest[name] for name in ("mediaType", "artifactType", "annotations") if name in manifest}
    return listed


def lists():
    """Lists come in pages of 100, or the requested number up to 1,000; moto's have one page, unfiltered."""

    def paged(operation, key):
        @wrapped(ECRResponse, operation)
        def pages(original, self):
            items = original(self).result[key]
            if self._get_param("imageIds") or self._get_param("repositoryNames"):
                return ActionResult({key: items})
            if key == "imageDetails":
                items = [image for image in items if is_meant(image, self._get_param("filter", {}))]
            size = page_size(self._get_param("maxResults"), 100, 1000, InvalidParameterException)
            items, following = cut(items, size, self._get_param("nextToken"), InvalidParameterException)
            return ActionResult({key: items} | ({"nextToken": following} if following else {}))

    @added(ECRResponse)
    def create_pull_through_cache_rule(self):
        names = ["ecrRepositoryPrefix", "upstreamRegistryUrl", "upstreamRegistry", "upstreamRepositoryPrefix"]
        rule = {name: self._get_param(name) for name in names if self._get_param(name)}
        rule |= {"registryId": self.current_account, "createdAt": datetime.now(timezone.utc)}
        self.ecr_backend.__dict__.setdefault("cache_rules", []).append(rule)
        return ActionResult(rule)

    @added(ECRResponse)
    def describe_pull_through_cache_rules(self):
        return ActionResult({"pullThroughCacheRules": getattr(self.ecr_backend, "cache_rules", [])})

    @added(ECRResponse)
    def list_image_referrers(self):
        repository = self.ecr_backend._get_repository(self._get_param("repositoryName"), self._get_param("registryId"))
        subject = (self._get_param("subjectId") or {}).get("imageDigest")
        items = [referrer(image) for image in repository.images if image.subject_manifest_digest == subject]
        size = page_size(self._get_param("maxResults"), 20, 50, InvalidParameterException)
        items, following = cut(items, size, self._get_param("nextToken"), InvalidParameterException)
        return ActionResult({"referrers": items} | ({"nextToken": following} if following else {}))

    paged("describe_repositories", "repositories")
    paged("describe_images", "imageDetails")
    paged("describe_pull_through_cache_rules", "pullThroughCacheRules")


def accounts():
    """Images of another account are denied unless a policy of the repository allows it: policies are not read
    here. moto looks for the repository in the caller's own account.
    """

    def denied(operation, action):
        @wrapped(ECRResponse, operation)
        def deny(original, self):
            registry = self._get_param("registryId") or self.current_account
            if registry != self.current_account:
                who = f"arn:aws:sts::{self.current_account}:assumed-role/tests"
                where = f"arn:aws:ecr:{self.region}:{registry}:repository/{self._get_param('repositoryName')}"
                message = f"User: {who} is not authorized to perform: {action} on resource: {where}"
                raise JsonRESTError("AccessDeniedException", message)
            return original(self)

    denied("describe_images", "ecr:DescribeImages")
    denied("describe_repositories", "ecr:DescribeRepositories")
    denied("batch_get_image", "ecr:BatchGetImage")


def tokens():
    """A token lasts twelve hours; those of moto ended in 2015."""

    @wrapped(ECRResponse, "get_authorization_token")
    def get_authorization_token(original, self):
        answer = original(self).result
        for token in answer["authorizationData"]:
            token["expiresAt"] = datetime.now(timezone.utc) + timedelta(hours=12)
        return ActionResult(answer)


def apply():
    """Applies the fixes."""
    for fix in (images, storage_classes, lists, accounts, tokens):
        fix()
