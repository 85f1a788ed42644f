import os
import sys
from pathlib import Path

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""Tests start programs while gRPC runs; its handlers of fork, of no use to a child that becomes another program, may crash it."""

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.with_name("crash"))]
