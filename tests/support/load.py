# SPDX-License-Identifier: MIT OR Apache-2.0
"""Load for a tunnel, and a server for its other end, on port 18789 of the loopback.

    load.py get COUNT AT_ONCE          COUNT requests to the gateway, so many at once
    load.py transfer BYTES             so many bytes there, and as many back, with their hashes
    load.py half-close COUNT AT_ONCE   connections that end their side, and wait for the answer
    load.py garbage                    what no client would send, and too much of it
    load.py hold COUNT                 connections that say nothing; until the input ends
    load.py serve                      what answers the last two
"""
import asyncio
import hashlib
import os
import sys
import time

PORT = 18789
BLOCK = bytes(range(256)) * 4096


async def get():
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:18789\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    assert b'"ok":true' in body, answer


async def half_close():
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(b"L\n" + BLOCK)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    assert answer == BLOCK * 2, len(answer)


async def many(count, at_once, what):
    limit = asyncio.Semaphore(at_once)
    times = []

    async def one():
        async with limit:
            begun = time.monotonic()
            await what()
            times.append(time.monotonic() - begun)

    begun = time.monotonic()
    await asyncio.gather(*(one() for _ in range(count)))
    seconds = time.monotonic() - begun
    times.sort()
    print("{} of {} served, {} at once: {:.1f} s, {:.0f}/s, median {:.0f} ms, longest {:.0f} ms"
          .format(len(times), count, at_once, seconds, count / seconds,
                  times[count // 2] * 1000, times[-1] * 1000))


async def transfer(size):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    sent = hashlib.sha256()
    begun = time.monotonic()
    writer.write(b"T%d\n" % size)
    left = size
    while left:
        block = BLOCK[:left]
        sent.update(block)
        writer.write(block)
        await writer.drain()
        left -= len(block)
    there = (await reader.readline()).decode().strip()
    between = time.monotonic()
    assert there == sent.hexdigest(), there
    came, received = 0, hashlib.sha256()
    while block := await reader.read(1 << 20):
        came += len(block)
        received.update(block)
    ended = time.monotonic()
    assert came == size and received.hexdigest() == there, came
    print("{} bytes there at {:.0f} MB/s and back at {:.0f} MB/s, unchanged".format(
        size, size / (between - begun) / 1e6, size / (ended - between) / 1e6))


async def garbage():
    random = os.urandom(4_000_000)
    for number, data in enumerate((
            random,
            bytes(4_000_000),
            b"GET /" + b"a" * 4_000_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 500_000 + b"\r\n",
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + random,
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1:18789\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + random,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random[:505])):
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        answer = b""
        try:
            writer.write(data)
            await asyncio.wait_for(writer.drain(), 20)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(100), 20)
        except (OSError, asyncio.TimeoutError):
            pass
        writer.close()
        print(number, answer.split(b"\r\n")[0][:40])


async def hold(count):
    held = [await asyncio.open_connection("127.0.0.1", PORT) for _ in range(count)]
    print("held", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for _, writer in held:
        writer.close()


async def serve_one(reader, writer):
    order = (await reader.readline()).decode().strip()
    if order.startswith("T"):
        size = left = int(order[1:])
        got = hashlib.sha256()
        while left:
            block = await reader.read(min(left, 1 << 20))
            got.update(block)
            left -= len(block)
        writer.write(got.hexdigest().encode() + b"\n")
        left = size
        while left:
            writer.write(BLOCK[:left])
            await writer.drain()
            left -= min(left, len(BLOCK))
    elif order == "L":
        data = await reader.read()
        await asyncio.sleep(2)
        writer.write(data * 2)
    await writer.drain()
    writer.close()


async def main(what, *numbers):
    numbers = [int(number) for number in numbers]
    if what == "get":
        await many(*numbers, get)
    elif what == "half-close":
        await many(*numbers, half_close)
    elif what == "garbage":
        await garbage()
    elif what == "hold":
        await hold(*numbers)
    elif what == "transfer":
        await transfer(*numbers)
    elif what == "serve":
        server = await asyncio.start_server(serve_one, "127.0.0.1", PORT)
        await server.serve_forever()
    else:
        sys.exit(__doc__)


asyncio.run(main(*sys.argv[1:]))
