#!/usr/bin/env python3
"""Keeps a list as the public clients do, and tells it whenever no message waits (needs pyzmq and msgpack).

follow.py ADDRESS CERTIFICATE

Takes the first list, then follows deltas; when more than ten serials are missing, or one is lower than the last, it asks for the
list again. Every line is a JSON object: what was heard, the serial, the list, how often the list was taken, and how many events came.
"""
import json, sys
import msgpack, zmq, zmq.auth

address, certificate = sys.argv[1], sys.argv[2]
socket = zmq.Context.instance().socket(zmq.SUB)
socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
socket.curve_serverkey, _ = zmq.auth.load_certificate(certificate)
for topic in (b"dynfw/list", b"dynfw/delta", b"dynfw/event"):
    socket.subscribe(topic)
socket.connect(address)

MISSING = 10
have, serial, early, lists, events, waiting, last = set(), 0, set(), 0, [], True, 0


def ask():
    global waiting
    waiting = True
    socket.subscribe(b"dynfw/list")


while True:
    topic, payload = socket.recv_multipart()
    message = msgpack.unpackb(payload)
    if topic == b"dynfw/list" and waiting:
        have, serial, early, waiting, lists = set(message["list"]), message["serial"], set(), False, lists + 1
        socket.unsubscribe(b"dynfw/list")
    elif topic == b"dynfw/delta" and not waiting:
        number = message["serial"]
        if number <= serial:
            ask()
        else:
            early.add(number)
            while serial + 1 in early:
                serial += 1
                early.remove(serial)
            if early and max(early) - serial - len(early) > MISSING:
                ask()
            else:
                (have.add if message["delta"] == "positive" else have.discard)(message["ip"])
    elif topic == b"dynfw/event":
        events.append([message["event"], message["ip"]])
    # Telling a long list takes longer than a message: whoever told it after each of a thousand a second would lose some.
    if socket.poll(0):
        continue
    told = {"heard": topic.decode(), "serial": serial, "list": sorted(have), "lists": lists, "waiting": waiting, "events": events}
    print(json.dumps(told), flush=True)
