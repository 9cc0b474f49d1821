-- SPDX-License-Identifier: Apache-2.0
-- Brings the fence up to date. KEYS: fence.
-- ARGV: instance, suffix, random, check (all hex), known incarnation, known seen (ms), generation to replace or '',
-- how long another check is respected (ms).
-- Answers {word, generation, random, incarnation, seen, now, reason}.
local fence = KEYS[1]
local replication = redis.call('INFO', 'replication')
local role = string.match(replication, '\nrole:(%a+)')
if role ~= 'master' then return {'role', tostring(role)} end
local policy = string.match(redis.call('INFO', 'memory'), '\nmaxmemory_policy:([%w-]+)')
if policy ~= 'noeviction' then
  redis.call('DEL', fence) -- what is evicted meanwhile is not known: no redemption counts until there is another fence
  return {'policy', tostring(policy)}
end
local run = string.match(redis.call('INFO', 'server'), '\nrun_id:(%w+)')
local id = string.match(replication, '\nmaster_replid:(%w+)')
if not run or not id then return {'ids'} end
local incarnation = run .. ':' .. id
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local stored = redis.call('HMGET', fence, 'generation', 'random', 'incarnation', 'seen', 'check')
local generation, random, seen = stored[1], stored[2], tonumber(stored[4] or 0)
local reason = ''
if not (generation and random and stored[3] and stored[4] and stored[5]) then
  reason = 'there was no fence: this is the first start, or the memory was wiped'
elseif stored[5] ~= ARGV[4] and now - seen < tonumber(ARGV[8]) and seen <= now then
  return {'secret'}
elseif stored[3] ~= incarnation then
  reason = 'the server restarted, or another one took over'
elseif stored[5] ~= ARGV[4] then
  reason = 'the shared secret is another one'
elseif ARGV[5] == incarnation and seen < tonumber(ARGV[6]) then
  reason = 'an older copy of the memory was brought back'
elseif now + 5000 < seen then
  reason = 'the clock of the server was set back'
elseif generation == ARGV[7] then
  reason = 'a sidecar asked for it'
end
if reason ~= '' then
  local instance = ARGV[1]
  if generation then instance = string.sub(generation, 1, 8) end
  generation, random, seen = instance .. ARGV[2], ARGV[3], now
  redis.call('HSET', fence, 'generation', generation, 'random', random, 'incarnation', incarnation,
    'seen', string.format('%.0f', seen), 'check', ARGV[4])
elseif now > seen then
  seen = now
  redis.call('HSET', fence, 'seen', string.format('%.0f', seen))
end
return {'fence', generation, random, incarnation, string.format('%.0f', seen), string.format('%.0f', now), reason}
