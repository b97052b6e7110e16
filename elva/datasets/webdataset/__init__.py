"""Tar shards in WebDataset's layout: samples found by their places, members read without unpacking."""

from .headers import Member
from .index import ShardIndex, copy_member, read_member, shard_index
from .shard_sampler import ShardSampler

__all__ = ["Member", "ShardIndex", "ShardSampler", "copy_member", "read_member", "shard_index"]
