"""What every part uses and none owns: safe checkpoints, config checks, progress bars."""
