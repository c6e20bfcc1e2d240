#!/usr/bin/env python3
"""Makes a database of countries in MaxMind's format for tests (needs mmdb_writer): geoip.py FILE NETWORK=CODE…"""
import sys
from mmdb_writer import MMDBWriter
from netaddr import IPSet

writer = MMDBWriter(ip_version=4, database_type="GeoLite2-Country", languages=["en"], description="for tests")
for pair in sys.argv[2:]:
    network, code = pair.split("=")
    writer.insert_network(IPSet([network]), {"country": {"iso_code": code}})
writer.to_db_file(sys.argv[1])
