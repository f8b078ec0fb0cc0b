# SPDX-License-Identifier: MIT
"""A broker that misbehaves as told: MQTT 5 and 3.1.1, one script per connection.

    fake = FakeBroker(refuse(0x88), refuse(0x88), serve())
    fake.url, fake.connections[0].connect.level, fake.published("…/telemetry")

A script is a function of a Connection; it runs in a thread of its own and the connection closes
when it returns. The last script serves every further connection. An AssertionError or a broken
packet in a script is kept and raised by close().
"""
import socket
import struct
import threading
import time
from types import SimpleNamespace

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, \
    DISCONNECT = 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14


class Closed(Exception):
    """The peer has gone, or the test is over."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "a packet is shorter than it says"
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return struct.unpack(">H", self.take(2))[0]

    def text(self):
        return self.take(self.u16()).decode()

    def binary(self):
        return self.take(self.u16())

    def varint(self):
        value, shift = 0, 0
        while True:
            b = self.u8()
            value |= (b & 0x7F) << shift
            shift += 7
            if not b & 0x80:
                return value

    def properties(self):
        return self.take(self.varint())

    def rest(self):
        return self.take(len(self.data) - self.at)


def varint(n):
    out = b""
    while True:
        n, b = n >> 7, n & 0x7F
        out += bytes([b | (0x80 if n else 0)])
        if not n:
            return out


class Connection:
    def __init__(self, broker, sock):
        self.broker, self.sock = broker, sock
        self.at = time.monotonic()
        self.connect = None
        self.published = []      # SimpleNamespace(topic, payload, retain, qos, dup, mid, at)
        self.filters = []
        self.unacked = 0         # of ours: PUBLISH seen, PUBACK not sent
        self.most_unacked = 0
        self.disconnect = None   # reason of the client's DISCONNECT
        self.buffer = b""

    # ---- packets in

    def _more(self, until=None):
        while True:
            if self.broker.closing or (until and time.monotonic() > until):
                raise Closed
            self.sock.settimeout(0.1)
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                raise Closed from None
            if not data:
                raise Closed
            self.buffer += data
            return

    def packet(self, until=None):
        """(type, flags, Reader) of the next packet."""
        while True:
            size, shift, n = 0, 0, 1
            while n < len(self.buffer):
                b = self.buffer[n]
                size |= (b & 0x7F) << shift
                shift += 7
                n += 1
                if not b & 0x80:
                    if len(self.buffer) >= n + size:
                        first, body = self.buffer[0], self.buffer[n:n + size]
                        self.buffer = self.buffer[n + size:]
                        return first >> 4, first & 15, Reader(body)
                    break
            self._more(until)

    def read_connect(self):
        kind, _, r = self.packet()
        assert kind == CONNECT, f"the first packet is of type {kind}"
        c = SimpleNamespace(protocol=r.text(), level=r.u8(), flags=r.u8(), keepalive=r.u16())
        c.properties = r.properties() if c.level == 5 else b""
        c.client_id = r.text()
        c.will_topic = c.will = c.username = c.password = None
        if c.flags & 4:
            if c.level == 5:
                r.properties()
            c.will_topic, c.will = r.text(), r.binary()
        c.will_qos, c.will_retain = c.flags >> 3 & 3, bool(c.flags & 0x20)
        if c.flags & 0x80:
            c.username = r.text()
        if c.flags & 0x40:
            c.password = r.binary()
        self.connect = c
        return c

    def parse_publish(self, flags, r):
        p = SimpleNamespace(topic=r.text(), qos=flags >> 1 & 3, retain=bool(flags & 1),
                            dup=bool(flags & 8), mid=None, at=time.monotonic(), properties=b"")
        if p.qos:
            p.mid = r.u16()
        if self.connect.level == 5:
            p.properties = r.properties()
        p.payload = r.rest()
        self.published.append(p)
        self.unacked += 1
        self.most_unacked = max(self.most_unacked, self.unacked)
        return p

    # ---- packets out

    def send(self, kind, body=b"", flags=0):
        try:
            self.sock.settimeout(5)
            self.sock.sendall(bytes([kind << 4 | flags]) + varint(len(body)) + body)
        except OSError:
            raise Closed from None

    def connack(self, reason=0, properties=b""):
        body = bytes([0, reason])
        if self.connect.level == 5:
            body += varint(len(properties)) + properties
        self.send(CONNACK, body)

    def puback(self, p, reason=0):
        self.unacked -= 1
        body = struct.pack(">H", p.mid)
        if self.connect.level == 5 and reason:
            body += bytes([reason, 0])
        self.send(PUBACK, body)

    def publish(self, topic, payload, retain=False):
        body = struct.pack(">H", len(topic)) + topic.encode()
        body += b"\0" if self.connect.level == 5 else b""
        self.send(PUBLISH, body + payload, 1 if retain else 0)

    def say_disconnect(self, reason):
        self.send(DISCONNECT, bytes([reason, 0]))

    # ---- a polite broker's side of everything

    def handle(self, until=None, on_publish=None):
        """Takes one packet and answers it. on_publish(conn, p) -> reason; None: no PUBACK."""
        kind, flags, r = self.packet(until)
        if kind == PUBLISH:
            p = self.parse_publish(flags, r)
            reason = on_publish(self, p) if on_publish else 0
            if p.qos and reason is not None:
                self.puback(p, reason)
        elif kind in (SUBSCRIBE, UNSUBSCRIBE):
            mid = r.take(2)
            if self.connect.level == 5:
                r.properties()
            self.filters.append(r.text())
            extra = b"\0" if self.connect.level == 5 else b""
            code = b"\1" if kind == SUBSCRIBE else b"\0" if extra else b""
            self.send(SUBACK if kind == SUBSCRIBE else UNSUBACK, mid + extra + code)
        elif kind == PINGREQ:
            self.send(PINGRESP)
        elif kind == DISCONNECT:
            self.disconnect = r.u8() if r.data else 0
            raise Closed
        elif kind != PUBACK:
            raise AssertionError(f"a packet of type {kind}")


# ---- scripts ------------------------------------------------------------------------------------


def serve(on_publish=None, properties=b"", seconds=None, then=None):
    """Accepts and answers everything; after `seconds` does then(conn) and closes."""
    def script(conn):
        conn.read_connect()
        conn.connack(0, properties)
        until = time.monotonic() + seconds if seconds is not None else None
        try:
            while True:
                conn.handle(until, on_publish)
        except Closed:
            if until and time.monotonic() > until and then:
                then(conn)
    return script


def refuse(reason):
    def script(conn):
        conn.read_connect()
        conn.connack(reason)
        hold(conn, 0.2)
    return script


def serve_311(conn):
    """Knows MQTT 3.1.1 only and says so as its standard wants: code 1, no properties."""
    if conn.read_connect().level != 4:
        conn.send(CONNACK, b"\0\1")
        return
    conn.connack(0)
    while True:
        conn.handle()


def hang_up(conn):
    """Closes without a word, as RabbitMQ 3.10 does with MQTT 5."""
    conn.read_connect()


def mute(conn):
    conn.read_connect()
    hold(conn, 3600)


def hold(conn, seconds):
    until = time.monotonic() + seconds
    try:
        while True:
            conn.packet(until)
    except Closed:
        pass


# ---- the listener -------------------------------------------------------------------------------


class FakeBroker:
    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.connections, self.errors, self.threads = [], [], []
        self.closing = False
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.sock.settimeout(0.1)
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def _accept(self):
        while not self.closing:
            try:
                sock, _ = self.sock.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            conn = Connection(self, sock)
            script = self.scripts[min(len(self.connections), len(self.scripts) - 1)]
            self.connections.append(conn)
            thread = threading.Thread(target=self._run, args=(script, conn), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, script, conn):
        try:
            script(conn)
        except Closed:
            pass
        except Exception as e:  # told by close(), in the test's own thread
            self.errors.append(e)
        finally:
            conn.sock.close()

    def published(self, suffix=""):
        return [p for c in list(self.connections) for p in list(c.published) if p.topic.endswith(suffix)]

    def close(self):
        self.closing = True
        self.acceptor.join(2)
        self.sock.close()
        for thread in self.threads:
            thread.join(2)
        if self.errors:
            raise self.errors[0]
