#!/usr/bin/env python3
"""A proxy in front of the origin that counts what goes through and makes every request wait.

    proxy.py PORT UPSTREAM_PORT LOG [DELAY_MS]

One JSON line a request in LOG: method, path, range, status, bytes of the body that were passed on,
and when it came and ended (seconds). The wait makes an origin that takes DELAY_MS for a request: it comes
before the answer is passed on, and what the origin itself takes is within it; once for each request,
whether the connection is new or not. Both sides are on this machine. HTTP/1.1 with Content-Length only, which is what S3 servers answer reads with.
"""

import asyncio
import json
import re
import sys
import time

PIECE = 1 << 18


async def read_head(reader):
    """The head of a request or an answer; empty at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def header(head, name):
    """The value of a header, or an empty string."""
    found = re.search(rb"\r\n" + name + rb":[ \t]*([^\r]*)\r\n", head, re.IGNORECASE)
    return found.group(1).decode() if found else ""


async def copy(reader, writer, length):
    """Passes so many bytes on; how many were, when the connection ended before."""
    passed = 0
    while passed < length:
        piece = await reader.read(min(PIECE, length - passed))
        if not piece:
            break
        writer.write(piece)
        await writer.drain()
        passed += len(piece)
    return passed


class Proxy:
    """Where to, how late, and the log."""

    def __init__(self, upstream, log, delay):
        self.upstream = upstream
        self.log = log
        self.delay = delay

    async def serve(self, reader, writer):
        """One connection of a client, with one of its own to the origin."""
        origin = None
        try:
            origin = await asyncio.open_connection("127.0.0.1", self.upstream, limit=PIECE)
            while head := await read_head(reader):
                if not await self.request(head, reader, writer, *origin):
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()
            if origin:
                origin[1].close()

    async def request(self, head, reader, writer, from_origin, to_origin):
        """One request; whether the connection is good for another."""
        method, path, _ = head.split(b" ", 2)
        record = {
            "method": method.decode(),
            "path": path.decode().partition("?")[0],
            "range": header(head, b"range"),
            "at": time.time(),
            "status": 0,
            "bytes": 0,
        }
        answers_at = time.monotonic() + self.delay
        try:
            to_origin.write(head)
            await copy(reader, to_origin, int(header(head, b"content-length") or 0))
            await to_origin.drain()
            answer = await read_head(from_origin)
            if not answer:
                return False
            if (early := answers_at - time.monotonic()) > 0:
                await asyncio.sleep(early)
            record["status"] = int(answer.split(b" ", 2)[1])
            bare = method == b"HEAD" or record["status"] in (204, 304)
            length = 0 if bare else int(header(answer, b"content-length") or 0)
            writer.write(answer)
            while record["bytes"] < length:
                passed = await copy(from_origin, writer, min(PIECE, length - record["bytes"]))
                record["bytes"] += passed
                if not passed:
                    return False
            await writer.drain()
            return True
        finally:
            record["until"] = time.time()
            self.log.write(json.dumps(record) + "\n")
            self.log.flush()


async def main():
    """Serves until it is ended."""
    port, upstream, log = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    delay = float(sys.argv[4]) / 1_000 if len(sys.argv) > 4 else 0
    with open(log, "w") as file:
        proxy = Proxy(upstream, file, delay)
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=PIECE, backlog=512)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
