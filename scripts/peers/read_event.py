"""Reads an HTTP message with the CloudEvents SDK, and prints the event that the SDK parsed as JSON.

    read_event.py CONTENT_TYPE FILE

Exits with the SDK's error for an invalid event.
"""

import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event

CONTENT_TYPE, FILE = sys.argv[1:3]

with open(FILE, "rb") as file:
    event = from_http_event(HTTPMessage(headers={"content-type": CONTENT_TYPE}, body=file.read()))
attributes = {name: str(value) for name, value in event.get_attributes().items()}
attributes["time"] = event.get_time().isoformat()
print(json.dumps({"attributes": attributes, "data": event.get_data()}))
