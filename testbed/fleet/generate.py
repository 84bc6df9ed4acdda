"""Builds a fleet of images with buildah, skopeo and umoci over stand-in bases, and writes down what each is built on.

    generate.py REGISTRY FOLDER HISTORY

REGISTRY is the address of an empty registry on loopback, FOLDER an empty folder to work in, and HISTORY the file
`lambda_java_daily.tsv`. The truth about the images goes to FOLDER/truth.json.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bases
import images
from documents import Registry
from workshop import Workshop

# The older of them was what the moving tag carried before.
DEBIAN = (("12.1", 8), ("12.2", 9), ("12", 10))


def main(address, folder, history):
    """Fills the registry and writes the truth."""
    registry = Registry(address)
    releases = bases.lambda_lines()
    java, by_day = bases.java_lines(Path(history).read_text(encoding="ascii").splitlines())
    bases.publish(registry, releases + java)
    fleet = images.Fleet(Workshop(folder, address), registry, releases + java, by_day)
    connections = threading.local()

    def client():
        if not hasattr(connections, "registry"):
            connections.registry = Registry(address)
        return connections.registry

    fleet.client = client
    fleet.debian = []
    for tag, month in DEBIAN:
        for one in bases.vendor("library/debian", tag, month):
            one.image.push(registry, one.path, f"{one.tag}-{one.image.architecture}")
            one.index.push(registry, one.path, one.tag)
            fleet.debian.append(one)
    fleet.foreign = images.foreign_base(fleet)
    fleet.company, fleet.dated = images.company_bases(fleet)
    images.plan(fleet)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        heavy = [one.submit(make) for make in fleet.heavy]
        light = [two.submit(make) for make in fleet.light]
        truth = [done.result() for done in light + heavy]
    # Builds on moving tags let these carry what they carried on the day.
    bases.publish(registry, releases + java)
    truth.sort(key=lambda record: (record["class"], record["image"]))
    (Path(folder) / "truth.json").write_text(json.dumps(truth, indent=1), encoding="ascii")
    print(f"{len(truth)} images of {len({record['class'] for record in truth})} classes")


if __name__ == "__main__":
    main(*sys.argv[1:4])
