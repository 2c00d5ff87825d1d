"""The command `cpc`."""

import signal
import sys


def main():
    """Runs the command line of this process, as the program that cargo builds does."""
    from cpc import _cpc

    # Rust's handler writes a checkpoint; Python's would wait for the command to return.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_cpc.main(sys.argv))


if __name__ == "__main__":
    main()
