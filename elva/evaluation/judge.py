"""Asks a language model behind an OpenAI-compatible endpoint, and remembers what it said."""

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """What the judge said.

    Attributes:
        reply: Its text.
        model: Its name as the endpoint tells it.
    """

    reply: str
    model: str


class Judge:
    """A model that is asked about each text once, ever: replies are kept in a file.

    The key comes from the environment variable ``OPENAI_API_KEY`` and goes nowhere but to the endpoint.

    Args:
        model: Its name at the endpoint.
        cache: JSONL file of the replies; made where there is none.
        base_url: The endpoint. Default: the environment variable ``OPENAI_BASE_URL``, or OpenAI's.
        temperature: Of its answers.
        max_tokens: Of an answer.
        retries: How often a request that failed is sent again, with growing waits.
        concurrency: Requests at a time.
        timeout: Seconds of a request.
    """

    def __init__(
        self,
        model: str,
        cache: str,
        base_url: str | None = None,
        temperature: float = 0.0,
        max_tokens: int = 256,
        retries: int = 5,
        concurrency: int = 8,
        timeout: float = 60.0,
    ) -> None:
        self.model, self.temperature, self.max_tokens = model, temperature, max_tokens
        self._path, self._lock = Path(cache), threading.Lock()
        self._endpoint: dict[str, Any] = {"base_url": base_url, "max_retries": retries, "timeout": timeout}
        self._concurrency = concurrency

    def ask(self, texts: Sequence[str]) -> list[Verdict]:
        """What the judge says to each text, from the cache where it is there.

        Raises:
            ValueError: If the client is not installed or has no key, or the endpoint still fails after all retries.
                Replies until then are in the cache.
        """
        known = self._read()
        missing = {self._key(text): text for text in texts if self._key(text) not in known}
        if missing:
            known |= self._ask_all(missing)
        return [known[self._key(text)] for text in texts]

    def _ask_all(self, missing: dict[str, str]) -> dict[str, Verdict]:
        openai, key = _import_openai(), os.environ.get("OPENAI_API_KEY", "").strip()
        own = self._endpoint["base_url"] or os.environ.get("OPENAI_BASE_URL")  # a server of one's own may want no key
        found: dict[str, Verdict] = {}
        try:
            client = openai.OpenAI(api_key=key or ("none" if own else None), **self._endpoint)
            with ThreadPoolExecutor(self._concurrency) as pool:
                jobs = {pool.submit(self._ask_one, client, key, text): key for key, text in missing.items()}
                try:
                    for job in as_completed(jobs):
                        found[jobs[job]] = job.result()
                finally:
                    pool.shutdown(cancel_futures=True)  # after the first that failed, nobody else is asked
        except openai.OpenAIError as error:
            said = str(error).replace(key, "***") if key else str(error)
            raise ValueError(
                f"The judge '{self.model}' cannot be asked: {said} {len(missing) - len(found)} answers are left; "
                f"what was judged is in {self._path}, and the same command goes on from there."
            ) from error
        return found

    def _ask_one(self, client: Any, key: str, text: str) -> Verdict:
        response = client.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": text}],
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )
        verdict = Verdict(response.choices[0].message.content or "", response.model or self.model)
        line = "\n" + json.dumps({"key": key, **verdict._asdict()}, ensure_ascii=False)  # a kill may have cut the last
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        return verdict

    def _key(self, text: str) -> str:
        asked = json.dumps([self.model, self.temperature, self.max_tokens, text])
        return hashlib.sha256(asked.encode()).hexdigest()

    def _read(self) -> dict[str, Verdict]:
        if not self._path.is_file():
            return {}
        known = {}
        for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the end of the file, or a line that a kill cut off: it is asked again
            known[entry["key"]] = Verdict(entry["reply"], entry["model"])
        return known


def _import_openai() -> Any:
    try:
        import openai
    except ImportError as error:
        raise ValueError("LLMJudge needs the openai client: pip install 'elva[openai]'") from error
    return openai
