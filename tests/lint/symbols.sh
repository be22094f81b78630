#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A plugin exports its entry and nothing else.
. "${G_TEST_SRCDIR:?}/lint/tap.sh"

for plugin in "${MRG_PLUGIN_DIR:?}"/*.so; do
	check "$(basename "$plugin") exports mrg_plugin_entry alone" \
		"$(nm -D --defined-only "$plugin" | awk '$2 ~ /[TDBRVW]/ { print $3 }' |
			grep -vE '^(mrg_plugin_entry$|__(asan|ubsan|tsan|odr_asan|sanitizer)|_fini|_init)')"
done
plan
