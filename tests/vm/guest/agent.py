#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the commands of the tests in the virtual gateway, as root, one at a time.

No network is used for it, so that the network may be broken. On the virtio port "agent" a line of
JSON comes, {"id": 1, "argv": ["ls"], "input": "", "timeout": 60}, and one goes back, {"id": 1,
"code": 0, "out": "", "err": ""}; code is null after a time-out.
"""
import json
import os
import subprocess
import time

PORT = "/dev/virtio-ports/agent"


def run(request):
    try:
        done = subprocess.run(request["argv"], input=request.get("input", ""), capture_output=True,
                              timeout=request["timeout"], text=True, errors="replace", check=False)
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}
    except subprocess.TimeoutExpired as late:
        return {"code": None, "out": (late.stdout or b"").decode(errors="replace"), "err": "time-out in the guest"}
    except OSError as error:
        return {"code": 127, "out": "", "err": str(error)}


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def main():
    while not os.path.exists(PORT):
        time.sleep(0.1)
    fd = os.open(PORT, os.O_RDWR | os.O_CLOEXEC)
    rest = b""
    while True:
        more = os.read(fd, 65536)
        if not more:  # nobody at the other end
            rest = b""
            time.sleep(0.1)
        rest += more
        *lines, rest = rest.split(b"\n")
        for line in lines:
            request = json.loads(line)
            write_all(fd, json.dumps({"id": request["id"], **run(request)}).encode() + b"\n")


main()
