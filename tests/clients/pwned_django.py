"""Asks a server about passwords with the package pwned-passwords-django: pwned_django.py BASE_URL PASSWORD…; a line of JSON."""

import json
import sys

import django
from django.conf import settings

settings.configure()
django.setup()

from pwned_passwords_django.api import PwnedPasswords  # noqa: E402

base, *passwords = sys.argv[1:]
counts = []
for padding in (True, False):
    client = PwnedPasswords()
    client.api_endpoint, client.add_padding = base + "/range/", padding
    counts.append([client.check_password(password) or 0 for password in passwords])
print(json.dumps(counts))
