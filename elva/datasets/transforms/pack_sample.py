"""The last step of a pipeline: what the model gets, and what goes beside it."""

from typing import Any

from mmcv.transforms import BaseTransform

from elva.registry import TRANSFORMS
from elva.structures import VideoQASample


@TRANSFORMS.register_module()
class PackSample(BaseTransform):
    """Packs ``clips``, ``input_ids`` and ``labels`` into ``inputs``, everything else into a ``VideoQASample``."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return dict(inputs=dict(clips, input_ids, labels), data_samples=VideoQASample)."""
        sample = VideoQASample(
            id=results["id"],
            question=results["question"],
            answer=results["answer"],
            videos=tuple(results["videos"]),
            plans=tuple(clip.plan for clip in results["clips"]),
            choices=tuple(results.get("choices", ())),
            meta=results["meta"],
            stats={"error": results["error"]} if "error" in results else {},
        )
        inputs = {key: results.get(key) for key in ("clips", "input_ids", "labels")}
        return {"inputs": inputs, "data_samples": sample}
