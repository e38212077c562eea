// `ppn migrate --to-cluster` and back, on a running fleet: real agents on simulated machines, the real API server.
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { TERM_LEAP } from '../../authority/migrate/arrival.ts'
import { freshCluster } from './fresh-cluster.ts'
import { lastingOf, NAMESPACE, type Reigning, ready, twoHomes } from './migrate-fleet.ts'

const cluster = freshCluster('manifests/base')
const home = twoHomes(cluster, 'examples/office')
afterAll(() => home.stop())

const { fleet, state } = home
const OURS = 'meshes.ppn.dev,nodes.ppn.dev,resourcepools.ppn.dev,archives.ppn.dev,pairings.ppn.dev'
const termOf = ({ authority }: Reigning) => authority.world.authority.term()

test('there, and back: the same fleet under a higher term, and nothing but PINGs', { timeout: 400_000 }, async () => {
  const first = await home.onFolder()
  await ready(first.authority)
  const before = { lasting: lastingOf(first.authority), term: termOf(first) }
  const pairing = { nodeName: 'visitor', rendezvous: 'A2B3', code: 'ABCD-EFGH' }
  const asked = await first.authority.world.store.create('Pairing', 'visitor', pairing)
  await expect.poll(() => first.authority.world.store.records.get(`pairing/${asked.metadata.uid}`)).toBeDefined()
  await first.end()

  const look = await home.migrate('--to-cluster', '--dry-run')
  expect(look).toMatchObject({ code: 0, err: '' })
  expect(look.out).toContain('dry run: nothing was changed')
  expect((await cluster().kubectl(['get', OURS, '-A'])).trim()).toBe('')

  const since = home.since()
  expect(await home.migrate('--to-cluster')).toMatchObject({ code: 0, err: '' })
  await expect(home.onFolder()).rejects.toMatchObject({ code: 'AuthorityMoved' })

  const second = await home.onCluster()
  await ready(second.authority)
  expect(lastingOf(second.authority)).toEqual(before.lasting)
  expect(termOf(second)).toBe(before.term + TERM_LEAP + 1)
  // The act went along, and what was known of it: its window began when it was first seen.
  const { uid } = second.authority.world.store.get('Pairing', 'visitor')?.metadata ?? {}
  expect(second.authority.world.store.records.get(`pairing/${uid}`)?.value).toMatchObject({
    startedMs: expect.any(Number),
  })
  expect(JSON.stringify(second.authority.world.store.records.list(''))).not.toContain(asked.metadata.uid)
  // One chain: the stream goes on after the folder's last line.
  await expect.poll(() => home.audit.length).toBeGreaterThan(0)
  const lines = readFileSync(join(state, 'audit.jsonl'), 'utf8').trimEnd().split('\n')
  const { n, hash } = JSON.parse(lines.at(-1) as string) as { n: number; hash: string }
  expect(JSON.parse(home.audit[0] as string)).toMatchObject({ n: n + 1, prev: hash })
  expect(existsSync(join(home.keys, 'operator.secret'))).toBe(false)
  await second.end()

  // Somebody starts a copy of the old state, without the mark: the nodes know better.
  const copy = { fleet: join(home.folder, 'old-fleet'), state: join(home.folder, 'old-state') }
  cpSync(fleet, copy.fleet, { recursive: true })
  cpSync(state, copy.state, { recursive: true })
  rmSync(join(copy.state, 'migration'))
  const old = await home.onFolder(copy, { machines: false })
  await expect.poll(() => old.authority.serving.downlink()?.reign.phase(), { timeout: 30_000 }).toBe('Superseded')
  await old.end()
  expect(since.ops()).toEqual(['PING'])

  expect(await home.migrate('--to-folder')).toMatchObject({ code: 0, err: '' })
  await expect(home.onCluster()).rejects.toMatchObject({ code: 'AuthorityMoved' })
  const third = await home.onFolder()
  await ready(third.authority)
  expect(lastingOf(third.authority)).toEqual(before.lasting)
  expect(termOf(third)).toBe(before.term + 2 * (TERM_LEAP + 1))
  await wait(2_000)
  expect(since.ops()).toEqual(['PING'])
  expect(since.bundles()).toBe(0)
  expect(since.driverCalls()).toEqual([])
  await third.end()
  // Nobody on the cluster would take our finalizers away any more.
  expect(await cluster().kubectl(['get', OURS, '-A', '-o', 'yaml'])).not.toContain('ppn.dev/teardown')
  expect(
    await cluster().kubectl([
      '-n',
      NAMESPACE,
      'get',
      'lease',
      'ppn-authority',
      '-o',
      'jsonpath={.spec.holderIdentity}',
    ]),
  ).toBe('')
})
