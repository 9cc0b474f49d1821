-- SPDX-License-Identifier: Apache-2.0
-- Redeems a nonce. KEYS: fence, nonce. ARGV: generation, owner (both hex), known incarnation, known seen (ms), retention (ms).
-- Answers {word, now, first used}. A script runs alone: nothing changes between the comparison and the write.
local replication = redis.call('INFO', 'replication')
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if string.match(replication, '\nrole:(%a+)') ~= 'master' then return {'stale', now} end
local stored = redis.call('HMGET', KEYS[1], 'generation', 'incarnation', 'seen')
if stored[1] ~= ARGV[1] then return {'stale', now} end
local run = string.match(redis.call('INFO', 'server'), '\nrun_id:(%w+)')
local id = string.match(replication, '\nmaster_replid:(%w+)')
if not run or not id or stored[2] ~= run .. ':' .. id then return {'stale', now} end
if stored[2] == ARGV[3] and tonumber(stored[3] or 0) < tonumber(ARGV[4]) then return {'stale', now} end -- it was brought back
if redis.call('SET', KEYS[2], ARGV[2] .. now, 'NX', 'PX', ARGV[5]) then return {'accepted', now, now} end
local first = redis.call('GET', KEYS[2])
local word = 'used'
if string.sub(first, 1, 32) == ARGV[2] then word = 'accepted' end
return {word, now, string.sub(first, 33)}
