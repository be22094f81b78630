-- SPDX-License-Identifier: Apache-2.0
-- What the scripts share: SOCKET comes from the command line (miltertest -D SOCKET=...).

function expect(truth, what)
	if not truth then
		mt.echo(what) -- miltertest keeps the text of an error to itself
		error(what)
	end
end

function open(daemon)
	local conn = mt.connect(SOCKET)
	expect(conn, "the daemon does not answer")
	mt.macro(conn, SMFIC_CONNECT, "{daemon_name}", daemon)
	expect(mt.conninfo(conn, "localhost", "127.0.0.1") == nil, "connect fails")
	return conn
end

-- One message up to the end of its headers.
function begin(conn, recipient, headers)
	expect(mt.mailfrom(conn, "<news@sandbox.test>") == nil, "MAIL fails")
	expect(mt.rcptto(conn, "<" .. recipient .. ">") == nil, "RCPT fails")
	for _, header in ipairs(headers) do
		expect(mt.header(conn, header[1], header[2]) == nil, header[1] .. " fails")
	end
	expect(mt.eoh(conn) == nil, "the end of the headers fails")
end

function finish(conn, body)
	expect(mt.bodystring(conn, body) == nil, "the body fails")
	expect(mt.eom(conn) == nil, "the end of the message fails")
	return mt.getreply(conn)
end
