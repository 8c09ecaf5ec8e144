"""Drives an MCP server with the official client.

usage: client.py auto|legacy URL
       client.py auto|legacy PROGRAM ARGUMENT...

`legacy` begins with the handshake of the protocol before 2026-07-28. Steps are read as one JSON
list from standard input, each a list of a method of the client and its arguments. What each answers
is a line of JSON: the result, or `{"error": message}`. The first line is about the server.
"""

import asyncio
import json
import os
import sys

from mcp import Client, MCPError, StdioServerParameters


async def main() -> None:
    mode, server, *arguments = sys.argv[1:]
    steps = json.load(sys.stdin)
    if not server.startswith("http://"):
        server = StdioServerParameters(command=server, args=arguments, env=dict(os.environ))
    async with Client(server, mode=mode, read_timeout_seconds=120) as client:
        about = {
            "protocol": client.protocol_version,
            "name": client.server_info and client.server_info.name,
            "instructions": client.instructions,
        }
        print(json.dumps(about), flush=True)
        for method, *arguments in steps:
            try:
                result = await getattr(client, method)(*arguments)
                answer = result.model_dump(mode="json", by_alias=True, exclude_none=True)
            except MCPError as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)


asyncio.run(main())
