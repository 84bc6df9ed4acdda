"""The images of the fleet by class, and the truth about each: from what was done to it, never from what basewatch says."""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from bases import AWS, ENVIRONMENT, Release, settings, stamp
from documents import Image, Layer, config, digest_of
from workshop import compressions, layer_count, names

NOW = datetime(2026, 11, 20, 6, tzinfo=timezone.utc)
LABEL = "sdkBaseVersion"
EACH = 12


@dataclass(frozen=True)
class Build:
    """How umoci builds an image."""

    built_at: datetime
    layer_count: int = 2
    labels: dict = field(default_factory=dict)
    created_at: str = None
    history_at: str = None
    has_no_variables: bool = False
    salt: str = ""


class Fleet:
    """The images that are still to be built, and the truth about those that were."""

    def __init__(self, workshop, registry, releases, by_day):
        self.workshop, self.registry, self.by_day = workshop, registry, by_day
        self.random = random.Random(12)
        self.releases = releases
        self.light, self.heavy = [], []

    def of(self, *kinds, **also):
        """The releases of these kinds, in an order of no meaning."""
        found = [one for one in self.releases if one.kind in kinds]
        found = [one for one in found if all(getattr(one, name) == value for name, value in also.items())]
        self.random.shuffle(found)
        return found

    def built_at(self, base):
        """An instant some days after the release, as far as that has been."""
        return min(base.built_at + timedelta(days=self.random.randint(0, 12), hours=5), NOW - timedelta(hours=9))

    def other(self, base, **same):
        """A release other than `base` on its platform, with other layers."""
        equal = [base, *base.equals]
        found = [
            one
            for one in self.of("run", "sibling")
            if one not in equal and one.image.architecture == base.image.architecture
        ]
        return next(one for one in found if all(getattr(one, name) == value for name, value in same.items()))

    def truth(self, kind, number, base, **more):
        """The record of an image that is built on `base`, or on nothing that can be proven."""
        record = {
            "image": f"apps.example.com/apps/{kind}-{number:02}:1",
            "class": kind,
            "base": names(base, *base.equals) if isinstance(base, Release) else base,
            "chain": [],
            "unconfirmed": [],
            "contradicted": False,
        }
        return {**record, **more}

    def path(self, record):
        """Where the image is in the registry on loopback."""
        return record["image"].removeprefix("apps.example.com/")

    def umoci(self, record, base, build, push=None):
        """Has umoci build an image on a release, and skopeo push it."""
        path, tag = (base.path, base.platform_tag) if isinstance(base, Release) else base
        folder = self.path(record).replace("/", "-").replace(":", "-")

        def make():
            image = self.workshop.umoci(folder, path, tag, build)
            (push or self.workshop.push)(image, self.path(record))
            return record

        self.light.append(make)

    def buildah(self, record, dockerfile, at, *options, before=None, after=None):
        """Has buildah build a Dockerfile and push the image."""
        name = self.path(record).split("/")[1].split(":")[0]

        def make():
            if before:
                before()
            image = self.workshop.bud(name, dockerfile, int(at.timestamp()), *options)
            (after or self.workshop.push_built)(image, self.path(record))
            return record

        self.heavy.append(make)

    def moves(self, base):
        """Lets the moving tag carry `base`, as it did on its day."""
        return lambda: base.index.push(self.registry, base.path, base.family)

    def expect(self, record, is_right):
        """Fails where a tool did not do what the image is for."""
        if not is_right:
            raise RuntimeError(f"{record['image']} is not what its class says")


def pinned(base):
    """A base by the digest of its index."""
    return f"{base.registry}/{base.repository}@{base.index.digest}"


def platform(base):
    """buildah's option for the platform of a base."""
    return "--platform=linux/" + base.image.architecture


def on_releases(fleet):
    """Images of which nothing but the layers names the base."""
    for number, base in enumerate(fleet.of("run", has_provided_prefix=False)[:EACH]):
        layers = 1 + number % 3
        fleet.umoci(fleet.truth("plain", number, base), base, Build(fleet.built_at(base), layer_count=layers))
    for number, base in enumerate(fleet.of("sibling")[:EACH]):
        fleet.umoci(fleet.truth("sibling", number, base), base, Build(fleet.built_at(base)))
    for number, base in enumerate(fleet.of("equal")[:EACH]):
        fleet.umoci(fleet.truth("equal", number, base), base, Build(fleet.built_at(base)))
    for number, base in enumerate(fleet.of("run", "sibling", has_provided_prefix=True)[:EACH]):
        fleet.umoci(fleet.truth("on-provided", number, base), base, Build(fleet.built_at(base)))
    for number, base in enumerate(fleet.of("provided")[:6]):
        fleet.umoci(fleet.truth("on-provided", EACH + number, base), base, Build(fleet.built_at(base)))
    for number, base in enumerate(fleet.of("run")[:4]):
        # Nothing on top: the release itself, copied into a repository of one's own.
        record = fleet.truth("copied", number, base)

        def make(record=record, base=base):
            fleet.workshop.push(f"docker://{fleet.workshop.address}/{base.path}:{base.platform_tag}", fleet.path(record))
            return record

        fleet.light.append(make)
    days = [(at, base) for at, base in fleet.by_day if base.kind == "java"]
    for number, (at, base) in enumerate(fleet.random.sample(days, 10)):
        fleet.umoci(fleet.truth("java-daily", number, base), base, Build(at + timedelta(hours=2)))


def partial(fleet):
    """Images on the first layers of a release that was never published so."""

    def cut(base, count, has_variables=True):
        layers = base.image.layers[:count]
        own = settings() if has_variables else {"Env": ["PATH=/usr/bin:/bin"]}
        image = Image(
            base.image.architecture, layers, config(base.image.architecture, stamp(base.built_at), layers, own, True)
        )
        path = f"unpublished/{digest_of(base.name.encode())[7:19]}"
        tag = f"{count}-{base.image.architecture}-{has_variables}".lower()
        image.push(fleet.registry, path, tag)
        return path, tag

    why = "it shares only the operating system with releases"
    for number, base in enumerate(fleet.of("run", "java")[:EACH]):
        is_lambda = number % 2 == 0
        build = Build(fleet.built_at(base), has_no_variables=not is_lambda)
        fleet.umoci(fleet.truth("os-only", number, None, why=why), cut(base, 1, is_lambda), build)
    why = "its first layers are a part of a release"
    for number, base in enumerate(fleet.of("run", "sibling", "java", has_provided_prefix=False)[:EACH]):
        count = (2, 3, 4, 5)[number % 4]
        fleet.umoci(fleet.truth("partial", number, None, why=why), cut(base, count), Build(fleet.built_at(base)))
    # Here the part is a whole release of another line.
    for number, base in enumerate(fleet.of("run", has_provided_prefix=True)[:4]):
        provided = next(
            one
            for one in fleet.of("provided")
            if [layer.diff_id for layer in one.image.layers] == [layer.diff_id for layer in base.image.layers[:4]]
        )
        record = fleet.truth("partial", EACH + number, provided)
        fleet.umoci(record, cut(base, 5), Build(fleet.built_at(base)))


def labels(fleet):
    """Images with labels: inherited ones, and ones that lie."""
    for number, base in enumerate(fleet.of("run", "equal", "sibling")[:EACH]):
        at = fleet.built_at(base)
        older = fleet.other(base, repository=base.repository) if number % 3 == 2 else None
        label = pinned(older or base) if number % 2 else f"{AWS}/{(older or base).repository}:{(older or base).tag}"
        template = ("templates/service", f"{number}-{base.image.architecture}")
        # The team's template was built on the base, and what is built on the template inherits its label; every third
        # template was built anew and kept its old label.
        record = fleet.truth("inherited-label", number, base, contradicted=older is not None)

        def make(record=record, base=base, at=at, label=label, template=template, number=number):
            image = fleet.workshop.umoci(
                f"template-{number}", base.path, base.platform_tag, Build(at, 1, {LABEL: label}, salt="template")
            )
            fleet.workshop.push(image, ":".join(template))
            image = fleet.workshop.umoci(f"inherited-{number}", *template, Build(at + timedelta(hours=20), 1))
            fleet.workshop.push(image, fleet.path(record))
            return record

        fleet.light.append(make)
    bases = fleet.of("run", "equal", "sibling")
    for number, base in enumerate(bases[:EACH]):
        same, foreign = fleet.other(base, family=base.family), fleet.other(base, repository="lambda/nodejs")
        if base.repository == "lambda/nodejs":
            foreign = fleet.other(base, repository="lambda/python")
        lie, is_disproven = [
            (pinned(same), True),
            (f"{AWS}/{same.repository}@{same.image.digest}", True),
            (f"{AWS}/{same.repository}:{same.tag}", True),
            (pinned(foreign), True),
            (f"{AWS}/{foreign.repository}:{foreign.family}", True),
            (f"{AWS}/{same.repository}:9.9@{same.index.digest}", True),
            (f"{AWS}/{same.repository}@{digest_of(b'nothing')}", False),
            ("latest", False),
            ("${BASE_IMAGE}", False),
            (pinned(same)[:-1], False),
            (pinned(fleet.debian[-1]), True),
            (f"{AWS}/{foreign.repository}:{foreign.tag}@{foreign.index.digest}", True),
        ][number]
        record = fleet.truth("lying-label", number, base, contradicted=is_disproven, label=lie)
        fleet.umoci(record, base, Build(fleet.built_at(base), labels={LABEL: lie}))
    for number, base in enumerate(bases[EACH : EACH + 3]):
        # The real base of the image is not published here.
        why = "its base is published nowhere that is configured"
        record = fleet.truth("lying-label", EACH + number, None, why=why, contradicted=True, label=pinned(base))
        fleet.umoci(record, fleet.foreign, Build(fleet.built_at(base), 6, {LABEL: pinned(base)}))
    for number, base in enumerate(bases[EACH + 3 : EACH + 5]):
        # A name that was given to another image before the build.
        lie = f"{AWS}/lambda/nodejs:22" if base.repository != "lambda/nodejs" else f"{AWS}/lambda/python:3.13"
        record = fleet.truth("lying-label", EACH + 3 + number, base, contradicted=True, label=lie)

        def retag(base=base, lie=lie):
            fleet.workshop.buildah("pull", "--quiet", f"--arch={base.image.architecture}", pinned(base))
            fleet.workshop.buildah("tag", pinned(base), lie)

        dockerfile = f"FROM {lie}\nCOPY app /var/task/app\n"
        options = ["--pull-never", "--format=docker", platform(base)]
        fleet.buildah(record, dockerfile, fleet.built_at(base), *options, before=retag)


def formats(fleet):
    """Images in another form than they were built in."""
    workshop = fleet.workshop

    def zstd(record):
        def push(image, path):
            folder = workshop.folder / ("zstd-" + path.replace("/", "-").replace(":", "-"))
            workshop.run("skopeo", "copy", "--quiet", image, f"dir:{folder}", "--dest-compress", "--dest-compress-format=zstd")
            workshop.push(f"dir:{folder}", path)
            fleet.expect(record, compressions(fleet.client(), *path.split(":")) == ({"zstd"}, True))

        return push

    def saved(image, path):
        archive = workshop.folder / (path.replace("/", "-").replace(":", "-") + ".tar")
        workshop.run("skopeo", "copy", "--quiet", image, f"docker-archive:{archive}:saved:1")
        workshop.push(f"docker-archive:{archive}", path)

    def docker(image, path):
        workshop.push(image, path, "--format=v2s2")
        fleet.expect({"image": path}, not compressions(fleet.client(), *path.split(":"))[1])

    def there_and_back(image, path):
        there = f"converted/{path}"
        docker(image, there)
        workshop.push(f"docker://{workshop.address}/{there}", path, "--format=oci")
        fleet.expect({"image": path}, compressions(fleet.client(), *path.split(":"))[1])

    for number, base in enumerate(fleet.of("run", "sibling", "java")[:EACH]):
        own = {LABEL: pinned(fleet.other(base, repository="lambda/python"))} if number > 9 else {}
        record = fleet.truth("zstd", number, base, contradicted=bool(own))
        fleet.umoci(record, base, Build(fleet.built_at(base), labels=own), zstd(record))
    for number, base in enumerate(fleet.of("run", "sibling")[:EACH]):
        push = docker if number % 2 else there_and_back
        fleet.umoci(fleet.truth("converted", number, base), base, Build(fleet.built_at(base)), push)
    for number, base in enumerate(fleet.of("run", "equal", "java")[:EACH]):
        fleet.umoci(fleet.truth("docker-save", number, base), base, Build(fleet.built_at(base)), saved)
    dates = ["1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "0001-01-01T00:00:00Z", "2031-05-05T00:00:00Z"]
    for number, base in enumerate(fleet.of("run", "sibling")[:EACH]):
        record = fleet.truth("epoch", number, base)
        if number % 3 == 2:
            dockerfile = f"FROM {pinned(base)}\nCOPY app /var/task/app\n"
            at = datetime.fromtimestamp(0, timezone.utc)
            fleet.buildah(record, dockerfile, at, "--format=docker", platform(base))
        else:
            date = dates[number % 4]
            fleet.umoci(record, base, Build(fleet.built_at(base), created_at=date, history_at=date))


def squashed(fleet):
    """Images of one layer, in which no layer of the base is left."""
    bases = fleet.of("run", "sibling")
    for number, base in enumerate(bases[:EACH]):
        form = ["bare", "labelled", "annotated", "lied"][number % 4]
        other = fleet.other(base, family=base.family)
        label = {"labelled": base, "lied": other}.get(form)
        # Docker's format keeps the comment of the builder and drops its annotations.
        named = {"bare": [], "annotated": [base]}.get(form, [label])
        lines = [f"FROM {pinned(base)}", "COPY app /var/task/app"]
        lines += [f'LABEL {LABEL}="{pinned(label)}"'] if label else []
        options = ["--squash", "--format=" + ("oci" if form == "annotated" else "docker"), platform(base)]
        may_be = [*named, base]
        record = fleet.truth("squashed", number, None, why="no layer of it is the base's", unconfirmed=names(*may_be))

        def push(image, path, record=record):
            fleet.workshop.push_built(image, path)
            fleet.expect(record, layer_count(fleet.registry, *path.split(":")) == 1)

        fleet.buildah(record, "\n".join(lines), fleet.built_at(base), *options, after=push)
    for number, base in enumerate(bases[EACH : 2 * EACH]):
        lines = [f"FROM {AWS}/{base.repository}:{base.tag} AS base", "FROM scratch", "COPY --from=base / /"]
        is_labelled = number % 4 == 3
        lines += [f'LABEL {LABEL}="{pinned(base)}"'] if is_labelled else []
        if number % 3 == 0:
            lines += ["ENV " + " ".join(f'{one.split("=")[0]}="{one.split("=", 1)[1]}"' for one in ENVIRONMENT)]
        lines += ["COPY app /var/task/app"]
        may_be = names(base) if is_labelled else []
        record = fleet.truth("scratch", number, None, why="the base was copied, not built on", unconfirmed=may_be)
        fleet.buildah(record, "\n".join(lines), fleet.built_at(base), platform(base))


def stages(fleet):
    """Images whose build used more than their base."""
    bases = fleet.of("run", "sibling", "equal")
    for number, base in enumerate(bases[:EACH]):
        builder = fleet.other(base, family="3.13" if base.family != "3.13" else "22")
        is_docker = number % 2 == 0
        name = [pinned(base), f"{AWS}/{base.repository}:{base.tag}", f"{AWS}/{base.repository}:{base.family}"][number % 3]
        lines = [f"FROM {pinned(builder)} AS build", "COPY extra /built/extra"]
        lines += [f"FROM {name}", "COPY --from=build /built/extra /var/task/extra", "COPY app /var/task/app"]
        record = fleet.truth("multi-stage", number, base)
        options = [platform(base), "--pull-always", "--format=" + ("docker" if is_docker else "oci")]
        fleet.buildah(record, "\n".join(lines), fleet.built_at(base), *options, before=fleet.moves(base))


def others(fleet):
    """Images on what others publish: the company, other users, other vendors."""
    for number in range(EACH):
        company = fleet.company[number % len(fleet.company)]
        inner = company["on"]
        at = company["at"] + timedelta(days=1)
        tag = ("company/python", company["tag"])
        # A followed tag carries the newest one, and images of buildah name the first ones, so that these are known.
        if company["tag"] != "1.4":
            record = fleet.truth("company", number, [company["truth"]], chain=[names(inner, *inner.equals)])
        else:
            # No tag that is followed carries it and no image names it: only the base below can be proven.
            record = fleet.truth("company", number, inner)
        fleet.umoci(record, tag, Build(at))
    for number, company in enumerate(fleet.company[:4]):
        inner = company["on"]
        record = fleet.truth("company", EACH + number, [company["truth"]], chain=[names(inner, *inner.equals)])
        lines = f"FROM registry.example.com/company/python:{company['tag']}\nCOPY app /var/task/app\n"
        fleet.buildah(record, lines, company["at"] + timedelta(days=2), platform(inner))
    for number, company in enumerate(fleet.dated):
        inner = company["on"]
        record = fleet.truth("company-dated", number, [company["truth"]], chain=[names(inner, *inner.equals)])
        fleet.umoci(record, ("company/node", company["tag"]), Build(company["at"] + timedelta(days=1)))
    bases = fleet.of("run", "sibling")
    for number, base in enumerate(bases[:EACH]):
        record = fleet.truth("other-user", number, base)
        published = (("acme-tools/otel", f"{number}"), Build(fleet.built_at(base), 2, salt="published"))

        def make(record=record, base=base, published=published, number=number):
            (path, tag), build = published
            image = fleet.workshop.umoci(f"published-{number}", base.path, base.platform_tag, build)
            fleet.workshop.push(image, f"{path}:{tag}")
            own = replace(build, built_at=build.built_at + timedelta(hours=7), salt="")
            image = fleet.workshop.umoci(f"other-user-{number}", path, tag, own)
            fleet.workshop.push(image, fleet.path(record))
            return record

        fleet.light.append(make)
    unlisted = "its releases have no dated tags, and no moving tag carries it"
    for number in range(EACH):
        base = fleet.debian[number % len(fleet.debian)]
        is_current = base.tag == "12"
        if number % 3 == 2:
            # buildah's annotation has the digest.
            lines = f"FROM {pinned(base)}\nCOPY app /srv/app\n"
            record = fleet.truth("other-vendor", number, base)
            fleet.buildah(record, lines, base.built_at + timedelta(days=3), platform(base))
        else:
            record = fleet.truth("other-vendor", number, base if is_current else None, why=None if is_current else unlisted)
            fleet.umoci(record, (base.path, f"{base.tag}-{base.image.architecture}"), Build(base.built_at))
    for number in range(4):
        record = fleet.truth("not-configured", number, None, why="its base is not configured")
        fleet.umoci(record, fleet.foreign, Build(NOW - timedelta(days=30 + number)))


def company_bases(fleet):
    """The company's own bases, built with umoci on releases of AWS's, oldest first."""
    bases = sorted(fleet.of("run", "equal", family="3.13"), key=lambda one: one.built_at)
    bases = [one for one in bases if one.image.architecture == "amd64"][-6:]
    found = []
    for number, base in enumerate(bases):
        at = base.built_at + timedelta(days=4)
        own = {LABEL: pinned(base)} if number % 2 else {}
        image = fleet.workshop.umoci(f"company-{number}", base.path, base.platform_tag, Build(at, 2, own))
        tag = f"1.{number}"
        fleet.workshop.push(image, f"company/python:{tag}")
        found.append({"tag": tag, "on": base, "at": at, "truth": own_truth(fleet, "company/python", tag)})
    fleet.workshop.push(image, "company/python:stable")
    nodes = sorted(fleet.of("run", family="22"), key=lambda one: one.built_at)
    nodes = [one for one in nodes if one.image.architecture == "amd64"][-4:]
    dated_releases = []
    for number, base in enumerate(nodes):
        at = base.built_at + timedelta(days=3)
        image = fleet.workshop.umoci(f"company-node-{number}", base.path, base.platform_tag, Build(at, 2))
        tag = f"22.{at:%Y.%m.%d.%H}"
        fleet.workshop.push(image, f"company/node:{tag}")
        truth = own_truth(fleet, "company/node", tag)
        dated_releases.append({"tag": tag, "on": base, "at": at, "truth": truth})
    fleet.workshop.push(image, "company/node:22")
    return found, dated_releases


def own_truth(fleet, path, tag):
    """What names a base of the company."""
    digest, _ = fleet.registry.manifest(path, tag)
    return {"release": f"registry.example.com/{path}:{tag}", "digests": [digest]}


def foreign_base(fleet):
    """A vendor's base that is not configured."""
    layers = [Layer("etc/almalinux-release", "9")]
    own = {"Env": ["PATH=/usr/bin:/bin"]}
    Image("amd64", layers, config("amd64", "2026-05-05T00:00:00Z", layers, own, True)).push(
        fleet.registry, "library/almalinux", "9"
    )
    return "library/almalinux", "9"


def plan(fleet):
    """Plans all images."""
    for part in (on_releases, partial, labels, formats, squashed, stages, others):
        part(fleet)
