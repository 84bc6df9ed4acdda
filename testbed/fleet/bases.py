"""The bases that the images of the fleet are built on, shaped as real ones are.

Releases of one publishing run share their operating system. In every other run, a whole release of `provided` is a
prefix of the language releases. Some releases differ from the one before in the last layer only, some in nothing that
layers show. `lambda/java` has the real history of its tags.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from documents import Image, Index, Layer, config

AWS = "public.ecr.aws"
ARCHITECTURES = ("amd64", "arm64")
SUFFIX = {"amd64": "x86_64", "arm64": "arm64"}
ENVIRONMENT = [
    "LANG=en_US.UTF-8",
    "TZ=:/etc/localtime",
    "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "LAMBDA_TASK_ROOT=/var/task",
    "LAMBDA_RUNTIME_DIR=/var/runtime",
]

# The publishing runs of Amazon Linux 2023: their instants, whether `provided` is a prefix of the language releases, and
# whether configurations have a history.
RUNS = [
    ("2026-06-02T09", True, False),
    ("2026-06-23T10", False, False),
    ("2026-07-09T08", True, True),
    ("2026-09-01T09", False, True),
    ("2026-09-18T13", True, True),
    ("2026-10-03T10", False, True),
    ("2026-10-24T11", True, True),
    ("2026-11-05T08", False, True),
    ("2026-11-16T09", True, True),
]
# Runs after which python:3.12 was published again, with another last layer.
SIBLINGS = (1, 4, 7)
# Runs after which nodejs:22 and python:3.13 were published again, with the same layers.
EQUALS = (2, 5)
LANGUAGES = [("lambda/python", "3.12", 1), ("lambda/python", "3.13", 1), ("lambda/nodejs", "22", 3)]


@dataclass
class Release:
    """A release of a base on one platform."""

    repository: str
    tag: str
    family: str
    built_at: datetime
    image: Image
    index: Index
    kind: str = "run"
    has_provided_prefix: bool = False
    registry: str = AWS
    equals: list = field(default_factory=list)

    @property
    def path(self):
        """The repository in the registry on loopback."""
        return self.repository

    @property
    def name(self):
        """The release as references name it."""
        return f"{self.registry}/{self.repository}:{self.tag}"

    @property
    def platform_tag(self):
        """The tag of the release on its platform."""
        return f"{self.tag}-{SUFFIX[self.image.architecture]}"

    def truth(self):
        """What an answer has to name: the release, by its tag or one of its digests."""
        return {"release": self.name, "digests": sorted({self.image.digest, self.index.digest})}


def moment(text):
    """An instant of UTC."""
    return datetime.fromisoformat(text + ":00:00").replace(tzinfo=timezone.utc)


def dated(family, at):
    """The dated tag of a release."""
    return f"{family}.{at:%Y.%m.%d.%H}"


def stamp(at):
    """An instant as documents have it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def settings(labels=None):
    """The `config` of a Lambda base."""
    document = {"Env": ENVIRONMENT, "Entrypoint": ["/lambda-entrypoint.sh"], "WorkingDir": "/var/task"}
    if labels:
        document["Labels"] = labels
    return document


def release(repository, family, at, layers, labels=None, has_history=True, **kind):
    """The release of a line on both platforms; `layers` makes those of a platform."""
    images = []
    for architecture in ARCHITECTURES:
        own = layers(architecture)
        created = stamp(at + timedelta(minutes=25))
        images.append(Image(architecture, own, config(architecture, created, own, settings(labels), has_history)))
    index = Index(images)
    return [Release(repository, dated(family, at), family, at, image, index, **kind) for image in images]


def lower(run, architecture, is_provided, has_prefix):
    """The four layers below a language. The emulator is the same for months."""
    owner = "provided" if is_provided or has_prefix else "languages"
    return [
        Layer("etc/os-release", f"al2023 {run} {architecture}"),
        Layer("etc/pki/ca-trust.pem", f"certificates {run} {owner} {architecture}"),
        Layer("lambda-entrypoint.sh", f"entrypoint {owner}"),
        Layer("usr/local/bin/aws-lambda-rie", f"emulator {architecture}"),
    ]


def language(family, part, run, architecture):
    """One of the two layers of a language."""
    path = {"language": "var/lang/bin/language", "client": "var/runtime/bootstrap"}[part]
    return Layer(path, f"{family} {part} {run} {architecture}")


def lambda_lines():
    """The releases of provided, python and nodejs, oldest first."""
    releases = []
    labels = {"com.amazonaws.lambda.platform.kernel": "k510ga"}
    for number, (run, has_prefix, has_history) in enumerate(RUNS):
        at = moment(run)

        def below(architecture, is_provided=False, run=run, has_prefix=has_prefix):
            return lower(run, architecture, is_provided, has_prefix)

        releases += release(
            "lambda/provided", "al2023", at, lambda it: below(it, True), labels, has_history, kind="provided"
        )
        for repository, family, hours in LANGUAGES:

            def layers(architecture, client=run, family=family, run=run):
                own = [language(family, "language", run, architecture), language(family, "client", client, architecture)]
                return below(architecture) + own

            is_equal = number in EQUALS and family != "3.12"
            is_sibling = number in SIBLINGS and family == "3.12"
            kind = "equal" if is_equal else "sibling" if is_sibling else "run"
            published = at + timedelta(hours=hours)
            own = release(
                repository, family, published, layers, None, has_history, kind=kind, has_provided_prefix=has_prefix
            )
            again = []
            if is_equal:
                again = release(repository, family, published + timedelta(days=2), layers, None, True, kind=kind)
                for one, other in zip(own, again):
                    one.equals, other.equals = [other], [one]
            elif is_sibling:
                again = release(
                    repository,
                    family,
                    published + timedelta(days=2),
                    lambda it: layers(it, client=run + " fixed"),
                    None,
                    True,
                    kind=kind,
                )
            for other in again:
                other.has_provided_prefix = has_prefix
            releases += own + again
    return releases


def java_history(lines):
    """The real releases of lambda/java, from the lines of `lambda_java_daily.tsv`, and the days on which its moving tags
    pointed at each of them. A digest for which the data has no dated tag gets the hour at which it was seen."""
    tags, seen = {}, {}
    for line in lines:
        if line.startswith("#"):
            continue
        kind, tag, architecture, at, digest = line.rstrip("\n").split("\t")
        if kind == "dated":
            tags[digest] = (architecture, tag.rsplit("-", 1)[0])
        else:
            day = datetime.strptime(at, "%Y-%m-%dT%H:%MZ").replace(tzinfo=timezone.utc)
            seen.setdefault(digest, (architecture, tag, []))[2].append(day)
    used = {(architecture, tag) for architecture, tag in tags.values()}
    for digest, (architecture, family, days) in seen.items():
        if digest not in tags:
            tag = dated(family, days[0])
            if (architecture, tag) not in used:
                used.add((architecture, tag))
                tags[digest] = (architecture, tag)
    builds = {}
    for digest, (architecture, tag) in tags.items():
        builds.setdefault(tag, {})[architecture] = digest
    days = {}
    for digest, (_, _, moments) in seen.items():
        days.setdefault(digest, []).extend(moments)
    return builds, days


def java_lines(lines):
    """The releases of lambda/java, and for each real digest its release and the days on which it was the newest."""
    builds, days = java_history(lines)
    releases, by_day, before = [], [], {}
    for number, tag in enumerate(sorted(builds, key=lambda tag: tag.rsplit(".", 4)[1:])):
        family = tag.rsplit(".", 4)[0]
        at = datetime.strptime(tag[len(family) + 1 :], "%Y.%m.%d.%H").replace(tzinfo=timezone.utc)
        images = []
        for architecture in builds[tag]:
            # Every seventh release is a rebuild without change, which is rare in reality and hard to distinguish.
            previous = before.get((family, architecture)) if number % 7 == 3 else None
            day = f"{at:%Y-%m-%d}"
            own = previous or lower(day, architecture, False, False) + [
                language(f"java {family}", "language", tag, architecture),
                language(f"java {family}", "client", tag, architecture),
            ]
            created = stamp(at + timedelta(minutes=25))
            image = Image(architecture, own, config(architecture, created, own, settings(), True))
            before[(family, architecture)] = own
            images.append(image)
        index = Index(images)
        for image in images:
            one = Release("lambda/java", tag, family, at, image, index, kind="java")
            releases.append(one)
            by_day += [(moment_seen, one) for moment_seen in days.get(builds[tag][image.architecture], [])]
    by_layers = {}
    for one in releases:
        by_layers.setdefault(tuple(layer.diff_id for layer in one.image.layers), []).append(one)
    for group in by_layers.values():
        for one in group:
            one.equals = [other for other in group if other is not one]
    return releases, by_day


def publish(registry, releases):
    """Pushes releases with their dated tags, and what is newest of each line with its moving tags."""
    for one in releases:
        one.image.push(registry, one.path, one.platform_tag)
        one.index.push(registry, one.path, one.tag)
    newest = {}
    for one in sorted(releases, key=lambda one: one.built_at):
        newest[(one.path, one.family, one.image.architecture)] = one
    for (path, family, architecture), one in newest.items():
        one.image.push(registry, path, f"{family}-{SUFFIX[architecture]}")
        one.index.push(registry, path, family)
    return newest


def vendor(repository, tag, number):
    """A base of another vendor: one layer, other variables, no dated tag that Lambda would know."""
    images = []
    for architecture in ARCHITECTURES:
        layers = [Layer("etc/debian_version", f"{repository} {number} {architecture}")]
        own = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["bash"]}
        created = f"2026-{number:02}-10T00:00:00Z"
        images.append(Image(architecture, layers, config(architecture, created, layers, own, True)))
    index = Index(images)
    at = datetime(2026, number, 10, tzinfo=timezone.utc)
    return [Release(repository, tag, tag, at, image, index, kind="vendor", registry="docker.io") for image in images]
