"""Reads mails with Python's own parser.

    read_mails.py FOLDER

Prints a JSON list: the headers of each mail, and the text of each part by its media type.
"""

import email
import email.policy
import json
import pathlib
import sys

found = []
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.eml")):
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    defects = [str(defect) for part in mail.walk() for defect in part.defects]
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    found.append({"headers": {name.lower(): str(value) for name, value in mail.items()}, "parts": parts, "defects": defects})
print(json.dumps(found))
