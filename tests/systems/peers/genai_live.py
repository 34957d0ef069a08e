"""Google's own live client against the server at argv[1] (https://...); prints what it got as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from google import genai
from google.genai import types

LOUD, QUIET = b"\x00\x40" * 320, bytes(640)


async def main(url: str) -> None:
    client = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url))
    config = types.LiveConnectConfig(response_modalities=["AUDIO"], output_audio_transcription={})
    got = {"bytes": 0, "mimes": set(), "text": "", "interrupted": 0, "complete": 0}
    async with client.aio.live.connect(model="some-live-model", config=config) as session:

        async def speak() -> None:
            # Half a second, then silence until the answer is under way, into which half a second more is spoken.
            for pcm, times in ((LOUD, 25), (QUIET, 40), (LOUD, 25), (QUIET, 60)):
                for _ in range(times):
                    await session.send_realtime_input(audio=types.Blob(data=pcm, mime_type="audio/pcm;rate=16000"))
                    await asyncio.sleep(0.02)

        async def listen() -> None:
            # One call of receive() gives one turn: the one interrupted, and the one that answers the interruption.
            for _ in range(2):
                async for message in session.receive():
                    content = message.server_content
                    if message.data:
                        got["bytes"] += len(message.data)
                        got["mimes"] |= {p.inline_data.mime_type for p in content.model_turn.parts}
                    if content and content.output_transcription:
                        got["text"] += content.output_transcription.text
                    got["interrupted"] += bool(content and content.interrupted)
                    got["complete"] += bool(content and content.turn_complete)

        await asyncio.wait_for(asyncio.gather(speak(), listen()), 20)
    print(json.dumps({**got, "mimes": sorted(got["mimes"])}))


asyncio.run(main(sys.argv[1]))
