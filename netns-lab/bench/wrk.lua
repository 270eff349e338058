-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- For every run of wrk: its result as one line of JSON. With the argument `browser` (after `--`)
-- the request is the one of a desktop Chrome, about 700 bytes, in Chrome's order of headers.

local AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
  .. "(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"

local CHROME = [[
GET %s HTTP/1.1
Host: %s
Connection: keep-alive
sec-ch-ua: "Not_A Brand";v="8", "Chromium";v="120", "Google Chrome";v="120"
sec-ch-ua-mobile: ?0
sec-ch-ua-platform: "Windows"
Upgrade-Insecure-Requests: 1
User-Agent: %s
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: navigate
Sec-Fetch-User: ?1
Sec-Fetch-Dest: document
Referer: https://shop.example/products/18
Accept-Encoding: gzip, deflate, br
Accept-Language: en-GB,en-US;q=0.9,en;q=0.8

]]

function init(args)
  if args[1] == "browser" then
    -- Not `request`: wrk sends what format() returns as it is, and calls no Lua for each request.
    wrk.format = function()
      return (CHROME:format(wrk.path, wrk.headers["Host"], AGENT):gsub("\n", "\r\n"))
    end
  end
end

-- The percent of answers for which is_beyond(latency) begins to hold, between two percentages.
local function edge(latency, low, high, is_beyond)
  for _ = 1, 30 do
    local middle = (low + high) / 2
    if is_beyond(latency:percentile(middle)) then
      high = middle
    else
      low = middle
    end
  end
  return low
end

-- A percentile in fractions of wrk's microsecond, which is coarse beside an answer that takes ten
-- of them: all answers of that microsecond are thought to lie evenly around it.
local function percentile(latency, percent)
  local us = latency:percentile(percent)
  local first = edge(latency, 0, percent, function(value) return value >= us end)
  local last = edge(latency, percent, 100, function(value) return value > us end)
  if last <= first then
    return us
  end
  return us - 0.5 + (percent - first) / (last - first)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  print(('{"requests": %d, "duration_us": %d, "p50_us": %.2f, "p99_us": %.2f, "errors": %d}')
    :format(summary.requests, summary.duration, percentile(latency, 50), percentile(latency, 99),
      failed))
end
