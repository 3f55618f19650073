-- Requests for random items over connections that stay open; prints what wrk saw as one line of JSON.
-- wrk ... -- PATH ITEMS TOKEN [BODY]: a PATH that ends with "/" gets a number from 1 to ITEMS; so does the "#" of
-- a BODY, which is posted. Without a token where it is "-".
local path, items, body
-- What is asked over and over is written once: the client shares the processors with the server that is measured.
local written, KEPT = {}, 10000

function init(arguments)
  path, items, body = arguments[1], tonumber(arguments[2]), arguments[4]
  math.randomseed(os.time())
  if body then
    wrk.headers["Content-Type"] = "application/json"
  end
  if arguments[3] ~= "-" then
    wrk.headers["Authorization"] = "Bearer " .. arguments[3]
  end
end

local function write(item)
  if body then
    return wrk.format("POST", path, nil, (body:gsub("#", tostring(item))))
  end
  if path:sub(-1) == "/" then
    return wrk.format("GET", path .. item)
  end
  return wrk.format("GET", path)
end

function request()
  local item = math.random(items)
  if items > KEPT then
    return write(item)
  end
  local text = written[item]
  if not text then
    text = write(item)
    written[item] = text
  end
  return text
end

-- P50 and p99 in milliseconds of the answers that came. wrk adds others: for each that took more than twice the average, those
-- that a client which never waits would have got meanwhile. pgbench does not, so they are taken away again, from the longest down.
local function percentiles(latency, summary)
  local each = math.floor(summary.requests / tonumber(os.getenv("CONNECTIONS")))
  local interval = each > 0 and math.floor(summary.duration / each) or math.huge
  local added, extra, seen, p99 = {}, 0, 0, 0
  for i = #latency, 1, -1 do
    local time, count = latency(i)
    count = count - (added[time] or 0)
    local earlier = time >= 2 * interval and time - interval or 0
    while count > 0 and earlier > interval do
      added[earlier] = (added[earlier] or 0) + count
      extra = extra + count
      earlier = earlier - interval
    end
    seen, p99 = seen + count, time
    if seen >= summary.requests * 0.01 then break end
  end
  return latency:percentile(50 * summary.requests / (summary.requests + extra)) / 1000, p99 / 1000
end

function done(summary, latency, requests)
  local e = summary.errors
  local p50, p99 = percentiles(latency, summary)
  io.write(string.format('{"figure": %.1f, "p50": %.3f, "p99": %.3f, "wrong": %d}\n', summary.requests / summary.duration * 1e6,
    p50, p99, e.connect + e.read + e.write + e.status + e.timeout))
end
