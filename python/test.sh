#!/usr/bin/env bash
# Builds the package for Python into an environment of its own, and runs its tests. Needs Python 3.10 or newer, and its package index once.
#   python/test.sh [ARGUMENTS of pytest]
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${CARGO_TARGET_DIR:-$PWD/target}/python
if [ ! -x "$environment/bin/maturin" ]; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet "maturin>=1.9,<2" "pytest>=8" "numpy>=1.24" "pandas>=2" "scikit-learn>=1.6"
fi
. "$environment/bin/activate"
cd python
maturin develop --locked
python -m pytest -q "$@"
