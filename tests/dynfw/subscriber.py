#!/usr/bin/env python3
"""Hears a publisher as the public clients do, and writes what it hears, one JSON array [topic, payload] a line (needs pyzmq and msgpack).

subscriber.py ADDRESS CERTIFICATE COUNT     ends after COUNT messages
"""
import json, sys
import msgpack, zmq, zmq.auth

address, certificate, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
socket = zmq.Context.instance().socket(zmq.SUB)
socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
socket.curve_serverkey, _ = zmq.auth.load_certificate(certificate)
socket.subscribe(b"dynfw/")
socket.connect(address)
for _ in range(count):
    topic, payload = socket.recv_multipart()
    print(json.dumps([topic.decode(), msgpack.unpackb(payload)]), flush=True)
