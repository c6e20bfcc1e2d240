#!/usr/bin/env python3
"""A server over TLS that gives a certificate file to whoever asks, or something else (needs openssl).

https.py DIRECTORY CERTIFICATE     makes an authority (DIRECTORY/authority.pem) and a certificate for 127.0.0.1, then writes its port

What it answers says the word in DIRECTORY/answer, at every request: key (the certificate file), redirect, page (HTML), big (10 MB),
hang (nothing), missing (404).
"""
import http.server, os, ssl, subprocess, sys, time

directory, certificate = sys.argv[1], sys.argv[2]
path = lambda name: os.path.join(directory, name)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def new_key(name):
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-out", path(name))


new_key("authority.key")
openssl("req", "-x509", "-new", "-key", path("authority.key"), "-out", path("authority.pem"), "-days", "2",
        "-subj", "/CN=An authority of tests", "-addext", "keyUsage=critical,keyCertSign")
new_key("site.key")
openssl("req", "-new", "-key", path("site.key"), "-out", path("site.csr"), "-subj", "/CN=127.0.0.1")
with open(path("site.ext"), "w") as file:
    file.write("subjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth\n")
openssl("x509", "-req", "-in", path("site.csr"), "-CA", path("authority.pem"), "-CAkey", path("authority.key"),
        "-CAcreateserial", "-out", path("site.pem"), "-days", "2", "-extfile", path("site.ext"))


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with open(path("answer")) as file:
            word = file.read().strip()
        if word == "key":
            with open(certificate, "rb") as file:
                self.answer(200, "text/plain", file.read())
        elif word == "redirect":
            self.answer(302, "text/plain", b"", Location="/elsewhere.key")
        elif word == "page":
            self.answer(200, "text/html", b"<html><body>Please log in</body></html>")
        elif word == "big":
            self.answer(200, "text/plain", b"#" * 10_000_000)
        elif word == "hang":
            time.sleep(60)
        else:
            self.answer(404, "text/plain", b"no such file\n")

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(path("site.pem"), path("site.key"))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
server.daemon_threads = True
server.handle_error = lambda *_: None  # whoever trusts another authority hangs up
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
server.serve_forever()
