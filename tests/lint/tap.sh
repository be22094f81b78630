# SPDX-License-Identifier: Apache-2.0
# Sourced by the lint tests: check 'what' "$offenders" passes when there are none.
cd "$G_TEST_SRCDIR/.." || exit 99
tap_count=0
check() {
	tap_count=$((tap_count + 1))
	if [ -z "$2" ]; then
		echo "ok $tap_count - $1"
	else
		echo "not ok $tap_count - $1"
		echo "$2" | head -40 | sed 's/^/# /'
	fi
}
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}
plan() { echo "1..$tap_count"; }
sources() { find "$@" -name '*.[ch]' | LC_ALL=C sort; }
