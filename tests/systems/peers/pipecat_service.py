"""A pipecat service (argv[1]: "realtime" or "gemini") against the server at argv[2]; prints what its pipeline got."""

from __future__ import annotations

import asyncio
import json
import sys

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

LOUD, QUIET = (b"\x00\x40", 25), (b"\x00\x00", 100)  # 0.5 s and 2 s of frames of 20 ms


class Sink(FrameProcessor):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.rates: set[int] = set()
        self.names: list[str] = []
        self.text: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.bytes += len(frame.audio)
            self.rates.add(frame.sample_rate)
        elif isinstance(frame, TTSTextFrame):
            self.text.append(frame.text)
        if isinstance(frame, TTSStartedFrame | TTSStoppedFrame | InterruptionFrame):
            self.names.append(type(frame).__name__)
        await self.push_frame(frame, direction)


def service_of(kind: str, url: str) -> tuple[FrameProcessor, int]:
    """The service and the rate at which it is fed."""
    if kind == "realtime":
        from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

        return OpenAIRealtimeLLMService(api_key="sk-none", base_url=url), 24_000
    from google.genai.types import HttpOptions
    from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService

    return GeminiLiveLLMService(api_key="none", http_options=HttpOptions(base_url=url)), 16_000


async def main(kind: str, url: str) -> None:
    service, rate = service_of(kind, url)
    sink = Sink()
    task = PipelineWorker(Pipeline([service, sink]), idle_timeout_secs=None)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(task)

    async def speak() -> None:
        await asyncio.sleep(1.0)
        await task.queue_frame(LLMContextFrame(LLMContext([])))
        await asyncio.sleep(0.5)
        for sample, times in (LOUD, QUIET):
            for _ in range(times):
                audio = sample * (rate // 50)
                await task.queue_frame(InputAudioRawFrame(audio=audio, sample_rate=rate, num_channels=1))
                await asyncio.sleep(0.02)
        await task.queue_frame(EndFrame())

    await asyncio.gather(runner.run(), speak())
    print(json.dumps({"bytes": sink.bytes, "rates": sorted(sink.rates), "names": sink.names, "text": sink.text}))


asyncio.run(main(sys.argv[1], sys.argv[2]))
