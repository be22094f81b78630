#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# conf/settings.def and render/helpers.def are the single sources: the sample and the manual
# pages are what they say.
. "${G_TEST_SRCDIR:?}/lint/tap.sh"

tool="${G_TEST_BUILDDIR:?}/../merganser"
# Paths depend on --prefix and its like; the files in the tree have those of Debian.
plain() {
	sed -E -e 's#/[A-Za-z0-9./_-]*etc/merganser#/etc/merganser#g' \
		-e 's#/[A-Za-z0-9./_-]*lib(/[a-z0-9_]+-linux-gnu)?/merganser#/usr/lib/merganser#g' "$@"
}
# With all plugins loaded at once, the leak sanitizer of GCC 12 itself falls over the
# thread-local storage of their libraries at exit.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
same() {
	made=$("$tool" conf "$1" --plugin-dir "${MRG_PLUGIN_DIR:?}" 2>&1 | plain)
	kept=$(plain "$2" 2>&1)
	check "$2 is what 'merganser conf $1' prints" \
		"$([ "$made" = "$kept" ] || echo "run: merganser conf $1 >$2")"
}
same sample conf/merganser.conf
same man conf/man/merganser.conf.5
check "the helpers of merganser-templates(5) are what 'merganser conf man-templates' prints" "$(
	made=$("$tool" conf man-templates)
	kept=$(sed '1,/^\.\\" From here/d; /^\.\\" end/,$d' conf/man/merganser-templates.5)
	[ "$made" = "$kept" ] || echo 'put it between the marks in conf/man/merganser-templates.5')"
check 'every verb stands in merganser(1)' "$(sed -nE 's/^VERB\("([^"]+)".*/\1/p' ctl/verbs.def |
	while read -r verb; do grep -qF ".B $verb" conf/man/merganser.1 || echo "$verb"; done)"
check 'every verb is completed' "$(sed -nE 's/^VERB\("([a-z]+).*/\1/p' ctl/verbs.def | sort -u |
	while read -r verb; do grep -qw "$verb" conf/completion/merganser || echo "$verb"; done)"
plan
