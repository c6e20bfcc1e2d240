#!/usr/bin/env python3
"""A publisher of the dynamic firewall for tests, steered by lines on standard input (needs pyzmq and msgpack).

publisher.py DIRECTORY [PORT]     keys are kept in DIRECTORY; writes the port that it is bound to, then "ok" after every command:

  set N SERIAL VERSION            the list: N addresses from 10.0.0.0 on
  every SECONDS                   sends the list that often (0: never), from now on
  delta SERIAL positive|negative ADDRESS
  event NAME ADDRESS
  garbage N                       N times: every kind of message that is none
  big BYTES                       an event that large
  flood RATE SECONDS              deltas and events, as fast as that
  raw TOPIC HEX                   any payload
"""
import ipaddress, os, random, select, sys, time
import msgpack, zmq, zmq.auth


class Feed:
    def __init__(self, directory, port):
        secret = os.path.join(directory, "server.key_secret")
        if not os.path.exists(secret):
            zmq.auth.create_certificates(directory, "server")
        self.socket = zmq.Context.instance().socket(zmq.PUB)
        self.socket.curve_publickey, self.socket.curve_secretkey = zmq.auth.load_certificate(secret)
        self.socket.curve_server = True
        self.socket.linger = 0
        self.socket.bind(f"tcp://127.0.0.1:{port}")
        self.port = int(self.socket.last_endpoint.decode().rsplit(":", 1)[1])
        self.list, self.serial, self.version = set(), 0, 0
        self.interval, self.due = 0, 0

    def send(self, topic, payload):
        self.socket.send_multipart([topic.encode(), msgpack.packb(payload)])

    def send_list(self):
        self.due = time.time() + self.interval
        self.send("dynfw/list", {"version": self.version, "serial": self.serial, "list": sorted(self.list), "ts": int(time.time())})

    def send_delta(self, serial, change, ip):
        self.serial = int(serial)
        (self.list.add if change == "positive" else self.list.discard)(ip)
        self.send("dynfw/delta", {"serial": self.serial, "delta": change, "ip": ip, "ts": int(time.time())})

    def send_event(self, name, ip):
        self.send("dynfw/event", {"event": name, "ip": ip, "ts": int(time.time())})

    def send_garbage(self):
        whole = msgpack.packb({"serial": self.serial + 1, "delta": "positive", "ip": "198.51.100.66", "ts": 1})
        deep = b"\x91" * 5000
        for parts in (
            [b"dynfw/delta"],
            [b"dynfw/delta", b""],
            [b"dynfw/delta", b"\xc1"],
            [b"dynfw/delta", whole[:-1]],
            [b"dynfw/delta", whole + b"\x00"],
            [b"dynfw/delta", whole, b"third"],
            [b"dynfw/delta", msgpack.packb({"serial": -1, "delta": "positive", "ip": "198.51.100.66", "ts": 1})],
            [b"dynfw/delta", msgpack.packb({"serial": self.serial + 1, "delta": "perhaps", "ip": "198.51.100.66", "ts": 1})],
            [b"dynfw/event", msgpack.packb(["not", "a", "map"])],
            [b"dynfw/event", msgpack.packb({"event": "<script>", "ip": "198.51.100.66", "ts": 1})],
            [b"dynfw/event", msgpack.packb({"event": "x", "ip": "not an address", "ts": 1})],
            [b"dynfw/event", msgpack.packb({"event": "x", "ip": "198.51.100.66", "ts": 2**63})],
            [b"dynfw/event", deep],
            [b"dynfw/event", os.urandom(64)],
            [b"dynfw/event_of_tomorrow", msgpack.packb({})],
            [b"dynfw/delta\xff", whole],
        ):
            self.socket.send_multipart(parts)

    def flood(self, rate, seconds):
        dice, begun, sent = random.Random(1), time.time(), 0
        while (elapsed := time.time() - begun) < seconds:
            for _ in range(int(rate * elapsed) - sent):
                ip = str(ipaddress.IPv4Address(dice.randrange(1 << 24, 223 << 24)))
                if sent % 2:
                    self.send_event("telnet_connect", ip)
                else:
                    self.send_delta(self.serial + 1, "negative" if sent % 4 else "positive", ip)
                sent += 1
            time.sleep(0.001)
        return sent

    def do(self, line):
        word, *rest = line.split()
        if word == "set":
            first = int(ipaddress.IPv4Address("10.0.0.0"))
            self.list = {str(ipaddress.IPv4Address(first + i)) for i in range(int(rest[0]))}
            self.serial, self.version = int(rest[1]), int(rest[2])
        elif word == "every":
            self.interval, self.due = float(rest[0]), 0
        elif word == "delta":
            self.send_delta(*rest)
        elif word == "event":
            self.send_event(*rest)
        elif word == "garbage":
            for _ in range(int(rest[0])):
                self.send_garbage()
        elif word == "big":
            self.send("dynfw/event", {"event": "x", "ip": "198.51.100.66", "ts": 1, "more": "x" * int(rest[0])})
        elif word == "flood":
            return self.flood(int(rest[0]), float(rest[1]))
        elif word == "raw":
            self.socket.send_multipart([rest[0].encode(), bytes.fromhex(rest[1])])
        else:
            raise SystemExit(f"no command {word}")


feed = Feed(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
print(feed.port, flush=True)
while True:
    if feed.interval and time.time() >= feed.due:
        feed.send_list()
    if select.select([sys.stdin], [], [], feed.interval / 2 if feed.interval else 0.2)[0]:
        line = sys.stdin.readline()
        if not line:
            break
        said = feed.do(line)
        print("ok" if said is None else f"ok {said}", flush=True)
