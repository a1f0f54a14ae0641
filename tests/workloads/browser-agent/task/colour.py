"""The colour of a picture's first pixel, which every filter of PNG leaves as it is."""
import struct
import sys
import zlib

data, at, pixels = open(sys.argv[1], "rb").read(), 8, b""
while at < len(data):
    length, kind = struct.unpack_from(">I4s", data, at)
    if kind == b"IDAT":
        pixels += data[at + 8 : at + 8 + length]
    at += 12 + length
colour = zlib.decompress(pixels)[1:4].hex()
print("picture:", {"008000": "green"}.get(colour, colour))
