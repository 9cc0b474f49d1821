-- SPDX-License-Identifier: Apache-2.0
-- Reads, and writes nothing. KEYS: fence. Answers {INFO, seconds, microseconds, seen or '', check or ''}.
local time = redis.call('TIME')
local stored = redis.call('HMGET', KEYS[1], 'seen', 'check')
local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication') .. redis.call('INFO', 'memory')
return {info, time[1], time[2], stored[1] or '', stored[2] or ''}
