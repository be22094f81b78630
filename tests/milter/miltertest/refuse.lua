-- SPDX-License-Identifier: Apache-2.0
-- A broken template is refused with its place, and nothing of the message is edited.
dofile(COMMON)

local conn = open("merganser")
begin(conn, "ann@example.com", { { "X-Campaign", "spring" }, { "Subject", "x" } })
expect(finish(conn, "one\r\n{{#if a}}\r\n") == SMFIR_REPLYCODE, "not refused by a reply")
expect(not mt.eom_check(conn, MT_BODYCHANGE) and not mt.eom_check(conn, MT_HDRADD)
	and not mt.eom_check(conn, MT_HDRCHANGE) and not mt.eom_check(conn, MT_HDRDELETE),
	"a refused message is edited")
mt.disconnect(conn)
