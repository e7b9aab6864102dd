#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given, one after another.
set -euo pipefail
cd "$(dirname "$0")/.."
duration=${1:-20s}
grep -rlE --include='*_test.go' '^func Fuzz' platform services gateway | sort -u | while read -r file; do
  package=./$(dirname "$file")
  grep -oE '^func (Fuzz[A-Za-z0-9_]*)' "$file" | awk '{print $2}' | while read -r target; do
    echo "--- $package $target"
    go test -run "^$" -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 10x "$package"
  done
done
