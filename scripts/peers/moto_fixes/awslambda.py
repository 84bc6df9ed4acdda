"""Lambda: the image of a function, the fields that lists omit, and pagination."""

import json
import uuid
from datetime import datetime, timezone
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse

from .ecr import resolve
from .patching import cut, wrapped

# ListFunctions and ListVersionsByFunction return at most this many, whatever MaxItems is.
PAGE = 50
# Returned by GetFunction but not by the lists.
ONLY_IN_GET = {
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "RuntimeVersionConfig",
}


def touch(function):
    """Every change gives a function a new revision and a new date; with moto it has none and an old one."""
    function.revision_id = str(uuid.uuid4())
    function.last_modified = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def deploy(function, uri):
    """Finds the image of `uri` in ECR, once: later changes of the tag have no effect.

    The image has to be there, for one platform: an index is refused, and so is one with attestations.
    """
    repository, image = resolve(uri)
    if image is None:
        raise InvalidParameterValueException(f"Source image {uri} does not exist. Provide a valid source image.")
    if "manifests" in json.loads(image.image_manifest):
        kind = "The image manifest, config or layer media type for the source image"
        raise InvalidParameterValueException(f"{kind} {uri} is not supported.")
    # A published version shares this with the function that it was copied from.
    function.code = {"ImageUri": uri}
    # moto loses it for functions that a template creates.
    function.package_type = "Image"
    function.resolved = f"{repository}@{image.image_digest}"
    function.code_sha_256 = image.image_digest.removeprefix("sha256:")
    function.code_size = 0


def images():
    """A function runs the image that its tag pointed at when it was deployed; moto invents a digest."""

    @wrapped(LambdaFunction, "_set_function_code")
    def set_function_code(original, self, spec):
        touch(self)
        if "ImageUri" in spec:
            if not spec.get("DryRun"):
                deploy(self, spec["ImageUri"])
        else:
            original(self, spec)

    @wrapped(LambdaFunction, "update_configuration")
    def update_configuration(original, self, updates):
        touch(self)
        return original(self, updates)

    @wrapped(LambdaFunction, "set_version")
    def set_version(original, self, version):
        original(self, version)
        touch(self)

    @wrapped(LambdaFunction, "get_code")
    def get_code(original, self):
        answer = original(self)
        if "ImageUri" in self.code:
            answer["Code"]["ResolvedImageUri"] = self.resolved
        return answer

    @wrapped(LambdaResponse, "update_function_code")
    def update_function_code(_, self):
        # moto updates the version that it has just published, too.
        name = unquote(self.path.rsplit("/", 2)[-2])
        function = self.backend.get_function(name, None)
        answer = function.update_function_code(self.json_body)
        if self.json_body.get("Publish"):
            answer = self.backend.publish_version(name).get_configuration()
        return 200, {}, json.dumps(answer)


def states():
    """A function without calls for weeks is `Inactive`, and `Failed` when its image is gone. No weeks pass
    here: see `set_state`.
    """

    @wrapped(LambdaFunction, "get_configuration")
    def get_configuration(original, self, on_create=False):
        answer = original(self, on_create)
        answer["RevisionId"] = self.revision_id
        answer |= getattr(self, "set_by_test", {})
        # An image has no runtime and no handler: these are absent and not null.
        return {name: value for name, value in answer.items() if value is not None}


def set_state(change):
    """Sets the state of a function: `{"account": …, "region": …, "function": …, "state": {"State": …}}`."""
    function = lambda_backends[change["account"]][change["region"]].get_function(change["function"])
    function.set_by_test = change["state"]


def lists():
    """Lists have pages and omit the states."""

    def listed(function):
        return {name: value for name, value in function.get_configuration().items() if name not in ONLY_IN_GET}

    def answer(self, key, items, largest):
        asked = int(self.querystring.get("MaxItems", [largest])[0])
        if not 1 <= asked <= 10_000:
            raise InvalidParameterValueException("MaxItems has to be between 1 and 10000")
        marker = self.querystring.get("Marker", [None])[0]
        items, following = cut(items, min(asked, largest), marker, InvalidParameterValueException)
        return json.dumps({key: items} | ({"NextMarker": following} if following else {}))

    @wrapped(LambdaResponse, "list_functions")
    def list_functions(_, self):
        versions = self.querystring.get("FunctionVersion", [None])[0]
        functions = list(self.backend.list_functions(versions))
        return answer(self, "Functions", [listed(function) for function in functions], PAGE)

    @wrapped(LambdaResponse, "list_versions_by_function")
    def list_versions_by_function(_, self):
        versions = self.backend.list_versions_by_function(unquote(self.path.split("/")[-2]))
        return answer(self, "Versions", [listed(version) for version in versions], PAGE)

    @wrapped(LambdaResponse, "list_aliases")
    def list_aliases(_, self):
        aliases = [alias.to_json() for alias in self.backend.list_aliases(unquote(self.path.split("/")[-2]))]
        version = self.querystring.get("FunctionVersion", [None])[0]
        aliases = [alias for alias in aliases if version in (None, alias["FunctionVersion"])]
        return answer(self, "Aliases", aliases, PAGE)


def apply():
    """Applies the fixes."""
    for fix in (images, states, lists):
        fix()
