"""From annotation files to samples."""
