import { expect, test } from 'vitest'
import { agentBench } from '../../testing/agent-bench.ts'
import { aHub } from '../../testing/bundle-fixtures.ts'
import { tunnelConfig } from './config.ts'
import { bringsKeys, type FormerKeys, formerKeys, KEY_SETTLED_MS, KEY_SILENT_MS, withKeyChanges } from './key-change.ts'

const { authority } = await agentBench()
const key = (n: number) => Buffer.alloc(32, n).toString('base64')
const [OLD, NEW, OTHER] = [key(1), key(2), key(3)] as [string, string, string]
/** A hub with the spoke 1 under this key, and spoke 3. */
const content = (publicKey: string) =>
  authority.content({
    node: { name: 'hub', role: 'hub', address: '10.8.0.9' },
    peers: [
      aHub(1, { hub: false, endpoint: undefined, publicKey, allowedIPs: ['10.8.0.1/32'], keepaliveSeconds: 0 }),
      aHub(3, { hub: false, endpoint: undefined, keepaliveSeconds: 0 }),
    ],
  })
const NODE = content(OLD).peers[0]?.nodeId ?? ''
const plain = (publicKey: string) => tunnelConfig({ content: content(publicKey), privateKey: key(9), isolated: false })
const shown = (c: ReturnType<typeof plain>) => c.peers.map((p) => [p.publicKey, p.allowedIPs])
const others = [OTHER, ['10.8.0.3/32']]
const after = (nowMs: number, ages: [string, number | undefined][], former: FormerKeys = changed()) =>
  shown(withKeyChanges(plain(NEW), content(NEW), { former, ages: new Map(ages), nowMs }))
/** The key changed at 0. */
const changed = () => formerKeys(new Map(), content(OLD), content(NEW), new Map(), 0)

test('the keys of a staged bundle are let in, with no address', () => {
  const config = withKeyChanges(plain(OLD), content(OLD), {
    ...{ staged: content(NEW), former: new Map(), ages: new Map(), nowMs: 0 },
  })
  expect(shown(config)).toEqual([[OLD, ['10.8.0.1/32']], [NEW, []], others])
  expect([bringsKeys(content(NEW), content(OLD)), bringsKeys(content(OLD), content(OLD))]).toEqual([true, false])
})

test('at the switch the addresses move, and the old key stays without any', () => {
  expect(after(0, [[OLD, 5]])).toEqual([[NEW, ['10.8.0.1/32']], [OLD, []], others])
  expect(after(KEY_SILENT_MS - 1, [[OLD, 5]])).toEqual([[NEW, ['10.8.0.1/32']], [OLD, []], others])
})

test('without a handshake in 30 s they return to the old key, and go on as soon as the new one is heard', () => {
  expect(after(KEY_SILENT_MS, [[OLD, 5]])).toEqual([[NEW, []], [OLD, ['10.8.0.1/32']], others])
  expect(
    after(KEY_SILENT_MS + 1, [
      [OLD, 5],
      [NEW, 5],
    ]),
  ).toEqual([[NEW, ['10.8.0.1/32']], [OLD, []], others])
  // It went back to its old key by itself.
  expect(
    after(KEY_SILENT_MS + 1, [
      [OLD, 1],
      [NEW, 20],
    ]),
  ).toEqual([[NEW, []], [OLD, ['10.8.0.1/32']], others])
})

test('the old key is kept until the new one was heard and nobody can take it back any more', () => {
  const keep = (nowMs: number, ages: [string, number | undefined][]) =>
    formerKeys(changed(), undefined, content(NEW), new Map(ages), nowMs).has(NODE)
  expect(
    keep(KEY_SETTLED_MS - 1, [
      [NEW, 5],
      [OLD, 95],
    ]),
  ).toBe(true)
  expect(
    keep(KEY_SETTLED_MS, [
      [NEW, 5],
      [OLD, 95],
    ]),
  ).toBe(false)
  expect(keep(KEY_SETTLED_MS * 100, [[OLD, 5]])).toBe(true)
  expect(
    keep(KEY_SETTLED_MS, [
      [NEW, 50],
      [OLD, 5],
    ]),
  ).toBe(true)
})

test('a change that is taken back leaves the new key as the former one', () => {
  const back = formerKeys(changed(), content(NEW), content(OLD), new Map(), 10)
  expect(back.get(NODE)?.peer.publicKey).toBe(NEW)
})

test('a node that is gone takes its former key with it', () => {
  const gone = { ...content(NEW), peers: content(NEW).peers.slice(1) }
  expect(formerKeys(changed(), content(NEW), gone, new Map(), 10).size).toBe(0)
})

test('an agent lets a staged key in before its authority sees the bundle staged', async () => {
  const bench = await agentBench({ role: 'hub' })
  const spoke = (publicKey: string) => ({ peers: [aHub(4, { hub: false, endpoint: undefined, publicKey })] })
  const agent = await bench.enrolled(spoke(OLD))
  await bench.authority.push(bench.authority.bundle({ revision: 2, content: spoke(NEW) }))
  await bench.clock.advance(1_000)
  const [one, two] = bench.wireguard.config()?.peers ?? []
  expect([one?.publicKey, two?.publicKey, two?.allowedIPs]).toEqual([OLD, NEW, []])
  await agent.stop()
})
