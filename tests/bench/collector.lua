-- SPDX-License-Identifier: Apache-2.0
-- For wrk: requests of the paths in the file $PATHS, each thread from another place on.
-- With $DELAY each connection waits so many milliseconds before a request.
local threads = 0
local paths = {}
local at = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init()
    for line in io.lines(os.getenv("PATHS")) do
        paths[#paths + 1] = wrk.format("GET", line)
    end
    at = math.floor(#paths / 2) * number
end

function request()
    at = at % #paths + 1
    return paths[at]
end

if os.getenv("DELAY") then
    function delay()
        return tonumber(os.getenv("DELAY"))
    end
end

function done(summary, latency)
    io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), latency.max,
        summary.errors.connect + summary.errors.read + summary.errors.write +
        summary.errors.status + summary.errors.timeout))
end
