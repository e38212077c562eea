import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { plainCredentials } from './plain-credentials.ts'

const SERVER = 'https://api.example:6443'
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ppn-credentials-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const config = (user: object, cluster: object = {}) =>
  write(
    'config',
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'here',
      clusters: [
        { name: 'c', cluster: { server: SERVER, ...cluster } },
        { name: 'behind', cluster: { server: SERVER, 'proxy-url': 'http://proxy.example' } },
      ],
      users: [
        { name: 'u', user },
        { name: 'plugin', user: { exec: { command: 'aws' } } },
      ],
      contexts: [
        { name: 'here', context: { cluster: 'c', user: 'u', namespace: 'x' } },
        { name: 'other', context: { cluster: 'c', user: 'plugin' } },
        { name: 'far', context: { cluster: 'behind', user: 'u' } },
      ],
    }),
  )
const clock = virtualClock()
const read = (kubeconfig: string, context?: string) => plainCredentials({ kubeconfig, clock, context, env: {} })

describe('a kubeconfig', () => {
  test('with a token and an authority beside it needs no library', async () => {
    write('ca.crt', 'trusted')
    const found = read(config({ token: 'secret' }, { 'certificate-authority': 'ca.crt' }))
    expect(found).toMatchObject({ server: SERVER, proxied: false })
    expect(await found?.options()).toMatchObject({
      ca: Buffer.from('trusted'),
      headers: { Authorization: 'Bearer secret' },
    })
  })

  test('with a certificate inside it sends that and no token', async () => {
    const data = (text: string) => Buffer.from(text).toString('base64')
    const found = read(config({ 'client-certificate-data': data('cert'), 'client-key-data': data('key') }))
    expect(await found?.options()).toMatchObject({ cert: Buffer.from('cert'), key: Buffer.from('key'), headers: {} })
  })

  test('is verified unless it says otherwise', async () => {
    expect(await read(config({ token: 'x' }))?.options()).not.toHaveProperty('rejectUnauthorized')
    const lax = read(config({ token: 'x' }, { 'insecure-skip-tls-verify': true }))
    expect(await lax?.options()).toMatchObject({ rejectUnauthorized: false })
  })

  test.each([
    ['a plugin', 'other'],
    ['a proxy', 'far'],
    ['a context that is not in it', 'nowhere'],
  ])('with %s is left to the library', (_, context) => {
    expect(read(config({ token: 'x' }), context)).toBeUndefined()
  })

  test('that impersonates, cannot be read or is one of several is left to the library', () => {
    expect(read(config({ token: 'x', as: 'somebody' }))).toBeUndefined()
    expect(read(write('broken', 'clusters: ['))).toBeUndefined()
    expect(read(join(folder, 'none'))).toBeUndefined()
    const good = config({ token: 'x' })
    expect(plainCredentials({ clock, env: { KUBECONFIG: `${good}:${good}` } })).toBeUndefined()
    expect(plainCredentials({ clock, env: { KUBECONFIG: good } })).toBeDefined()
  })
})

describe('a token in a file', () => {
  const bearer = async (found: ReturnType<typeof read>) => (await found?.options())?.headers

  test('is read again after a minute, and the old one serves while there is none', async () => {
    const path = write('token', 'first\n')
    const found = read(config({ tokenFile: 'token' }))
    expect(await bearer(found)).toEqual({ Authorization: 'Bearer first' })
    writeFileSync(path, 'second\n')
    await clock.advance(59_000)
    expect(await bearer(found)).toEqual({ Authorization: 'Bearer first' })
    await clock.advance(2_000)
    expect(await bearer(found)).toEqual({ Authorization: 'Bearer second' })
    rmSync(path)
    await clock.advance(61_000)
    expect(await bearer(found)).toEqual({ Authorization: 'Bearer second' })
  })
})

describe('a pod', () => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }

  test('has its service account, whose token is never kept for good', async () => {
    write('token', 'pod')
    write('ca.crt', 'trusted')
    const found = plainCredentials({ clock, env, serviceAccount: folder })
    expect(found?.server).toBe('https://[fd00::1]:443')
    expect(await found?.options()).toEqual({
      ca: Buffer.from('trusted'),
      headers: { Authorization: 'Bearer pod' },
    })
  })

  test('without one, or asked for a context, is left to the library', () => {
    expect(plainCredentials({ clock, env, serviceAccount: folder })).toBeUndefined()
    write('token', 'pod')
    write('ca.crt', 'trusted')
    expect(plainCredentials({ clock, env: {}, serviceAccount: folder })).toBeUndefined()
    expect(plainCredentials({ clock, env, context: 'x', serviceAccount: folder })).toBeUndefined()
  })
})
