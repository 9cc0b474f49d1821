// SPDX-License-Identifier: Apache-2.0

// ltijs and jsonwebtoken as peers of the benchmark: see README.md. Run in the directory of their node_modules.

import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(process.cwd() + '/')
const [which, path] = process.argv.slice(2)
const given = JSON.parse(readFileSync(path, 'utf8'))

function ltijs() {
  const Auth = require('ltijs/dist/Utils/Auth.js')
  const nonces = new Set()
  const database = {
    Get: async (_key, _collection, query) => (nonces.has(query.nonce) ? [query] : false),
    Insert: async (_key, _collection, item) => nonces.add(item.nonce)
  }
  const platform = {
    platformActive: async () => true,
    platformAuthConfig: async () => ({ method: 'JWK_KEY', key: given.jwks.keys[0] }),
    platformClientId: async () => given.client_id,
    platformKid: async () => 'bench'
  }
  const getPlatform = async (issuer, clientId) => (issuer === given.issuer && clientId === given.client_id ? platform : false)
  return async (launch) => {
    const claims = await Auth.validateToken(launch.id_token, false, { iss: given.issuer, maxAge: 3600 }, getPlatform, 'key', database)
    if (claims.nonce !== launch.nonce) throw new Error('another launch')
  }
}

function jsonwebtoken() {
  const jwt = require('jsonwebtoken')
  const key = createPublicKey({ key: given.jwks.keys[0], format: 'jwk' })
  return async (launch) => {
    const claims = jwt.verify(launch.id_token, key, { algorithms: ['RS256'], issuer: given.issuer, audience: given.client_id, nonce: launch.nonce })
    if (claims.nonce !== launch.nonce) throw new Error('another launch')
  }
}

const validate = { ltijs, jsonwebtoken }[which]()
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const warm = Math.floor(given.launches.length / 10)
for (const launch of given.launches.slice(0, warm)) await validate(launch)
console.log('ready')
await lines.next()
for (const launch of given.launches.slice(warm)) await validate(launch)
console.log('done ' + (given.launches.length - warm))
await lines.next()
process.exit(0)
