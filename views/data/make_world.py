#!/usr/bin/env python3
"""Makes world.tsv, the shapes of the world map, from the npm package world-atlas (see README.md).

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python3 make_world.py package/countries-50m.json > world.tsv

Each line: ISO 3166-1 alpha-2 code, tab, the path's `d` in the viewBox that is printed on standard error.

What it does, in order:
1. simplifies every arc of the TopoJSON after projecting it (Natural Earth projection), so that neighbours keep one border;
2. joins areas that have no code of their own to the country that ISO counts them to, and gives the parts that have one
   (French Guiana, Svalbard, ...) a line of their own;
3. drops Antarctica, and islands too small to see where the country has bigger ones;
4. draws a dot for a country that would be too small to see or that the source lacks;
5. writes relative moves in whole units: a unit is half a pixel of a map 1000 pixels wide.
"""

import json
import math
import sys
from pathlib import Path

WIDTH = 2000  # units of the viewBox
EDGE = -168.4  # longitude of the map's left and right edge: in the Bering Strait, so that it cuts no mainland
SIMPLIFY = 3.0  # square units: a corner that spans less is left out
ISLAND = 14.0  # square units: an island smaller than this is left out, if it is not the country's biggest
DOT = 24.0  # square units: a country smaller than this becomes a dot ...
RADIUS = 5  # ... of this radius in units

# Areas without an ISO number in the source, and the country they are counted to. None: left out.
UNNUMBERED = {"N. Cyprus": "CY", "Somaliland": "SO", "Kosovo": "XK", "Indian Ocean Ter.": None, "Siachen Glacier": None}

# Parts of a country that have a code of their own: (of, code, west, south, east, north).
PARTS = [
    ("FR", "GF", -55, 1, -51, 7),
    ("FR", "GP", -62, 15.7, -60.9, 16.6),
    ("FR", "MQ", -61.4, 14.2, -60.7, 15.1),
    ("FR", "RE", 55, -22, 56, -20.5),
    ("FR", "YT", 44.5, -13.5, 45.6, -12.3),
    ("NO", "SJ", 5, 70.5, 35, 82),
    ("NO", "SJ", -12, 70, -6, 72),
    ("NL", "BQ", -69, 11.5, -62, 18),
]

# Inhabited places that the source lacks: longitude and latitude of their dots.
DOTS = {
    "BQ": (-68.3, 12.2), "CC": (96.8, -12.2), "CX": (105.6, -10.5), "GF": (-53, 4), "GI": (-5.35, 36.1),
    "GP": (-61.5, 16.2), "MQ": (-61, 14.6), "RE": (55.5, -21.1), "SJ": (16, 78.5), "TK": (-171.8, -9.2),
    "TV": (179.2, -8.5), "YT": (45.2, -12.8),
}
LEFT_OUT = {"AQ", "BV", "HM", "UM", "TF", "GS"}  # nobody lives there


def project(lon, lat):
    """Natural Earth projection (Patterson, Savric, Jenny), in radians of the sphere, `lon` counted from the middle."""
    l, p = math.radians(lon), math.radians(lat)
    p2, p4 = p * p, p ** 4
    x = l * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4)))
    y = p * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4)))
    return x, y


SCALE = WIDTH / (2 * project(180, 0)[0])
TOP = project(0, 83.7)[1]
BOTTOM = project(0, -56.5)[1]


def around(places):
    """The places with longitudes from EDGE eastwards; what crosses EDGE goes on past it instead of jumping."""
    lons = [lon + 360 if lon < EDGE else lon for lon, _ in places]
    lons = [lon - 360 if lon - lons[0] > 180 else lon + 360 if lon - lons[0] < -180 else lon for lon in lons]
    return list(zip(lons, (lat for _, lat in places)))


def place(lon, lat):
    x, y = project(lon - EDGE - 180, lat)
    return WIDTH / 2 + x * SCALE, (TOP - y) * SCALE


def triangle(a, b, c):
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2


def simplify(points):
    """Visvalingam: again and again leave out the corner that spans the least, while that is below SIMPLIFY."""
    points = list(points)
    closed = points[0] == points[-1]
    keep = 4 if closed else 2
    while len(points) > keep:
        spans = [triangle(points[i - 1], points[i], points[i + 1]) for i in range(1, len(points) - 1)]
        least = min(range(len(spans)), key=spans.__getitem__)
        if spans[least] >= SIMPLIFY:
            break
        del points[least + 1]
    return points


def area(ring):
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1])) / 2


def read(path):
    topology = json.loads(Path(path).read_text())
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    lonlat, arcs = [], []
    for arc in topology["arcs"]:
        x = y = 0
        places = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            places.append((x * sx + tx, y * sy + ty))
        lonlat.append(places)
        arcs.append(simplify([place(*p) for p in around(places)]))
    return topology["objects"]["countries"]["geometries"], lonlat, arcs


def rings_of(geometry):
    """All rings, each a list of arc numbers; holes too: filled by even-odd they stay holes."""
    polygons = {"Polygon": lambda a: [a], "MultiPolygon": lambda a: a}.get(geometry["type"], lambda a: [])
    return [ring for polygon in polygons(geometry.get("arcs", [])) for ring in polygon]


def inner_borders_left_out(rings, ends):
    """The rings without the borders between the parts of one country: arcs that are used in both directions."""
    used = {arc for ring in rings for arc in ring}
    shared = {arc for arc in used if ~arc in used}
    whole = [ring for ring in rings if not shared.intersection(ring)]
    loose = [arc for ring in rings if shared.intersection(ring) for arc in ring if arc not in shared]
    return whole + stitch(loose, ends)


def stitch(loose, ends):
    """Rings made of loose arcs, end to beginning."""
    loose, rings = list(loose), []
    while loose:
        ring = [loose.pop(0)]
        while ends(ring[-1])[1] != ends(ring[0])[0]:
            step = next((a for a in loose if ends(a)[0] == ends(ring[-1])[1]), None)
            if step is None:
                break
            loose.remove(step)
            ring.append(step)
        rings.append(ring)
    return rings


def main():
    table = [line.split("\t") for line in (Path(__file__).parent / "countries.tsv").read_text().splitlines()]
    by_number = {number: code for code, number, _ in table if number != "000"}
    geometries, lonlat, arcs = read(sys.argv[1])

    def points(ring, source):
        out = []
        for arc in ring:
            part = source[arc] if arc >= 0 else source[~arc][::-1]
            out += part if not out else part[1:]
        return out

    def ends(arc):
        part = lonlat[arc] if arc >= 0 else lonlat[~arc][::-1]
        return part[0], part[-1]

    countries = {}
    for geometry in geometries:
        name = geometry["properties"]["name"]
        code = UNNUMBERED[name] if name in UNNUMBERED else by_number.get(geometry.get("id"))
        if code is None:
            print("left out:", name, file=sys.stderr)
            continue
        for ring in rings_of(geometry):
            lon = [p[0] for p in points(ring, lonlat)]
            lat = [p[1] for p in points(ring, lonlat)]
            part = next((c for of, c, w, s, e, n in PARTS if of == code and w <= min(lon) and max(lon) <= e
                         and s <= min(lat) and max(lat) <= n), code)
            countries.setdefault(part, []).append(ring)

    lines, corners = [], 0
    for code, _, _ in table:
        if code in LEFT_OUT:
            continue
        rings = inner_borders_left_out(countries.get(code, []), ends)
        full = [[place(*p) for p in around(points(ring, lonlat))] for ring in rings]
        sizes = [abs(area(ring)) for ring in full]
        if not sizes or sum(sizes) < DOT:
            if sizes:
                big = full[sizes.index(max(sizes))]
                x, y = sum(p[0] for p in big) / len(big), sum(p[1] for p in big) / len(big)
            elif code in DOTS:
                x, y = place(*around([DOTS[code]])[0])
            else:
                print("no shape:", code, file=sys.stderr)
                continue
            r = RADIUS
            lines.append(f"{code}\tM{round(x) - r} {round(y)}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0-{2 * r} 0z")
            continue
        path = ""
        for ring, size in zip(rings, sizes):
            if size < ISLAND and size < max(sizes):
                continue
            shape = [(round(x), round(y)) for x, y in points(ring, arcs)]
            steps, (px, py) = [], shape[0]
            for x, y in shape[1:-1]:
                if (x, y) != (px, py):
                    steps.append((x - px, y - py))
                    px, py = x, y
            if len(steps) < 2:
                continue
            corners += len(steps)
            path += f"M{shape[0][0]} {shape[0][1]}l"
            numbers = " ".join(f"{dx} {dy}" for dx, dy in steps).replace(" -", "-")
            path += numbers + "z"
        lines.append(f"{code}\t{path}")
    print("\n".join(lines))
    print(f"viewBox 0 0 {WIDTH} {round((TOP - BOTTOM) * SCALE)}; {len(lines)} shapes, {corners} corners", file=sys.stderr)


main()
