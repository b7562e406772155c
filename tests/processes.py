"""What tests need of the processes that they start."""

import signal


def heed_ctrl_c() -> None:
    """Let a child end by Ctrl-C; the function runs between fork and exec.

    A process that a shell starts in its background, or by nohup, ignores Ctrl-C, and its children
    inherit that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
