# SPDX-License-Identifier: MIT
"""A running `labpulse simulate --fleet`: its statistics, and faults on demand."""
import json
import subprocess
import threading
import time

from conftest import BUILD, DEADLINE, wait_until

KINDS = ("printer", "laser", "charger", "printer", "cnc", "printer", "climate", "printer", "laser", "printer")


def machine_ids(n):
    """Of a park with n machines."""
    names = [KINDS[k % len(KINDS)] for k in range(n)]
    return [f"{name}-{names[:k + 1].count(name):02}" for k, name in enumerate(names)]


class Fleet:
    """fleet.stats is the last line of them, fleet.lines all that it said."""

    def __init__(self, size, url, *options):
        self.lines, self.changed = [], threading.Condition()
        self.popen = subprocess.Popen(
            [BUILD / "labpulse", "simulate", "--fleet", size, "--broker", url, "--stdin", *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()

    @property
    def pid(self):
        return self.popen.pid

    @property
    def stats(self):
        with self.changed:
            return next((line for line in reversed(self.lines) if "connected" in line), {})

    def wait_stats(self, check, timeout=DEADLINE, what="statistics"):
        return wait_until(lambda: self.stats and check(self.stats) and self.stats, timeout, what)

    def wait_settled(self, parks, timeout=DEADLINE):
        """All are connected, all pictures and late events are told."""
        return self.wait_stats(lambda s: s["settled"] == parks and not s["waiting_events"],
                               timeout, f"{parks} gateways are settled")

    def wait_caught_up(self, parks, timeout=DEADLINE):
        """And no backlog is left."""
        return self.wait_stats(lambda s: s["settled"] == parks and not s["backlog"] and not s["waiting_events"],
                               timeout, f"{parks} gateways have caught up")

    def ask(self, command, timeout=DEADLINE):
        """Its answer."""
        with self.changed:
            begin = len(self.lines)
        self.popen.stdin.write(command + "\n")
        self.popen.stdin.flush()
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                answer = next((line for line in self.lines[begin:] if "ok" in line), None)
                if answer or not self.changed.wait(end - time.monotonic()):
                    break
        assert answer, f"{command}: no answer within {timeout} s"
        return answer

    def control(self, command):
        answer = self.ask(command)
        assert answer["ok"], f"{command}: {answer}"
        return answer

    def stop(self):
        """SIGTERM, and the exit code."""
        self.popen.terminate()
        code = self.popen.wait(DEADLINE)
        self.reader.join(DEADLINE)
        return code

    def kill(self):
        self.popen.kill()
        self.popen.wait()
