"""Reads Dockerfiles with BuildKit's parser, and prints the instructions of each as JSON: keyword, first and last line.

    read_dockerfiles.py FILE...
"""

import json
import sys

import dockerfile


def instructions(path):
    # The parser returns the instruction inside ONBUILD: the keyword itself is needed here.
    found = []
    for command in dockerfile.parse_file(path):
        keyword = command.cmd.lower().split()[0]
        found.append([keyword, command.start_line, command.end_line])
    return found


print(json.dumps([instructions(path) for path in sys.argv[1:]]))
