-- Requests for random items over connections that stay open; prints what wrk saw as one line of JSON.
-- wrk ... -- PATH ITEMS TOKEN [BODY]: a PATH that ends with "/" gets a number from 1 to ITEMS; so does the "#" of
-- a BODY, which is posted without the token.
local path, items, body

function init(arguments)
  path, items, body = arguments[1], tonumber(arguments[2]), arguments[4]
  math.randomseed(os.time())
  if body then
    wrk.headers["Content-Type"] = "application/json"
  else
    wrk.headers["Authorization"] = "Bearer " .. arguments[3]
  end
end

function request()
  if body then
    return wrk.format("POST", path, nil, (body:gsub("#", tostring(math.random(items)))))
  end
  if path:sub(-1) == "/" then
    return wrk.format("GET", path .. math.random(items))
  end
  return wrk.format("GET", path)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"figure": %.1f, "p50": %.3f, "p99": %.3f, "wrong": %d}\n', summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
