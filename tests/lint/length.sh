#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Functions: 80 lines at most, half of them at most 15, nine of ten at most 45.  Files: 800
# lines, headers 200.  By the style a function begins with { and ends with } in column 1.
. "${G_TEST_SRCDIR:?}/lint/tap.sh"

FUNCTION_MAX=80
# name:reason
EXEMPT='mrg_program_run:the VM loop has a case per opcode'

lengths=$(sources base render milter plugins collect ctl | grep '\.c$' | xargs awk '
	FNR == 1 { start = 0 }
	/^[A-Za-z_].*\(/ && !/;$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
	/^\{/ { start = FNR }
	/^\}/ { if (start) print FNR - start + 2, name, FILENAME ":" start; start = 0 }')

exempt=$(echo "$EXEMPT" | sed 's/:.*//')
check "no function is over $FUNCTION_MAX lines" "$(echo "$lengths" |
	awk -v max=$FUNCTION_MAX -v exempt="$exempt" '$1 > max && index(exempt, $2) == 0')"
check 'half of the functions have 15 lines or fewer, nine of ten 45' "$(echo "$lengths" |
	sort -n | awk '{ n[NR] = $1 } END {
		median = n[int((NR + 1) / 2)]; p90 = n[int(NR * 0.9)]
		if (median > 15 || p90 > 45) print "median " median ", p90 " p90 }')"
check 'no source file is over 800 lines' "$(sources base render milter plugins collect ctl tests |
	xargs wc -l | awk '$2 != "total" && $1 > 800')"
check 'no header is over 200 lines' "$(sources base render milter collect ctl | grep '\.h$' |
	xargs wc -l | awk '$2 != "total" && $1 > 200')"
plan
