"""Run many fits side by side, each on one worker (`backend.parallelism=trials`)."""
