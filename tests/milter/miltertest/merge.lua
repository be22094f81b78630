-- SPDX-License-Identifier: Apache-2.0
-- A campaign message becomes the recipient's own.
dofile(COMMON)

local conn = open("merganser")
expect(mt.getreply(conn) == SMFIR_CONTINUE, "a trusted daemon is not listened to")
begin(conn, "ann@example.com", {
	{ "From", "news@sandbox.test" },
	{ "To", "all@sandbox.test" },
	{ "Cc", "boss@sandbox.test" },
	{ "Subject", "{{first_name}}!" },
	{ "Message-ID", "<miltertest-1@sandbox.test>" },
	{ "X-Campaign", "spring" },
	{ "Content-Type", "text/plain; charset=utf-8" },
})
expect(mt.getreply(conn) == SMFIR_CONTINUE, "a campaign is let go before its body")
expect(finish(conn, "{{interest}} for {{upper interest}}\r\n") == SMFIR_ACCEPT, "not accepted")
expect(mt.eom_check(conn, MT_BODYCHANGE, "Hiking for HIKING\r\n"), "the body is another one")
expect(mt.eom_check(conn, MT_HDRCHANGE, "To", " <ann@example.com>")
	or mt.eom_check(conn, MT_HDRCHANGE, "To", "<ann@example.com>"), "To is another one")
expect(mt.eom_check(conn, MT_HDRDELETE, "Cc"), "Cc is still there")
expect(mt.eom_check(conn, MT_HDRDELETE, "X-Campaign"), "X-Campaign is still there")
expect(mt.eom_check(conn, MT_HDRADD, "List-Unsubscribe"), "there is no List-Unsubscribe")
expect(not mt.eom_check(conn, MT_RCPTDELETE, "<ann@example.com>"), "the recipient is gone")
mt.disconnect(conn)
