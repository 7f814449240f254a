-- Requests wait here while the chain sleeps: whoever scales it sees how many, and wakes it.
local held, last = {}, 0
local LOOK_MS, LATE_SEC = 20, 1.5

local function now()
  local time = core.now()
  return time.sec + time.usec / 1000000
end

-- A caller who left is noticed by its silence: its request just ends here.
local function count()
  local found, since = 0, now() - LATE_SEC
  for request, seen in pairs(held) do
    if seen < since then
      held[request] = nil
    else
      found = found + 1
    end
  end
  return found
end

core.register_action("hold", { "http-req" }, function(txn)
  last = last + 1
  local request, ends = last, now() + 60
  while txn.f:nbsrv("live") == 0 and now() < ends do
    held[request] = now()
    -- Many look less often, so that a thousand cost no more than some.
    core.msleep(math.min(math.max(LOOK_MS, count() // 4), LOOK_MS * 25))
  end
  held[request] = nil
end)

core.register_cli({ "wait", "held" }, "wait held <ms> : how many requests are held, as soon as there are some",
  function(applet, _, _, patience)
    local ends = now() + (tonumber(patience) or 0) / 1000
    while count() == 0 and now() < ends do
      core.msleep(LOOK_MS)
    end
    applet:send("held " .. count() .. "\n")
  end)
