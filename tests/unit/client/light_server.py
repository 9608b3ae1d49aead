"""The lightest HTTP server that keeps connections open: every request gets how many are under way, now and at most.

In a process of its own, so that client and server do not wait for each other's interpreter lock. Prints its port.
"""

import asyncio
import json

now = most = total = 0


async def serve(reader, writer):
    """Answer one connection's requests until it is closed."""
    global now, most, total
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            now, total = now + 1, total + 1
            most = max(most, now)
            body = json.dumps({"status": "ok", "most": most, "total": total}).encode()
            await asyncio.sleep(0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            now -= 1
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    """Serve until the process is ended."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
