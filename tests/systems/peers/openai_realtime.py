"""OpenAI's own client against the server at argv[1] (ws://.../v1); prints what it got as JSON."""

from __future__ import annotations

import asyncio
import base64
import json
import sys

from openai import AsyncOpenAI

LOUD, QUIET = b"\x00\x40" * 480, bytes(960)


async def main(url: str) -> None:
    client = AsyncOpenAI(api_key="none", websocket_base_url=url)
    got = {"bytes": 0, "text": "", "events": [], "statuses": []}
    async with client.realtime.connect(model="gpt-realtime") as connection:
        pcm = {"type": "audio/pcm", "rate": 24_000}
        audio = {"input": {"format": pcm}, "output": {"format": pcm}}
        await connection.session.update(session={"type": "realtime", "audio": audio})

        async def speak() -> None:
            for sound, times in ((LOUD, 25), (QUIET, 40), (LOUD, 25), (QUIET, 60)):
                for _ in range(times):
                    await connection.input_audio_buffer.append(audio=base64.b64encode(sound).decode())
                    await asyncio.sleep(0.02)

        async def listen() -> None:
            async for event in connection:
                got["events"].append(event.type)
                if event.type == "response.output_audio.delta":
                    got["bytes"] += len(base64.b64decode(event.delta))
                elif event.type == "response.output_audio_transcript.delta":
                    got["text"] += event.delta
                elif event.type == "response.done":
                    got["statuses"].append(event.response.status)
                    if len(got["statuses"]) == 2:
                        return

        await asyncio.wait_for(asyncio.gather(speak(), listen()), 20)
    print(json.dumps(got))


asyncio.run(main(sys.argv[1]))
