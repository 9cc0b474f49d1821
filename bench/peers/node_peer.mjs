// SPDX-License-Identifier: Apache-2.0

// ltijs, jsonwebtoken, and a tool that asks the sidecar, as peers of the benchmark: see README.md. Run in the directory of their node_modules.

import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
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

// sidecar is a tool that asks the sidecar, with nothing but node:http: what the JSON transport of a client costs at least.
function sidecar() {
  const agent = new Agent({ keepAlive: true, maxSockets: parallel })
  const options = {
    agent, socketPath: given.json_socket, method: 'POST', path: '/ltisidecar.v1.LaunchService/ValidateLaunch',
    headers: { 'Content-Type': 'application/json' }
  }
  return (launch) => new Promise((resolve, reject) => {
    const body = JSON.stringify({
      browser: {
        method: 'POST', cookieHeader: launch.cookie,
        parameters: [{ name: 'id_token', value: launch.id_token }, { name: 'state', value: launch.state }]
      }
    })
    const call = request(options, (response) => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', (part) => { text += part })
      response.on('end', () => {
        const answer = JSON.parse(text)
        if (response.statusCode !== 200 || !answer.launch?.claimsJson) return reject(new Error(`${response.statusCode} ${text.slice(0, 200)}`))
        resolve(answer.launch)
      })
    })
    call.on('error', reject)
    call.end(body)
  })
}

const parallel = which === 'sidecar' ? 16 : 1
const validate = { ltijs, jsonwebtoken, sidecar }[which]()
async function all(launches) {
  let next = 0
  await Promise.all(Array.from({ length: parallel }, async () => {
    while (next < launches.length) await validate(launches[next++])
  }))
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const warm = Math.floor(given.launches.length / 10)
await all(given.launches.slice(0, warm))
console.log('ready')
await lines.next()
await all(given.launches.slice(warm))
console.log('done ' + (given.launches.length - warm))
await lines.next()
process.exit(0)
